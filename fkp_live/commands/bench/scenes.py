"""What ``fkp-live bench`` measures on: the demo clip, and pictures with N moving faces made from it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from fkp_live.images.picture import BgrPicture
from fkp_live.sources import open_source
from fkp_live.types import Frame

RATE = 30.0

# The part of the demo clip (640x480) in which the face moves about, and the cell of a wall that shows it.
_LEFT, _TOP, _WIDTH, _HEIGHT = 70, 60, 512, 360
CELL = (256, 180)
_COLUMNS, _ROWS = 5, 4


def demo_clip() -> Path:
    """The demo clip of the package: 180 frames of one face, 640x480; its last frame leads on to its first."""
    return Path(str(resources.files("fkp_live") / "assets" / "demo.mp4"))


class FaceWall:
    """Pictures that show the demo clip's face N times, each at another moment of its motion.

    A picture is 1280x720 for up to 20 faces and grows by rows for more. A face is about 80 px large whatever their
    number, so the cost of a face can be compared.

    Parameters
    ----------
    faces : N, from 1 up

    Attributes
    ----------
    width, height : of the picture in pixels
    """

    def __init__(self, faces: int) -> None:
        rows = max(_ROWS, math.ceil(faces / _COLUMNS))
        self.width, self.height = _COLUMNS * CELL[0], rows * CELL[1]
        self._views = []
        with open_source(demo_clip()) as source:
            for frame in source:
                region = frame.image[_TOP : _TOP + _HEIGHT, _LEFT : _LEFT + _WIDTH]
                self._views.append(cv2.resize(region, CELL, interpolation=cv2.INTER_AREA))
        # Spread over the picture, so that a few faces are not all in one corner.
        cells = (
            np.linspace(0, rows * _COLUMNS - 1, faces + 2)[1:-1] if faces < rows * _COLUMNS else range(faces)
        )
        self._places = [
            (round(cell) // _COLUMNS * CELL[1], round(cell) % _COLUMNS * CELL[0]) for cell in cells
        ]

    def frames(self, count: int) -> Iterator[Frame]:
        """``count`` frames at 30 frames per second of stream time; `Frame.arrived` is now.

        They share one array, so use a frame before taking the next.
        """
        picture = np.full((self.height, self.width, 3), 128, np.uint8)
        for index in range(count):
            for number, (top, left) in enumerate(self._places):
                # 47 shares no factor with the clip's length, so no two faces of a wall move alike.
                view = self._views[(index + 47 * number) % len(self._views)]
                picture[top : top + CELL[1], left : left + CELL[0]] = view
            yield Frame(BgrPicture(picture), index, index / RATE, time.perf_counter())
