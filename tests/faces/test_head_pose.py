"""Head pose: signs, invariances, and real faces where labels are at hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from shapes import FRONTAL, face_at

from fkp_live.faces.head_pose import PoseMap, head_pose
from fkp_live.topology import MIRROR

SHARED = Path(__file__).parents[3] / "shared" / "data"


def _labelled(count: int = 200) -> np.ndarray:
    with (SHARED / "wild" / "keypoints.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([row[1:] for row in rows[:: len(rows) // count]], np.float64).reshape(-1, 68, 2)


def _turned(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """The drawn face on a head-like surface, turned: yaw to the right edge and pitch upwards, in radians."""
    x, y = FRONTAL.T
    depth = 0.75 - 0.75 * x**2 - 0.25 * (y - 0.3) ** 2
    depth[27:36] += np.array([0.05, 0.12, 0.2, 0.28, 0.08, 0.12, 0.16, 0.12, 0.08])
    x, depth = x * math.cos(yaw) + depth * math.sin(yaw), depth * math.cos(yaw) - x * math.sin(yaw)
    y = y * math.cos(pitch) - depth * math.sin(pitch)
    return np.stack([x, y], 1) * 80 + 200


def test_a_turn_of_the_head_has_the_sign_of_the_picture() -> None:
    assert head_pose(_turned(0.5)).yaw > 0.2
    assert head_pose(_turned(-0.5)).yaw < -0.2
    assert (
        head_pose(_turned(0.0, 0.35)).pitch
        > head_pose(_turned(0.0)).pitch
        > head_pose(_turned(0.0, -0.35)).pitch
    )


def test_a_symmetric_face_looks_straight() -> None:
    pose = head_pose(face_at(100, 100))
    assert pose.yaw == pytest.approx(0.0, abs=math.radians(2))
    assert pose.roll == pytest.approx(0.0, abs=math.radians(2))


@pytest.mark.parametrize("roll", [-3.0, -0.5, 0.2, 1.2])
def test_turning_the_picture_turns_the_roll_and_nothing_else(roll: float) -> None:
    upright, tilted = head_pose(face_at(100, 100)), head_pose(face_at(100, 100, roll=roll))
    assert math.remainder(tilted.roll - upright.roll - roll, math.tau) == pytest.approx(0.0, abs=1e-4)
    assert tilted.yaw == pytest.approx(upright.yaw, abs=1e-4)
    assert tilted.pitch == pytest.approx(upright.pitch, abs=1e-4)


@pytest.mark.parametrize(("x", "y", "size"), [(0, 0, 8), (-500, 3000, 60), (1000, 1000, 900)])
def test_place_and_size_do_not_matter(x: float, y: float, size: float) -> None:
    shape = _turned(0.4)
    pose, moved = head_pose(shape), head_pose((shape - 200) / 80 * size + [x, y])
    assert (moved.pitch, moved.yaw, moved.roll) == pytest.approx((pose.pitch, pose.yaw, pose.roll), abs=1e-6)


def test_the_mirrored_face_has_the_mirrored_pose() -> None:
    shape = _turned(0.4, 0.1)
    pose, mirrored = head_pose(shape), head_pose(shape[MIRROR] * [-1, 1])
    assert mirrored.yaw == pytest.approx(-pose.yaw, abs=math.radians(1))
    assert mirrored.roll == pytest.approx(-pose.roll, abs=math.radians(1))
    assert mirrored.pitch == pytest.approx(pose.pitch, abs=math.radians(1))


def test_points_that_coincide_look_straight() -> None:
    pose = head_pose(np.full((68, 2), 7.0))
    assert (pose.pitch, pose.yaw, pose.roll) == (0.0, 0.0, 0.0)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_people_in_photos_look_roughly_at_the_camera() -> None:
    poses = np.degrees([[p.pitch, p.yaw, p.roll] for p in map(head_pose, _labelled())])
    assert np.abs(np.median(poses, 0)).max() < 10
    assert np.abs(poses).max() < 100


def test_what_the_shape_adds_to_the_roll_is_added_to_the_turn_in_the_picture() -> None:
    mean = (FRONTAL[:, 0] + 1j * FRONTAL[:, 1]).astype(np.complex128)
    mean = mean - mean.mean()
    mean /= np.linalg.norm(mean)
    # No component: only the constant, which is 0.1 radians of roll.
    poses = PoseMap(mean, np.zeros((0, 136)), np.array([[0.0, 0.0, 0.1]]))
    for turn in (-0.3, 0.0, 0.3):
        turned = mean * np.exp(1j * turn)
        points = 100 * np.stack([turned.real, turned.imag], 1) + 200
        assert poses(points).roll == pytest.approx(turn + 0.1, abs=1e-6)
