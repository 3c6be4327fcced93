"""Which frames and which face of a recording are converted: every S seconds, the N hardest, one face, the main one."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fkp_live.metrics import inter_ocular
from fkp_live.types import Face, FloatArray, FrameResult

# Seconds from one hard frame to the next at least: neighbours look alike, and labelling both is wasted.
_APART = 1.0
# A share of the spacing by which a frame may be early: times of frames are rounded.
_EARLY = 1e-3


class Spaced:
    """Lets through the first frame and then one every ``seconds``; all of them where that is 0."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: float | None = None

    def __call__(self, time: float) -> bool:
        """Whether the frame at this time is due."""
        if self._seconds == 0.0 or self._due is None:
            self._due = time + self._seconds
            return True
        late = time - self._due
        if late < -_EARLY * self._seconds:
            return False
        # On the grid of the first frame, so that the mean distance is the one asked for.
        self._due += (max(late, 0.0) // self._seconds + 1.0) * self._seconds
        return True


def only_face(results: Iterable[FrameResult], number: int | None) -> Iterator[FrameResult]:
    """The results with the one face that has this number, or with all of their faces where it is None."""
    for result in results:
        if number is None:
            yield result
        else:
            yield replace(result, faces=tuple(face for face in result.faces if face.id == number))


def main_face(results: Iterable[FrameResult]) -> int | None:
    """Number of the face that is seen in most frames, of those the largest; None where no face has a number."""
    frames: dict[int, int] = defaultdict(int)
    areas: dict[int, float] = defaultdict(float)
    for result in results:
        for face in result.faces:
            if face.id is not None:
                frames[face.id] += 1
                areas[face.id] += float(np.nan_to_num(np.prod(face.box[2:] - face.box[:2])))
    return max(frames, key=lambda number: (frames[number], areas[number], -number), default=None)


def hardest(results: Iterable[FrameResult], count: int, *, apart: float = _APART) -> set[int]:
    """Indices of the ``count`` hardest frames: in turn that of the lowest confidence and of the highest jitter.

    The confidence of a frame is that of its least certain face, its jitter that of its most unsteady one: how far a
    face's points before smoothing lie from the middle between those of the frames before and after, shift taken off,
    in eye distances. A frame whose neighbours lack the face has none.

    Parameters
    ----------
    apart : seconds between any two of them at least; 0 for pictures, which are no film and so have no jitter either

    Fewer are returned where the recording has no more. Of each frame 24 bytes are kept: 5 MB for two hours.
    """
    indices, times, doubts, jitters = array("q"), array("d"), array("f"), array("f")
    for index, time, doubt, jitter in _scored(results):
        indices.append(index)
        times.append(time)
        doubts.append(doubt)
        jitters.append(jitter)
    moments, scores = np.array(times), [np.array(doubts), np.array(jitters)]
    if apart == 0.0:
        scores.pop()
    chosen: list[int] = []
    free = np.ones(len(moments), bool)
    orders = [iter(np.argsort(-score, kind="stable").tolist()) for score in scores]
    while len(chosen) < count and orders:
        order = orders.pop(0)
        found = next((place for place in order if free[place]), None)
        if found is not None:
            chosen.append(found)
            free &= np.abs(moments - moments[found]) >= apart if apart else True
            free[found] = False
            orders.append(order)
    return {indices[place] for place in chosen}


def _scored(results: Iterable[FrameResult]) -> Iterator[tuple[int, float, float, float]]:
    """Index, time, doubt and jitter of each frame with a face."""
    before: dict[int | None, FloatArray] = {}
    held: FrameResult | None = None
    last: dict[int | None, FloatArray] = {}
    for result in results:
        points = {face.id: _unsmoothed(face) for face in result.faces}
        if held is not None and held.faces:
            yield _score(held, before, last, points)
        before, last, held = last, points, result
    if held is not None and held.faces:
        yield _score(held, before, last, {})


def _score(
    result: FrameResult,
    before: dict[int | None, FloatArray],
    now: dict[int | None, FloatArray],
    after: dict[int | None, FloatArray],
) -> tuple[int, float, float, float]:
    doubt = max(1.0 - float(np.nan_to_num(face.confidence).mean()) for face in result.faces)
    jitters = [
        _jitter(before[number], points, after[number])
        for number, points in now.items()
        if number is not None and number in before and number in after
    ]
    return result.index, result.time, doubt, max(jitters, default=0.0)


def _jitter(before: FloatArray, now: FloatArray, after: FloatArray) -> float:
    off: NDArray[np.float64] = now.astype(np.float64) - (before.astype(np.float64) + after) / 2
    off -= off.mean(0)
    distance = float(np.linalg.norm(off, axis=1).mean()) / max(float(inter_ocular(now[None])[0]), 1.0)
    return distance if np.isfinite(distance) else 0.0


def _unsmoothed(face: Face) -> FloatArray:
    return face.points if face.raw is None else face.raw
