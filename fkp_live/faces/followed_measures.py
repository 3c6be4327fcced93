"""Measures of followed faces, each relative to what is usual for the person; of single pictures to the average face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.faces.blendshapes import shapes
from fkp_live.faces.measures import AVERAGE, LEAST, MOST, parts, values
from fkp_live.measured import ShapeMeasures
from fkp_live.types import Pose

Array = NDArray[np.float64]

# Seconds between two looks at a face's parts: what is usual changes slowly, and each look costs time.
_EVERY = 0.1
# The usual parts follow what is seen by a share of the time since the face came, and later of the second number, in
# seconds; the average face counts for the first. So they are half known after a few seconds, and forget in a minute.
_PRIOR, _FORGET = 2.0, 60.0
# However far a part is from its usual value, it counts for no more than this: a laugh is no other face. In eye
# distances, or as openness. Who laughs in a fifth of the time moves the usual value by 0.01.
_REACH = 0.04
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
    return np.concatenate([now, now - values(usual), shapes(seen, usual)])


@dataclass(slots=True)
class _State:
    """What is known of a face: its usual parts (27,), what it showed of late, and how long it was seen."""

    usual: Array
    recent: Array
    weight: float
    time: float
    given: bool = False


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
            state.usual, state.given = state.recent, True
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
            state = self._states[number] = _State(AVERAGE, seen, _PRIOR, time - _EVERY)
        step = min(max(time - state.time, 0.0), 1.0)
        state.time = time
        state.recent = state.recent + step / (step + _RECENT) * (seen - state.recent)
        if not state.given and step > 0.0:
            state.weight = min(state.weight + step, _FORGET)
            towards = (seen - state.usual).clip(-_REACH, _REACH)
            state.usual = (state.usual + step / state.weight * towards).clip(LEAST, MOST)
        return state
