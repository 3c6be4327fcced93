"""Scenes to measure on, made in memory from the clip that the package carries.

A wall of N moving faces tells what each face costs; a face that stands still or swings, seen by a noisy
camera, tells how still the points are and how late they come.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.images.picture import BgrPicture
from fkp_live.sources import open_source
from fkp_live.types import Face, Frame, Image

RATE = 30.0

# The part of the demo clip (640x480) in which the face moves about, and the cell of a wall that shows it.
_LEFT, _TOP, _WIDTH, _HEIGHT = 70, 60, 512, 360
CELL = (256, 180)
_COLUMNS, _ROWS = 5, 4

# What a camera adds to a still face: 640x480, a face of 150 px, noise of 4 grey levels, gain of 2 %,
# shifts up to 0.3 px, JPEG at quality 75 to 95.
FACE_SIDE = 150.0
_CAMERA = (640, 480)
_NOISE, _GAIN, _SHIFT, _QUALITY = 4.0, 0.02, 0.3, (75, 95)


def demo_clip() -> Path:
    """The clip that the package carries: 180 frames of one face, 640x480, whose motion closes on itself."""
    return Path(str(resources.files("fkp_live") / "assets" / "demo.mp4"))


class FaceWall:
    """The demo clip's face ``faces`` times in one picture, each at another moment of its motion.

    The picture is 1280x720 for up to 20 faces and grows by rows for more. A face is about 80 px large
    whatever their number, so what a face costs can be compared.

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
        # Spread over the picture: a few faces are not all in one corner.
        cells = (
            np.linspace(0, rows * _COLUMNS - 1, faces + 2)[1:-1] if faces < rows * _COLUMNS else range(faces)
        )
        self._places = [
            (round(cell) // _COLUMNS * CELL[1], round(cell) % _COLUMNS * CELL[0]) for cell in cells
        ]

    def frames(self, count: int) -> Iterator[Frame]:
        """``count`` frames, 30 a second of stream time, each handed over at once (`Frame.arrived` is now).

        They share one picture, painted anew for each: use a frame before asking for the next.
        """
        picture = np.full((self.height, self.width, 3), 128, np.uint8)
        for index in range(count):
            for number, (top, left) in enumerate(self._places):
                # 47 shares no factor with the clip's length, so no two faces of a wall move alike.
                view = self._views[(index + 47 * number) % len(self._views)]
                picture[top : top + CELL[1], left : left + CELL[0]] = view
            yield Frame(BgrPicture(picture), index, index / RATE, time.perf_counter())


def camera_view(
    image: Image, face: Face, path: ArrayLike, seed: int = 0
) -> Iterator[tuple[Frame, NDArray[np.float64]]]:
    """A photo's face before a noisy camera, 150 px large.

    Parameters
    ----------
    image : (H, W, 3) uint8 BGR
    face : the face in it
    path : (T, 2) where the face is in each frame, in pixels from the middle of the picture
    seed : of the noise

    Each frame comes with the shift (2,) in pixels that it really has: the path and a sub-pixel tremble.
    """
    random = np.random.default_rng(seed)
    scale = FACE_SIDE / float(max(face.box[2:] - face.box[:2]))
    start = np.array(_CAMERA) / 2 - scale * (face.box[:2].astype(float) + face.box[2:]) / 2
    for index, place in enumerate(np.asarray(path, np.float64)):
        shift = place + random.uniform(-_SHIFT, _SHIFT, 2)
        matrix = np.column_stack([scale * np.eye(2), start + shift])
        moved = cv2.warpAffine(image, matrix, _CAMERA, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        noise = _NOISE * random.standard_normal(moved.shape, np.float32)
        noisy = moved * np.float32(random.uniform(1 - _GAIN, 1 + _GAIN)) + noise
        quality = int(random.integers(_QUALITY[0], _QUALITY[1] + 1))
        coded = cv2.imencode(
            ".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        yield Frame(BgrPicture(picture), index, index / RATE, time.perf_counter()), shift
