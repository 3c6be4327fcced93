"""``osf://HOST:PORT``: OpenSeeFace's datagram, as VTube Studio, vpuppr and other avatar programs read it.

The layout is that of https://github.com/emilianavt/OpenSeeFace. Its three-dimensional fit is replaced by a mean head
(``benchmarks/fit_head.py``) in the pose that was found.
"""

from __future__ import annotations

import math
import struct
import time
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import Row, own_turns, quaternion_of, rotation_rows
from fkp_live.sinks.avatar import age_of, eyes_open, mouth_open
from fkp_live.sinks.datagram import MOST_BYTES, DatagramSender
from fkp_live.sinks.sender import Report
from fkp_live.sinks.slots import Slots
from fkp_live.targets import Target
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FloatArray, FrameResult, Pose

# Time, number, picture, eyes, whether there is a fit, its error, quaternion, angles, translation. After it float32:
# 68 confidences, 68 points, 70 points in three dimensions, 14 features.
_HEAD = struct.Struct("<di2f2fBf4f3f3f")
BYTES = _HEAD.size + 4 * (68 + 2 * 68 + 3 * 70 + 14)
_MOST_FACES = MOST_BYTES // BYTES

Array = NDArray[np.float64]

# OpenSeeFace's 66 points in iBUG numbers: all but the outer corners of the mouth. Its numbers 48 to 65 are the lips,
# and 58 and 62 the inner corners of the mouth.
_NUMBERS = np.array([number for number in range(68) if number not in (48, 54)])
# What was found, one after the other: confidences, points, points on the head; then what is computed from it.
_FOUND, _COMPUTED = 6 * N_POINTS, 32
# Where each number of the datagram comes from: confidences, points and points on the head, each followed by what is
# computed for the pupils (and eyeballs); last the features.
_ORDER = np.concatenate(
    [
        *(_NUMBERS, _FOUND + np.arange(2)),
        *(68 + (2 * _NUMBERS[:, None] + [0, 1]).ravel(), _FOUND + np.arange(2, 6)),
        *(204 + (3 * _NUMBERS[:, None] + [0, 1, 2]).ravel(), _FOUND + np.arange(6, 32)),
    ]
)
_FLOAT = np.dtype("<f4")
# Its head has the outer eye corners this far apart.
_EYE_DISTANCE = 0.66
_HALF = 0.5**0.5
# Radius over width of an eye: the centre of the eyeball lies so far behind the middle of the corners.
_EYEBALL = 0.385
# Deviations from the mean head, in its own units, that count as 1 in the features.
_BROW_UP, _BROW_TILT, _BROW_BEND, _CORNER, _WIDE = 0.08, 0.08, 0.04, 0.06, 0.12


class OsfSender(DatagramSender):
    """One datagram for each frame with a face: 1785 bytes a face, the largest first. Nothing is sent without a face.

    A face keeps its number while it is seen, and a single face has number 0, which most receivers look for (see
    `Slots`). The features compare with a mean head, not with the person's own neutral face.
    """

    def __init__(
        self, target: Target, report: Report | None = None, *, by_place: bool = False, in_groups: bool = False
    ) -> None:
        self._slots = Slots(by_place=by_place)
        super().__init__(target, report, in_groups=in_groups)

    def _datagram(self, result: FrameResult) -> bytes | None:
        slots = self._slots(result)
        captured = time.time() - age_of(result)
        faces = zip(slots, result.faces, strict=True)
        return (
            b"".join(
                packed(face, slot, result.size, captured)
                for slot, face in list(faces)[:_MOST_FACES]
                if face.pose is not None
            )
            or None
        )


