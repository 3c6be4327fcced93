"""Measures of followed faces, each relative to what is usual for the person; of single pictures to the average face."""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.faces.blendshapes import NeutralFace, shapes
from fkp_live.faces.measures import AVERAGE, parts, values
from fkp_live.measured import ShapeMeasures
from fkp_live.types import Pose

Array = NDArray[np.float64]

# Seconds between two looks at a face's parts: what is usual changes slowly, and each look costs time.
_EVERY = 0.3
# What is usual is the median of at most the first number of looks, spread over the time in which the face was followed;
# the average face counts for the second number of them. It is computed anew when there are a fifth more of them.
_KEPT, _PRIOR, _MORE = 256, 3, 1.2
# `set_neutral` takes a mean of what was seen, with this time constant in seconds: one frame may be a blink.
_RECENT = 0.3
# Turned further than this, in radians of yaw, a face teaches nothing: its far side is a guess.
_FRONTAL_YAW = 0.45


def shape_measures(points: ArrayLike, pose: Pose, usual: Array = AVERAGE) -> ShapeMeasures:
    """The measures of a face, computed once they are asked for.

    Parameters
    ----------
    points : (68, 2) in pixels
    pose : of the head
    usual : (27,) usual parts of the person, see `measures.parts`; by default those of the average face
    """
    return ShapeMeasures(partial(_numbers, points, pose, usual))


def _numbers(points: ArrayLike, pose: Pose, usual: Array) -> Array:
    """(51,) in the order of `measured.COLUMNS`."""
    seen = parts(points, pose)
    now = values(seen)
    off = [value - other for value, other in zip(now, _usual_values(usual.tobytes()), strict=True)]
    return np.array([*now, *off, *shapes(seen, usual)])


@lru_cache(maxsize=64)
def _usual_values(usual: bytes) -> list[float]:
    """The measures of usual parts, from their bytes: they change seldom."""
    return values(np.frombuffer(usual))


class _State:
    """What is known of a face.

    Attributes
    ----------
    usual, recent : (27,) usual parts, and those of the last moments
    time : of the last look, in seconds
    """

    __slots__ = ("_due", "_given", "_neutral", "recent", "time", "usual")

    def __init__(self, seen: Array, time: float) -> None:
        self.usual, self.recent, self.time = AVERAGE, seen, time
        self._neutral = NeutralFace(_KEPT, _PRIOR)
        self._due, self._given = 1.0, False
        self._learn(seen)

    def look(self, seen: Array, time: float) -> None:
        """Take in the parts at this time."""
        step = min(max(time - self.time, 0.0), 1.0)
        self.time = time
        self.recent = self.recent + step / (step + _RECENT) * (seen - self.recent)
        if not self._given:
            self._learn(seen)

    def _learn(self, seen: Array) -> None:
        self._neutral.add_parts(seen)
        if len(self._neutral) >= self._due:
            self.usual = self._neutral.parts()
            self._due = min(max(_MORE * len(self._neutral), len(self._neutral) + 1), _KEPT)

    def settle(self) -> None:
        """Take what the face shows now as its usual, for good."""
        self.usual, self._given = self.recent, True


class FollowedMeasures:
    """The measures of the faces of a stream, by the numbers of their tracks.

    >>> followed = FollowedMeasures()
    >>> followed(1, points, pose, time).relative["smile_left"]
    """

    def __init__(self) -> None:
        self._states: dict[int, _State] = {}

    def __call__(self, number: int, points: ArrayLike, pose: Pose, time: float) -> ShapeMeasures:
        """The measures of a face with these points (68, 2) and this pose at ``time`` in seconds of the stream."""
        state = self._states.get(number)
        if state is None or not 0.0 <= time - state.time < _EVERY:
            state = self._learn(number, state, points, pose, time)
        return shape_measures(points, pose, AVERAGE if state is None else state.usual)

    def set_neutral(self, number: int | None = None) -> list[int]:
        """Take what faces show now as their usual, for good; all faces, or one. Returns their numbers."""
        chosen = [n for n in self._states if number is None or n == number]
        for state in (self._states[n] for n in chosen):
            state.settle()
        return chosen

    def forget(self, number: int) -> None:
        """Drop the state of a track that has ended."""
        self._states.pop(number, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._states.clear()

    def _learn(
        self, number: int, state: _State | None, points: ArrayLike, pose: Pose, time: float
    ) -> _State | None:
        if abs(pose.yaw) > _FRONTAL_YAW:
            if state is not None:
                state.time = time
            return state
        seen = parts(points, pose)
        if not np.isfinite(seen).all():
            return state
        if state is None:
            state = self._states[number] = _State(seen, time)
        else:
            state.look(seen, time)
        return state
