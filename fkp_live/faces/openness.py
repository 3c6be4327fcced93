"""What the 68 points say about the head: where it faces, how open eyes and mouth are. Pure functions.

Head pose: shift, size and turn in the picture are removed exactly (a least-squares similarity onto the mean
face), so the answer does not depend on where or how large the face is, and turning the picture turns ``roll``
by as much. The shape that is left goes through a small calibrated map: its leading components, their squares
and products, and one linear layer to pitch, yaw and what roll still lacks. ``benchmarks/fit_pose.py`` makes
the map (``assets/pose.npz``) and prints how far off it is.
"""

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

# Openness (height over width) of both eyes together below which they count as shut, whosever they are. The points alone
# cannot tell shut eyes from narrow ones: where they are shut the networks answer 0.18 to 0.21 more often than less.
BLINK_BELOW = 0.17
# So in a stream eyes are shut below this share of what is usual for the face. Usual is an average that follows wider
# eyes in the first time, in seconds, narrower ones in the second, and only while the head is turned by less than the
# angle, in radians: from the side eyes are not as wide as they are high.
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
    """Tells the blinks of followed faces, each by its own usual openness of the eyes.

    Eyes that are narrowed at once by laughing, or look down, may count as shut too.
    """

    def __init__(self) -> None:
        self._usual: dict[int, tuple[float, float]] = {}  # openness and when it was last brought up to date

    def __call__(self, track_id: int, seen: Measures, yaw: float, time: float) -> Measures:
        """What was measured on a face at ``time`` (seconds of the stream), with ``blink`` by its own measure."""
        if abs(yaw) > _FRONTAL_YAW:
            return seen
        usual, before = self._usual.get(track_id, (seen.eyes_open, time))
        shut = seen.eyes_open < max(BLINK_BELOW, _SHUT_SHARE * usual)
        slowness = _WIDER_SECONDS if seen.eyes_open > usual else _NARROWER_SECONDS
        usual += (1.0 - math.exp(-max(time - before, 0.0) / slowness)) * (seen.eyes_open - usual)
        self._usual[track_id] = usual, time
        return seen if shut == seen.blink else replace(seen, blink=shut)

    def forget(self, track_id: int) -> None:
        """Drops what is known of a track that has ended."""
        self._usual.pop(track_id, None)

    def reset(self) -> None:
        """Drops what is known of every track."""
        self._usual.clear()
