"""Head pose from the 68 points: pitch, yaw and roll, and how far off each may be.

Shift, size and turn in the picture are removed exactly (a least-squares similarity onto the mean face), so the head's
rotation does not depend on where or how large the face is, and turns with the picture. The shape that remains goes
through a small calibrated map: its leading components, squares and products of the first of them, and one linear layer
to the first two rows of the rotation, which are made orthogonal (after Y. Zhou et al., "On the Continuity of Rotation
Representations in Neural Networks", CVPR 2019). The products are bounded: of a shape unlike all that the map was made
from, the linear part decides, which is the pose of a rigid head under an affine camera.
``benchmarks/fit_pose.py`` makes the map (``assets/pose.npz``) and prints its errors.

The camera is a weak-perspective one: it looks along its axis at a head that is small against its distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.types import Pose

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

# How many of the components are multiplied with each other.
MULTIPLIED = 10
# Limits of a standard deviation, radians: at 90 degrees nothing is known.
_LEAST_SD, _MOST_SD = math.radians(0.5), math.radians(90.0)
# Cosine of the angle between the camera and where the head looks, 60 degrees: beyond, the pitch is held back.
_PROFILE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PoseMap:
    """A calibrated map from a face's shape to its pose.

    Attributes
    ----------
    mean : (68,) complex128, the mean face x + iy, centred on 0, of length 1
    components : (K, 136) float64, leading directions of the aligned shapes, x and y in turn, scaled
    weights : (F, 6) float64, from `features` to the first two rows of the rotation
    spread : (5, 3) float64, from `spread_features` to the logarithms of the standard deviations
    """

    mean: NDArray[np.complex128]
    components: Array
    weights: Array
    spread: Array

    def __call__(self, points: ArrayLike) -> Pose:
        """Pose of a face (68, 2) in pixels; all angles zero if the points coincide."""
        turn, shape = align(points, self.mean)
        if shape is None:
            return Pose(0.0, 0.0, 0.0, _MOST_SD, _MOST_SD, _MOST_SD)
        rows = self.rows(shape)
        logs = (spread_features(*rows) @ self.spread).tolist()
        deviations = (min(max(math.exp(min(log, 9.0)), _LEAST_SD), _MOST_SD) for log in logs)
        return Pose(*angles(*orthogonal(*rows), turn), *deviations)

    def rows(self, shape: Array) -> tuple[Vector, Vector]:
        """First two rows of the rotation of a shape of `align`, as the map gives them: not quite orthogonal."""
        a, b, c, d, e, f = (features(self.components @ shape) @ self.weights).tolist()
        return (a, b, c), (d, e, f)


def align(points: ArrayLike, mean: NDArray[np.complex128]) -> tuple[float, Array | None]:
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


def features(values: Array) -> Array:
    """1, the values (K,), and bounded squares and products of the first `MULTIPLIED` of them, as one array (F,)."""
    first = values[:MULTIPLIED]
    first = first / math.sqrt(1.0 + first @ first)
    rows, columns = _triangle(len(first))
    return np.concatenate([_ONE, values, first[rows] * first[columns]])


_ONE = np.ones(1)


@cache
def _triangle(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.triu_indices(size)


def orthogonal(first: Vector, second: Vector) -> tuple[Vector, Vector]:
    """The orthogonal directions of length 1 that lie nearest to two directions, neither of which is preferred."""
    one, other = _unit(*first), _unit(*second)
    # Of two vectors of the same length sum and difference are at right angles.
    middle = _unit(one[0] + other[0], one[1] + other[1], one[2] + other[2])
    across = _unit(one[0] - other[0], one[1] - other[1], one[2] - other[2])
    half = math.sqrt(0.5)
    return (
        ((middle[0] + across[0]) * half, (middle[1] + across[1]) * half, (middle[2] + across[2]) * half),
        ((middle[0] - across[0]) * half, (middle[1] - across[1]) * half, (middle[2] - across[2]) * half),
    )


def _unit(x: float, y: float, z: float) -> Vector:
    length = max(math.sqrt(x * x + y * y + z * z), 1e-12)
    return x / length, y / length, z / length


def angles(first: Vector, second: Vector, turn: float) -> Vector:
    """Pitch, yaw and roll of a rotation with these first two rows, turned by ``turn`` in the picture.

    The order is that of `geometry.rotation_of`. In a profile pitch and roll are nearly the same turn, and their
    difference would shake with the points: beyond 60 degrees the pitch is drawn towards 0, and the roll is the one that
    comes nearest to the rotation with this pitch.
    """
    cos, sin = math.cos(turn), math.sin(turn)
    a, b, c = (cos * x - sin * y for x, y in zip(first, second, strict=True))
    d, e, f = (sin * x + cos * y for x, y in zip(first, second, strict=True))
    g, h, deep = b * f - c * e, c * d - a * f, a * e - b * d
    yaw = -math.atan2(c, math.hypot(f, deep))
    # The cosine that stands for ``deep`` there leaves it without a corner, and ends at half of `_PROFILE`.
    pitch = math.atan2(f, deep if deep > _PROFILE else _PROFILE / 2 + max(deep, 0.0) ** 2 / (2 * _PROFILE))
    cos_x, sin_x, cos_y, sin_y = math.cos(pitch), -math.sin(pitch), math.cos(yaw), -math.sin(yaw)
    # The columns of the rotation without its roll, (cos_y, sin_x sin_y, -cos_x sin_y) and (0, cos_x, sin_x), against
    # those of the rotation.
    along, across = (cos_y * x + sin_x * sin_y * y - cos_x * sin_y * z for x, y, z in ((a, d, g), (b, e, h)))
    roll = math.atan2(cos_x * d + sin_x * g - across, along + cos_x * e + sin_x * h)
    return pitch, yaw, roll


def spread_features(first: Vector, second: Vector) -> Array:
    """What the standard deviations depend on, (5,): 1, how far the head looks away, and how unsure the map is.

    Of the rows as the map gives them. It learnt to come near on average, so it answers with rows that are too short, or
    not orthogonal, where it does not know.
    """
    (a, b, c), (d, e, f) = first, second
    (p, q, _), (r, s, _) = orthogonal(first, second)
    away = 1.0 - (p * s - q * r)
    lengths = abs(a * a + b * b + c * c - 1.0) + abs(d * d + e * e + f * f - 1.0)
    off = lengths + 2 * abs(a * d + b * e + c * f)
    return np.array([1.0, away, away * away, off, off * away])


@cache
def shipped_map() -> PoseMap:
    """The map that `head_pose` uses."""
    with resources.files("fkp_live").joinpath("assets/pose.npz").open("rb") as file, np.load(file) as arrays:
        found = {name: np.asarray(arrays[name]) for name in arrays.files}
    return PoseMap(**found)


def head_pose(points: ArrayLike) -> Pose:
    """Orientation of the head from its 68 points (68, 2) in pixels; see `Pose` for the signs.

    Beyond 60 degrees of yaw the network guesses the points of the far side, and the pose is a guess too: its standard
    deviations say so.
    """
    return shipped_map()(points)
