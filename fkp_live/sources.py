"""Where frames come from: video files, cameras, live streams, pictures.

`open_source` reads the first frame before it returns, so whatever cannot be read is refused there; after
that a thread reads ahead. Files: a small bounded queue, nothing dropped, order kept. Live sources: only the
newest frame is kept, so that a slow consumer skips frames instead of falling behind.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions
# only.
import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.capture import PICTURE_SUFFIXES, check_file, is_glob, open_camera, open_pictures
from fkp_live.errors import InputError, UsageError
from fkp_live.planes import ColourSpace, PlanarFrame, Planes
from fkp_live.reading import Frames, LiveClock, Source, SourceInfo, primed
from fkp_live.types import Frame, Image

__all__ = ["Source", "SourceInfo", "open_source"]

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_OPEN_TIMEOUT, _READ_TIMEOUT = 10.0, 5.0  # seconds, network only
_EARLY_END = 0.5  # seconds of declared duration that may be missing before a file counts as truncated
# Containers whose header tells the true duration; elsewhere it is an estimate and proves nothing.
_DECLARES_DURATION = {"mov", "mp4", "matroska", "webm"}
_INDEXED = _DECLARES_DURATION | {"avi", "flv"}
_FULL_RANGE = 2  # of samples: black is 0, not 16
# Live formats whose time stamps are the sender's; those of the others (mpjpeg) are the demuxer's guess.
_SENDERS_CLOCK = {"rtsp", "rtp", "sdp", "mpegts", "flv", "hls", "dash", "matroska", "webm", "mov", "mp4"}
_TEXT_FORMATS = {"tty", "adf", "bin", "idf", "xbin"}  # ffmpeg draws text files as films of a terminal
_CURE_DAMAGED = "Copy or download the file again; what was read before that point is valid."


def open_source(
    spec: str | int | Path,
    *,
    start: float | None = None,
    end: float | None = None,
    max_frames: int | None = None,
    mirror: bool = False,
) -> Source:
    """Open a camera, a video file, a stream or pictures.

    Parameters
    ----------
    spec : camera number (int or digits), file, folder or glob of pictures, or URL (http, https, rtsp, udp, …). A URL
        that has a duration (a video file on a server) is read like a file, any other one is live.
    start, end : seconds from the beginning of a video file; frames with ``start <= time < end`` are read
    max_frames : stop after so many frames
    mirror : flip left and right, as in a looking glass

    `Frame.index` counts from 0 at the first frame read (live: captured, so a gap shows what was dropped);
    `Frame.time` stays on the source's own clock, with `start` too. Live sources: seconds since the first
    frame, on the sender's clock where the stream carries it, else by arrival.

    Raises
    ------
    InputError : it does not exist, cannot be read, or holds no picture
    UsageError : a range that makes no sense
    """
    _check_range(start, end, max_frames)
    text = str(spec)
    ranged = start is not None or end is not None
    note: Callable[[], str] = str
    if text.isdecimal() or isinstance(spec, int):
        info, frames = open_camera(int(text))
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text) and not text.startswith("file://"):
        info, frames, note = _open_video(text, _without_password(text), start, end, remote=True)
    else:
        path = Path(unquote(urlsplit(text).path) if text.startswith("file://") else text).expanduser()
        if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES or is_glob(path):
            info, frames = open_pictures(path)
        else:
            check_file(path)
            info, frames, note = _open_video(str(path), path.name, start, end)
    if ranged and info.path is None:
        frames.close()
        raise UsageError(
            f"--start and --end cut video files, but {info.name} is not one.",
            "Use --max-frames to stop early.",
        )
    if max_frames is not None:
        info = replace(info, frames=max_frames if info.frames is None else min(info.frames, max_frames))
    return Source(info, _mirrored(frames) if mirror else frames, note=note, max_frames=max_frames)


def _check_range(start: float | None, end: float | None, max_frames: int | None) -> None:
    for name, value in (("--start", start), ("--end", end)):
        if value is not None and not 0.0 <= value < float("inf"):
            raise UsageError(f"{name} must be a number of seconds from 0 up, not {value}.")
    if end is not None and end <= (start or 0.0):
        raise UsageError(f"--end ({end}) must be greater than --start ({start or 0}).")
    if max_frames is not None and max_frames < 1:
        raise UsageError(f"--max-frames must be at least 1, not {max_frames}.")


def _mirrored(frames: Frames) -> Frames:
    try:
        for frame in frames:
            image = np.asarray(cv2.flip(frame.image, 1), np.uint8)
            yield Frame(image, frame.index, frame.time, frame.arrived, frame.pts, frame.time_base)
    finally:
        frames.close()


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _open_video(
    where: str, name: str, start: float | None, end: float | None, *, remote: bool = False
) -> tuple[SourceInfo, Frames, Callable[[], str]]:
    video = _Video(where, name, remote)
    try:
        frames = video.live_frames() if video.live else video.frames(start, end)
        first, frames = primed(frames, lambda: video.nothing(start))
    except BaseException:
        video.container.close()
        raise
    height, width = first.image.shape[:2]
    fps = float(video.rate) if video.rate else None
    info = SourceInfo(
        name, width, height, fps=fps, live=video.live, path=None if video.live else where, start=start or 0.0
    )
    if not video.live:
        seconds = video.duration
        span = None if seconds is None else min(seconds, end or seconds) - (start or 0.0)
        count = video.stream.frames if start is None and end is None else 0
        if not count and span and fps:
            count = max(round(span * fps), 1)
        info = replace(
            info,
            frames=count or None,
            duration=seconds,
            has_audio=bool(video.container.streams.audio),
            time_base=first.time_base,
            colour=first.planes.colour if isinstance(first, PlanarFrame) else None,
        )
    return info, frames, video.note


class _Video:
    """One opened container: its picture stream decoded, turned upright and stamped."""

    def __init__(self, where: str, name: str, remote: bool) -> None:
        self.name = name
        self.container = _open_container(where, name, remote)
        self.kinds = set(self.container.format.name.split(","))
        try:
            self.stream = self._picture_stream()
        except BaseException:
            self.container.close()
            raise
        duration = self.container.duration
        self.duration = None if duration is None else duration / 1e6
        self.live = remote and (duration is None or not where.lower().startswith("http"))
        self.rate = self.stream.average_rate or self.stream.guessed_rate
        # Frame threads are the faster ones; but each holds a frame back, which a live picture cannot afford.
        self.stream.thread_type = "SLICE" if self.live else "AUTO"
        self._to_bgr = _Converter()
        self._to_bgr_late = _Converter()  # in the consumer's thread
        self._damaged = 0
        self._broken_end = False

    def _picture_stream(self) -> VideoStream:
        from av.stream import Disposition

        if self.kinds & _TEXT_FORMATS:
            raise InputError(f"{self.name} is not a video but text.", "Give a video file.")
        for stream in self.container.streams.video:
            if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
                return stream
        what = "only sound" if self.container.streams.audio else "no picture"
        raise InputError(
            f"{self.name} holds {what}, but a video is needed.", "Give a file with a video track."
        )

    def nothing(self, start: float | None) -> InputError:
        if start and self.duration is not None and start >= self.duration:
            return InputError(
                f"{self.name} lasts {self.duration:.2f} s, but --start asks for {start} s.",
                "Give a smaller --start.",
            )
        return InputError(f"No picture could be decoded from {self.name}.", _CURE_DAMAGED)

    def note(self) -> str:
        return f"{self._damaged} damaged packets of {self.name} were skipped" if self._damaged else ""

    def frames(self, start: float | None, end: float | None) -> Frames:
        """Frames of a file whose time lies in the range, then a check that the file was all there."""
        base, origin = self._time_base(), self._origin()
        # Half a tick, so that a time printed and typed in again means the frame it was printed for.
        slack = float(base) / 2 + 5e-7
        first, last = origin + (start or 0.0) - slack, float("inf") if end is None else origin + end - slack
        index = 0
        try:
            for pts, picture in self._stamped(self._decoded_from(origin + start if start else None), base):
                seconds = float(pts * base)
                if seconds >= last:
                    return
                if seconds >= first:
                    yield self._frame(picture, index, seconds, pts, base)
                    index += 1
        finally:
            self.container.close()

    def _frame(self, picture: VideoFrame, index: int, seconds: float, pts: int, base: Fraction) -> Frame:
        colour = _colour_of(picture)
        if colour is None or self._to_bgr.matrix_of(picture) is not None:
            return Frame(self._to_bgr(picture), index, seconds, time.perf_counter(), pts, base)
        # A copy: the decoder goes on to refer to its own.
        planes = Planes(np.asarray(picture.to_ndarray(), np.uint8), colour)
        convert = partial(self._to_bgr_late, picture)
        return PlanarFrame(planes, convert, index, seconds, time.perf_counter(), pts, base)

    def live_frames(self) -> Frames:
        """Frames of a stream, by the sender's clock where the format carries it, else by their arrival."""
        clock = LiveClock(self._time_base() if self.kinds & _SENDERS_CLOCK else None)
        index = 0
        try:
            for picture in self._decoded():
                arrived = time.perf_counter()
                yield Frame(self._to_bgr(picture), index, clock(picture.pts, arrived), arrived)
                index += 1
        finally:
            self.container.close()

    def _time_base(self) -> Fraction:
        return self.stream.time_base or Fraction(1, 90_000)

    def _origin(self) -> float:
        """Where the file's clock begins, in seconds; a player shows this moment as 0."""
        return max(self.container.start_time or 0, 0) / 1e6

    def _stamped(self, pictures: Iterator[VideoFrame], base: Fraction) -> Iterator[tuple[int, VideoFrame]]:
        step = max(round(1 / (self.rate * base)), 1) if self.rate else 1
        previous = -step
        for picture in pictures:
            # Some containers (AVI) know only the decoding time, raw streams none at all.
            stamps = (picture.pts, picture.dts, previous + step)
            previous = next(stamp for stamp in stamps if stamp is not None)
            yield previous, picture

    def _decoded_from(self, target: float | None) -> Iterator[VideoFrame]:
        """Pictures from the key frame before ``target`` seconds on (None: from the beginning)."""
        from av.error import FFmpegError

        if target is None:
            yield from self._decoded()
            return
        base = self._time_base()
        for back in (0.0, 10.0, 60.0, float("inf")):
            wanted = max(target - back, 0.0)
            with suppress(FFmpegError, OSError):  # not seekable: read on from where it stands, the beginning
                self.container.seek(int(wanted / base), stream=self.stream)
            pictures = self._decoded()
            first = next(pictures, None)
            # Without an index a seek may land behind the target: then begin further ahead of it.
            if wanted == 0.0 or (first is not None and first.pts is not None and first.pts * base <= target):
                if first is not None:
                    yield first
                    yield from pictures
                return

    def _decoded(self) -> Iterator[VideoFrame]:
        from av.error import EOFError as AvEOFError
        from av.error import FFmpegError

        reached = 0.0
        try:
            for packet in self.container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream is not self.stream:
                    continue
                if packet.size:
                    self._broken_end = packet.is_corrupt
                    if packet.is_corrupt and self.kinds & _INDEXED:
                        continue  # half a frame: to decode it could cost the good one before
                try:
                    yield from packet.decode()  # type: ignore[misc]
                except AvEOFError:
                    break
                except FFmpegError:
                    # One bad packet is no reason to stop: every player goes on; but it is told in the end.
                    self._damaged += 1
                    self._broken_end = True
        except FFmpegError as exc:
            reason = _reason(exc, _READ_TIMEOUT)
            if self.live:
                if "mpjpeg" in self.kinds and exc.errno == errno.EIO:
                    return  # how this demuxer reports that the sender hung up, the only end such a stream has
                raise InputError(
                    f"{self.name} stopped sending: {reason}.",
                    "Check that the sender runs and the network holds.",
                ) from exc
            stuck = f"{self.name} cannot be read on after {reached:.2f} s: {reason}."
            raise InputError(stuck, _CURE_DAMAGED) from exc
        if not self.live:
            self._check_end(reached)

    def _check_end(self, reached: float) -> None:
        """The demuxer of a truncated file often just ends: hold what came against what was declared."""
        declared = 0.0
        if self.kinds & _DECLARES_DURATION and self.duration is not None:
            declared = self._origin() + self.duration
        if declared - reached > _EARLY_END:
            raise InputError(
                f"{self.name} ends early: it declares {declared:.2f} s, its data stops at {reached:.2f} s.",
                _CURE_DAMAGED,
            )
        if self._broken_end and self.kinds & _INDEXED:
            raise InputError(f"{self.name} ends in the middle of a frame, at {reached:.2f} s.", _CURE_DAMAGED)


