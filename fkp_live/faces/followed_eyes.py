"""The eyes of followed faces: looked at where their lids may have moved, and a few times a second where not.

A look costs a twelfth of a frame, and in most frames nothing about the eyes has changed. Whether it has, the points
show well enough, however flat they make a blink.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.eyes import EyeNetwork
from fkp_live.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_LIDS,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LIDS,
    RIGHT_EYE_OUTER,
)
from fkp_live.types import FloatArray, Picture

# A look lasts this many seconds at most, and only while the openness by the points is within this share of what it was
# then: their noise is 2 to 3 %, and no blink was seen that moved it by less than 18 %.
_EVERY, _MOVED = 0.25, 0.08
# Eyes that are open by less than this share of the widest that was seen lately are looked at in every frame: a blink
# goes on, or laughing. What is widest falls by the second share of the difference with each look.
_NARROW, _FORGOTTEN = 0.6, 0.01

_PAIRS = (
    *RIGHT_EYE_LIDS,
    *LEFT_EYE_LIDS,
    (RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER),
)
_POINTS = np.array(_PAIRS).ravel()

Look = NDArray[np.float32]


@dataclass(slots=True)
class _State:
    """The last look at a face.

    Attributes
    ----------
    look : (2, 2) as `EyeNetwork` gives it
    time : seconds of the stream
    by_points : openness of both eyes by the points then
    openness, widest : of both eyes, and the most that was seen lately
    """

    look: Look
    time: float
    by_points: float
    openness: float
    widest: float

    def is_due(self, by_points: float, time: float) -> bool:
        """Whether the eyes are to be looked at again."""
        return (
            not 0.0 <= time - self.time < _EVERY
            or not abs(by_points - self.by_points) < _MOVED * self.by_points
            or self.openness < _NARROW * self.widest
        )


class FollowedEyes:
    """The eyes of the faces of a stream, by the numbers of their tracks.

    Parameters
    ----------
    network : shared with other streams if you like
    """

    def __init__(self, network: EyeNetwork) -> None:
        self._network = network
        self._states: dict[int, _State] = {}

    def __call__(
        self, picture: Picture, numbers: Sequence[int], points: Sequence[FloatArray], time: float
    ) -> list[Look]:
        """Openness and probability of shut (2, 2) of the faces in a picture at ``time`` (seconds).

        ``points`` (68, 2) are those before smoothing, by number of the track.
        """
        now = [_openness(each) for each in points]
        due = [
            place
            for place, number in enumerate(numbers)
            if (state := self._states.get(number)) is None or state.is_due(now[place], time)
        ]
        looks = self._network(picture, [points[place] for place in due]) if due else ()
        for place, look in zip(due, looks, strict=True):
            state, openness = self._states.get(numbers[place]), (float(look[0, 0]) + float(look[1, 0])) / 2.0
            widest = openness if state is None else state.widest - _FORGOTTEN * (state.widest - openness)
            self._states[numbers[place]] = _State(look, time, now[place], openness, max(openness, widest))
        return [self._states[number].look for number in numbers]

    def forget(self, number: int) -> None:
        """Drop the state of a track that has ended."""
        self._states.pop(number, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._states.clear()


def _openness(points: FloatArray) -> float:
    """Openness of both eyes by the points: heights over widths, as `openness.measures` has it, in plain numbers."""
    a, b, c, d, e, f, g, h, i, j, k, m = points[_POINTS].tolist()
    heights = math.dist(a, b) + math.dist(c, d) + math.dist(e, f) + math.dist(g, h)
    return heights / 2.0 / max(math.dist(i, j) + math.dist(k, m), 1e-6)
