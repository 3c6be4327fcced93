"""The markup on real labelled faces and on a drawn one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from shapes import FRONTAL, face_at

from fkp_live import topology

WILD = Path(__file__).parents[2] / "shared" / "data" / "wild" / "keypoints.csv"


def test_every_point_is_in_exactly_one_region() -> None:
    numbers = np.concatenate(list(topology.REGIONS.values()))
    np.testing.assert_array_equal(np.sort(numbers), np.arange(topology.N_POINTS))


def test_contours_visit_every_point() -> None:
    visited = {number for _, numbers, _ in topology.CONTOURS for number in numbers}
    assert visited == set(range(topology.N_POINTS))


def test_the_mirror_map_is_its_own_inverse_and_keeps_the_middle() -> None:
    np.testing.assert_array_equal(topology.MIRROR[topology.MIRROR], np.arange(68))
    fixed = np.flatnonzero(np.arange(68) == topology.MIRROR)
    np.testing.assert_array_equal(fixed, [8, 27, 28, 29, 30, 33, 51, 57, 62, 66])


def test_the_mirror_map_swaps_left_and_right() -> None:
    regions = topology.REGIONS
    for right, left in (("right_eye", "left_eye"), ("right_brow", "left_brow")):
        assert set(topology.MIRROR[regions[right]]) == set(regions[left])
    for region in ("jaw", "nose", "mouth"):
        assert set(topology.MIRROR[regions[region]]) == set(regions[region])
    assert topology.MIRROR[topology.RIGHT_EYE_OUTER] == topology.LEFT_EYE_OUTER


def test_the_mirror_map_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        topology.MIRROR[0] = 3


def test_a_symmetric_face_is_its_own_mirror_image() -> None:
    np.testing.assert_allclose(FRONTAL[topology.MIRROR] * [-1, 1], FRONTAL, atol=1e-9)


def _upright(points: np.ndarray) -> None:
    regions = topology.REGIONS
    eyes = points[np.r_[regions["right_eye"], regions["left_eye"]], 1].mean()
    assert eyes < points[topology.NOSE_TIP, 1] < points[regions["mouth"], 1].mean() < points[topology.CHIN, 1]
    assert points[regions["right_brow"], 1].mean() < points[regions["right_eye"], 1].mean()
    assert points[topology.RIGHT_EYE_OUTER, 0] < points[topology.LEFT_EYE_OUTER, 0]


def test_the_drawn_face_is_upright() -> None:
    _upright(face_at(100, 80))


@pytest.mark.skipif(not WILD.exists(), reason="needs ../shared/data/wild")
def test_the_markup_matches_real_labels() -> None:
    with WILD.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    faces = np.array([row[1:] for row in rows], np.float64).reshape(-1, 68, 2)
    _upright(np.median(faces - faces.mean(1, keepdims=True), 0))
    # The upper lid lies above the lower one, corners outside, in nearly every face.
    for lids in (topology.RIGHT_EYE_LIDS, topology.LEFT_EYE_LIDS, topology.INNER_LIP_PAIRS):
        for upper, lower in lids:
            assert (faces[:, upper, 1] < faces[:, lower, 1] + 1).mean() > 0.97