def _open_container(where: str, name: str, remote: bool) -> InputContainer:
    import av
    from av.error import FFmpegError

    options: dict[str, str] = {}
    timeout: tuple[float, float] | None = None
    if remote:
        # Not "fflags nobuffer": it throws away what was read while probing, of a film on a server as well.
        options = {"analyzeduration": "1000000", "rtsp_transport": "tcp"}
        timeout = (_OPEN_TIMEOUT, _READ_TIMEOUT)
    try:
        # The prefix, because ffmpeg would take a file named "a:b.mp4" for a URL of protocol "a".
        return av.open(where if remote else f"file:{where}", "r", options=options, timeout=timeout)
    except FFmpegError as exc:
        reason = _reason(exc, _OPEN_TIMEOUT)
        if remote:
            hint = "Check the address, and that the sender runs."
            raise InputError(f"{name} cannot be opened: {reason}.", hint) from exc
        hint = "Play it in a video player to see whether it is whole; convert it with ffmpeg if that works."
        raise InputError(f"{name} is not a video that can be read: {reason}.", hint) from exc


def _reason(error: FFmpegError, timeout: float) -> str:
    from av.error import ExitError

    if isinstance(error, ExitError):
        return f"nothing came for {timeout:.0f} s"
    return error.strerror or type(error).__name__


