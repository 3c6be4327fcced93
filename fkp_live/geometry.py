"""Geometry of crops and boxes: affines between frame and crop, boxes around points, intersection over union.

Training and live use share this code, so a network never sees a crop of a kind that it was not trained on.
Matrices are 2x3 affines that take frame pixels to crop pixels; pixel centres are at integers in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class CropSpec:
    """A square crop around a face.

    Attributes
    ----------
    size : side of the crop in pixels
    margin : added on each side of the box, as a fraction of the box's longer side
    """

    size: int
    margin: float

    @property
    def face_side(self) -> float:
        """Longer side of the box in crop pixels."""
        return self.size / (1.0 + 2.0 * self.margin)


def box_of(points: ArrayLike) -> NDArray[np.float32]:
    """Tight boxes around points: (..., K, 2) -> (..., 4) as x0, y0, x1, y1."""
    points = np.asarray(points, np.float32)
    return np.concatenate([points.min(-2), points.max(-2)], -1)


def crop_matrix(box: ArrayLike, spec: CropSpec, angle: float = 0.0) -> Matrix:
    """Affine that takes the square around ``box`` (x0, y0, x1, y1 in frame pixels) to the crop.

    A face that is turned by ``angle`` radians, clockwise as seen, is upright there.
    """
    x0, y0, x1, y1 = (float(v) for v in np.asarray(box, np.float64))
    longer = max(x1 - x0, y1 - y0, 1e-3)
    scale = spec.face_side / longer
    centre = (spec.size - 1) / 2.0
    matrix = np.array(
        [[scale, 0.0, centre - scale * (x0 + x1) / 2.0], [0.0, scale, centre - scale * (y0 + y1) / 2.0]],
        np.float64,
    )
    if not angle:
        return matrix
    turn = rotation(-angle)
    turn[:, 2] = centre - turn[:, :2].sum(1) * centre
    return compose(turn, matrix)


def rotation(angle: float) -> Matrix:
    """2x3 affine that turns by ``angle`` radians about the origin, clockwise as seen (y points down)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0]], np.float64)


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """The affine that applies ``inner`` first, then ``outer``."""
    linear = outer[:, :2] @ inner[:, :2]
    shift = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.concatenate([linear, shift[:, None]], 1)


def invert(matrix: Matrix) -> Matrix:
    """Inverse of one (2, 3) or many (N, 2, 3) affines."""
    matrix = np.asarray(matrix, np.float64)
    # By hand: between two runs of a network, with cold caches, a call into LAPACK costs ten times as much.
    inverses = []
    for a, b, x, c, d, y in matrix.reshape(-1, 6).tolist():
        area = a * d - b * c
        inverses.append(
            (d / area, -b / area, (b * y - d * x) / area, -c / area, a / area, (c * x - a * y) / area)
        )
    return np.array(inverses, np.float64).reshape(matrix.shape)


def apply(matrix: Matrix, points: ArrayLike) -> NDArray[np.float32]:
    """Points (K, 2) through one (2, 3) affine, or (N, K, 2) through (N, 2, 3)."""
    matrix = np.asarray(matrix, np.float64)
    points = np.asarray(points, np.float64)
    moved = points @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]
    return moved.astype(np.float32)


def scale_of(matrix: Matrix) -> float:
    """Crop pixels per frame pixel."""
    (a, b, _), (c, d, _) = matrix.tolist()
    return math.sqrt(abs(a * d - b * c))


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float32]:
    """Intersection over union of boxes: (N, 4) and (M, 4) -> (N, M)."""
    a = np.asarray(a, np.float32).reshape(-1, 4)[:, None]
    b = np.asarray(b, np.float32).reshape(-1, 4)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    overlap = np.clip(sides, 0, None).prod(-1)
    area_a = (a[..., 2:] - a[..., :2]).prod(-1)
    area_b = (b[..., 2:] - b[..., :2]).prod(-1)
    return overlap / np.maximum(area_a + area_b - overlap, 1e-9)


def rotation_of(pitch: float, yaw: float, roll: float) -> Matrix:
    """(3, 3) rotation Rx Ry Rz of a head in radians, with the signs of `types.Pose`.

    Axes as in OpenCV: x to the right and y down in the picture, z away from the camera. The order is that of OpenFace
    and of the labels of 300W-LP and AFLW2000-3D: pitch and yaw say where the head looks, and the roll how it is tilted
    about that line.
    """
    return np.array(rotation_rows(pitch, yaw, roll))


def rotation_rows(pitch: float, yaw: float, roll: float) -> tuple[Row, Row, Row]:
    """The rows of `rotation_of` as plain numbers."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(angle), math.sin(angle)) for angle in (-pitch, -yaw, roll))
    return (
        (cy * cz, -cy * sz, sy),
        (sx * sy * cz + cx * sz, cx * cz - sx * sy * sz, -sx * cy),
        (sx * sz - cx * sy * cz, cx * sy * sz + sx * cz, cx * cy),
    )


def own_turns(pitch: float, yaw: float, roll: float) -> tuple[float, float, float]:
    """Nod, turn and tilt of a head: the same rotation, with the tilt in the picture last, and the same signs.

    A tilted camera changes the tilt alone. Of an upright head they are nearly pitch, yaw and roll.
    """
    (a, _, _), (d, _, _), (g, h, deep) = rotation_rows(pitch, yaw, roll)
    return -math.atan2(h, deep), math.atan2(g, math.hypot(a, d)), math.atan2(d, a)


def quaternion_of(pitch: float, yaw: float, roll: float) -> tuple[float, float, float, float]:
    """x, y, z, w of the rotation of `rotation_of`, of length 1."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a / 2), math.sin(a / 2)) for a in (-pitch, -yaw, roll))
    return (
        sx * cy * cz + cx * sy * sz,
        cx * sy * cz - sx * cy * sz,
        cx * cy * sz + sx * sy * cz,
        cx * cy * cz - sx * sy * sz,
    )
