"""Cameras of this machine, read through OpenCV."""

from __future__ import annotations

import math
import threading
import time

import cv2
import numpy as np

from fkp_live.errors import InputError
from fkp_live.handoff import Handoff
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.cameras import find_camera, hint, list_cameras, node_missing, on_linux
from fkp_live.sources.modes import MJPG, needs_mjpg
from fkp_live.sources.source import Frames, Opened, peek_first
from fkp_live.types import Frame, Image, SourceInfo

# Seconds without a picture after which a camera counts as lost; the first one may need the lamp or the lens.
FIRST_PICTURE, NEXT_PICTURE = 15.0, 5.0
_LEAVING = 2.0  # seconds that a camera may take to hand over the picture that it is at
_MEASURED = 3.0  # seconds of pictures after which their rate is known
_RATE_SLACK = 0.9  # share of the rate asked for that still counts as that rate


def open_camera(which: int | str, *, size: tuple[int, int] | None = None, fps: float | None = None) -> Opened:
    """Open a camera and read its first frame.

    Parameters
    ----------
    which : its number, or a part of its name
    size, fps : width and height in pixels, and pictures a second, that are asked of it; what came instead is noted

    Raises
    ------
    InputError : there is no such camera, it is in use, or it delivers no picture
    UsageError : several have that name
    """
    number, name = (which, f"camera {which}") if isinstance(which, int) else _named(which)
    capture = cv2.VideoCapture() if node_missing(number) else cv2.VideoCapture(number)
    if not capture.isOpened():
        raise InputError(f"{name[:1].upper()}{name[1:]} cannot be opened.", _hint())
    _ask(capture, number, size, fps)
    no_picture = InputError(f"{name} opens, but delivers no picture.", _hint())
    rate = _Rate()
    first, frames = peek_first(_frames(capture, name, rate), lambda: no_picture)
    reported = capture.get(cv2.CAP_PROP_FPS)
    info = SourceInfo(name, *first.picture.size, fps=reported if 0 < reported < math.inf else None, live=True)
    return Opened(info, frames, lambda: _difference(info, size, fps, rate))


def _named(text: str) -> tuple[int, str]:
    camera = find_camera(text)
    return camera.number, f"camera {camera.number} ({camera.name})"


def _hint() -> str:
    # Elsewhere a list means to open cameras, of which one has just failed.
    if not on_linux():
        return "Check that it is plugged in, free, and that this program may use it; try another number."
    cameras = list_cameras()
    free = " Check that it is not in use and that you may read it." if cameras else ""
    return hint(cameras) + free


def _ask(capture: cv2.VideoCapture, number: int, size: tuple[int, int] | None, fps: float | None) -> None:
    """Ask for a size and a rate. What a camera does not have it replaces, or ignores."""
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if size is not None or fps is not None:
        wanted = size or (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        known = [camera.modes for camera in (list_cameras() if on_linux() else []) if camera.number == number]
        # Before the size, because many drivers choose the size among those of the coding.
        if needs_mjpg(known[0] if known else (), wanted, fps):
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*MJPG))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, wanted[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, wanted[1])
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)


class _Rate:
    """Pictures a second, measured by their arrival."""

    def __init__(self) -> None:
        self._count, self._first, self._last = 0, 0.0, 0.0

    def tick(self, arrived: float) -> None:
        """Count a picture."""
        self._first = self._first if self._count else arrived
        self._count, self._last = self._count + 1, arrived

    @property
    def measured(self) -> float | None:
        """None while too few came."""
        span = self._last - self._first
        return (self._count - 1) / span if span >= _MEASURED else None


def _difference(info: SourceInfo, size: tuple[int, int] | None, fps: float | None, rate: _Rate) -> str:
    """What came, where it is not what was asked for; otherwise empty."""
    came = rate.measured or info.fps
    slow = fps is not None and came is not None and came < _RATE_SLACK * fps
    if (size is None or size == (info.width, info.height)) and not slow:
        return ""
    got = f"{info.width}x{info.height}" + (f" at {came:.4g} fps" if came else "")
    asked = [f"{size[0]}x{size[1]}"] if size else []
    asked += [f"{fps:.4g} fps"] if fps else []
    return f"{info.name} delivers {got}; asked for: {' at '.join(asked)}"


def _frames(capture: cv2.VideoCapture, name: str, rate: _Rate) -> Frames:
    """Frames until the camera fails. It is read in a thread, because drivers may hang where they cannot be ended."""
    pictures: Handoff[tuple[Image, float]] = Handoff(2)
    reader = threading.Thread(target=_read, args=(capture, pictures), name="fkp-live camera", daemon=True)
    reader.start()
    opened, index = None, 0
    try:
        while True:
            patience = FIRST_PICTURE if opened is None else NEXT_PICTURE
            if not pictures.ready(patience):
                what = "opens, but delivers" if opened is None else "delivers"
                raise InputError(f"{name} {what} no picture: nothing came for {patience:g} s.", _hint())
            if (item := pictures.get()) is None:
                break
            image, arrived = item
            opened = arrived if opened is None else opened
            rate.tick(arrived)
            yield Frame(BgrPicture(image), index, arrived - opened, arrived)
            index += 1
        if opened is not None:
            raise InputError(f"{name} stopped delivering pictures.", "Check that it is still plugged in.")
    finally:
        pictures.cancel()
        reader.join(_LEAVING)


def _read(capture: cv2.VideoCapture, pictures: Handoff[tuple[Image, float]]) -> None:
    """Read until the camera fails or nobody takes the pictures, and release it."""
    error: BaseException | None = None
    try:
        while True:
            ok, image = capture.read()
            arrived = time.perf_counter()
            if not ok or not pictures.put((np.asarray(image, np.uint8), arrived)):
                break
    except BaseException as exc:  # raised again in the other thread
        error = exc
    finally:
        capture.release()
        pictures.finish(error)
