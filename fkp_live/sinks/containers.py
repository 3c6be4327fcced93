"""Containers of video files: FFmpeg's options for them, and checks of what its muxers wrote."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fkp_live.errors import OutputError

if TYPE_CHECKING:
    from fkp_live.sinks.files import PartialFile

VIDEO_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}  # suffix -> FFmpeg's name of the container
_MOV_OPTIONS = {
    # A late start is written in this unit; the default, 1/1000 s, would be up to half a millisecond off.
    "movie_timescale": "90000",
    # Written as fragments, from key frame to key frame, that reach the disk at once, so that a file which is cut off
    # for whatever reason plays up to there; made an ordinary file in the end. Only a delayed header knows of a late
    # start. (Fragments of a fixed number of seconds would be wrong: their last pictures can fall out of the edit list.)
    "movflags": "hybrid_fragmented+delay_moov",
    "flush_packets": "1",
}
MUXER_OPTIONS = {
    "mp4": _MOV_OPTIONS,
    "mov": _MOV_OPTIONS,
    # An encoder's run-in sounds before 0; by default everything else would be moved to the right instead.
    "matroska": {"avoid_negative_ts": "disabled", "flush_packets": "1"},
}
# Seconds of one unit of the timestamps, where the container has a fixed one.
TIME_UNITS = {"matroska": Fraction(1, 1000)}
_UPDATE = "Install PyAV 17.1 or later (pip install 'av>=17.1'), or write .mkv."


def format_of(file: PartialFile) -> str:
    """FFmpeg's name of the container that a file is written in, by its suffix."""
    return VIDEO_FORMATS[file.target.suffix.lower()]


def check_front(file: PartialFile) -> None:
    """Refuse MP4 and QuickTime that nobody could play, as soon as its first bytes are written.

    The muxer of FFmpeg 8.0 (PyAV 17.0) puts the samples where the file type belongs, without an error.

    Raises
    ------
    OutputError
    """
    if format_of(file) == "matroska":
        return
    with open(file.address, "rb") as front:
        if front.read(8)[4:] != b"ftyp":
            raise OutputError(
                f"The installed FFmpeg would not write a {file.target.suffix} that plays.", _UPDATE
            )


def check_video(file: PartialFile, pictures: int) -> None:
    """Open a finished video and decode its first picture, before it gets its final name.

    Parameters
    ----------
    pictures : that were written

    Raises
    ------
    OutputError : it cannot be opened, holds another number of pictures, or the first one cannot be decoded
    """
    reason = _why_unplayable(file, pictures)
    if reason:
        raise OutputError(
            f"{file.path} was written, but cannot be read back: {reason}.",
            f"It is kept as {file.kept}. {_UPDATE}",
        )


def plays(file: PartialFile) -> bool:
    """Whether a video that was not finished can be opened and its first picture decoded."""
    return not _why_unplayable(file, None)


def _why_unplayable(file: PartialFile, pictures: int | None) -> str:
    import av
    from av.error import FFmpegError

    try:
        with av.open(file.address, "r", format=format_of(file)) as video:
            if not video.streams.video:
                return "it has no video track"
            stream = video.streams.video[0]
            # Matroska does not store how many there are.
            if pictures is not None and stream.frames not in (0, pictures):
                return f"it has {stream.frames} pictures, expected {pictures}"
            if next(video.decode(stream), None) is None:
                return "it has no picture"
    except FFmpegError as exc:
        return exc.strerror or type(exc).__name__
    return ""
