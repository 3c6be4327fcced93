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

# By the points: openness (height over width) of both eyes together below which they are shut, whatever the face. The
# points do not separate shut eyes from narrow ones: for most shut eyes the networks give 0.18 to 0.21.
BLINK_BELOW = 0.17
# Probability of shut eyes, of both together, from which on eyes that were looked at are shut.
SHUT_FROM = 0.65
# The usual openness of a face is an average that follows wider eyes with the first time constant, in seconds, and
# narrower ones with the second. It is updated only while the head is turned by less than this yaw, in radians: from the
# side eyes look less wide, and so more open.
_WIDER_SECONDS, _NARROWER_SECONDS, _FRONTAL_YAW = 0.3, 6.0, 0.45


@dataclass(frozen=True, slots=True)
class _Limits:
    """When the eyes of a followed face are shut.

    Attributes
    ----------
    shut, open : shares of the usual openness below which eyes are shut, and from which on they are open again
    least, most : openness that the first limit does not leave, whatever is usual
    never : shut eyes do not change the usual openness, unless they are at least so wide that they cannot be shut
    first : the usual openness begins with that of most faces
    """

    shut: float
    open: float
    least: float
    most: float
    never: float
    first: float

    def of(self, usual: float, *, shut: bool) -> float:
        """The openness below which eyes are shut that were shut or open before."""
        share = self.open if shut else self.shut
        return max(self.least, min(share * usual, self.most * share / self.shut))


# By the points no shut eyes were seen to give more than 0.21.
_BY_POINTS = _Limits(shut=0.7, open=0.77, least=BLINK_BELOW, most=0.25, never=0.22, first=0.27)
# Looked at, shut eyes give 0.04 to 0.11, small ones up to 0.17, and those that laughing narrows 0.12 to 0.19.
_LOOKED_AT = _Limits(shut=0.5, open=0.6, least=0.09, most=0.14, never=0.2, first=0.27)

_PAIRS = (
    *RIGHT_EYE_LIDS,
    *LEFT_EYE_LIDS,
    *INNER_LIP_PAIRS,
    (RIGHT_EYE_OUTER, RIGHT_EYE_INNER),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER),
    INNER_LIP_CORNERS,
)
_FROM, _TO = (np.array(numbers) for numbers in zip(*_PAIRS, strict=True))


def measures(
    points: ArrayLike, shape: ShapeMeasures | None = None, eyes: ArrayLike | None = None
) -> Measures:
    """Openness of eyes and mouth from the 68 points (68, 2); ``shape`` holds their other measures.

    Where ``eyes`` (2, 2) were looked at (`eyes.EyeNetwork`), that of the eyes is theirs.

    Eye openness is the eye aspect ratio of T. Soukupová and J. Čech, "Real-Time Eye Blink Detection using
    Facial Landmarks", 2016: mean distance of the lids over the distance of the corners. The mouth's is the
    same on the inner lip.
    """
    points = np.asarray(points, np.float64)
    across = points[_FROM] - points[_TO]
    d = np.sqrt((across * across).sum(-1)).tolist()
    right, left, mouth = (d[0] + d[1]) / 2, (d[2] + d[3]) / 2, (d[4] + d[5] + d[6]) / 3
    wide_right, wide_left, wide_mouth = (max(width, 1e-6) for width in d[7:])
    wide = wide_right + wide_left
    if eyes is None:
        both = (right + left) / wide
        return Measures(
            right / wide_right, left / wide_left, mouth / wide_mouth, both < BLINK_BELOW, both, shape
        )
    (right, shut_right), (left, shut_left) = np.asarray(eyes, np.float64).tolist()
    right, left = max(right, 0.0), max(left, 0.0)
    both = (right * wide_right + left * wide_left) / wide
    shut = (shut_right * wide_right + shut_left * wide_left) / wide >= SHUT_FROM
    return Measures(right, left, mouth / wide_mouth, shut, both, shape, eyes_by_points=False)


def eyes_of(seen: Measures) -> list[list[float]] | None:
    """Eyes (2, 2) as `measures` takes them, of those that were looked at before; None where they were not."""
    if seen.eyes_by_points:
        return None
    return [[seen.right_eye_open, float(seen.blink)], [seen.left_eye_open, float(seen.blink)]]


@dataclass(slots=True)
class _Eyes:
    """Usual openness of a face's eyes, whether they are shut, and when that was seen."""

    usual: float
    shut: bool
    time: float


class Blinks:
    """Blinks of followed faces, each by its own usual openness of the eyes.

    Eyes stay shut as long as they are, also from the first frame on. Ones that laughing narrows, or that look down, may
    be taken for shut too, and so may, by the points, ones that never open beyond 0.19.
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
        limits = _BY_POINTS if seen.eyes_by_points else _LOOKED_AT
        eyes = self._eyes.get(track_id)
        if abs(yaw) > _FRONTAL_YAW:
            if eyes is not None:
                eyes.time = time
            shut = openness < BLINK_BELOW if seen.eyes_by_points else seen.blink
        else:
            if eyes is None:
                # Not less than most: a face that comes with its eyes shut is not taken for one with narrow eyes.
                eyes = self._eyes[track_id] = _Eyes(max(openness, limits.first), False, time)
            shut = eyes.shut = openness < limits.of(eyes.usual, shut=eyes.shut)
            if not shut or openness >= limits.never:
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
