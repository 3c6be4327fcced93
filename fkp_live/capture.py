"""Cameras and pictures, through OpenCV."""

from __future__ import annotations

import glob
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from fkp_live.errors import InputError
from fkp_live.reading import Frames, SourceInfo, primed
from fkp_live.types import Frame

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
PICTURE_RATE = 25  # pictures have no clock; one is shown for 1/25 s, as ffmpeg does


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV prints pages of warnings for what is not there or broken; our own sentence says it better."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_camera(number: int) -> tuple[SourceInfo, Frames]:
    with _quiet_opencv():
        # Device nodes tell at once on Linux, where asking OpenCV for a missing one also wakes other back
        # ends.
        there = not sys.platform.startswith("linux") or Path(f"/dev/video{number}").exists()
        capture = cv2.VideoCapture(number) if there and number >= 0 else cv2.VideoCapture()
    if not capture.isOpened():
        raise InputError(f"Camera {number} cannot be opened.", _camera_hint())
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    name = f"camera {number}"
    frames = _camera_frames(capture, name)
    first, frames = primed(
        frames, lambda: InputError(f"{name} opens, but delivers no picture.", _camera_hint())
    )
    height, width = first.image.shape[:2]
    return SourceInfo(name, width, height, fps=capture.get(cv2.CAP_PROP_FPS) or None, live=True), frames


def _camera_hint() -> str:
    if not sys.platform.startswith("linux"):
        return "Check that it is plugged in, free, and that this program may use it; try another number."
    found = sorted(int(p.name[5:]) for p in Path("/dev").glob("video*") if p.name[5:].isdecimal())
    if not found:
        return "This machine has no camera (no /dev/video*); use --video FILE or --demo."
    return (
        f"Cameras here: {', '.join(map(str, found))}. Check that it is not in use and that you may read it."
    )


def _camera_frames(capture: cv2.VideoCapture, name: str) -> Frames:
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
            yield Frame(np.asarray(image, np.uint8), index, arrived - opened, arrived)
            index += 1
    finally:
        capture.release()


def is_glob(path: Path) -> bool:
    return glob.has_magic(str(path)) and not path.exists()


def open_pictures(path: Path) -> tuple[SourceInfo, Frames]:
    if path.is_dir():
        files, where = [p for p in path.iterdir() if p.is_file()], f"the folder {path}"
    elif is_glob(path):
        files, where = [Path(p) for p in glob.glob(str(path), recursive=True)], f"the pattern {path}"
    else:
        check_file(path)
        files, where = [path], str(path)
    files = sorted((p for p in files if p.suffix.lower() in PICTURE_SUFFIXES), key=_natural)
    if not files:
        raise InputError(
            f"There is no picture in {where}.", f"Known pictures are {', '.join(PICTURE_SUFFIXES)}."
        )
    first, frames = primed(_picture_frames(files), lambda: InputError(f"There is no picture in {where}."))
    height, width = first.image.shape[:2]
    info = SourceInfo(path.name or str(path), width, height, fps=float(PICTURE_RATE), frames=len(files))
    return replace(info, duration=len(files) / PICTURE_RATE, time_base=Fraction(1, PICTURE_RATE)), frames


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _picture_frames(files: Sequence[Path]) -> Frames:
    base = Fraction(1, PICTURE_RATE)
    for index, path in enumerate(files):
        try:
            data = np.fromfile(path, np.uint8)
        except OSError as exc:
            raise InputError(f"{path} cannot be opened: {exc.strerror}.", "Check its permissions.") from exc
        with _quiet_opencv():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            raise InputError(
                f"{path} is not a picture that can be read.", "Remove it, or save it again as PNG."
            )
        yield Frame(
            np.asarray(image, np.uint8), index, index / PICTURE_RATE, time.perf_counter(), index, base
        )


def check_file(path: Path) -> None:
    if not path.exists():
        raise InputError(f"There is no file {path}.", "Check the spelling, and the folder you are in.")
    if not path.is_file():
        raise InputError(
            f"{path} is not a regular file.", "Give a video, a folder of pictures or a camera number."
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes).", "Copy or download it again.")
    try:
        path.open("rb").close()
    except OSError as exc:
        raise InputError(f"{path} cannot be opened: {exc.strerror}.", "Check its permissions.") from exc