def packed(face: Face, number: int, size: tuple[int, int], captured: float) -> bytes:
    """The 1785 bytes of a face with a pose.

    Parameters
    ----------
    number : of the face, from 0
    size : width and height of the picture
    captured : seconds since 1970
    """
    pose = face.pose or Pose(0.0, 0.0, 0.0)
    # All numbers in one array, put into OpenSeeFace's order by one index.
    numbers = np.empty(_FOUND + _COMPUTED)
    numbers[:68], numbers[68:204] = face.confidence, face.points.ravel()
    turn = rotation_rows(pose.pitch, pose.yaw, pose.roll)
    scale, nose, error = _fit(face.points, turn, numbers[204:_FOUND].reshape(N_POINTS, 3))
    opened = eyes_open(face.measures)
    # Its camera looks at (row, column) from behind: distances are negative. And it takes half the width for the
    # middle of the rows, and half the height for that of the columns.
    row, column = (size[0] / 2 - nose[1]) / scale, (size[1] / 2 - nose[0]) / scale
    distance = -size[0] / scale
    head = _HEAD.pack(
        *(captured, number, size[0], size[1], *opened),
        *(1, error, *_quaternion(pose), *_euler(pose), row, column, distance),
    )
    taken, subtracted = _map()
    values = (taken @ numbers[:_FOUND] - subtracted).tolist()
    numbers[_FOUND:] = [
        *values[:6],
        *_eyes(values[6:12], values[12:18]),
        *_features(opened, mouth_open(face.measures), values[18:]),
    ]
    return head + numbers.take(_ORDER).astype(_FLOAT).tobytes()


@cache
def _mean_head() -> Array:
    """(68, 3) in the datagram's axes (x to the person's right, y down, z into the face) and unit, the nose tip at 0."""
    with resources.files("fkp_live").joinpath("assets/head.npz").open("rb") as file, np.load(file) as arrays:
        return _EYE_DISTANCE * np.asarray(arrays["head"], np.float64) * (-1.0, 1.0, 1.0)


@cache
def _table() -> tuple[Array, list[list[float]]]:
    """(68, 6): two columns for the points, the mean head, ones; and the products of the centred head, (3, 3)."""
    head = _mean_head()
    return np.c_[np.zeros((68, 2)), head, np.ones(68)], ((head - head.mean(0)).T @ head).tolist()


def _fit(
    points: FloatArray, turn: tuple[Row, Row, Row], head: Array
) -> tuple[float, tuple[float, float], float]:
    """Puts the points on the head, under weak perspective.

    All sums over points come from one product of matrices, and the rest is plain numbers: behind a network, with cold
    caches, each operation of numpy costs more than its numbers do.

    Parameters
    ----------
    points : (68, 2)
    turn : rows of the rotation of the head
    head : (68, 3), is filled with the points in three dimensions, turned back: across by the points themselves, in
        depth by the mean head

    Returns
    -------
    scale : pixels of a unit of the head
    nose : x, y, the place of the mean head's nose tip in the picture
    error : root mean square distance of points and mean head, in per cent of the distance of the outer eye corners
    """
    empty, ((xx, xy, xz), (yx, yy, yz), (zx, zy, zz)) = _table()
    table = empty.copy()
    table[:, :2] = points
    across_picture, down_picture, *_, ones = (table.T @ table).tolist()
    _, _, head_x, head_y, head_z, n = ones
    # Rows of the rotation in the head's axes: where its x, y and z go in the picture's x (right), y (down) and z.
    rows = [(-x, y, z) for x, y, z in turn]
    across = both = 0.0
    for (x, y, z), found in zip(rows, (across_picture, down_picture), strict=False):
        middle = found[5] / n
        both += (
            x * (found[2] - middle * head_x)
            + y * (found[3] - middle * head_y)
            + z * (found[4] - middle * head_z)
        )
        across += (
            x * (x * xx + y * xy + z * xz) + y * (x * yx + y * yy + z * yz) + z * (x * zx + y * zy + z * zz)
        )
    scale = max(both / across, 1e-6)
    nose_x, nose_y = (
        (found[5] - scale * (x * head_x + y * head_y + z * head_z)) / n
        for (x, y, z), found in zip(rows, (across_picture, down_picture), strict=False)
    )
    middles = (across_picture[5] ** 2 + down_picture[5] ** 2) / n
    spread = across_picture[0] + down_picture[1] - middles
    off = max(spread - 2 * scale * both + scale * scale * across, 0.0)
    error = 100 * math.sqrt(off / n) / (scale * _EYE_DISTANCE)
    right, down, away = rows
    back = [[r / scale for r in right], [r / scale for r in down], *([a * b for b in away] for a in away)]
    back.append([-(nose_x * r + nose_y * d) / scale for r, d in zip(right, down, strict=True)])
    np.matmul(table, np.array(back), out=head)
    return scale, (nose_x, nose_y), error


def _eyes(pupils: list[float], widths: list[float]) -> list[float]:
    """x, y, z of the pupils, right and left, and of the centres of the eyeballs, which lie behind them."""
    x, y, z, left_x, left_y, left_z = pupils
    right, left = _EYEBALL * math.hypot(*widths[:3]), _EYEBALL * math.hypot(*widths[3:])
    return [*pupils, x, y, z + right, left_x, left_y, left_z + left]


