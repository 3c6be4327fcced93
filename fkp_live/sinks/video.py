"""Where results go: H.264 video here, CSV and JSON lines in `tables`.

See `outputs` for what all of them have in common: the checks, and the partial file until it is whole.
"""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions
# only.
import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import OutputError
from fkp_live.handoff import Handoff
from fkp_live.images.yuv420 import ColourSpace, Yuv420Picture
from fkp_live.sinks.audio import Sound
from fkp_live.sinks.files import FileSink, Sink, check_output
from fkp_live.sinks.tables import CsvSink, JsonlSink
from fkp_live.types import FrameResult, Image, Picture, SourceInfo

__all__ = ["VIDEO_FORMATS", "CsvSink", "JsonlSink", "Sink", "VideoSink", "check_output"]

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

VIDEO_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_MOV_OPTIONS = {
    # A late start is written in this unit; the default, 1/1000 s, would be up to half a millisecond off.
    "movie_timescale": "90000",
    # Written as fragments, from key frame to key frame, that reach the disk at once, so that a file which is cut off by
    # whatever it is plays up to there; made an ordinary file in the end. Only a delayed header knows of a late start.
    # (Fragments of so many seconds would be wrong: their last pictures can fall out of the edit list.)
    "movflags": "hybrid_fragmented+delay_moov",
    "flush_packets": "1",
}
_MUXER_OPTIONS = {
    "mp4": _MOV_OPTIONS,
    "mov": _MOV_OPTIONS,
    # An encoder's run-in sounds before 0; by default everything else would be moved to the right instead.
    "matroska": {"avoid_negative_ts": "disabled", "flush_packets": "1"},
}

# Pictures waiting for the encoder: the more, the less a slow picture is felt on the other side (16 instead of 8 gave
# 1 % more frames a second at 720p); but of large ones only so many bytes.
_QUEUED, _LEAST_QUEUED, _QUEUED_BYTES = 16, 4, 48 << 20
_LIVE_BASE = Fraction(1, 90_000)  # unit of time where the source has none of its own
_FINEST_BASE = 1_000_000  # ticks a second that encoder and containers take without trouble
_FRONT = 64  # bytes of an MP4 file in which all lies that a trailer changes
_DEFAULT_RATE = Fraction(30)
_LARGEST_SIDE = 16_384  # pixels that x264 takes


