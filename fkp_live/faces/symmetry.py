"""Clinical measures of the face's two sides from the 68 points, and how far the sides differ.

The measures are those of Emotrics (D. L. Guarin et al., "A Machine Learning Approach for Automated Facial
Measurements in Facial Palsy", 2018) and the facial asymmetry index of dynaface
(https://github.com/jeffheaton/dynaface), in code of our own. "Left" and "right" are the person's own. Give raw points:
smoothing hides part of a movement that has just begun. How much of a true asymmetry is found: docs/symmetry.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.topology import (
    INNER_LIP_CORNERS,
    LEFT_EYE_INNER,
    LEFT_EYE_LIDS,
    LEFT_EYE_OUTER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    N_POINTS,
    REGIONS,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LIDS,
    RIGHT_EYE_OUTER,
)

Values = NDArray[np.float64]

# Each measure, and what it is. The order is that of `Symmetry.sides`.
MEASURES: dict[str, str] = {
    "commissure_excursion": "from the lower lip on the midline to the corner of the mouth",
    "smile_angle": "angle of that line, from the midline below the lip, in degrees",
    "commissure_height": "corner of the mouth below the eye line",
    "upper_lip_height": "upper lip below the eye line, half way to the corner",
    "lower_lip_height": "lower lip below the eye line, half way to the corner",
    "dental_show": "opening of the inner lips, half way to the corner",
    "mrd1": "pupil to upper lid",
    "mrd2": "pupil to lower lid",
    "palpebral_fissure": "upper to lower lid through the pupil",
    "brow_height": "brow above the pupil",
    "canthus_to_commissure": "inner corner of the eye to the corner of the mouth",
}
NAMES = tuple(MEASURES)
# How much of a true change of a measure's deviation the raw points show, at least and at most over changes of 2, 5 and
# 10 % of the eye distance: `python -m benchmarks.symmetry`. What is absent was not measured.
FOUND: dict[str, tuple[float, float]] = {
    "commissure_excursion": (0.42, 0.45),
    "smile_angle": (0.54, 0.62),
    "commissure_height": (0.64, 0.68),
    "upper_lip_height": (0.31, 0.39),
    "lower_lip_height": (0.27, 0.31),
    "mrd1": (0.34, 0.35),
    "mrd2": (0.14, 0.18),
    "palpebral_fissure": (0.43, 0.45),
    "brow_height": (0.4, 0.55),
    "canthus_to_commissure": (0.62, 0.67),
}
ANGLE = NAMES.index("smile_angle")
FAI = NAMES.index("canthus_to_commissure")

_MOUTH, _INNER = REGIONS["mouth"][:12], REGIONS["mouth"][12:]
_UPPER_LIP, _LOWER_LIP = _MOUTH[:7], np.r_[_MOUTH[0], _MOUTH[:5:-1]]
_INNER_UPPER, _INNER_LOWER = _INNER[:5], np.r_[_INNER[0], _INNER[:3:-1]]
_SIDES = (
    (
        MOUTH_RIGHT,
        INNER_LIP_CORNERS[0],
        RIGHT_EYE_OUTER,
        RIGHT_EYE_INNER,
        RIGHT_EYE_LIDS,
        REGIONS["right_brow"],
    ),
    (MOUTH_LEFT, INNER_LIP_CORNERS[1], LEFT_EYE_OUTER, LEFT_EYE_INNER, LEFT_EYE_LIDS, REGIONS["left_brow"]),
)


@dataclass(frozen=True, slots=True, eq=False)
class Symmetry:
    """The clinical measures of one face.

    Attributes
    ----------
    sides : (11, 2) right and left of each of `MEASURES`, in ``unit``, the smile angle in degrees; NaN where a measure
        has no answer, as a brow that does not reach over the pupil
    unit : "eye distances" (of the outer eye corners), "px" or "mm"
    """

    sides: Values
    unit: str

    @property
    def deviation(self) -> Values:
        """(11,) left minus right, signed. Emotrics gives the same without the sign."""
        return self.sides[:, 1] - self.sides[:, 0]

    @property
    def ratio(self) -> Values:
        """(11,) left over right, 1 for equal sides; NaN where the right side is 0 or less."""
        right, left = self.sides.T
        return np.where(right > 1e-9, left / np.where(right > 1e-9, right, 1.0), np.nan)

    @property
    def fai(self) -> float:
        """dynaface's facial asymmetry index: | |42 - 54| - |39 - 48| |, in ``unit``."""
        return abs(float(self.deviation[FAI]))


