"""Contact sheet: each face at its best moments and the film at regular times, as small pictures from the film."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from fkp_live.errors import FkpError, InputError
from fkp_live.plots.figure import clock
from fkp_live.sources.opening import open_source
from fkp_live.sources.recordings import Recording
from fkp_live.types import Face, Frame, Image

# Spans of time of which each keeps its best moment; the first are a second long.
_SPANS, _FIRST_SPAN = 16, 1.0
# Sides of the pictures in pixels, room around a face as a share of its box, and JPEG's quality.
_FACE_SIDE, _FILM_WIDTH, _MARGIN, _QUALITY = 128, 200, 0.35, 72
# Seconds up to which reading on is faster than seeking.
_NEAR = 8.0
# Before the frame that is wanted: times in recordings are rounded.
_EARLY = 0.002


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment of a face: how good a picture it may give, seconds on the source's clock, box in pixels."""

    quality: float
    time: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A picture of the sheet: seconds, whose (None: the whole frame), its size, and its JPEG as a data URI."""

    time: float
    face: int | None
    width: int
    height: int
    uri: str

    @property
    def caption(self) -> str:
        """For people, such as ``face 2, 1:05``."""
        return clock(self.time) if self.face is None else f"face {self.face}, {clock(self.time)}"


class BestMoments:
    """The best moments of one face, spread over its time: large, certain, from the front, with open eyes.

    At most 16 are kept at any time: as time goes on, spans are joined two by two.
    """

    def __init__(self) -> None:
        self._start: float | None = None
        self._span = _FIRST_SPAN
        self._best: dict[int, Moment] = {}

    def add(self, face: Face, time: float) -> None:
        """One more frame of the face."""
        moment = _moment(face, time)
        if moment is None:
            return
        if self._start is None:
            self._start = time
        while (time - self._start) / self._span >= _SPANS:
            self._span *= 2.0
            before, self._best = self._best, {}
            for number, one in before.items():
                self._offer(number // 2, one)
        self._offer(max(int((time - self._start) / self._span), 0), moment)

    def _offer(self, number: int, moment: Moment) -> None:
        if number not in self._best or moment.quality > self._best[number].quality:
            self._best[number] = moment

    def best(self, count: int) -> list[Moment]:
        """At most ``count`` in order of time, the best first of all, and none close to a better one."""
        ranked = sorted(self._best.values(), key=lambda moment: (-moment.quality, moment.time))
        times = [moment.time for moment in ranked]
        apart = (max(times) - min(times)) / (2 * count) if times else 0.0
        chosen: list[Moment] = []
        for moment in ranked:
            if len(chosen) < count and all(abs(moment.time - one.time) >= apart for one in chosen):
                chosen.append(moment)
        return sorted(chosen, key=lambda moment: moment.time)


def _moment(face: Face, time: float) -> Moment | None:
    x0, y0, x1, y1 = face.box.tolist()
    quality = float(face.confidence.mean()) * math.sqrt(max((x1 - x0) * (y1 - y0), 0.0))
    if face.pose is not None:
        quality *= max(math.cos(face.pose.yaw) * math.cos(face.pose.pitch), 0.0) ** 2
    if face.measures is not None and face.measures.blink:
        quality *= 0.3
    return Moment(quality, time, (x0, y0, x1, y1)) if math.isfinite(quality) else None


def contact_sheet(
    film: Path, recording: Recording, moments: Iterable[tuple[int, Moment]], times: Iterable[float]
) -> list[SmallPicture]:
    """The pictures that the film has, faces first, each group in the order given.

    Parameters
    ----------
    film : the film's file
    recording : of that film, for its clock, its size and whether it was mirrored
    moments : faces by number, with a moment of each
    times : seconds on the source's clock for pictures of the whole frame

    Raises
    ------
    InputError : the film cannot be read at all
    """
    options = recording.header.get("options")
    mirror = isinstance(options, dict) and options.get("mirror") is True
    origin, size = recording.info.origin, (recording.info.width, recording.info.height)
    wanted: list[tuple[float, int | None, Moment | None]] = [
        *((moment.time, number, moment) for number, moment in moments),
        *((time, None, None) for time in times),
    ]
    found: dict[int, SmallPicture] = {}
    failures: list[FkpError] = []
    with _Film(film, mirror=mirror) as frames:
        for place in sorted(range(len(wanted)), key=lambda place: wanted[place][0]):
            time, number, moment = wanted[place]
            try:
                image = frames.at(time - origin)
            except FkpError as error:
                failures.append(error)
                continue
            small = _reduced(image) if moment is None else _cut(image, moment, size)
            if small is not None:
                found[place] = SmallPicture(time, number, small.shape[1], small.shape[0], _uri(small))
    if failures and not found:
        raise failures[0]
    return [found[place] for place in sorted(found)]


class _Film:
    """A film whose pictures are asked for in order of time: it reads on where the next is near, else it seeks."""

    def __init__(self, path: Path, *, mirror: bool) -> None:
        self._path, self._mirror = path, mirror
        self._open = ExitStack()
        self._frames: Iterator[Frame] = iter(())
        self._last: Frame | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def at(self, seconds: float) -> Image:
        """The picture at ``seconds`` from the film's beginning. InputError if it cannot be read, or has none there."""
        wanted = max(seconds - _EARLY, 0.0)
        if self._last is None or not 0 <= wanted - self._time(self._last) <= _NEAR:
            self._open.close()
            source = self._open.enter_context(open_source(self._path, start=wanted, mirror=self._mirror))
            self._origin, self._frames, self._last = source.info.origin, iter(source), None
        while self._last is None or self._time(self._last) < wanted:
            self._last = next(self._frames, None)
            if self._last is None:
                raise InputError(
                    f"{self._path} ends before {seconds:.2f} s.",
                    "Give the film that was recorded, whole: --video FILE.",
                )
        return self._last.image

    def _time(self, frame: Frame) -> float:
        return frame.time - self._origin


def _reduced(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = min(_FILM_WIDTH / width, _FILM_WIDTH / height, 1.0)
    return _resized(image, max(round(width * scale), 1), max(round(height * scale), 1))


def _cut(image: Image, moment: Moment, size: tuple[int, int]) -> Image | None:
    """A square around the face; None where it lies outside of the picture. ``size``: of the picture it was seen in."""
    height, width = image.shape[:2]
    sx, sy = (width / size[0], height / size[1]) if all(size) else (1.0, 1.0)
    x0, y0, x1, y1 = (value * scale for value, scale in zip(moment.box, (sx, sy, sx, sy), strict=True))
    half = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    left, top = max(round(cx - half), 0), max(round(cy - half), 0)
    part = image[top : max(round(cy + half), 0), left : max(round(cx + half), 0)]
    if min(part.shape[:2]) < 2:
        return None
    scale = _FACE_SIDE / max(part.shape[:2])
    return _resized(part, max(round(part.shape[1] * scale), 1), max(round(part.shape[0] * scale), 1))


def _resized(image: Image, width: int, height: int) -> Image:
    smaller = width < image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def _uri(image: Image) -> str:
    _, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg.tobytes()).decode('ascii')}"
