"""`open_source`: the one way to open a camera, a video file, a stream or pictures.

It reads the first frame before it returns, so that whatever cannot be read is refused there; after that a thread
reads ahead, unless told otherwise. Files: a small bounded queue, nothing dropped, order kept. Live sources: only the
newest frame is kept, so that a slow consumer skips frames instead of falling behind; one that is lost may be opened
again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from operator import index
from pathlib import Path

import cv2
import numpy as np

from fkp_live.choices import MAX_PIXELS, check_number, check_range
from fkp_live.errors import UsageError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.camera import open_camera
from fkp_live.sources.heif import open_tiled
from fkp_live.sources.images import open_pictures
from fkp_live.sources.reopening import Reopening
from fkp_live.sources.source import Frames, Opened, OpenedSource, Source
from fkp_live.sources.spec import CameraName, check_file, names_pictures, resolve, without_password
from fkp_live.sources.video import open_video


def open_source(
    spec: str | int | Path,
    *,
    start: float | None = None,
    end: float | None = None,
    max_frames: int | None = None,
    mirror: bool = False,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    retry: float | None = None,
    report: Callable[[str], object] | None = None,
    read_ahead: bool = True,
) -> Source:
    """Open a camera, a video file, a stream or pictures.

    Parameters
    ----------
    spec : camera number (int, or digits where no such file is), ``camera://`` and a part of a camera's name, file,
        folder or glob of pictures, or URL (http, https, rtsp, udp, …). A URL that has a duration (a video file on a
        server) is read like a file, any other one is live.
    start, end : seconds from the beginning of a video file; frames with ``start <= time < end`` are read
    max_frames : stop after this many frames
    mirror : flip left and right, as in a mirror
    max_pixels : refuse larger pictures and videos by their headers, before memory is taken for them
    size, fps : width and height in pixels, and pictures a second, asked of a camera; where something else comes,
        `Source.note` says what
    retry : seconds for which a live source that was lost, a camera pulled out or a sender that hung up, is tried
        again, see `Source.state`. 0: either fails at once. None: a sender that hangs up is the end of its stream, any
        other loss fails at once
    report : called with a line for people, in another thread, where a source is lost and where it is back
    read_ahead : read and decode in threads of its own, a few frames ahead. False: in the caller's thread alone, for
        programs that work on as many files at once as there are cores. Live sources are always read ahead

    `Frame.index` counts from 0 at the first frame read (live: captured, so a gap shows what was dropped);
    `Frame.time` stays on the source's own clock, with `start` too. Live sources: seconds since the first
    frame, on the sender's clock where the stream carries it, else by arrival. Both go on over a loss, after which
    `Frame.connection` is another one and a `Pipeline` gives new ids.

    Raises
    ------
    InputError : it does not exist, cannot be read, holds no picture, or too large a one
    SourceLostError : an InputError of a live source, in the middle, once it does not come back
    UsageError : a range that makes no sense, a size or rate for what is no camera
    TypeError : what was given is of another kind than this

    Example
    -------
    >>> with open_source("clip.mp4", start=1.0, end=2.0) as source:
    ...     images = [frame.image for frame in source]
    """
    check_range(start, end, max_frames)
    if max_pixels < 1:
        raise UsageError(f"max_pixels must be at least 1, not {max_pixels}.")
    check_asked(spec, size, fps, retry)
    where = resolve(spec)

    def connect() -> Opened:
        if isinstance(where, (int, CameraName)):
            return open_camera(where if isinstance(where, int) else where.text, size=size, fps=fps)
        return _open(where, start, end, max_pixels, threads=read_ahead)

    opened = connect()
    if opened.info.live:
        opened = Reopening(opened, connect, retry, report or _ignore).whole()
    info, frames = opened.info, opened.frames
    if info.path is None and (start is not None or end is not None):
        frames.close()
        raise UsageError(
            f"--start and --end cut video files, but {info.name} is not one.",
            "Use --max-frames to stop early.",
        )
    if max_frames is not None:
        info = replace(info, frames=max_frames if info.frames is None else min(info.frames, max_frames))
    opened = replace(opened, info=info, frames=_mirrored(frames) if mirror else frames)
    return OpenedSource(opened, max_frames=max_frames, ahead=read_ahead or info.live)


def check_asked(
    spec: str | int | Path, size: tuple[int, int] | None, fps: float | None, retry: float | None
) -> None:
    """Refuse a size or rate that makes no sense, or that is asked of what is no camera.

    Raises
    ------
    UsageError, TypeError
    """
    if size is not None:
        try:
            width, height = (index(side) for side in size)
        except (TypeError, ValueError):
            raise TypeError(f"size is {size!r}, expected width and height in pixels: (640, 480)") from None
        if min(width, height) < 1:
            raise UsageError(f"--size must be a width and a height from 1 up, not {width}x{height}.")
    for name, number in (("fps", fps), ("retry", retry)):
        if number is not None:
            check_number(name, number, ", or None")
    if fps is not None and not (isfinite(fps) and fps > 0):
        raise UsageError(f"--fps must be a number above 0, not {fps}.")
    if retry is not None and not (isfinite(retry) and retry >= 0):
        raise UsageError(f"--retry must be a number of seconds from 0 up, not {retry}.")
    where = resolve(spec)
    if (size or fps) and not is_camera(spec):
        name = without_password(where) if isinstance(where, str) else str(where)
        raise UsageError(
            f"--size and --fps are asked of a camera, but {name} is none.", "Omit them: it comes as it is."
        )


def is_camera(spec: str | int | Path) -> bool:
    """Whether a spec names a camera of this machine. InputError if it names nothing."""
    return isinstance(resolve(spec), (int, CameraName))


def _ignore(line: str) -> None:
    pass


def _open(
    where: str | Path, start: float | None, end: float | None, max_pixels: int, *, threads: bool
) -> Opened:
    if isinstance(where, str):
        name = without_password(where)
        return open_video(where, name, start, end, max_pixels, remote=True, threads=threads)
    if names_pictures(where):
        return open_pictures(where, max_pixels)
    check_file(where)
    if (tiled := open_tiled(where, max_pixels)) is not None:
        return tiled
    return open_video(str(where), where.name, start, end, max_pixels, threads=threads)


def _mirrored(frames: Frames) -> Frames:
    try:
        for frame in frames:
            yield replace(frame, picture=BgrPicture(np.asarray(cv2.flip(frame.image, 1), np.uint8)))
    finally:
        frames.close()