class VideoSink(FileSink):
    """H.264 with the source's exact time stamps and its sound, packet for packet.

    Parameters
    ----------
    path : .mp4, .mov or .mkv
    info : of the source: size, rate, unit of time
    audio_from : file whose sound is copied, None for silence
    crf : x264's constant rate factor, less is better and larger
    preset : x264's preset, from ultrafast to veryslow

    Pictures that come with ``pts`` keep them, so a late start or an uneven rate comes out as it went in; the
    output begins where a player begins (``info.origin``). After a cut at the front (``info.start``) and for
    live sources the first picture is at 0, and the sound is moved by as much; it ends with the last picture
    unless the source was read to its end. A side of odd length grows by one repeated row or column, because
    4:2:0 video has none; coordinates stay valid. A picture of another size than ``info`` is scaled into it.
    4:2:0 pictures are taken over as they are, without a copy, and with them the source's colours, untouched where
    nothing was painted: do not paint on one after `write`.

    Attributes
    ----------
    note : what people should know, such as sound that could not be taken along; usually empty
    """

    wants_picture = True

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        audio_from: str | Path | None = None,
        overwrite: bool = False,
        crf: int = 23,
        preset: str = "veryfast",
    ) -> None:
        self._size = (info.width + info.width % 2, info.height + info.height % 2)
        if max(self._size) > _LARGEST_SIDE:
            raise OutputError(
                f"Pictures of {info.width}x{info.height} cannot be written to {path}: H.264 ends at {_LARGEST_SIDE} "
                "pixels a side.",
                "Scale them first, or write numbers only (leave --out away).",
            )
        super().__init__(path, overwrite, VIDEO_FORMATS)
        self.note = ""
        self._name, self._pixel_aspect = info.name, info.pixel_aspect
        self._colour = info.colour or ColourSpace()
        self._base = info.time_base or _LIVE_BASE
        if self._base.denominator > _FINEST_BASE:
            self._base = _LIVE_BASE
        self._rate = Fraction(info.fps or _DEFAULT_RATE).limit_denominator(10_000) or _DEFAULT_RATE
        self._rebased = info.live or info.start > 0.0
        self._options = {"crf": str(crf), "preset": preset}
        self._last_ticks: int | None = None
        self._zero_ticks = round(info.origin / self._base)  # on the source's clock, what is 0 in the file
        self._closed = False
        self._error: BaseException | None = None
        self._interrupted: KeyboardInterrupt | None = None
        self._sound: Sound | None = None
        try:
            self._open(audio_from)
        except Exception as exc:
            self._discard()
            raise self._failed(exc) from exc
        fitting = _QUEUED_BYTES // (self._size[0] * self._size[1] * 3 // 2)
        self._pictures: Handoff[tuple[int, float, NDArray[np.uint8]]] = Handoff(
            min(max(fitting, _LEAST_QUEUED), _QUEUED)
        )
        self._thread = threading.Thread(target=self._encode_all, name="fkp-live encoder", daemon=True)
        self._thread.start()

    def _open(self, audio_from: str | Path | None) -> None:
        import av
        from av.error import FFmpegError

        def container() -> tuple[OutputContainer, VideoStream]:
            kind = VIDEO_FORMATS[self._target.suffix.lower()]
            output = av.open(str(self._partial), "w", format=kind, container_options=_MUXER_OPTIONS[kind])
            stream = output.add_stream("libx264", rate=self._rate, options=self._options)
            stream.width, stream.height = self._size
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = self._base
            if self._pixel_aspect is not None:
                stream.codec_context.sample_aspect_ratio = self._pixel_aspect
            stream.codec_context.colorspace, stream.codec_context.color_range = self._colour.matrix, 1
            stream.codec_context.color_primaries = self._colour.primaries
            stream.codec_context.color_trc = self._colour.transfer
            return output, stream

        self._container, self._stream = container()
        if audio_from is not None:
            try:
                self._sound = Sound(str(audio_from), self._container, cut=self._rebased)
                self.note = self._sound.note
            except FFmpegError as exc:  # a server that gives it only once
                self.note = f"the sound of {self._name} could not be read and was left out: {exc.strerror}"
        try:
            self._container.start_encoding()
        except (FFmpegError, ValueError):
            if self._sound is None or not self._sound.streams:
                raise
            # The header may refuse a sound that the container's list of codecs allows.
            self.note = f"the sound of {self._name} does not fit into {self._target.suffix} and was left out"
            self._sound.close()
            self._sound = None
            self._container, self._stream = container()
            self._container.start_encoding()

    def write(self, result: FrameResult, picture: Picture | None) -> None:
        """Queue one picture. Raises what the encoder failed with."""
        if picture is None:
            raise ValueError("a video needs the picture of each result")
        if result.pts is None or result.time_base is None:
            ticks = round(result.time / self._base)
        else:
            ticks = round(result.pts * result.time_base / self._base)
        if self._last_ticks is None and self._rebased:
            self._zero_ticks = ticks
        ticks -= self._zero_ticks
        if self._last_ticks is not None:
            ticks = max(ticks, self._last_ticks + 1)  # two pictures cannot share a time stamp in a file
        self._last_ticks = ticks
        if not self._pictures.put((ticks, result.time, self._samples(picture))):
            self._raise_error()

    def _samples(self, picture: Picture) -> NDArray[np.uint8]:
        if (
            isinstance(picture, Yuv420Picture)
            and picture.size == self._size
            and picture.colour == self._colour
        ):
            return picture.samples
        # Converted here: it halves what is queued, and is quicker than a copy and the encoder's own conversion.
        image = _fit(picture.bgr(), self._size)
        if self._colour.matrix == ColourSpace().matrix:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
        return Yuv420Picture.from_bgr(image, self._colour).samples

    def _encode_all(self) -> None:
        from av.video.frame import VideoFrame

        # PyAV takes a buffer's height for a multiple of 4, which would move the colours of others; copies are safe.
        framed: Any = VideoFrame.from_ndarray if self._size[1] % 4 else VideoFrame.from_numpy_buffer
        seconds: float | None = None
        ticks: int | None = None
        step = max(round(1 / (self._rate * self._base)), 1)
        try:
            try:
                while (item := self._pictures.get()) is not None:
                    step = item[0] - ticks if ticks is not None else step
                    ticks, seconds, planes = item
                    picture: Any = framed(planes, format="yuv420p")
                    picture.pts, picture.time_base = ticks, self._base
                    self._container.mux(self._stream.encode(picture))
                    if self._sound is not None:
                        self._sound.copy_until(seconds, float(self._zero_ticks * self._base))
                self._container.mux(self._stream.encode(None))
                if self._sound is not None and seconds is not None:
                    origin = float(self._zero_ticks * self._base)
                    self._sound.finish(seconds, float(step * self._base), origin)
            finally:
                self._finish()
                if self._sound is not None:
                    self._sound.close()
                    self.note = self._sound.note
        except BaseException as exc:  # it is raised again, in the caller
            self._error = exc
            self._pictures.cancel()

    def _finish(self) -> None:
        """Write the trailer. For MP4 it begins by turning the fragments at the front into one block of samples.

        If no room is left for their index they would be lost, so the front is put back.
        """
        with self._partial.open("rb") as file:
            front = file.read(_FRONT)
        try:
            self._container.close()
        except BaseException:
            with self._partial.open("r+b") as file:
                file.write(front)
            raise

    def _raise_error(self) -> None:
        self._thread.join()
        if self._error is not None:
            raise self._failed(self._error) from self._error

    def _end(self) -> None:
        self._closed = True
        self._pictures.finish()
        while self._thread.is_alive():
            try:
                self._thread.join()
            except (
                KeyboardInterrupt
            ) as exc:  # the few pictures that wait are still encoded: it does not take long
                self._interrupted = exc
        if self._last_ticks is None:
            self._discard()

    def close(self) -> None:
        """Encode what is queued, finish the file, give it its name. Without a picture there is no file."""
        if self._closed:
            return
        self._end()
        self._raise_error()
        if self._last_ticks is not None:
            self._commit()
        if self._interrupted is not None:
            raise self._interrupted

    def abort(self) -> None:
        """Finish the file under its partial name, without raising."""
        if not self._closed:
            self._end()

    def __enter__(self) -> VideoSink:
        return self


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """The picture at ``size`` (width, height): as it is, a row or column longer, or scaled into it."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    right, below = width - image.shape[1], height - image.shape[0]
    if (right, below) in ((0, 1), (1, 0), (1, 1)):
        return np.asarray(cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        image, inner, interpolation=cv2.INTER_AREA
    )
    return canvas
