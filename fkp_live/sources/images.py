"""Pictures and animations as a source: single files, folders and patterns, read through OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.picture_header import check_pixels, has_more_pages, picture_size
from fkp_live.sources.source import Frames, Opened, peek_first
from fkp_live.sources.spec import CHECK_ACCESS, check_file, names_many, pictures_of
from fkp_live.types import Frame, SourceInfo

PICTURE_RATE = 25  # pictures have no clock; each is shown for 1/25 s, as in ffmpeg
# Browsers show a picture of an animation with a duration of less than 11 ms for 100 ms.
_LEAST_SHOWN, _USUALLY_SHOWN = 11, 100
_NAMED = 5  # files that were skipped, in the note


def open_pictures(path: Path, max_pixels: int) -> Opened:
    """Open a picture, an animation, or the pictures of a folder or pattern.

    A picture of more than ``max_pixels`` is refused by its header, before memory is taken for it. Of several, those
    that cannot be read are skipped and noted; the others keep the index of their place.

    Raises
    ------
    InputError : there is no picture, or none can be read
    """
    names: tuple[str, ...] = ()
    if names_many(path):
        files = pictures_of(path)
        names = _short_names(files)
    else:
        check_file(path)
        files = [path]
    shortened: list[str] = []
    skipped: list[str] = []
    if len(files) == 1 and (animation := _animation_in(files[0], max_pixels)):
        names = names * len(animation.durations)
        durations = [shown if shown >= _LEAST_SHOWN else _USUALLY_SHOWN for shown in animation.durations]
        base, count, seconds = Fraction(1, 1000), len(durations), sum(durations) / 1000
        frames = _animation_frames(animation.frames, durations, base)
    else:
        base, count, seconds = Fraction(1, PICTURE_RATE), len(files), len(files) / PICTURE_RATE
        frames = _picture_frames(files, base, max_pixels, shortened, skipped)
    first, frames = peek_first(frames, lambda: _unreadable(files[0]))
    width, height = first.picture.size
    name, fps = path.name or str(path), count / seconds
    info = SourceInfo(
        name, width, height, fps=fps, frames=count, duration=seconds, time_base=base, pictures=names
    )

    def note() -> str:
        notes = [f"only the first picture of {', '.join(shortened)} was read"] if shortened else []
        if skipped:
            more = f" and {len(skipped) - _NAMED} more" if len(skipped) > _NAMED else ""
            notes.append(f"skipped as no pictures that can be read: {', '.join(skipped[:_NAMED])}{more}")
        return "; ".join(notes)

    return Opened(info, frames, note)


def _short_names(files: Sequence[Path]) -> tuple[str, ...]:
    """Names of the files below the folder that holds them all."""
    folders = {path.parent for path in files}
    if len(folders) <= 1:
        return tuple(path.name for path in files)
    common = os.path.commonpath(folders)
    return tuple(os.path.relpath(path, common) for path in files)


def _picture_frames(
    files: Sequence[Path], base: Fraction, max_pixels: int, shortened: list[str], skipped: list[str]
) -> Frames:
    """One frame of each file; the names of animations and of files with more pages are added to ``shortened``.

    A single file that cannot be read raises InputError; of several its name is added to ``skipped``.
    """
    for index, path in enumerate(files):
        try:
            data = _checked(path, max_pixels)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                raise _unreadable(path)
        except _UnreadableError:
            if len(files) == 1:
                raise
            skipped.append(path.name)
            continue
        if _is_animated(data) or has_more_pages(data.data):
            shortened.append(path.name)
        picture = BgrPicture(np.asarray(image, np.uint8))
        yield Frame(picture, index, float(index * base), time.perf_counter(), index, base)


def _animation_frames(images: Sequence[np.ndarray], durations: Sequence[int], base: Fraction) -> Frames:
    for index, (image, pts) in enumerate(zip(images, accumulate(durations, initial=0), strict=False)):
        opaque = np.ascontiguousarray(image[..., :3], np.uint8)
        yield Frame(BgrPicture(opaque), index, float(pts * base), time.perf_counter(), pts, base)


def _animation_in(path: Path, max_pixels: int) -> cv2.Animation | None:
    """All pictures of an animated WebP or PNG with the milliseconds that each is shown; None of any other file."""
    data = _checked(path, max_pixels)
    if not _is_animated(data):
        return None
    # All its pictures lie in memory at once.
    count = max(data.tobytes().count(chunk) for chunk in (b"ANMF", b"fcTL"))
    width, height = picture_size(data.data) or (0, 0)
    if count * width * height > 2 * max_pixels:
        raise InputError(
            f"{path} has {count} pictures of {width}x{height}, more than twice the limit of {max_pixels} pixels.",
            "Convert it to a video with ffmpeg, or raise the limit (--max-pixels) if there is memory for it.",
        )
    whole, animation = cv2.imdecodeanimation(data[None])
    return animation if whole else None


def _is_animated(data: NDArray[np.uint8]) -> bool:
    """Whether a picture's bytes are an animated WebP or PNG."""
    head = bytes(data[:4096])
    if head[8:16] == b"WEBPVP8X":
        return len(head) > 20 and bool(head[20] & 2)
    # The chunk that makes a PNG an animation stands before its first picture.
    return head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]


def _checked(path: Path, max_pixels: int) -> NDArray[np.uint8]:
    """The bytes of a picture whose header declares a size within the limit."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as exc:
        raise _UnreadableError(f"{path} cannot be opened: {exc.strerror}.", CHECK_ACCESS) from exc
    size = picture_size(data.data)
    if size is None:
        raise _unreadable(path)
    check_pixels(str(path), size, max_pixels)
    return data


class _UnreadableError(InputError):
    """A file that is not a picture, or a broken one."""


def _unreadable(path: Path) -> _UnreadableError:
    return _UnreadableError(
        f"{path} is not a picture that can be read.", "Remove it, or save it again as PNG."
    )
