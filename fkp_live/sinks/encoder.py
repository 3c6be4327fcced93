"""H.264 encoding and the container file, in a thread of its own, with the sound copied beside it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

# cv2 before av, always: the other way round cv2.imshow hangs for ever on Linux. av is imported in functions
# only.
import cv2  # noqa: F401
import numpy as np
from numpy.typing import NDArray

from fkp_live.handoff import Handoff
from fkp_live.images.yuv420 import ColourSpace
from fkp_live.sinks.audio import Sound
from fkp_live.sinks.video_clock import VideoClock

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

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
_MUXER_OPTIONS = {
    "mp4": _MOV_OPTIONS,
    "mov": _MOV_OPTIONS,
    # An encoder's run-in sounds before 0; by default everything else would be moved to the right instead.
    "matroska": {"avoid_negative_ts": "disabled", "flush_packets": "1"},
}
_FRONT = 64  # bytes of an MP4 file in which all lies that a trailer changes


@dataclass(frozen=True, slots=True)
class Coding:
    """How pictures are encoded.

    Attributes
    ----------
    size : width and height in pixels, both even
    rate : pictures a second on average, a hint to the encoder
    colour : what the samples mean
    pixel_aspect : width of a pixel over its height; None: square, or unknown
    crf, preset : x264's constant rate factor and preset
    """

    size: tuple[int, int]
    rate: Fraction
    colour: ColourSpace
    pixel_aspect: Fraction | None
    crf: int
    preset: str


class Encoder:
    """Encodes 4:2:0 pictures into a file, in order, in a thread of its own.

    Parameters
    ----------
    file : an empty file that is written to
    container : FFmpeg's name of the container, see `VIDEO_FORMATS`
    coding : how pictures are encoded
    clock : that the pictures' timestamps come from
    audio_from : file or URL whose sound is copied, None for silence
    name : of the source, for notes
    queued : pictures that may wait to be encoded

    Attributes
    ----------
    note : what the user should know, such as sound that was left out; usually empty, final after `finish`
    interrupted : Ctrl-C that came during `finish`, which it does not cut short
    """

    def __init__(
        self,
        file: Path,
        container: str,
        coding: Coding,
        clock: VideoClock,
        *,
        audio_from: str | None,
        name: str,
        queued: int,
    ) -> None:
        self._file, self._format, self._coding, self._clock = file, container, coding, clock
        self.note = ""
        self.interrupted: KeyboardInterrupt | None = None
        self._error: BaseException | None = None
        self._sound: Sound | None = None
        self._open(audio_from, name)
        self._pictures: Handoff[tuple[int, float, NDArray[np.uint8]]] = Handoff(queued)
        self._thread = threading.Thread(target=self._encode_all, name="fkp-live encoder", daemon=True)
        self._thread.start()

    def _open(self, audio_from: str | None, name: str) -> None:
        from av.error import FFmpegError

        self._container, self._stream = self._new_container()
        if audio_from is not None:
            try:
                self._sound = Sound(audio_from, self._container, cut=self._clock.rebased)
                self.note = self._sound.note
            except FFmpegError as exc:  # a server that sends it only once
                self.note = f"the sound of {name} could not be read and was left out: {exc.strerror}"
        try:
            self._container.start_encoding()
        except (FFmpegError, ValueError):
            if self._sound is None or not self._sound.streams:
                raise
            # The header may refuse a sound that the container's list of codecs allows.
            self.note = f"the sound of {name} does not fit into {self._file.suffix} and was left out"
            self._sound.close()
            self._sound = None
            self._container, self._stream = self._new_container()
            self._container.start_encoding()

    def _new_container(self) -> tuple[OutputContainer, VideoStream]:
        import av

        coding = self._coding
        output = av.open(
            str(self._file), "w", format=self._format, container_options=_MUXER_OPTIONS[self._format]
        )
        options = {"crf": str(coding.crf), "preset": coding.preset}
        stream = output.add_stream("libx264", rate=coding.rate, options=options)
        stream.width, stream.height = coding.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = self._clock.base
        if coding.pixel_aspect is not None:
            stream.codec_context.sample_aspect_ratio = coding.pixel_aspect
        stream.codec_context.colorspace, stream.codec_context.color_range = coding.colour.matrix, 1
        stream.codec_context.color_primaries = coding.colour.primaries
        stream.codec_context.color_trc = coding.colour.transfer
        return output, stream

    def put(self, ticks: int, seconds: float, samples: NDArray[np.uint8]) -> None:
        """Queue one picture, waiting for room. Raises what encoding has failed with.

        Parameters
        ----------
        ticks : its timestamp in the file, on the clock
        seconds : its time on the source's clock
        samples : (H * 3 / 2, W) uint8, as in `Yuv420Picture`; they must not change any more
        """
        if not self._pictures.put((ticks, seconds, samples)):
            self._thread.join()
            if self._error is not None:
                raise self._error

    def finish(self) -> None:
        """Encode what is queued and complete the file. Raises what encoding has failed with."""
        self._pictures.finish()
        while self._thread.is_alive():
            try:
                self._thread.join()
            except KeyboardInterrupt as exc:  # encoding the few pictures that wait does not take long
                self.interrupted = exc
        if self._error is not None:
            raise self._error

    def _encode_all(self) -> None:
        from av.video.frame import VideoFrame

        # PyAV takes a buffer's height for a multiple of 4, which would move the chroma of others; copies are safe.
        framed: Any = VideoFrame.from_ndarray if self._coding.size[1] % 4 else VideoFrame.from_numpy_buffer
        base = self._clock.base
        seconds: float | None = None
        ticks: int | None = None
        step = max(round(1 / (self._coding.rate * base)), 1)
        try:
            try:
                while (item := self._pictures.get()) is not None:
                    step = item[0] - ticks if ticks is not None else step
                    ticks, seconds, samples = item
                    picture: Any = framed(samples, format="yuv420p")
                    picture.pts, picture.time_base = ticks, base
                    self._container.mux(self._stream.encode(picture))
                    if self._sound is not None:
                        self._sound.copy_until(seconds, self._clock.origin)
                self._container.mux(self._stream.encode(None))
                if self._sound is not None and seconds is not None:
                    self._sound.finish(seconds, float(step * base), self._clock.origin)
            finally:
                self._complete()
                if self._sound is not None:
                    self._sound.close()
                    self.note = self._sound.note
        except BaseException as exc:  # it is raised again, in the caller
            self._error = exc
            self._pictures.cancel()

    def _complete(self) -> None:
        """Write the trailer. For MP4 it begins by turning the fragments at the front into one block of samples.

        If no room is left for their index they would be lost, so the front is put back.
        """
        with self._file.open("rb") as file:
            front = file.read(_FRONT)
        try:
            self._container.close()
        except BaseException:
            with self._file.open("r+b") as file:
                file.write(front)
            raise
