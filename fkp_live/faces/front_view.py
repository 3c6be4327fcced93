"""Points of a face as a camera in front of it sees them: place, size and pose of the head are taken off."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.geometry import rotation_of
from fkp_live.types import Pose

Array = NDArray[np.float64]

# Share of what lies across the face that is seen at 60 degrees of yaw; less of it is taken for this.
_LEAST_SEEN = 0.5
# Points that no expression moves, or hardly: bridge and base of the nose, corners of the eyes.
_STILL = np.array([27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45])


def from_the_front(points: ArrayLike, pose: Pose) -> Array:
    """Points (68, 2) in pixels -> (68, 2) in eye distances (outer corners), the tip of the nose near 0, y down.

    Each point is as deep in the face as in the mean head, under weak perspective. Beyond 60 degrees of yaw too little
    is seen of what lies across the face: it comes out too narrow.
    """
    points = np.asarray(points, np.float64)
    turn = rotation_of(pose.pitch, pose.yaw, pose.roll)[:2]
    still, depth = _constants()
    turned, seen = still @ turn.T, points[_STILL]
    turned_middle, middle = turned.sum(0) / len(_STILL), seen.sum(0) / len(_STILL)
    across = (turned - turned_middle).ravel()
    scale = max(float(across @ (seen - middle).ravel()) / float(across @ across), 1e-6)
    (a, b, e), (c, d, f) = turn.tolist()
    # In profile hardly anything across the face is seen; without a limit it would be enlarged without end.
    area = max(a * d - b * c, _LEAST_SEEN)
    back = np.array([[d, -c], [-b, a]]) / area
    # (points - middle) / scale + turned_middle - depth * (e, f), turned back
    offset = (turned_middle - middle / scale) @ back
    return points @ (back / scale) + offset - depth * (np.array([e, f]) @ back)


@cache
def mean_head() -> Array:
    """(68, 3) in eye distances, the tip of the nose at 0: x to the right in the picture, y down, z away."""
    with resources.files("fkp_live").joinpath("assets/head.npz").open("rb") as file, np.load(file) as arrays:
        return np.asarray(arrays["head"], np.float64)


@cache
def _constants() -> tuple[Array, Array]:
    """Points of the mean head that stay still (11, 3), and the depth of each point (68, 1)."""
    head = mean_head()
    return head[_STILL], head[:, 2:]
