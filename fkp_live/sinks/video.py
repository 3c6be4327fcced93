"""H.264 video with the source's timestamps and sound: .mp4, .mov and .mkv."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import ColourSpace
from fkp_live.errors import OutputError
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.sinks.containers import TIME_UNITS, VIDEO_FORMATS, format_of, plays
from fkp_live.sinks.encoder import Coding, Encoder
from fkp_live.sinks.sink import FileSink
from fkp_live.sinks.video_clock import VideoClock
from fkp_live.types import FrameResult, Image, Picture, SourceInfo

# Pictures waiting for the encoder: the more, the less a slow picture is felt on the other side (16 instead of 8 gave
# 1 % more frames a second at 720p); but of large ones only as many as fit into these bytes.
_QUEUED, _LEAST_QUEUED, _QUEUED_BYTES = 16, 4, 48 << 20
_DEFAULT_RATE = Fraction(30)
_HIGHEST_RATE = Fraction(10_000)
_LARGEST_SIDE = 16_384  # pixels that x264 takes


class VideoSink(FileSink):
    """H.264 with the source's exact timestamps and its sound, packet for packet.

    Parameters
    ----------
    path : .mp4, .mov or .mkv
    info : of the source: size, rate, unit of time
    audio_from : file whose sound is copied, None for silence
    crf : x264's constant rate factor, less is better and larger
    preset : x264's preset, from ultrafast to veryslow

    Pictures that come with ``pts`` keep them, so a late start or an uneven rate comes out as it went in; see
    `VideoClock` for where the file begins. The sound is moved by as much as the pictures; it ends with the last picture
    unless the source was read to its end. A side of odd length grows by one repeated row or column, because
    4:2:0 video has none; coordinates stay valid. A picture of another size than ``info`` is scaled into it.
    4:2:0 pictures are taken over as they are, without a copy, and with them the source's colours, untouched where
    nothing was painted: do not paint on one after `write`. Without a picture there is no file.

    >>> with open_source("clip.mp4") as source, VideoSink("out.mp4", source.info) as sink:
    ...     for frame in source:
    ...         sink.write(pipeline.process(frame), frame.picture)
    """

    wants_picture = True
    _keeps_empty = False

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
                "Scale them first, or write numbers only (omit --out).",
            )
        super().__init__(path, overwrite, VIDEO_FORMATS)
        self._colour = info.colour or ColourSpace()
        self._clock = VideoClock(info, TIME_UNITS.get(format_of(self._file)))
        rate = Fraction(info.fps or _DEFAULT_RATE).limit_denominator(10_000) or _DEFAULT_RATE
        # A single picture lasts one step of it, and one of a microsecond is no time at all in MP4.
        rate = min(rate, _HIGHEST_RATE)
        fitting = _QUEUED_BYTES // (self._size[0] * self._size[1] * 3 // 2)
        try:
            self._encoder = Encoder(
                self._file,
                Coding(self._size, rate, self._colour, info.pixel_aspect, crf, preset),
                self._clock,
                audio_from=None if audio_from is None else str(audio_from),
                name=info.name,
                queued=min(max(fitting, _LEAST_QUEUED), _QUEUED),
            )
        except Exception as exc:
            self._file.discard()
            raise self._file.failed(exc) from exc

    @property
    def note(self) -> str:
        """What the user should know, such as sound that was left out; usually empty, final after `close`."""
        return "; ".join(filter(None, (self._clock.note, self._encoder.note)))

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        if picture is None:
            raise ValueError("a video needs the picture of each result")
        ticks, samples = self._clock.ticks(result), self._samples(picture)
        self._results += 1
        try:
            self._encoder.put(ticks, result.time, samples)
        except Exception as exc:
            raise self._file.failed(exc) from exc

    def _samples(self, picture: Picture) -> NDArray[np.uint8]:
        """(H * 3 / 2, W) uint8: 4:2:0 samples of the picture at the size of the file."""
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

    def _finish(self) -> None:
        self._encoder.finish()

    def _is_of_use(self) -> bool:
        return super()._is_of_use() and (self._encoder.complete or plays(self._file))

    def close(self) -> None:
        """Encode what is queued, finish the file, give it its name. Without a picture there is no file.

        A Ctrl-C that comes meanwhile is raised once the file is complete.
        """
        if self._closed:
            return
        super().close()
        if self._encoder.interrupted is not None:
            raise self._encoder.interrupted


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
