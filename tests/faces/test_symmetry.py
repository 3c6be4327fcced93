"""Clinical measures: drawn faces are even, known shifts give their numbers, roll and size do not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn import mean_shape

from fkp_live.faces.symmetry import ANGLE, NAMES, symmetry
from fkp_live.geometry import apply, rotation
from fkp_live.topology import MIRROR


def even(size: float = 100.0) -> np.ndarray:
    """A drawn face, made exactly symmetric about x = 0, in pixels."""
    shape = mean_shape() * size
    return (shape + shape[MIRROR] * (-1, 1)) / 2


def at(name: str) -> int:
    return NAMES.index(name)


def test_a_symmetric_face_has_no_deviation() -> None:
    seen = symmetry(even())
    assert np.isfinite(seen.sides).all()
    assert seen.deviation == pytest.approx(0.0, abs=1e-9)
    assert seen.ratio == pytest.approx(1.0)
    assert seen.fai == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("turn", [0.0, 0.4, -2.5])
@pytest.mark.parametrize("size", [0.3, 7.0])
def test_roll_size_and_place_do_not_matter(turn: float, size: float) -> None:
    points = even()
    points[48] += (4, 3)
    points[[43, 44]] += (0, 2)
    moved = apply(rotation(turn), points * size) + np.array([310.0, -20.0])
    assert symmetry(moved).sides == pytest.approx(symmetry(points).sides, rel=1e-5)


def test_the_mirrored_face_swaps_the_sides() -> None:
    points = even()
    points[[54, 20, 37, 56]] += (3, 2)
    mirrored = points[MIRROR] * (-1, 1)
    assert symmetry(mirrored).sides == pytest.approx(symmetry(points).sides[:, ::-1])


def test_a_lowered_left_corner_is_the_left_ones_and_in_pixels() -> None:
    points = even()
    points[54, 1] += 5
    seen = symmetry(points, pixels=True)
    assert seen.unit == "px"
    assert seen.deviation[at("commissure_height")] == pytest.approx(5.0)
    assert seen.sides[at("commissure_height"), 0] == pytest.approx(points[48, 1] - points[36:48, 1].mean())
    # The lower lip's middle is 8 below the corners; the corners are 20 from the midline.
    assert seen.sides[ANGLE] == pytest.approx(
        [180 - math.degrees(math.atan2(20, 8)), 180 - math.degrees(math.atan2(20, 3))]
    )
    assert seen.sides[at("commissure_excursion")] == pytest.approx([math.hypot(20, 8), math.hypot(20, 3)])
    right, left = (math.dist(points[a], points[b]) for a, b in ((39, 48), (42, 54)))
    assert seen.fai == pytest.approx(left - right)


def test_a_drooping_lid_and_a_raised_brow() -> None:
    points = even()
    before = symmetry(points, pixels=True)
    # Only along the eye line's perpendicular, and the lower lid as much, so that the pupil stays.
    points[[37, 38], 1] += 1.5
    points[[40, 41], 1] -= 1.5
    points[[22, 23, 24, 25, 26], 1] -= 6
    after = symmetry(points, pixels=True)
    change = after.sides - before.sides
    assert change[at("mrd1")] == pytest.approx([-1.5, 0.0])
    assert change[at("mrd2")] == pytest.approx([-1.5, 0.0])
    assert change[at("palpebral_fissure")] == pytest.approx([-3.0, 0.0])
    assert change[at("brow_height")] == pytest.approx([0.0, 6.0])
    assert change[at("commissure_height")] == pytest.approx([0.0, 0.0])


def test_lips_half_way_to_the_corner() -> None:
    points = even()
    before = symmetry(points, pixels=True)
    points[[51, 52, 53, 54], 1] -= 2
    points[[63, 64], 1] -= 1
    change = symmetry(points, pixels=True).sides - before.sides
    assert change[at("upper_lip_height"), 1] == pytest.approx(-2.0)
    assert change[at("upper_lip_height"), 0] == pytest.approx(0.0, abs=1e-9)
    assert change[at("dental_show"), 1] > 0.4
    assert change[at("dental_show"), 0] == pytest.approx(0.0, abs=0.1)


def test_millimetres_come_from_the_stated_scale() -> None:
    points = even()
    pupils = points[42:48, 0].mean() - points[36:42, 0].mean()
    pixels = symmetry(points, pixels=True).sides
    by_pupils, by_ruler = symmetry(points, pupils_mm=63.0), symmetry(points, mm_per_pixel=0.5)
    assert (by_pupils.unit, by_ruler.unit) == ("mm", "mm")
    lengths = [i for i in range(len(NAMES)) if i != ANGLE]
    assert by_pupils.sides[lengths] == pytest.approx(pixels[lengths] * 63.0 / pupils)
    assert by_ruler.sides[lengths] == pytest.approx(pixels[lengths] * 0.5)
    assert by_pupils.sides[ANGLE] == pytest.approx(pixels[ANGLE])


def test_what_cannot_be_measured_is_nan() -> None:
    for points in (np.zeros((68, 2)), np.full((68, 2), np.nan)):
        assert np.isnan(symmetry(points).sides).all()
    points = even()
    points[17:22, 0] -= 200
    seen = symmetry(points)
    assert np.isnan(seen.deviation[at("brow_height")])
    assert np.isfinite(np.delete(seen.sides, at("brow_height"), 0)).all()


@pytest.mark.parametrize(
    "given", [{"pupils_mm": 0.0}, {"mm_per_pixel": math.nan}, {"pixels": True, "pupils_mm": 63.0}]
)
def test_a_scale_that_makes_no_sense_is_refused(given: dict) -> None:
    with pytest.raises(ValueError, match=r"positive|one of"):
        symmetry(even(), **given)
    with pytest.raises(ValueError, match="shape"):
        symmetry(np.zeros((67, 2)))
