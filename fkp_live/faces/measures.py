"""Measures of a face: what its 68 points say of eyes, brows and mouth, raw and relative to what is usual.

Lengths are in eye distances (outer corners), as seen from the front: place, size and pose of the head are taken off
with a mean head (`faces.front_view`). ``ear_left``, ``ear_right`` and ``mar`` are ratios of distances in the picture,
as their authors define them. All hold up to 20 degrees of yaw; beyond, ratios of the far side grow, and beyond 35 the
network guesses the far side (table: docs/measures.md). "Left" and "right" are the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.faces.front_view import depths, front_view
from fkp_live.measured import MEASURES
from fkp_live.topology import MOUTH_LEFT, MOUTH_RIGHT, N_POINTS
from fkp_live.types import Pose

Array = NDArray[np.float64]


class _Part(NamedTuple):
    """What is usual for a part, and between which values a face's own usual one is believed.

    Who laughs through a whole film has no neutral frame in it: the bounds keep that from becoming the neutral face.
    """

    average: float
    least: float = -1.0
    most: float = 1.0


# What the measures are made of. Medians of neutral photographs; lengths in eye distances, openness and lower lid in
# widths of the eye.
_PAIRED = {
    "eye": _Part(0.28, 0.22, 0.45),  # openness, seen from the front
    "lower_lid": _Part(0.095),  # below the line through the eye's corners
    "corner_up": _Part(-0.35, -1.0, -0.32),  # of the mouth, above the tip of the nose
    "corner_out": _Part(0.30, 0.26, 0.325),  # from the middle of the lips
    "upper_lip": _Part(0.14),  # below the base of the nose
    "lower_lip": _Part(0.335),  # above the chin
    "brow_inner": _Part(0.22),  # above the line through the eye's corners
    "brow_middle": _Part(0.25),
    "brow_outer": _Part(0.19),
    "ear": _Part(0.28, 0.22, 0.45),  # openness in the picture
}
_SINGLE = {
    "lips_apart": _Part(0.01, 0.0, 0.03),  # inner edges
    "chin": _Part(0.0, -0.06, 0.06),  # to the person's left
    "mouth": _Part(0.0, -0.04, 0.04),  # its middle, to the person's left
    "brow_gap": _Part(0.33, 0.22, 0.45),  # between the inner ends of the brows
    "lips": _Part(0.165, 0.12, 0.22),  # thickness of both
    "jaw": _Part(0.68, 0.55, 0.9),  # chin below the base of the nose
    "mar": _Part(0.33, 0.2, 0.45),  # openness of the outer lips in the picture
}
# Place of each part, of which side.
RIGHT = {name: place for place, name in enumerate(_PAIRED)}
LEFT = {name: len(_PAIRED) + place for name, place in RIGHT.items()}
SINGLE = {name: 2 * len(_PAIRED) + place for place, name in enumerate(_SINGLE)}
AVERAGE, LEAST, MOST = (
    np.array([part[k] for part in (*_PAIRED.values(), *_PAIRED.values(), *_SINGLE.values())])
    for k in range(3)
)
# Outer corner, upper lids, inner corner, lower lids; corner of the mouth, edge of upper and of lower lip, base of the
# nose; brow from the inside.
_SIDES = (
    (RIGHT, (36, 37, 38, 39, 40, 41), 1.0, MOUTH_RIGHT, 50, 58, 32, (21, 20, 19, 18, 17)),
    (LEFT, (45, 44, 43, 42, 47, 46), -1.0, MOUTH_LEFT, 52, 56, 34, (22, 23, 24, 25, 26)),
)
# Points whose distances count, width and two heights: of the eyes, then of the lips.
_DISTANCES = (
    *(pair for _, eye, *_ in _SIDES for pair in ((eye[0], eye[3]), (eye[1], eye[5]), (eye[2], eye[4]))),
    *((MOUTH_RIGHT, MOUTH_LEFT), (50, 58), (52, 56)),
)
# Parts that are heights over a width, in the order in which they are found; and the lower lid of each eye.
_RATIOS = (RIGHT["eye"], LEFT["eye"], RIGHT["ear"], LEFT["ear"], SINGLE["mar"])
_MOUTH_WIDTH = MEASURES.index("mouth_width")
_LIDS = {side["eye"]: side["lower_lid"] for side in (RIGHT, LEFT)}


def parts(points: ArrayLike, pose: Pose) -> Array:
    """(27,): the lengths and ratios that the measures are made of, see `RIGHT`, `LEFT` and `SINGLE`.

    Parameters
    ----------
    points : (68, 2) in pixels
    pose : of the head
    """
    points = np.asarray(points, np.float64)
    view = front_view(points, pose)
    # Without numpy from here on: behind a network, with cold caches, each of its calls takes longer than all of these
    # sums.
    sums = (_weights()[0] @ points).tolist()
    (a, b), (c, d) = view.back
    axes = tuple(zip((a, b), (c, d), view.offset, view.slant, strict=True))
    parts_of, eyes_of = _shifts()
    # Each sum of points as seen from the front: the view is affine.
    found = []
    for (x, y), (axis, still, depth) in zip(sums, parts_of, strict=False):
        p, q, offset, slant = axes[axis]
        found.append(x * p + y * q + still * offset + depth * slant)
    # Of the eyes from the front, and of eyes and lips in the picture.
    distances = sums[len(parts_of) :]
    slant_x, slant_y = view.slant
    pairs = [
        (x * a + y * c + depth * slant_x, x * b + y * d + depth * slant_y)
        for (x, y), depth in zip(distances, eyes_of, strict=False)
    ]
    lengths = (math.hypot(x, y) for x, y in pairs + distances)
    for place, width, one, other in zip(_RATIOS, lengths, lengths, lengths, strict=True):
        found[place] = (one + other) / 2 / max(width, 1e-6)
        if place in _LIDS:
            found[_LIDS[place]] /= max(width, 1e-6)
    return np.array(found)


def values(seen: Array) -> list[float]:
    """12, the measures of `measured.MEASURES`, of parts (27,)."""
    found: list[float] = (_measures() @ seen).tolist()
    # Full and narrow lips: their thickness over `mouth_width`, which is the sum of both corners' distances.
    found[-1] /= max(found[_MOUTH_WIDTH], 0.05)
    return found


@cache
def _weights() -> tuple[Array, NDArray[np.intp], Array]:
    """What sums of points the parts are, and what distances.

    Weights (36, 68) of the points, those of `_DISTANCES` last; place (27,) of each part among x and y of these sums;
    and (36, 2) how far each sum moves with the offset and with the slant of a front view.
    """
    rows = np.zeros((len(AVERAGE) + len(_DISTANCES), N_POINTS))
    places = np.zeros(len(AVERAGE), np.intp)

    def add(place: int, axis: int, numbers: Iterable[int], sign: float = 1.0) -> None:
        """``sign`` times the mean of these points' x (0) or y (1)."""
        numbers = list(numbers)
        rows[place, numbers] += sign / len(numbers)
        places[place] = 2 * place + axis

    for side, eye, inwards, corner, upper, lower, nose, brow in _SIDES:
        line = (eye[0], eye[3])
        add(side["lower_lid"], 1, (eye[4], eye[5]))
        add(side["lower_lid"], 1, line, -1)
        add(side["corner_up"], 1, [corner], -1)
        add(side["corner_out"], 0, (51, 57, 62, 66), inwards)
        add(side["corner_out"], 0, [corner], -inwards)
        add(side["upper_lip"], 1, [upper])
        add(side["upper_lip"], 1, [nose], -1)
        add(side["lower_lip"], 1, [8])
        add(side["lower_lip"], 1, [lower], -1)
        for name, ends in (("inner", brow[:2]), ("middle", brow[2:3]), ("outer", brow[3:])):
            add(side[f"brow_{name}"], 1, line)
            add(side[f"brow_{name}"], 1, ends, -1)
    add(SINGLE["lips_apart"], 1, (65, 66, 67))
    add(SINGLE["lips_apart"], 1, (61, 62, 63), -1)
    add(SINGLE["chin"], 0, (7, 8, 9))
    add(SINGLE["mouth"], 0, range(48, 60))
    add(SINGLE["brow_gap"], 0, [22])
    add(SINGLE["brow_gap"], 0, [21], -1)
    for outer, inner, sign in (((50, 51, 52), (61, 62, 63), 1.0), ((56, 57, 58), (65, 66, 67), -1.0)):
        add(SINGLE["lips"], 1, inner, sign)
        add(SINGLE["lips"], 1, outer, -sign)
    add(SINGLE["jaw"], 1, [8])
    add(SINGLE["jaw"], 1, [33], -1)
    for row, (begin, end) in zip(rows[len(AVERAGE) :], _DISTANCES, strict=True):
        row[begin], row[end] = 1.0, -1.0
    return rows, places, np.stack([rows.sum(1), -rows @ depths()], 1)


