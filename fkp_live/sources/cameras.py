"""The cameras of this machine: listed, and found by their name."""

from __future__ import annotations

import os
import sys

import cv2

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import v4l2
from fkp_live.sources.modes import Camera, Mode

_TRIED = range(4)  # numbers that are tried where the system has no list that OpenCV's numbers go by


def list_cameras() -> list[Camera]:
    """The cameras of this machine, by number.

    Linux names them and says what they offer. Elsewhere OpenCV numbers them by itself: the numbers 0 to 3 are opened
    for a moment to see whether they are there, with the size that they begin with, and their names are not known.
    """
    return v4l2.cameras() if on_linux() else _tried()


def on_linux() -> bool:
    """Whether cameras are nodes of a file system, which can be looked up."""
    return sys.platform.startswith("linux")


def node_missing(number: int) -> bool:
    """Whether there is certainly no such camera: OpenCV would try for long, and print warnings."""
    return number < 0 or (on_linux() and not os.path.exists(v4l2.DEVICES / f"video{number}"))


def find_camera(text: str) -> Camera:
    """The camera whose name contains ``text``, in upper or lower case; one of exactly that name comes first.

    Raises
    ------
    InputError : there is none
    UsageError : there are several
    """
    wanted = " ".join(text.casefold().split())
    cameras = list_cameras()
    named = [camera for camera in cameras if camera.name is not None and wanted in camera.name.casefold()]
    exact = [camera for camera in named if (camera.name or "").casefold() == wanted]
    chosen = exact if len(exact) == 1 else named
    if len(chosen) == 1:
        return chosen[0]
    listed = _listed(chosen or cameras)
    if chosen:
        raise UsageError(
            f"{len(chosen)} cameras are named {text!r}: {listed}.", "Give more of the name, or a number."
        )
    if cameras and not any(camera.name for camera in cameras):
        raise InputError(
            f"There is no camera {text!r}: names are not known here.", f"Cameras here: {listed}."
        )
    raise InputError(f"There is no camera {text!r}.", hint(cameras))


def hint(cameras: list[Camera]) -> str:
    """The cure where a camera cannot be opened: which ones there are."""
    if not cameras:
        return "This machine has no camera: is it plugged in, and may you read it? Or use --video FILE, or --demo."
    wrong = "".join(f" Camera {camera.number}: {camera.problem}." for camera in cameras if camera.problem)
    return f"Cameras here: {_listed(cameras)}.{wrong}"


def _listed(cameras: list[Camera]) -> str:
    return ", ".join(f"{camera.number} ({camera.name or 'name not known'})" for camera in cameras)


def _tried() -> list[Camera]:
    found = []
    for number in _TRIED:
        capture = cv2.VideoCapture(number)
        if capture.isOpened():
            width, height = (int(capture.get(side)) for side in (3, 4))
            found.append(Camera(number, None, (Mode("", width, height),)))
        capture.release()
    return found
