"""Faces turned in 3D: a labelled picture, warped as if the head had turned some degrees further.

The depth of the 68 points is that of a mean head, which is laid onto the face first. The picture follows by a smooth
warp (thin-plate spline) through well-separated points and a fixed ring around the head. Skin that comes into sight is
stretched and skin that would be hidden is only squeezed, so the labels of the far side of the jaw are rough.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import CropSpec, apply, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.topology import MIRROR, N_POINTS

Points = NDArray[np.float32]
Image = NDArray[np.uint8]
Rng = np.random.Generator

# The right half of a mean head (points 0 to 8, 17 to 21, 27 to 33, 36 to 41, 48 to 51, 57 to 62, 66, 67): x to the
# right, y down, z towards the camera, in face widths. Fitted (scaled orthographic projection, known angles) to the
# labels and angles of 327 complete hard faces; the left half is its mirror image.
_RIGHT_HALF = {
    0: (-0.500, -0.229, -0.381), 1: (-0.491, -0.086, -0.370), 2: (-0.469, 0.056, -0.363), 3: (-0.438, 0.173, -0.320),
    4: (-0.391, 0.280, -0.262), 5: (-0.319, 0.370, -0.185), 6: (-0.230, 0.444, -0.097), 7: (-0.126, 0.501, -0.002),
    8: (0.000, 0.522, 0.046), 17: (-0.397, -0.374, -0.069), 18: (-0.337, -0.418, -0.023), 19: (-0.261, -0.432, 0.029),
    20: (-0.182, -0.423, 0.069), 21: (-0.110, -0.394, 0.090), 27: (0.000, -0.279, 0.090), 28: (0.000, -0.199, 0.152),
    29: (0.000, -0.120, 0.213), 30: (0.000, -0.041, 0.273), 31: (-0.099, 0.041, 0.141), 32: (-0.053, 0.050, 0.174),
    33: (0.000, 0.056, 0.199), 36: (-0.326, -0.259, -0.048), 37: (-0.265, -0.300, -0.023),
    38: (-0.182, -0.298, -0.004), 39: (-0.119, -0.248, 0.015), 40: (-0.193, -0.235, 0.007),
    41: (-0.267, -0.235, -0.011), 48: (-0.191, 0.199, 0.031), 49: (-0.123, 0.161, 0.115), 50: (-0.047, 0.137, 0.172),
    51: (0.000, 0.148, 0.178), 57: (0.000, 0.291, 0.149), 58: (-0.080, 0.279, 0.126), 59: (-0.142, 0.246, 0.079),
    60: (-0.177, 0.200, 0.035), 61: (-0.048, 0.181, 0.146), 62: (0.000, 0.185, 0.153), 66: (0.000, 0.224, 0.140),
    67: (-0.050, 0.221, 0.133),
}  # fmt: skip
# Points that carry the warp: no two of them come close, or a small difference in depth would tear the picture.
_CARRIERS = [*range(0, 17, 2), 17, 19, 21, 22, 24, 26, 28, 30, 31, 35, 36, 39, 42, 45, 48, 51, 54, 57]
# Top of the head, which no label holds: forehead and crown, in the units of the mean head.
_CROWN = np.array([[x, y, z] for y, z in ((-0.62, 0.02), (-0.85, -0.12)) for x in (-0.28, 0.0, 0.28)])
# Radius of the ring on which and beyond which the picture stays as it is, in face widths.
_STILL = 1.35
_WORKING_SIDE = 128
_GRID = 15
_STEPS = 6


@cache
def mean_head() -> NDArray[np.float64]:
    """(68, 3) x, y, z of a mean head in face widths, see `_RIGHT_HALF`."""
    head = np.zeros((N_POINTS, 3))
    for number, place in _RIGHT_HALF.items():
        head[number] = place
        head[MIRROR[number]] = (-place[0], place[1], place[2])
    return head


def attitude(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Rotation (3, 3), middle (2,) and scale (pixels to the face width) that lay the mean head onto a face.

    Least squares over all points (68, 2), none of them NaN; scaled orthographic projection.
    """
    head, middle = mean_head(), points.mean(0, dtype=np.float64)
    centre = head.mean(0)
    solved = np.linalg.lstsq(head - centre, points - middle, rcond=None)[0].T
    scale = float(np.linalg.norm(solved, axis=1).mean())
    u, _, v = np.linalg.svd(solved, full_matrices=False)
    rows = u @ v
    turn = np.concatenate([rows, np.cross(rows[0], rows[1])[None]])
    return turn, middle - scale * (turn @ centre)[:2], scale


def yaw_of(turn: NDArray[np.float64]) -> float:
    """Yaw in radians of a rotation (3, 3) by `attitude`, positive towards the right edge of the picture."""
    return float(np.arctan2(turn[0, 2], turn[2, 2]))


