"""Where frames come from: video files, cameras, live streams, pictures.

`open_source` reads the first frame before it returns, so whatever cannot be read is refused there; after
that a thread reads ahead. Files: a small bounded queue, nothing dropped, order kept. Live sources: only the
newest frame is kept, so that a slow consumer skips frames instead of falling behind.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions
# only.
import cv2
import numpy as np

from fkp_live.clock import CLOCK_JUMP, LiveClock
from fkp_live.errors import InputError, UsageError
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import ColourSpace, Yuv420Picture
from fkp_live.sources.capture import (
    check_file,
    holds_pictures,
    open_camera,
    open_pictures,
    resolve,
    without_password,
)
from fkp_live.sources.decoding import Converter, colour_of, samples_of
from fkp_live.sources.source import Frames, Source, primed
from fkp_live.types import Frame, SourceInfo

__all__ = ["Source", "SourceInfo", "open_source"]

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.error import FFmpegError
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_OPEN_TIMEOUT, _READ_TIMEOUT = 10.0, 5.0  # seconds, network only
_EARLY_END = 0.5  # seconds of declared duration that may be missing before a file counts as truncated
# Containers whose header tells the true duration; elsewhere it is an estimate and proves nothing.
_DECLARES_DURATION = {"mov", "mp4", "matroska", "webm"}
_INDEXED = _DECLARES_DURATION | {"avi", "flv"}
# Live formats whose time stamps are the sender's; those of the others (mpjpeg) are the demuxer's guess.
_SENDERS_CLOCK = {"rtsp", "rtp", "sdp", "mpegts", "flv", "hls", "dash", "matroska", "webm", "mov", "mp4"}
_SOUGHT_BY_CLOCK = {"mpegts", "mpeg"}  # containers without an index
_IN_SEGMENTS = {"hls", "dash"}
_LONGEST_WAIT = 0.5  # seconds between two pictures of a stream in segments; a slower one is shown faster
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
    spec : camera number (int, or digits where no such file is), file, folder or glob of pictures, or URL (http, https,
        rtsp, udp, …). A URL that has a duration (a video file on a server) is read like a file, any other one is live.
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
    where = resolve(spec)
    ranged = start is not None or end is not None
    note: Callable[[], str] = str
    if isinstance(where, int):
        info, frames = open_camera(where)
    elif isinstance(where, str):
        info, frames, note = _open_video(where, without_password(where), start, end, remote=True)
    elif holds_pictures(where):
        info, frames, note = open_pictures(where)
    else:
        check_file(where)
        info, frames, note = _open_video(str(where), where.name, start, end)
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
            yield replace(frame, picture=BgrPicture(np.asarray(cv2.flip(frame.image, 1), np.uint8)))
    finally:
        frames.close()


def _open_video(
    where: str, name: str, start: float | None, end: float | None, *, remote: bool = False
) -> tuple[SourceInfo, Frames, Callable[[], str]]:
    video = _Video(where, name, remote)
    try:
        frames = video.live_frames() if video.live else video.frames(start, end)
        first, frames = primed(frames, lambda: video.nothing(start, end))
    except BaseException:
        video.container.close()
        raise
    width, height = first.picture.size
    fps = float(video.rate) if video.rate else None
    info = SourceInfo(
        name, width, height, fps=fps, live=video.live, pixel_aspect=video.pixel_aspect, start=start or 0.0
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
            path=where,
            origin=video.origin,
            has_audio=bool(video.container.streams.audio),
            time_base=first.time_base,
            colour=first.picture.colour if isinstance(first.picture, Yuv420Picture) else video.colour,
        )
    return info, frames, video.note


class _Video:
    """One opened container: its picture stream decoded, turned upright and stamped."""

    def __init__(self, where: str, name: str, remote: bool) -> None:
        self.name = name
        self._where, self._remote = where, remote
        self.colour: ColourSpace | None = None  # of pictures that are handed on as BGR
        self._to_bgr = Converter()
        self._open()
        duration = self.container.duration
        self.duration = None if duration is None else duration / 1e6
        self.rate = self.stream.average_rate or self.stream.guessed_rate
        # Where the file's clock begins, in seconds; a player shows this moment as 0.
        self.origin = max(self.container.start_time or 0, 0) / 1e6
        self._last: float | None = None  # time of the last picture decoded

    def _open(self) -> None:
        """The container from its beginning, and the counts of what is found in it."""
        self.container = _open_container(self._where, self.name, self._remote)
        self.kinds = set(self.container.format.name.split(","))
        try:
            self.stream = self._picture_stream()
        except BaseException:
            self.container.close()
            raise
        by_http = self._where.startswith("http")
        # Senders of FLV declare a duration of 0.
        self.live = self._remote and not (by_http and self.container.duration)
        # Frame threads are the faster ones; but each holds a frame back, which a live picture cannot afford.
        self.stream.thread_type = "SLICE" if self.live else "AUTO"
        self._damaged = self._jumps = 0
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

    @property
    def pixel_aspect(self) -> Fraction | None:
        """Width of a pixel over its height, as pictures are handed out; None: square, or unknown."""
        aspect = self.stream.sample_aspect_ratio
        if not aspect or aspect == 1:
            return None
        return 1 / aspect if self._to_bgr.quarter_turned else aspect

    def nothing(self, start: float | None, end: float | None) -> InputError:
        if start and self.duration is not None and start >= self.duration:
            return InputError(
                f"{self.name} lasts {self.duration:.2f} s, but --start asks for {start} s.",
                "Give a smaller --start.",
            )
        if self._last is not None:
            given = " and ".join(f"{n} {v}" for n, v in (("--start", start), ("--end", end)) if v is not None)
            return InputError(
                f"{self.name} has no frame in the range that {given} leaves; "
                f"the nearest is at {self._last - self.origin:.3f} s.",
                "Give a wider range.",
            )
        return InputError(f"No picture could be decoded from {self.name}.", _CURE_DAMAGED)

    def note(self) -> str:
        told = []
        if self._damaged:
            told.append(f"{self._damaged} damaged packets of {self.name} were skipped")
        if self._jumps:
            times = "once" if self._jumps == 1 else f"{self._jumps} times"
            told.append(f"the clock of {self.name} jumped back {times}; its parts were joined")
        return "; ".join(told)

    def frames(self, start: float | None, end: float | None) -> Frames:
        """Frames of a file whose time lies in the range, then a check that the file was all there."""
        base, origin = self._time_base(), self.origin
        # Half a tick, so that a time printed and typed in again means the frame it was printed for.
        slack = float(base) / 2 + 5e-7
        first, last = origin + (start or 0.0) - slack, float("inf") if end is None else origin + end - slack
        index = 0
        try:
            for pts, picture in self._stamped(self._decoded_from(origin + start if start else None), base):
                self._last = seconds = float(pts * base)
                if seconds >= last:
                    return
                if seconds >= first:
                    yield self._frame(picture, index, seconds, pts, base)
                    index += 1
        finally:
            self.container.close()

    def _frame(self, picture: VideoFrame, index: int, seconds: float, pts: int, base: Fraction) -> Frame:
        colour = colour_of(picture)
        if colour is None or self._to_bgr.matrix_of(picture) is not None:
            self.colour = ColourSpace(primaries=picture.color_primaries, transfer=picture.color_trc)
            converted = BgrPicture(self._to_bgr(picture))
            return Frame(converted, index, seconds, time.perf_counter(), pts, base)
        samples = Yuv420Picture(samples_of(picture), colour)
        return Frame(samples, index, seconds, time.perf_counter(), pts, base)

    def live_frames(self) -> Frames:
        """Frames of a stream, by the sender's clock where the format carries it, else by their arrival."""
        clock = LiveClock(self._time_base() if self.kinds & _SENDERS_CLOCK else None)
        index, opened = 0, time.perf_counter()
        try:
            for picture in self._decoded():
                arrived = time.perf_counter()
                seconds = clock(picture.pts, arrived)
                if self.kinds & _IN_SEGMENTS:
                    # Seconds of film come at once: each picture in its turn, or all but the newest would be dropped.
                    time.sleep(min(max(opened + seconds - arrived, 0.0), _LONGEST_WAIT))
                    arrived = time.perf_counter()
                yield Frame(BgrPicture(self._to_bgr(picture)), index, seconds, arrived)
                index += 1
        finally:
            self.container.close()

    def _time_base(self) -> Fraction:
        return self.stream.time_base or Fraction(1, 90_000)

    def _stamped(self, pictures: Iterator[VideoFrame], base: Fraction) -> Iterator[tuple[int, VideoFrame]]:
        """Pictures with their time stamps; a clock that begins anew (joined files) goes on from where it was."""
        step = max(round(1 / (self.rate * base)), 1) if self.rate else 1
        previous: int | None = None
        shift = 0
        for picture in pictures:
            # AVI knows only the decoding time, from which ffmpeg guesses others; raw streams know none at all.
            told = picture.dts if picture.pts is None or "avi" in self.kinds else picture.pts
            due = 0 if previous is None else previous + step
            stamp = due if told is None else told + shift
            if previous is not None and (previous - stamp) * base > CLOCK_JUMP:
                shift += due - stamp
                stamp = due
                self._jumps += 1
            previous = stamp
            yield stamp, picture

    def _decoded_from(self, target: float | None) -> Iterator[VideoFrame]:
        """Pictures from the key frame before ``target`` seconds on (None: from the beginning)."""
        from av.error import FFmpegError

        if target is None:
            yield from self._decoded()
            return
        base = self._time_base()
        if self.kinds & _SOUGHT_BY_CLOCK and self._is_joined():
            yield from self._decoded()
            return
        for back in (0.0, 10.0, 60.0):
            if target <= back:
                break
            with suppress(FFmpegError, OSError):  # not seekable: read on from where it stands, the beginning
                self.container.seek(int((target - back) / base), stream=self.stream)
            pictures = self._decoded()
            first = next(pictures, None)
            # Without an index a seek may land behind the target: then begin further ahead of it.
            if first is not None and first.pts is not None and first.pts * base <= target:
                yield first
                yield from pictures
                return
            pictures.close()
        # After a seek that found nothing, some files give nothing any more.
        self.container.close()
        self._open()
        yield from self._decoded()

    def _is_joined(self) -> bool:
        """Whether the clock begins anew somewhere, so that a seek by it would lead astray. Reads the file once over."""
        from av.error import FFmpegError

        latest, joined = None, False
        with suppress(FFmpegError):
            for packet in self._packets():
                if packet.stream is self.stream and packet.dts is not None:
                    joined = latest is not None and (latest - packet.dts) * self._time_base() > CLOCK_JUMP
                    latest = packet.dts
                    if joined:
                        break
        self.container.close()
        self._open()
        return joined

    def _packets(self) -> Iterator[Packet]:
        """All packets of the container, then empty ones, which make decoders give what they hold back."""
        from av.packet import Packet

        try:
            yield from self.container.demux()
        except IndexError:
            # PyAV stumbles over a stream that appeared on the way, but not before everything is read.
            flush = Packet()
            flush.stream = self.stream
            yield flush

    def _decoded(self) -> Generator[VideoFrame, None, None]:
        """Pictures from where the container stands to its end, then a check that this was the end."""
        from av.error import EOFError as AvEOFError
        from av.error import FFmpegError

        reached = 0.0
        try:
            for packet in self._packets():
                if packet.pts is not None and packet.time_base is not None:
                    reached = max(reached, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                if packet.stream is not self.stream:
                    continue
                if packet.size:
                    self._broken_end = packet.is_corrupt
                    if packet.is_corrupt and self.kinds & _INDEXED:
                        continue  # half a frame: to decode it could cost the good one before
                try:
                    yield from self.stream.decode(packet)
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
        if reached and not self.live:
            self._check_end(reached)

    def _check_end(self, reached: float) -> None:
        """The demuxer of a truncated file often just ends: hold what came against what was declared."""
        declared = 0.0
        if self.kinds & _DECLARES_DURATION and self.duration is not None:
            declared = self.origin + self.duration
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
