"""Training crops: points stay on what they mark, whatever is done to the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shapes import face_at

from fkp_live.geometry import CropSpec, apply, box_of, crop_matrix
from fkp_live.topology import MIRROR
from fkp_live.types import Image
from train.data import augment
from train.data.augment import (
    background_crop,
    cover,
    detector_jitter,
    mirror,
    training_crop,
    training_matrix,
)
from train.options import LABELS_RIGHT, AugmentOptions

SPEC = CropSpec(112, 0.125)
QUIET = AugmentOptions(
    mirror=0.0, light=0.0, grey=0.0, low_resolution=0.0, blur=0.0, noise=0.0, jpeg=0.0, occlusion=0.0
)


@pytest.fixture(name="points")
def _points() -> np.ndarray:
    """68 points spread over a face-sized part of a picture."""
    rng = np.random.default_rng(3)
    return (rng.uniform(0.0, 1.0, (68, 2)) * [90.0, 100.0] + [60.0, 50.0]).astype(np.float32)


def _dots(points: np.ndarray, chosen: int) -> Image:
    """A black picture with a soft white dot on one point."""
    y, x = np.mgrid[0:220, 0:220]
    distance = (x - points[chosen, 0]) ** 2 + (y - points[chosen, 1]) ** 2
    return np.repeat((255 * np.exp(-distance / (2 * 3.0**2)))[..., None], 3, 2).astype(np.uint8)


def _centroid(crop: Image) -> np.ndarray:
    weight = crop[..., 0].astype(float)
    y, x = np.mgrid[0 : crop.shape[0], 0 : crop.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize("seed", range(6))
def test_the_point_stays_on_its_dot_through_turn_stretch_and_crop(points: np.ndarray, seed: int) -> None:
    inner = int(np.argmin(np.abs(points - points.mean(0)).sum(1)))  # a dot at the rim could leave the crop
    crop, moved, _ = training_crop(_dots(points, inner), points, SPEC, np.random.default_rng(seed), QUIET)
    assert np.abs(_centroid(crop) - moved[inner]).max() < 0.15


@pytest.mark.parametrize("disturbance", ["light", "grey", "low_resolution", "blur", "noise", "jpeg"])
def test_what_moves_no_point_moves_no_dot(points: np.ndarray, disturbance: str) -> None:
    only = AugmentOptions(**{**{f: getattr(QUIET, f) for f in QUIET.__slots__}, disturbance: 1.0})
    matrix = crop_matrix(box_of(points), SPEC)
    inner = int(np.argmin(np.abs(points - points.mean(0)).sum(1)))
    plain = cv2.warpAffine(_dots(points, inner), matrix, (112, 112))
    for seed in range(4):
        disturbed = augment.disturb(plain, np.random.default_rng(seed), only)
        assert disturbed.shape == plain.shape
        assert disturbed.dtype == np.uint8
        # Light and noise change the background, so the dot is looked for where it is brightest.
        peak = np.array(
            np.unravel_index(cv2.GaussianBlur(disturbed[..., 0], (0, 0), 2).argmax(), (112, 112))
        )[::-1]
        assert np.abs(peak - apply(matrix, points)[inner]).max() < 2.5


def test_mirror_swaps_sides_and_is_its_own_inverse(points: np.ndarray) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    moved = apply(crop_matrix(box_of(points), SPEC), points)
    once = mirror(crop, moved, SPEC)
    assert np.array_equal(once[0], crop[:, ::-1])
    right_of_what_is_seen = LABELS_RIGHT * SPEC.face_side
    seen = moved[:, 0] - right_of_what_is_seen
    assert once[1][MIRROR][:, 0] == pytest.approx(111 - seen + right_of_what_is_seen, abs=1e-3)
    twice = mirror(*once, SPEC)
    assert np.array_equal(twice[0], crop)
    assert twice[1] == pytest.approx(moved, abs=1e-4)


def test_a_mirrored_face_keeps_the_weight_of_each_point(points: np.ndarray, astronaut: Image) -> None:
    weights = np.arange(68, dtype=np.float32)
    for chance, expected in ((0.0, weights), (1.0, weights[MIRROR])):
        options = AugmentOptions(mirror=chance)
        made = training_crop(astronaut, points, SPEC, np.random.default_rng(0), options, weights=weights)
        assert np.array_equal(made[2], expected)


def test_points_without_a_label_take_no_part(points: np.ndarray, astronaut: Image) -> None:
    partial = points.copy()
    inner = np.argsort(np.abs(points - points.mean(0)).max(1))[:30]
    partial[inner] = np.nan
    labelled = np.isfinite(partial[:, 0])
    options = AugmentOptions(cover=1.0, tilt=0.5, mirror=0.0)
    for seed in range(8):
        whole, some = (
            training_crop(astronaut, p, SPEC, np.random.default_rng(seed), options) for p in (points, partial)
        )
        assert np.isnan(some[1][~labelled]).all()
        assert some[1][labelled] == pytest.approx(whole[1][labelled], abs=1e-3)
        background_crop(astronaut, partial, SPEC, np.random.default_rng(seed), options)


def test_a_cover_lies_over_a_part_of_the_face(astronaut: Image) -> None:
    face = face_at(56.0, 45.0, 45.0).astype(np.float32)
    crop = np.full((112, 112, 3), 120, np.uint8)
    for seed in range(20):
        covered = cover(crop, face, np.random.default_rng(seed), astronaut)
        share = (np.abs(covered.astype(int) - crop).max(2) > 8).mean()
        assert share < 0.6
    assert (crop == 120).all()
    assert cover(crop, np.full((68, 2), np.nan, np.float32), np.random.default_rng(0)) is crop


def test_tilted_faces_are_rotated_by_up_to_40_degrees(points: np.ndarray) -> None:
    options = AugmentOptions(rotation=0.0, tilt=1.0, stretch=0.0, shear=0.0)
    angles = []
    for seed in range(200):
        a, b = training_matrix(points, SPEC, np.random.default_rng(seed), options)[:, 0]
        angles.append(np.rad2deg(np.arctan2(b, a)))
    assert 35.0 < max(angles) <= 40.0
    assert -40.0 <= min(angles) < -35.0


@pytest.mark.parametrize("disturbance", ["shadow", "dark"])
def test_shadow_and_little_light_darken(disturbance: str) -> None:
    only = AugmentOptions(**{**{f: getattr(QUIET, f) for f in QUIET.__slots__}, disturbance: 1.0})
    crop = np.full((112, 112, 3), 160, np.uint8)
    for seed in range(12):
        dim = augment.disturb(crop, np.random.default_rng(seed), only)
        assert dim.dtype == np.uint8
        assert dim.shape == crop.shape
        assert dim.mean() < 159.0


def test_detector_jitter_has_its_documented_spread() -> None:
    rng = np.random.default_rng(0)
    box = np.array([10.0, 20.0, 110.0, 140.0], np.float32)
    boxes = np.stack([detector_jitter(box, rng) for _ in range(4000)])
    centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    assert ((centres - [60, 80]) / [100, 120]).std(0) == pytest.approx([0.04, 0.04], rel=0.08)
    assert np.log(sides / [100, 120]).std(0) == pytest.approx([0.05, 0.05], rel=0.08)


def test_the_face_fills_the_crop_as_it_does_live(points: np.ndarray) -> None:
    still = AugmentOptions(rotation=0.0, shift=0.0, scale=0.0, far=0.0, stretch=0.0, shear=0.0)
    matrix = training_matrix(points, SPEC, np.random.default_rng(0), still)
    assert matrix == pytest.approx(crop_matrix(box_of(points), SPEC), abs=1e-4)


def test_a_crop_is_a_function_of_its_generator(points: np.ndarray, astronaut: Image) -> None:
    options = AugmentOptions()
    first, second, other = (
        training_crop(astronaut, points, SPEC, np.random.default_rng(seed), options, astronaut)
        for seed in (5, 5, 6)
    )
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_backgrounds_hold_no_whole_face(astronaut: Image) -> None:
    face = np.array([[180.0, 70.0], [265.0, 70.0], [222.0, 160.0]], np.float32)
    points = np.resize(face, (68, 2)).astype(np.float32)
    still = AugmentOptions(light=0.0, grey=0.0, low_resolution=0.0, blur=0.0, noise=0.0, jpeg=0.0)
    whole = cv2.warpAffine(astronaut, crop_matrix(box_of(points), SPEC), (112, 112)).astype(float)
    for seed in range(30):
        crop = background_crop(astronaut, points, SPEC, np.random.default_rng(seed), still)
        assert crop.shape == (112, 112, 3)
        assert np.abs(crop - whole).mean() > 15.0