def _about(axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """The rotation (3, 3) about an axis (3,) of length 1 by an angle in radians."""
    return np.asarray(cv2.Rodrigues(axis * angle)[0])


def turned(
    image: Image, points: Points, yaw: float, pitch: float = 0.0
) -> tuple[Image, Points, NDArray[np.float64]] | None:
    """The picture around the face as if the head had turned by ``yaw`` and ``pitch`` radians.

    Parameters
    ----------
    image, points : (H, W, 3) uint8 and (68, 2) in its pixels, none of them NaN
    yaw : positive towards the right edge of the picture
    pitch : positive is upwards

    Returns
    -------
    tuple or None
        A square picture of the face with context, its points (68, 2), and the rotation (3, 3) of the head in it.
        None where the warp folds.
    """
    spec = CropSpec(_WORKING_SIDE * 2, 0.5)
    matrix = crop_matrix(box_of(points), spec)
    picture, at = warp(image, matrix, spec.size), apply(matrix, points).astype(np.float64)
    turn, middle, scale = attitude(at.astype(np.float32))
    # About the head's own vertical and the picture's horizontal: x and y of the points are the picture's own, only
    # their depth is the mean head's.
    rotation = _about(turn[:, 0], -pitch) @ _about(turn[:, 1], yaw)
    change = rotation[:2]

    def moved(places: NDArray[np.float64], depth: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([places - middle, depth[:, None]], 1) @ change.T + middle

    depth = scale * (mean_head() @ turn[2])
    crown = scale * _CROWN @ turn.T
    rim = np.linspace(0.0, 2.0 * np.pi, 16, endpoint=False)
    ring = middle + _STILL * scale * np.stack([np.cos(rim), np.sin(rim)], 1)
    before = np.concatenate([at[_CARRIERS], crown[:, :2] + middle, ring])
    after = np.concatenate(
        [moved(at[_CARRIERS], depth[_CARRIERS]), moved(crown[:, :2] + middle, crown[:, 2]), ring]
    )
    back = _Spline(after, before)
    # Where the warp takes each point: the carriers are nearly at their places, the others follow them.
    found = moved(at, depth)
    for _ in range(_STEPS):
        found = found + 0.9 * (at - back(found))
    if np.abs(back(found) - at).max() > 0.02 * scale:
        return None
    line = (np.arange(_GRID) + 0.5) * spec.size / _GRID - 0.5
    grid = np.stack(np.meshgrid(line, line), -1)
    source = back(grid.reshape(-1, 2)).reshape(_GRID, _GRID, 2).astype(np.float32)
    if (np.diff(source[..., 0], axis=1) <= 0).any() or (np.diff(source[..., 1], axis=0) <= 0).any():
        return None
    x, y = cv2.split(cv2.resize(source, (spec.size, spec.size), interpolation=cv2.INTER_CUBIC))
    warped = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(warped, np.uint8), found.astype(np.float32), rotation @ turn


class _Spline:
    """A thin-plate spline (N, 2) -> (N, 2) that takes ``places`` to ``values``, a little smoothed."""

    def __init__(self, places: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        self.places, self.unit = places, float(np.ptp(places))
        count = len(places)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = self._kernel(places) + 1e-3 * np.eye(count)
        system[:count, count:] = self._affine(places)
        system[count:, :count] = system[:count, count:].T
        self.weights = np.linalg.solve(system, np.concatenate([values, np.zeros((3, 2))]))

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([self._kernel(points), self._affine(points)], 1) @ self.weights

    def _kernel(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        x = points[:, None, 0] - self.places[:, 0]
        y = points[:, None, 1] - self.places[:, 1]
        square = (x * x + y * y) / self.unit**2
        return 0.5 * square * np.log(square + 1e-12)

    def _affine(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([np.ones((len(points), 1)), points / self.unit], 1)


def random_turn(image: Image, points: Points, rng: Rng) -> tuple[Image, Points, NDArray[np.float32]] | None:
    """A face turned at random, by up to 25 degrees of yaw and 12 of pitch, and the weights (68,) of its points.

    The farther side of the jaw has half the weight once the head is turned by more than 20 degrees. None where a face
    has hidden points already, or would be turned by more than 55 degrees.
    """
    yaw, pitch = np.deg2rad(rng.uniform(-25.0, 25.0)), np.deg2rad(np.clip(rng.normal(0.0, 6.0), -12.0, 12.0))
    if not np.isfinite(points).all():
        return None
    now = yaw_of(attitude(points)[0])
    # Towards the camera only a little: skin that was hidden comes into sight.
    if abs(now + yaw) < abs(now):
        yaw = np.clip(yaw, -np.deg2rad(8.0), np.deg2rad(8.0))
    if abs(now + yaw) > np.deg2rad(55.0):
        return None
    made = turned(image, points, float(yaw), float(pitch))
    if made is None:
        return None
    picture, moved, turn = made
    weights, final = np.ones(N_POINTS, np.float32), yaw_of(turn)
    if abs(final) > np.deg2rad(20.0):
        # Turned towards the right edge, the right edge of the jaw goes out of sight.
        weights[slice(9, 17) if final > 0 else slice(0, 8)] = 0.5
    return picture, moved, weights
