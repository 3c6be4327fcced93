"""What the 68 points say about the head: where it faces, how open eyes and mouth are. Pure functions.

Head pose: shift, size and turn in the picture are removed exactly (a least-squares similarity onto the mean
face), so the answer does not depend on where or how large the face is, and turning the picture turns ``roll``
by as much. The shape that is left goes through a small calibrated map: its leading components, their squares
and products, and one linear layer to pitch, yaw and what roll still lacks. ``benchmarks/fit_pose.py`` makes
the map (``assets/pose.npz``) and prints how far off it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
from fkp_live.types import Measures, Pose

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


@dataclass(frozen=True, slots=True, eq=False)
class PoseMap:
    """A calibrated map from a face's shape to its pose.

    Attributes
    ----------
    mean : (68,) complex128, the mean face x + iy, centred on 0, of length 1
    components : (K, 136) float64, leading directions of the aligned shapes, x and y in turn, of unit variance
    weights : (1 + K + K (K + 1) / 2, 3) float64, to pitch, yaw and rest of roll in radians
    """

    mean: NDArray[np.complex128]
    components: NDArray[np.float64]
    weights: NDArray[np.float64]

    def __call__(self, points: ArrayLike) -> Pose:
        """Pose of a face (68, 2) in pixels; all zero if the points coincide."""
        turn, shape = align(points, self.mean)
        if shape is None:
            return Pose(0.0, 0.0, 0.0)
        pitch, yaw, roll = (features(self.components @ shape) @ self.weights).tolist()
        return Pose(pitch, yaw, math.remainder(turn + roll, math.tau))


def align(points: ArrayLike, mean: NDArray[np.complex128]) -> tuple[float, NDArray[np.float64] | None]:
    """Turn (radians, clockwise as seen) of points (68, 2) against ``mean``, and the difference (136,) left then.

    The difference is None if all points coincide.
    """
    shape = np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]
    shape = shape - shape.sum() / len(shape)
    onto = complex(np.vdot(mean, shape))
    if abs(onto) < 1e-9:
        return 0.0, None
    shape /= onto
    shape -= mean
    return math.atan2(onto.imag, onto.real), shape.view(np.float64)


def features(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1, the values (K,), and their squares and products: (1 + K + K (K + 1) / 2,)."""
    rows, columns = _triangle(len(values))
    return np.concatenate([_ONE, values, values[rows] * values[columns]])


_ONE = np.ones(1)


@cache
def _triangle(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(size)


@cache
def _shipped_map() -> PoseMap:
    with resources.files("fkp_live").joinpath("assets/pose.npz").open("rb") as file, np.load(file) as arrays:
        return PoseMap(arrays["mean"], arrays["components"].astype(np.float64), arrays["weights"])


def head_pose(points: ArrayLike) -> Pose:
    """Orientation of the head from its 68 points (68, 2) in pixels, see `Pose` for the signs.

    Meant for faces turned by up to 60 degrees; beyond, points of the far side are guessed and so is the angle.
    """
    return _shipped_map()(points)


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
