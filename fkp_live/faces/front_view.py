"""Points of a face as a camera in front of it sees them: place, size and pose of the head are taken off."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import rotation_rows
from fkp_live.topology import N_POINTS
from fkp_live.types import Pose

Array = NDArray[np.float64]

# Share of what lies across the face that is seen at 60 degrees of yaw; less of it is taken for this.
_LEAST_SEEN = 0.5
# Points that no expression moves, or hardly: bridge and base of the nose, corners of the eyes.
_STILL = np.array([27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45])


class FrontView(NamedTuple):
    """How points in the picture come to lie as seen from the front: ``point @ back + offset - depth * slant``.

    Attributes
    ----------
    back : rows of a (2, 2) matrix, eye distances (outer corners) a pixel
    offset, slant : (2,) in eye distances; the tip of the nose comes to lie near 0
    """

    back: tuple[tuple[float, float], tuple[float, float]]
    offset: tuple[float, float]
    slant: tuple[float, float]


def front_view(points: Array, pose: Pose) -> FrontView:
    """Of a face with these points (68, 2) in pixels, float64.

    Each point is as deep in the face as in the mean head, under weak perspective. Beyond 60 degrees of yaw too little
    is seen of what lies across the face: it comes out too narrow.
    """
    sums, ((xx, xy, xz), (_, yy, yz), (_, _, zz)), middle = _still()
    # Without numpy from here on: each of its calls would take longer than all of these sums.
    (px, py), (qx, qy), (rx, ry), (x, y) = (sums @ points).tolist()
    (a, b, e), (c, d, f), _ = rotation_rows(pose.pitch, pose.yaw, pose.roll)
    along = a * px + b * qx + e * rx + c * py + d * qy + f * ry
    squares = xx * (a * a + c * c) + yy * (b * b + d * d) + zz * (e * e + f * f)
    squares += 2 * (xy * (a * b + c * d) + xz * (a * e + c * f) + yz * (b * e + d * f))
    scale = max(along / squares, 1e-6)
    # In profile hardly anything across the face is seen; without a limit it would be enlarged without end.
    area = max(a * d - b * c, _LEAST_SEEN)
    (p, q), (r, s) = (d / area, -c / area), (-b / area, a / area)
    # (point - middle) / scale + turned middle - depth * (e, f), turned back
    u = a * middle[0] + b * middle[1] + e * middle[2] - x / scale
    v = c * middle[0] + d * middle[1] + f * middle[2] - y / scale
    return FrontView(
        ((p / scale, q / scale), (r / scale, s / scale)),
        (u * p + v * r, u * q + v * s),
        (e * p + f * r, e * q + f * s),
    )


@cache
def mean_head() -> Array:
    """(68, 3) in eye distances, the tip of the nose at 0: x to the right in the picture, y down, z away."""
    with resources.files("fkp_live").joinpath("assets/head.npz").open("rb") as file, np.load(file) as arrays:
        return np.asarray(arrays["head"], np.float64)


@cache
def depths() -> Array:
    """(68,): of each point of the mean head, in eye distances."""
    return mean_head()[:, 2]


@cache
def _still() -> tuple[Array, list[list[float]], tuple[float, float, float]]:
    """Of the points of the mean head that stay still.

    Weights (4, 68) of all points in their sum times x, y and z of the mean head, and in their mean; the sum of squares
    of x, y and z and of their products (3, 3), both about the middle; and the middle.
    """
    still = mean_head()[_STILL]
    middle = still.mean(0)
    sums = np.zeros((4, N_POINTS))
    sums[:3, _STILL], sums[3, _STILL] = (still - middle).T, 1 / len(_STILL)
    x, y, z = middle.tolist()
    return sums, ((still - middle).T @ (still - middle)).tolist(), (x, y, z)
