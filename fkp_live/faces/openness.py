"""Openness of eyes and mouth from the 68 points, and blinks of followed faces."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.topology import (
    INNER_LIP_CORNERS,
    INNER_LIP_PAIRS,
    LEFT_EYE_INNER,
    LEFT_EYE_LIDS,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LIDS,
    RIGHT_EYE_OUTER,
)
from fkp_live.types import Measures

# Openness (height over width) of both eyes together below which they are shut, whatever the face. The points alone do
# not separate shut eyes from narrow ones: for most shut eyes the networks give 0.18 to 0.21.
BLINK_BELOW = 0.17
# So in a stream eyes are shut below this share of the usual openness of the face: an average that follows wider eyes
# with the first time constant, in seconds, and narrower ones with the second. It is updated only while the head is
# turned by less than this yaw, in radians: from the side eyes look less wide, and so more open.
_SHUT_SHARE = 0.7
_WIDER_SECONDS, _NARROWER_SECONDS = 0.3, 6.0
_FRONTAL_YAW = 0.45

_PAIRS = (
    *RIGHT_EYE_LIDS,
    *LEFT_EYE_LIDS,
    *INNER_LIP_PAIRS,
    (RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER),
    INNER_LIP_CORNERS,
)
_FROM, _TO = (np.array(numbers) for numbers in zip(*_PAIRS, strict=True))


def measures(points: ArrayLike) -> Measures:
    """Openness of eyes and mouth from the 68 points (68, 2).

    Eye openness is the eye aspect ratio of T. Soukupová and J. Čech, "Real-Time Eye Blink Detection using
    Facial Landmarks", 2016: mean distance of the lids over the distance of the corners. The mouth's is the
    same on the inner lip.
    """
    points = np.asarray(points, np.float64)
    across = points[_FROM] - points[_TO]
    d = np.sqrt((across * across).sum(-1)).tolist()
    right, left, mouth = (d[0] + d[1]) / 2, (d[2] + d[3]) / 2, (d[4] + d[5] + d[6]) / 3
    wide_right, wide_left, wide_mouth = (max(width, 1e-6) for width in d[7:])
    both = (right + left) / (wide_right + wide_left)
    return Measures(right / wide_right, left / wide_left, mouth / wide_mouth, both < BLINK_BELOW, both)


class Blinks:
    """Blinks of followed faces, each by its own usual openness of the eyes.

    Eyes that laughing narrows quickly, or that look down, may be taken for shut too.
    """

    def __init__(self) -> None:
        self._usual: dict[int, tuple[float, float]] = {}  # openness, and when it was last updated

    def __call__(self, track_id: int, seen: Measures, yaw: float, time: float) -> Measures:
        """The measures of a face at ``time`` (seconds of the stream), with ``blink`` by its own usual openness."""
        if abs(yaw) > _FRONTAL_YAW:
            return seen
        usual, before = self._usual.get(track_id, (seen.eyes_open, time))
        shut = seen.eyes_open < max(BLINK_BELOW, _SHUT_SHARE * usual)
        slowness = _WIDER_SECONDS if seen.eyes_open > usual else _NARROWER_SECONDS
        usual += (1.0 - math.exp(-max(time - before, 0.0) / slowness)) * (seen.eyes_open - usual)
        self._usual[track_id] = usual, time
        return seen if shut == seen.blink else replace(seen, blink=shut)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._usual.pop(track_id, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._usual.clear()
