"""Smoothing of recorded results anew, from the points before smoothing: as a pipeline does it, or in both directions.

Of a recording the future is known. "offline" filters it forward and backward and takes the mean, whose lag is none:
what one direction is late the other is early. On the simulated noise of `smoothing` a still face rests as with
"strong", and a blink is nearer to the truth than with any level, and than without smoothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fkp_live.choices import SMOOTHING
from fkp_live.errors import InputError
from fkp_live.faces.followed_measures import FollowedMeasures, shape_measures
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import Blinks, eyes_of, measures
from fkp_live.faces.smoothing import LEAST_STEP, LONGEST_STEP, FaceFilter, LandmarkSmoother
from fkp_live.faces.steady_time import SteadyTime
from fkp_live.geometry import box_of
from fkp_live.types import Face, FloatArray, FrameResult

OFFLINE = "offline"
LEVELS = (*SMOOTHING, OFFLINE)
# The backward filter begins this many seconds after the first frame that it is for; by then it has settled. Frames are
# held until as many seconds more are there, so that each is filtered backward one and a half times on average.
_AHEAD, _BLOCK = 4.0, 8.0
# Frames that are held at most, whatever their times: 12 s at 120 a second.
_MOST_HELD = 1440
# A face that is somewhere else in the next frame, by this share of its size, is another one under the same id.
_JUMP = 0.5

_Complex = NDArray[np.complex128]
# A frame, its time on a clock that does not go back, and the points of its faces.
_Smoothed = tuple[FrameResult, float, Sequence[FloatArray]]


def smoothed(results: Iterable[FrameResult], level: str) -> Iterator[FrameResult]:
    """Results with points smoothed anew from their ``raw`` points, and box, pose and measures of the new points.

    Each id is smoothed on its own. After a gap, or where the face jumps, filters start afresh. Faces without an id are
    given back as they were before smoothing. Some seconds of results are held at most.

    Parameters
    ----------
    results : in the order of the stream
    level : one of `LEVELS`; those of `choices.SMOOTHING` give what a pipeline gives

    Raises
    ------
    ValueError : there is no such level
    InputError : a face has no ``raw`` points

    Example
    -------
    >>> with open_recording("points.jsonl") as recording:
    ...     for result in smoothed(recording, "offline"):
    ...         ...
    """
    if level not in LEVELS:
        raise ValueError(f"the smoothing level is {level!r}, expected one of {', '.join(LEVELS)}")
    return _measured(_in_both_directions(results) if level == OFFLINE else _forward(results, level))


def _measured(stream: Iterable[_Smoothed]) -> Iterator[FrameResult]:
    """Results with these points, measured as in a pipeline."""
    blinks, shapes, before = Blinks(), FollowedMeasures(), set[int]()
    for result, time, points in stream:
        ids = _ids(result)
        for number in before - ids:
            blinks.forget(number)
            shapes.forget(number)
        before = ids
        faces = []
        for face, new in zip(result.faces, points, strict=True):
            if not np.isfinite(new).all():
                faces.append(face)
                continue
            pose = head_pose(new)
            shape = shape_measures(new, pose) if face.id is None else shapes(face.id, new, pose, time)
            eyes = None if face.measures is None else eyes_of(face.measures)
            found = measures(new, shape, eyes)
            if eyes is None and face.id is not None:
                found = blinks(face.id, found, pose.yaw, time, measures(_raw(face, result)).eyes_open)
            faces.append(replace(face, points=new, box=box_of(new), pose=pose, measures=found))
        faces.sort(key=_area, reverse=True)
        yield replace(result, faces=tuple(faces))


def _forward(results: Iterable[FrameResult], level: str) -> Iterator[_Smoothed]:
    """As `pipeline.Pipeline` smooths."""
    smoother, steady, before = LandmarkSmoother(level), SteadyTime(), set[int]()
    for result in results:
        time, _ = steady(result.time)
        ids = _ids(result)
        for gone in before - ids:
            smoother.forget(gone)
        before, left = ids, set(ids)
        points = []
        for face in result.faces:
            raw = _raw(face, result)
            number = face.id
            # Each id once, whatever a recording holds.
            if number is not None and number in left and np.isfinite(raw).all():
                left.remove(number)
                raw = smoother(number, raw, time)
            points.append(raw)
        yield result, time, points


@dataclass(slots=True, eq=False)
class _Held:
    """A frame that is held.

    Attributes
    ----------
    time : steady time in seconds
    elapsed : seconds since the first frame, in which pauses do not count
    raw : by place, the points of each face as they are
    faces : by id, raw points (68,) x + iy of the faces that are smoothed
    places : by id, their places
    filtered : by id, points that the forward filter gave
    """

    result: FrameResult
    time: float
    elapsed: float
    raw: list[FloatArray]
    faces: dict[int, _Complex]
    places: dict[int, int]
    filtered: dict[int, _Complex]


def _in_both_directions(results: Iterable[FrameResult]) -> Iterator[_Smoothed]:
    """The mean of a filter that runs forward and of one that runs backward."""
    steady, forward = SteadyTime(), _Direction(1.0)
    held: deque[_Held] = deque()
    last: _Held | None = None
    for result in results:
        time, _ = steady(result.time)
        elapsed = 0.0 if last is None else last.elapsed + min(max(time - last.time, 0.0), LONGEST_STEP)
        last = _held(result, time, elapsed)
        last.filtered = forward.step(time, last.faces)
        held.append(last)
        if len(held) >= _MOST_HELD:
            yield from _finished(held, _MOST_HELD * 2 // 3)
        elif elapsed - held[0].elapsed >= _AHEAD + _BLOCK:
            yield from _finished(held, sum(one.elapsed <= elapsed - _AHEAD for one in held))
    yield from _finished(held, len(held))


def _held(result: FrameResult, time: float, elapsed: float) -> _Held:
    frame = _Held(result, time, elapsed, [_raw(face, result) for face in result.faces], {}, {}, {})
    left = _ids(result)
    for place, (face, raw) in enumerate(zip(result.faces, frame.raw, strict=True)):
        number = face.id
        if number is not None and number in left and np.isfinite(raw).all():
            left.remove(number)
            frame.faces[number] = np.ascontiguousarray(raw, np.float64).view(np.complex128)[:, 0]
            frame.places[number] = place
    return frame


def _finished(held: deque[_Held], count: int) -> Iterator[_Smoothed]:
    """Run backward over all frames that are held, and take the first ``count`` of them out."""
    backward = _Direction(-1.0)
    steps = [backward.step(frame.time, frame.faces) for frame in reversed(held)]
    for _ in range(count):
        frame, points = held.popleft(), steps.pop()
        for number, filtered in points.items():
            mean = (frame.filtered[number] + filtered) / 2
            frame.raw[frame.places[number]] = mean.view(np.float64).reshape(-1, 2).astype(np.float32)
        yield frame.result, frame.time, frame.raw


class _Direction:
    """Filters of all faces, run in one direction of time: 1 or -1."""

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._filters: dict[int, tuple[FaceFilter, _Complex]] = {}  # and the last raw points

    def step(self, time: float, faces: Mapping[int, _Complex]) -> dict[int, _Complex]:
        """Filtered points of the faces of the next frame, by id."""
        filters = {}
        for number, raw in faces.items():
            one, was = self._filters.get(number, (None, raw))
            seconds = 0.0 if one is None else self._sign * (time - one.time)
            if one is None or not 0.0 <= seconds <= LONGEST_STEP or _jumps(was, raw):
                one = FaceFilter(raw, time, OFFLINE)
            else:
                one.step(raw, max(seconds, LEAST_STEP))
                one.time = time
            filters[number] = one, raw
        # A face that is gone starts anew when it comes back, as in a pipeline.
        self._filters = filters
        return {number: one.points.copy() for number, (one, _) in filters.items()}


def _jumps(was: _Complex, points: _Complex) -> bool:
    """Whether these points are hardly those of the same face in the next frame."""
    size = max(float(np.ptp(was.real)), float(np.ptp(was.imag)))
    return bool(abs(points.mean() - was.mean()) > _JUMP * size)


def _raw(face: Face, result: FrameResult) -> FloatArray:
    if face.raw is None:
        raise InputError(
            f"Frame {result.index} has a face without its points before smoothing, so it cannot be smoothed anew.",
            "Record with --jsonl, or --csv with --csv-columns all; or omit --smooth.",
        )
    return face.raw


def _ids(result: FrameResult) -> set[int]:
    return {face.id for face in result.faces if face.id is not None}


def _area(face: Face) -> float:
    x0, y0, x1, y1 = face.box.tolist()
    area: float = (x1 - x0) * (y1 - y0)
    return area if math.isfinite(area) else 0.0
