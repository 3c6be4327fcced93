"""Cameras of this machine, read through OpenCV."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.source import Frames, Opened, peek_first
from fkp_live.types import Frame, SourceInfo


def open_camera(number: int) -> Opened:
    """Open a camera and read its first frame.

    Raises
    ------
    InputError : there is no such camera, it is in use, or it delivers no picture
    """
    # On Linux a missing device node settles it; OpenCV would try other back ends as well, and print warnings.
    there = not sys.platform.startswith("linux") or os.path.exists(f"/dev/video{number}")
    capture = cv2.VideoCapture(number) if there and number >= 0 else cv2.VideoCapture()
    if not capture.isOpened():
        raise InputError(f"Camera {number} cannot be opened.", _camera_hint())
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    name = f"camera {number}"
    no_picture = InputError(f"{name} opens, but delivers no picture.", _camera_hint())
    first, frames = peek_first(_frames(capture, name), lambda: no_picture)
    width, height = first.picture.size
    info = SourceInfo(name, width, height, fps=capture.get(cv2.CAP_PROP_FPS) or None, live=True)
    return Opened(info, frames)


def _camera_hint() -> str:
    if not sys.platform.startswith("linux"):
        return "Check that it is plugged in, free, and that this program may use it; try another number."
    found = sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdecimal())
    if not found:
        return "This machine has no camera (no /dev/video*); use --video FILE or --demo."
    return (
        f"Cameras here: {', '.join(map(str, found))}. Check that it is not in use and that you may read it."
    )


def _frames(capture: cv2.VideoCapture, name: str) -> Frames:
    opened: float | None = None
    index = 0
    try:
        while True:
            ok, image = capture.read()
            arrived = time.perf_counter()
            if not ok:
                if opened is None:
                    return
                raise InputError(f"{name} stopped delivering pictures.", "Check that it is still plugged in.")
            opened = arrived if opened is None else opened
            yield Frame(BgrPicture(np.asarray(image, np.uint8)), index, arrived - opened, arrived)
            index += 1
    finally:
        capture.release()