def _colour_of(picture: VideoFrame) -> ColourSpace | None:
    """Of a picture that can be handed on in its planes, None of any other."""
    odd = picture.width % 2 or picture.height % 2
    if picture.format.name != "yuv420p" or odd or picture.color_range == _FULL_RANGE:
        return None
    colour = ColourSpace(picture.colorspace, picture.color_primaries, picture.color_trc)
    return colour if colour.known else None


class _Converter:
    """Decoded pictures to upright BGR; keeps the scaler's tables and the display matrix between frames."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._reformatter = VideoReformatter()
        self._rotation: int | None = None
        self._matrix: np.ndarray | None = None

    def __call__(self, picture: VideoFrame) -> Image:
        # One thread: starting more for every picture costs more than they save beside an encoder.
        converted = self._reformatter.reformat(picture, format="bgr24", threads=1)
        image = np.asarray(converted.to_ndarray(), np.uint8)
        matrix = self.matrix_of(picture)
        return image if matrix is None else _upright(image, matrix)

    def matrix_of(self, picture: VideoFrame) -> np.ndarray | None:
        """The picture's display matrix, None where it has none."""
        rotation = getattr(picture, "rotation", 0)
        if rotation != self._rotation:
            # Only where it changes: a picture asked for its side data is in a cycle with them from then on, and
            # keeps its memory until the garbage collector comes by (100 MB more at 640x480).
            self._rotation, self._matrix = rotation, _display_matrix(picture)
        return self._matrix


def _display_matrix(picture: VideoFrame) -> np.ndarray | None:
    side_data: Any = picture.side_data
    try:
        return np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), "=i4")
    except KeyError:
        return None


def _upright(image: Image, matrix: Sequence[int] | np.ndarray) -> Image:
    """Apply a display matrix (9 numbers) as far as it is quarter turns and mirroring, as players do.

    It takes stored (p, q) to shown (a p + c q, b p + d q), up to scale and shift; a, b, c, d are its numbers
    0, 1, 3 and 4 (ISO/IEC 14496-12, 8.3.2; libavutil/display.h).
    """
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    turned: NDArray[Any] = image
    if abs(b) + abs(c) > abs(a) + abs(d):
        turned, a, d = cv2.transpose(turned), c, b
    if a < 0 or d < 0:
        turned = cv2.flip(turned, -1 if a < 0 and d < 0 else 1 if a < 0 else 0)
    return np.asarray(turned, np.uint8)
