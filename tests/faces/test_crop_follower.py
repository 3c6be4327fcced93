"""Crops of followed faces: level, steady within the dead band, and by exactly the rest beyond it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from shapes import SPEC, face_at

from fkp_live import geometry
from fkp_live.faces.crop_follower import CropFollower, level_matrix
from fkp_live.faces.tracker_options import TrackerOptions

SIDE = 2 * 0.82 * 60.0  # longer side of `face_at`


def middle(matrix: np.ndarray) -> np.ndarray:
    """The point of the frame in the middle of the crop."""
    return geometry.apply(geometry.invert(matrix), [[(SPEC.size - 1) / 2] * 2])[0]


def angle(matrix: np.ndarray) -> float:
    return math.atan2(matrix[1, 0], matrix[0, 0])


def follower() -> CropFollower:
    return CropFollower(SPEC, TrackerOptions())


@pytest.mark.parametrize("roll", [-2.5, -0.4, 0.0, 0.7, 3.0])
def test_eyes_are_level_and_the_face_fills_the_crop(roll: float) -> None:
    face = face_at(300, 200, roll=roll)
    crop = geometry.apply(level_matrix(face, SPEC), face)
    assert crop[36, 1] == pytest.approx(crop[45, 1], abs=0.01)
    assert crop[36, 0] < crop[45, 0]
    assert np.ptp(crop, 0).max() == pytest.approx(SPEC.face_side, abs=0.01)
    np.testing.assert_allclose((crop.min(0) + crop.max(0)) / 2, (SPEC.size - 1) / 2, atol=0.01)
    np.testing.assert_allclose(follower()(face), level_matrix(face, SPEC))


@pytest.mark.parametrize("share", [0.02, 0.029, 0.05, -0.05])
def test_the_crop_moves_by_what_lies_beyond_3_percent_of_its_side(share: float) -> None:
    crop = follower()
    before = middle(crop(face_at(300, 200)))
    moved = middle(crop(face_at(300 + share * SIDE, 200))) - before
    beyond = math.copysign(max(abs(share) - 0.03, 0.0), share)
    np.testing.assert_allclose(moved, [beyond * SIDE, 0.0], atol=0.01)


@pytest.mark.parametrize("turn", [0.029, 0.1, -0.1])
def test_and_turns_by_what_lies_beyond_3_hundredths_of_a_radian(turn: float) -> None:
    crop = follower()
    before = angle(crop(face_at(300, 200, roll=3.1)))
    turned = angle(crop(face_at(300, 200, roll=3.1 + turn)))
    beyond = math.copysign(max(abs(turn) - 0.03, 0.0), turn)
    assert math.remainder(turned - before, math.tau) == pytest.approx(-beyond, abs=1e-4)


@pytest.mark.parametrize("growth", [1.02, 1.1, 0.9])
def test_and_grows_by_what_lies_beyond_3_percent(growth: float) -> None:
    crop = follower()
    before = geometry.scale_of(crop(face_at(300, 200)))
    after = geometry.scale_of(crop(face_at(300, 200, 60 * growth)))
    beyond = math.copysign(max(abs(growth - 1) - 0.03, 0.0), growth - 1)
    assert before / after == pytest.approx(1 + beyond, abs=1e-4)


def test_a_face_that_moves_is_met_where_it_will_be() -> None:
    np.testing.assert_allclose(
        middle(follower()(face_at(300, 200), lead=20 - 10j)), middle(follower()(face_at(320, 190))), atol=0.01
    )


def test_after_a_restart_the_crop_is_centred_on_its_points() -> None:
    crop = follower()
    crop(face_at(300, 200))
    crop.restart()
    np.testing.assert_allclose(crop(face_at(302, 201)), level_matrix(face_at(302, 201), SPEC))


def test_jitter_leaves_the_crop_where_it_is() -> None:
    """Otherwise the jitter of the points would be fed back to them through the crop."""
    crop, random = follower(), np.random.default_rng(0)
    first = crop(face_at(300, 200))
    for _ in range(30):
        noise = random.normal(0, 0.3, (68, 2)).astype(np.float32)
        np.testing.assert_array_equal(crop(face_at(300, 200) + noise), first)


def test_the_crop_follows_a_face_that_moves_grows_and_tilts() -> None:
    crop = follower()
    for i in range(60):
        face = face_at(200 + 3 * i, 200 + i, 50 + i / 2, roll=0.02 * i)
        there = geometry.apply(crop(face), face)
        assert np.abs((there.min(0) + there.max(0)) / 2 - (SPEC.size - 1) / 2).max() < 0.06 * SPEC.size
        assert np.ptp(there, 0).max() == pytest.approx(SPEC.face_side, rel=0.06)