@cache
def _shifts() -> tuple[list[tuple[int, float, float]], list[float]]:
    """How the sums of `_weights` move with a front view, as plain numbers.

    Of each part its axis (0: x, 1: y), and the numbers for offset and slant; of each distance of the eyes the number
    for slant. A distance does not move with the offset.
    """
    _, places, shifts = _weights()
    still, depth = shifts.T.tolist()
    eyes = len(places), len(places) + len(_DISTANCES) - 3
    return list(zip((places % 2).tolist(), still, depth, strict=False)), depth[slice(*eyes)]


@cache
def _measures() -> Array:
    """(12, 27): the measures as sums of parts; of the last the thickness of the lips alone."""
    shares: tuple[dict[int, float], ...] = (
        {LEFT["ear"]: 1.0},
        {RIGHT["ear"]: 1.0},
        {SINGLE["mar"]: 1.0},
        {LEFT["corner_out"]: 1.0, RIGHT["corner_out"]: 1.0},
        *({side["corner_up"]: 1.0, side["corner_out"]: 1.0} for side in (LEFT, RIGHT)),
        *({side[f"brow_{name}"]: 1 / 3 for name in ("inner", "middle", "outer")} for side in (LEFT, RIGHT)),
        {SINGLE["brow_gap"]: -1.0, LEFT["brow_inner"]: -0.5, RIGHT["brow_inner"]: -0.5},
        {SINGLE["lips"]: -1.0},
        {SINGLE["jaw"]: 1.0},
        {SINGLE["lips"]: 1.0},
    )
    made = np.zeros((len(shares), len(AVERAGE)))
    for row, share in zip(made, shares, strict=True):
        row[list(share)] = list(share.values())
    return made
