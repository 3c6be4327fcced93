"""Openness of eyes and mouth from the 68 points, and blinks of followed faces."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.measured import ShapeMeasures
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
# So in a stream eyes are shut below this share of the usual openness of the face, and open again above the second one.
# Wide eyes do not raise the first limit above `_SHUT_BELOW`: no shut eyes were seen to give more than 0.21.
_SHUT_SHARE, _OPEN_SHARE, _SHUT_BELOW = 0.7, 0.77, 0.25
# The usual openness is an average that follows wider eyes with the first time constant, in seconds, and narrower ones
# with the second. Shut eyes do not change it, unless they are at least so wide that they cannot be shut. It begins with
# that of most faces, and is updated only while the head is turned by less than this yaw, in radians: from the side eyes
# look less wide, and so more open.
_WIDER_SECONDS, _NARROWER_SECONDS, _NEVER_SHUT, _AT_FIRST = 0.3, 6.0, 0.22, 0.27
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


def measures(points: ArrayLike, shape: ShapeMeasures | None = None) -> Measures:
    """Openness of eyes and mouth from the 68 points (68, 2); ``shape`` holds their other measures.

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
    return Measures(right / wide_right, left / wide_left, mouth / wide_mouth, both < BLINK_BELOW, both, shape)


@dataclass(slots=True)
class _Eyes:
    """Usual openness of a face's eyes, whether they are shut, and when that was seen."""

    usual: float
    shut: bool
    time: float


class Blinks:
    """Blinks of followed faces, each by its own usual openness of the eyes.

    Eyes stay shut as long as they are, also from the first frame on. Ones that laughing narrows, or that look down, may
    be taken for shut too, and so may ones that never open beyond 0.19.
    """

    def __init__(self) -> None:
        self._eyes: dict[int, _Eyes] = {}

    def __call__(
        self, track_id: int, seen: Measures, yaw: float, time: float, raw: float | None = None
    ) -> Measures:
        """The measures of a face with ``blink`` by its own usual openness.

        Parameters
        ----------
        yaw : of the head, radians
        time : seconds of the stream
        raw : openness of both eyes (`Measures.eyes_open`) by the points before smoothing, which would make short
            blinks shallow; None: that of ``seen``
        """
        openness = seen.eyes_open if raw is None else raw
        eyes = self._eyes.get(track_id)
        if abs(yaw) > _FRONTAL_YAW:
            if eyes is not None:
                eyes.time = time
            shut = openness < BLINK_BELOW
        else:
            if eyes is None:
                # Not less than most: a face that comes with its eyes shut is not taken for one with narrow eyes.
                eyes = self._eyes[track_id] = _Eyes(max(openness, _AT_FIRST), False, time)
            share = _OPEN_SHARE if eyes.shut else _SHUT_SHARE
            limit = min(share * eyes.usual, _SHUT_BELOW * share / _SHUT_SHARE)
            shut = eyes.shut = openness < max(BLINK_BELOW, limit)
            if not shut or openness >= _NEVER_SHUT:
                slowness = _WIDER_SECONDS if openness > eyes.usual else _NARROWER_SECONDS
                gain = 1.0 - math.exp(-max(time - eyes.time, 0.0) / slowness)
                eyes.usual += gain * (openness - eyes.usual)
            eyes.time = time
        return seen if shut == seen.blink else replace(seen, blink=shut)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._eyes.pop(track_id, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._eyes.clear()
