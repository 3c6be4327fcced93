"""What a spec names, and two of its kinds, read through OpenCV: cameras and pictures."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.source import Frames, primed
from fkp_live.types import Frame, SourceInfo

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
PICTURE_RATE = 25  # pictures have no clock; one is shown for 1/25 s, as ffmpeg does
# Browsers show a picture of an animation that asks for less than 11 ms for 100 ms.
_LEAST_SHOWN, _USUALLY_SHOWN = 11, 100
_FIND_FILE = "Check the spelling, and the folder you are in."
_CHECK_NAME = "Check its name, its permissions, and those of the folders that it is in."


def resolve(spec: str | int | Path) -> int | str | Path:
    """What a spec names: the number of a camera, a URL (its scheme in lower case), or else a path.

    Digits are a camera unless a file or folder of that name is there. A path need not exist, and ``file://`` and
    ``~`` are resolved as far as they can be; the name is taken as it stands otherwise.

    Raises
    ------
    InputError : a text that names nothing
    """
    if isinstance(spec, int):
        return spec
    text = str(spec)
    if isinstance(spec, str):
        if text.isdecimal() and len(text) < 10 and not os.path.lexists(text):
            return int(text)
        if url := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)(://.*)", text, re.DOTALL):
            scheme, rest = url[1].lower(), url[2]
            if scheme != "file":
                return scheme + rest
            text = unquote(re.sub("://(localhost(?=/))?", "", rest, count=1))
    if not text or "\0" in text:
        raise InputError(f"There is no file {text!r}.", _FIND_FILE)
    return Path(os.path.expanduser(text))  # Path's own expanduser fails where no such user is known


def local_files(spec: str | int | Path) -> list[Path]:
    """The files that `open_source` reads for ``spec``: one, or the pictures of a folder or pattern.

    Empty for cameras and URLs, and where nothing is there or it cannot be looked at; never raises.
    """
    with suppress(InputError):
        where = resolve(spec)
        if isinstance(where, Path):
            return _pictures_of(where) if _is_many(where) else [where] if os.path.exists(where) else []
    return []


def holds_pictures(path: Path) -> bool:
    """Whether a path is read as pictures and not as a video."""
    return _is_many(path) or path.suffix.lower() in PICTURE_SUFFIXES


def _is_many(path: Path) -> bool:
    return os.path.isdir(path) or _is_glob(path)


def _is_glob(path: Path) -> bool:
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _pictures_of(path: Path) -> list[Path]:
    """The pictures of a folder or pattern in natural order, at least one."""
    if _is_glob(path):
        where, found = f"the pattern {path}", [Path(p) for p in glob.glob(str(path), recursive=True)]
    else:
        where = f"the folder {path}"
        try:
            # With the dot, because a folder may be one that can be listed, but not entered.
            found = [path / name for name in os.listdir(os.path.join(path, "."))]
        except OSError as exc:
            raise InputError(f"{path} cannot be opened: {exc.strerror}.", _CHECK_NAME) from exc
    files = sorted(
        (p for p in found if p.suffix.lower() in PICTURE_SUFFIXES and os.path.isfile(p)), key=_natural
    )
    if not files:
        raise InputError(
            f"There is no picture in {where}.", f"Known pictures are {', '.join(PICTURE_SUFFIXES)}."
        )
    return files


def without_password(url: str) -> str:
    """The URL without user name and password, for people to read; never raises.

    A password may have a slash in it that ought to have been written %2F: what follows the colon is then no port,
    and everything up to the last @ is left out.
    """
    scheme, slashes, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    end = authority.rfind("@")
    if end < 0 and re.match(r"[^\[].*:(?!\d*$)", authority):  # not "[", with which an IPv6 address begins
        end = rest.rfind("@")
    return scheme + slashes + rest[end + 1 :]


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
        there = not sys.platform.startswith("linux") or os.path.exists(f"/dev/video{number}")
        capture = cv2.VideoCapture(number) if there and number >= 0 else cv2.VideoCapture()
    if not capture.isOpened():
        raise InputError(f"Camera {number} cannot be opened.", _camera_hint())
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    name = f"camera {number}"
    frames = _camera_frames(capture, name)
    first, frames = primed(
        frames, lambda: InputError(f"{name} opens, but delivers no picture.", _camera_hint())
    )
    width, height = first.picture.size
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
            yield Frame(BgrPicture(np.asarray(image, np.uint8)), index, arrived - opened, arrived)
            index += 1
    finally:
        capture.release()


def open_pictures(path: Path) -> tuple[SourceInfo, Frames, Callable[[], str]]:
    """A picture, an animation, or the pictures of a folder or pattern; and what is to be said of them in the end."""
    if _is_many(path):
        files = _pictures_of(path)
    else:
        check_file(path)
        files = [path]
    shortened: list[str] = []
    if len(files) == 1 and (animation := _animation_in(files[0])):
        durations = [shown if shown >= _LEAST_SHOWN else _USUALLY_SHOWN for shown in animation.durations]
        base, count, seconds = Fraction(1, 1000), len(durations), sum(durations) / 1000
        frames = _animation_frames(animation.frames, durations, base)
    else:
        base, count, seconds = Fraction(1, PICTURE_RATE), len(files), len(files) / PICTURE_RATE
        frames = _picture_frames(files, base, shortened)
    first, frames = primed(frames, lambda: InputError(f"There is no picture in {path}.", _FIND_FILE))
    width, height = first.picture.size
    name, fps = path.name or str(path), count / seconds
    info = SourceInfo(name, width, height, fps=fps, frames=count, duration=seconds, time_base=base)

    def note() -> str:
        return f"only the first picture of {', '.join(shortened)} was read" if shortened else ""

    return info, frames, note


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _picture_frames(files: Sequence[Path], base: Fraction, shortened: list[str]) -> Frames:
    """One frame of each file; the names of animations are added to ``shortened``."""
    for index, path in enumerate(files):
        data = _bytes_of(path)
        with _quiet_opencv():
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            raise InputError(
                f"{path} is not a picture that can be read.", "Remove it, or save it again as PNG."
            )
        if _is_animated(data):
            shortened.append(path.name)
        picture = BgrPicture(np.asarray(image, np.uint8))
        yield Frame(picture, index, float(index * base), time.perf_counter(), index, base)


def _animation_frames(images: Sequence[np.ndarray], durations: Sequence[int], base: Fraction) -> Frames:
    for index, (image, pts) in enumerate(zip(images, accumulate(durations, initial=0), strict=False)):
        opaque = np.ascontiguousarray(image[..., :3], np.uint8)
        yield Frame(BgrPicture(opaque), index, float(pts * base), time.perf_counter(), pts, base)


def _animation_in(path: Path) -> cv2.Animation | None:
    """All pictures of an animated WebP with the milliseconds that each is shown; None of any other file."""
    data = _bytes_of(path)
    if not _is_animated(data) or not hasattr(cv2, "imdecodeanimation"):  # OpenCV has it since 4.11
        return None
    with _quiet_opencv():
        whole, animation = cv2.imdecodeanimation(data[None])
    return animation if whole else None


def _is_animated(data: NDArray[np.uint8]) -> bool:
    """Whether a picture's bytes are an animated WebP; the flag is in its extended header."""
    head = bytes(data[:21])
    return head[8:16] == b"WEBPVP8X" and len(head) == 21 and bool(head[20] & 2)


def _bytes_of(path: Path) -> NDArray[np.uint8]:
    try:
        return np.fromfile(path, np.uint8)
    except OSError as exc:
        raise InputError(f"{path} cannot be opened: {exc.strerror}.", _CHECK_NAME) from exc


def check_file(path: Path) -> None:
    """Refuse a path that is no file that can be read."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError(
                f"{path} is not a regular file.", "Give a video, a folder of pictures or a camera number."
            )
        if found.st_size == 0:
            raise InputError(f"{path} is empty (0 bytes).", "Copy or download it again.")
        path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"There is no file {path}.", _FIND_FILE) from None
    except OSError as exc:
        raise InputError(f"{path} cannot be opened: {exc.strerror}.", _CHECK_NAME) from exc
