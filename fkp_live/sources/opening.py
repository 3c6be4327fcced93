"""`open_source`: the one way to open a camera, a video file, a stream or pictures.

It reads the first frame before it returns, so that whatever cannot be read is refused there; after that a thread
reads ahead. Files: a small bounded queue, nothing dropped, order kept. Live sources: only the newest frame is kept, so
that a slow consumer skips frames instead of falling behind.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fkp_live.choices import MAX_PIXELS, check_range
from fkp_live.errors import UsageError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.camera import open_camera
from fkp_live.sources.heif import open_tiled
from fkp_live.sources.images import open_pictures
from fkp_live.sources.source import Frames, Opened, Source
from fkp_live.sources.spec import check_file, names_pictures, resolve, without_password
from fkp_live.sources.video import open_video


def open_source(
    spec: str | int | Path,
    *,
    start: float | None = None,
    end: float | None = None,
    max_frames: int | None = None,
    mirror: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """Open a camera, a video file, a stream or pictures.

    Parameters
    ----------
    spec : camera number (int, or digits where no such file is), file, folder or glob of pictures, or URL (http, https,
        rtsp, udp, …). A URL that has a duration (a video file on a server) is read like a file, any other one is live.
    start, end : seconds from the beginning of a video file; frames with ``start <= time < end`` are read
    max_frames : stop after this many frames
    mirror : flip left and right, as in a mirror
    max_pixels : refuse larger pictures and videos by their headers, before memory is taken for them

    `Frame.index` counts from 0 at the first frame read (live: captured, so a gap shows what was dropped);
    `Frame.time` stays on the source's own clock, with `start` too. Live sources: seconds since the first
    frame, on the sender's clock where the stream carries it, else by arrival.

    Raises
    ------
    InputError : it does not exist, cannot be read, holds no picture, or too large a one
    UsageError : a range that makes no sense

    Example
    -------
    >>> with open_source("clip.mp4", start=1.0, end=2.0) as source:
    ...     images = [frame.image for frame in source]
    """
    check_range(start, end, max_frames)
    if max_pixels < 1:
        raise UsageError(f"max_pixels must be at least 1, not {max_pixels}.")
    opened = _open(resolve(spec), start, end, max_pixels)
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
    return Source(opened, max_frames=max_frames)


def _open(where: int | str | Path, start: float | None, end: float | None, max_pixels: int) -> Opened:
    if isinstance(where, int):
        return open_camera(where)
    if isinstance(where, str):
        return open_video(where, without_password(where), start, end, max_pixels, remote=True)
    if names_pictures(where):
        return open_pictures(where, max_pixels)
    check_file(where)
    if (tiled := open_tiled(where, max_pixels)) is not None:
        return tiled
    return open_video(str(where), where.name, start, end, max_pixels)


def _mirrored(frames: Frames) -> Frames:
    try:
        for frame in frames:
            yield replace(frame, picture=BgrPicture(np.asarray(cv2.flip(frame.image, 1), np.uint8)))
    finally:
        frames.close()