def symmetry(
    points: ArrayLike,
    *,
    pixels: bool = False,
    pupils_mm: float | None = None,
    eyes_mm: float | None = None,
    mm_per_pixel: float | None = None,
) -> Symmetry:
    """The clinical measures of the 68 points (68, 2) of a face, in pixels of its picture, y down.

    The eye line runs through the pupils, for which the means of six lid points stand in; the midline is its
    perpendicular half way between them. So place, size and roll do not matter. A drooping lid lowers its pupil by a
    third of the way, and so tilts the line a little.

    Parameters
    ----------
    pixels : lengths in pixels; else in distances of the outer eye corners
    pupils_mm : distance of the pupils in millimetres (adults: about 63); lengths are then in millimetres
    eyes_mm : the same, by the distance of the outer eye corners, as a ruler gives it
    mm_per_pixel : the same, where a ruler in the picture gives it

    Raises
    ------
    ValueError : points of another shape, a scale that is not a positive number, or more than one unit

    Example
    -------
    >>> seen = symmetry(face.raw, pupils_mm=63.0)
    >>> dict(zip(NAMES, seen.deviation.round(1)))
    """
    points = np.asarray(points, np.float64)
    if points.shape != (N_POINTS, 2):
        raise ValueError(f"points have shape {points.shape}, expected (68, 2)")
    scales = {"pupils_mm": pupils_mm, "eyes_mm": eyes_mm, "mm_per_pixel": mm_per_pixel}
    given = sum(value is not None for value in scales.values())
    if given + pixels > 1:
        raise ValueError("expected one of pixels, pupils_mm, eyes_mm and mm_per_pixel")
    unit = "px" if pixels else "mm" if given else "eye distances"
    for name, value in scales.items():
        if value is not None and not 0.0 < value < math.inf:
            raise ValueError(f"{name} is {value}, expected a positive number")
    right, left = (points[REGIONS[f"{side}_eye"]].mean(0) for side in ("right", "left"))
    between = math.hypot(*(left - right).tolist())
    across = math.hypot(*(points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER]).tolist())
    if not (between > 1e-6 and across > 1e-6 and np.isfinite(points).all()):
        return Symmetry(np.full((len(NAMES), 2), np.nan), unit)
    scale = 1.0 / across
    if pixels:
        scale = 1.0
    elif eyes_mm is not None:
        scale = eyes_mm / across
    elif mm_per_pixel is not None:
        scale = mm_per_pixel
    elif pupils_mm is not None:
        scale = pupils_mm / between
    along = (left - right) / between
    # x to the person's left from the midline, y down from the eye line.
    straight = (points - (left + right) / 2) @ np.array([[along[0], -along[1]], [along[1], along[0]]])
    sides = np.array([_side(straight, *numbers) for numbers in _SIDES]).T
    sides[np.arange(len(NAMES)) != ANGLE] *= scale
    return Symmetry(sides, unit)


def _side(
    points: Values,
    corner: int,
    inner_corner: int,
    outer: int,
    inner: int,
    lids: tuple[tuple[int, int], ...],
    brow: NDArray[np.intp],
) -> list[float]:
    """The measures of one side of a face that stands straight, in the order of `MEASURES`."""
    end = points[corner]
    middle = _height(points[_LOWER_LIP], 0.0)
    half, inner_half = end[0] / 2, points[inner_corner, 0] / 2
    first, last = sorted((outer, inner))
    # The pairs of lids run from the smaller x to the larger, as the numbers of the upper lid do.
    upper = points[[first, *(pair[0] for pair in lids), last]]
    lower = points[[first, *(pair[1] for pair in lids), last]]
    pupil = np.concatenate([upper, lower[1:3]]).mean(0)
    mrd1 = pupil[1] - _height(upper, pupil[0])
    mrd2 = _height(lower, pupil[0]) - pupil[1]
    return [
        math.hypot(end[0], end[1] - middle),
        math.degrees(math.atan2(abs(end[0]), end[1] - middle)),
        float(end[1]),
        _height(points[_UPPER_LIP], half),
        _height(points[_LOWER_LIP], half),
        _height(points[_INNER_LOWER], inner_half) - _height(points[_INNER_UPPER], inner_half),
        mrd1,
        mrd2,
        mrd1 + mrd2,
        pupil[1] - _height(points[brow], pupil[0]),
        math.hypot(*(points[inner] - end).tolist()),
    ]


def _height(curve: Values, x: float) -> float:
    """y where a polyline (n, 2) first crosses the vertical at ``x``; NaN where it does not."""
    for (x0, y0), (x1, y1) in zip(curve[:-1].tolist(), curve[1:].tolist(), strict=True):
        if min(x0, x1) <= x <= max(x0, x1):
            return float(y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0))
    return math.nan