def _quaternion(pose: Pose) -> tuple[float, float, float, float]:
    """x, y, z, w as it computes them: of the inverse of its rotation, which is ours and then half a turn."""
    x, y, z, w = quaternion_of(pose.pitch, pose.yaw, pose.roll)
    return _HALF * (w + z), _HALF * (w - z), _HALF * (y - x), _HALF * (x + y)


def _euler(pose: Pose) -> tuple[float, float, float]:
    """Its angles in degrees about x, y and z, in OpenCV's order; (180, 0, 90) of a head that looks into the camera."""
    nod, turn, tilt = (math.degrees(angle) for angle in own_turns(pose.pitch, pose.yaw, pose.roll))
    return math.remainder(180.0 - nod, 360.0), turn, math.remainder(90.0 - tilt, 360.0)


def _features(opened: tuple[float, float], mouth: float, deviations: list[float]) -> list[float]:
    """The 14 features, each about 0 in a neutral face; left ones first, as the person has them."""
    right, left = opened
    *bent, wide = (min(max(value, -1.0), 1.0) for value in deviations)
    return [2 * left - 1, 2 * right - 1, *bent, mouth, wide]


@cache
def _map() -> tuple[Array, Array]:
    """(29, 408) and (29,): what to take of all that was found, and what to subtract.

    Confidence of both pupils, right and left, then x and y of each: the middle of the lids. On the head the middles of
    the corners of both eyes; from inner to outer corner of each; and 11 features, as deviations from `_mean_head`.
    """
    pupils = np.zeros((6, _FOUND))
    for side, lids in enumerate((np.arange(36, 42), np.arange(42, 48))):
        pupils[side, lids] = 1 / 6
        pupils[2 + 2 * side, 68 + 2 * lids] = pupils[3 + 2 * side, 69 + 2 * lids] = 1 / 6
    corners = np.zeros((12, 68, 3))
    for place, (outer, inner) in enumerate(((36, 39), (45, 42))):
        for axis in range(3):
            corners[3 * place + axis, (outer, inner), axis] = 0.5
            corners[6 + 3 * place + axis, (outer, inner), axis] = 1.0, -1.0
    of_features = _feature_map()
    subtracted = np.r_[np.zeros(18), of_features @ _mean_head().ravel()]
    on_head = np.concatenate([corners.reshape(12, -1), of_features])
    return np.concatenate([pupils, np.pad(on_head, ((0, 0), (_FOUND - on_head.shape[1], 0)))]), subtracted


def _feature_map() -> Array:
    """(11, 204): from deviations of the 68 points of `_mean_head` to features, less eyes and MouthOpen.

    Of each side, left first, steepness (the outer end of the brow higher), height and bend of the brow; then of each
    side height and distance from the middle of the mouth's corner; width of the mouth.
    """
    rows = np.zeros((11, 68, 3))

    def add(row: int, points: object, axis: int, weight: float) -> None:
        numbers = np.atleast_1d(np.asarray(points))
        rows[row, numbers, axis] += weight / len(numbers)

    mouth = (51, 57, 62, 66)
    sides = ((range(26, 21, -1), range(42, 48), 64, -1.0), (range(17, 22), range(36, 42), 60, 1.0))
    for side, (brow, eye, corner, outwards) in enumerate(sides):
        add(3 * side, brow[:2], 1, 1 / _BROW_TILT)
        add(3 * side, brow[3:], 1, -1 / _BROW_TILT)
        add(3 * side + 1, brow, 1, 1 / _BROW_UP)
        add(3 * side + 1, eye, 1, -1 / _BROW_UP)
        add(3 * side + 2, brow[2], 1, 1 / _BROW_BEND)
        add(3 * side + 2, (brow[0], brow[4]), 1, -1 / _BROW_BEND)
        add(6 + 2 * side, corner, 1, 1 / _CORNER)
        add(6 + 2 * side, mouth, 1, -1 / _CORNER)
        add(7 + 2 * side, corner, 0, outwards / _CORNER)
        add(7 + 2 * side, mouth, 0, -outwards / _CORNER)
        add(10, corner, 0, outwards / _WIDE)
    rows[:, :, 1] *= -1.0  # y is down
    return rows.reshape(11, -1)
