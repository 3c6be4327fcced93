"""H.264 encoding and the container file, in a thread of its own, with the sound copied beside it."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import ColourSpace
from fkp_live.handoff import Handoff
from fkp_live.sinks.audio import Sound
from fkp_live.sinks.containers import MUXER_OPTIONS, check_front, check_video, format_of
from fkp_live.sinks.files import PartialFile
from fkp_live.sinks.video_clock import VideoClock

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


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
    file : an empty file that is written to; its suffix is the container's, see `containers.VIDEO_FORMATS`
    coding : how pictures are encoded
    clock : that the pictures' timestamps come from
    audio_from : file or URL whose sound is copied, None for silence
    name : of the source, for notes
    queued : pictures that may wait to be encoded

    Attributes
    ----------
    note : what the user should know, such as sound that was left out; usually empty, final after `finish`
    complete : whether everything was written to the file without an error
    interrupted : Ctrl-C that came during `finish`, which it does not cut short
    """

    def __init__(
        self,
        file: PartialFile,
        coding: Coding,
        clock: VideoClock,
        *,
        audio_from: str | None,
        name: str,
        queued: int,
    ) -> None:
        self._file, self._coding, self._clock = file, coding, clock
        self._format = format_of(file)
        self.note = ""
        self.complete = False
        self.interrupted: KeyboardInterrupt | None = None
        self._error: BaseException | None = None
        self._sound: Sound | None = None
        self._begun = False
        self._open(audio_from, name)
        check_front(self._file)
        self._pictures: Handoff[tuple[int, float, NDArray[np.uint8]]] = Handoff(queued)
        self._thread = threading.Thread(target=self._encode_all, name="fkp-live encoder", daemon=True)
        self._thread.start()

    def _open(self, audio_from: str | None, name: str) -> None:
        from av.error import FFmpegError

        self._container, self._stream = self._new_container()
        if audio_from is not None:
            try:
                self._sound = Sound(audio_from, name, self._container)
                self.note = self._sound.note
            except FFmpegError as exc:  # a server that sends it only once
                self.note = f"the sound of {name} could not be read and was left out: {exc.strerror}"
        self._container.start_encoding()

    def _new_container(self) -> tuple[OutputContainer, VideoStream]:
        import av

        coding = self._coding
        options = MUXER_OPTIONS[self._format]
        output = av.open(self._file.address, "w", format=self._format, container_options=options)
        settings = {"crf": str(coding.crf), "preset": coding.preset}
        stream = output.add_stream("libx264", rate=coding.rate, options=settings)
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
        if self._sound is not None and not self._begun:
            # Here and not in the thread: the clock may move on by many pictures until it gets to the first one.
            self._sound.begin(self._clock.origin, cut=self._clock.rebased)
            self._begun = True
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
        pictures = 0
        try:
            with ExitStack() as stack:
                stack.callback(self._close_sound)
                stack.callback(self._complete)
                try:
                    pictures = self._encode_queued()
                except BaseException:
                    with suppress(Exception):  # save what the encoder holds back
                        self._container.mux(self._stream.encode(None))
                    raise
            self.complete = True
            if pictures:
                check_video(self._file, pictures)
        except BaseException as exc:  # it is raised again, in the caller
            self._error = exc
            self._pictures.cancel()

    def _encode_queued(self) -> int:
        """Encode what is queued, to the end; the number of pictures."""
        from av.video.frame import VideoFrame

        # PyAV takes a buffer's height for a multiple of 4, which would move the chroma of others; copies are safe.
        framed: Any = VideoFrame.from_ndarray if self._coding.size[1] % 4 else VideoFrame.from_numpy_buffer
        base, pictures = self._clock.base, 0
        seconds, ticks = 0.0, 0
        step = max(round(1 / (self._coding.rate * base)), 1)
        while (item := self._pictures.get()) is not None:
            step = item[0] - ticks if pictures else step
            ticks, seconds, samples = item
            pictures += 1
            picture: Any = framed(samples, format="yuv420p")
            picture.pts, picture.time_base = ticks, base
            self._container.mux(self._stream.encode(picture))
            if self._sound is not None:
                self._sound.copy_until(seconds)
        self._container.mux(self._stream.encode(None))
        if self._sound is not None and pictures:
            self._sound.finish(seconds, float(step * base))
        return pictures

    def _complete(self) -> None:
        self._container.close()  # writes the trailer

    def _close_sound(self) -> None:
        if self._sound is not None:
            self._sound.close()
            self.note = self._sound.note
