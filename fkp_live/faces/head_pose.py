"""Head pose from the 68 points: pitch, yaw and roll.

Shift, size and turn in the picture are removed exactly (a least-squares similarity onto the mean
face), so the pose does not depend on where or how large the face is, and turning the picture turns ``roll``
by as much. The shape that remains goes through a small calibrated map: its leading components, their squares
and products, and one linear layer to pitch, yaw and the rest of roll. ``benchmarks/fit_pose.py`` makes
the map (``assets/pose.npz``) and prints its errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.types import Pose


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
    """Turn of points (68, 2) against ``mean`` in radians, clockwise as seen, and the rest of the difference (136,).

    The rest is None if all points coincide.
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
def shipped_map() -> PoseMap:
    """The map that `head_pose` uses."""
    with resources.files("fkp_live").joinpath("assets/pose.npz").open("rb") as file, np.load(file) as arrays:
        return PoseMap(arrays["mean"], arrays["components"].astype(np.float64), arrays["weights"])


def head_pose(points: ArrayLike) -> Pose:
    """Orientation of the head from its 68 points (68, 2) in pixels; see `Pose` for the signs.

    For faces turned by up to 60 degrees. Beyond, the network guesses the points of the far side, and the angle is a
    guess too.
    """
    return shipped_map()(points)
