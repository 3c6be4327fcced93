"""Head pose: signs, invariances, and real faces where labels are at hand."""

from __future__ import annotations

import csv
import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
from shapes import FRONTAL, face_at

from fkp_live.faces.front_view import mean_head
from fkp_live.faces.head_pose import head_pose
from fkp_live.geometry import rotation_of
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
def test_turning_the_picture_turns_the_head(roll: float) -> None:
    shape = _turned(0.4, 0.2)
    pose, turned = head_pose(shape), head_pose(shape @ rotation_of(0.0, 0.0, roll)[:2, :2].T)
    expected = rotation_of(0.0, 0.0, roll) @ rotation_of(pose.pitch, pose.yaw, pose.roll)
    assert rotation_of(turned.pitch, turned.yaw, turned.roll) == pytest.approx(expected, abs=1e-6)


def test_pitch_and_yaw_say_where_a_tilted_head_looks() -> None:
    shape = _turned(0.5)
    yaw, lying = head_pose(shape).yaw, head_pose(shape @ rotation_of(0.0, 0.0, math.pi / 2)[:2, :2].T)
    # Its left, which was to the right in the picture, is down now.
    assert lying.pitch == pytest.approx(-yaw, abs=math.radians(2))
    assert lying.roll == pytest.approx(math.pi / 2, abs=math.radians(4))


@pytest.mark.parametrize(("x", "y", "size"), [(0, 0, 8), (-500, 3000, 60), (1000, 1000, 900)])
def test_place_and_size_do_not_matter(x: float, y: float, size: float) -> None:
    shape = _turned(0.4)
    pose, moved = head_pose(shape), head_pose((shape - 200) / 80 * size + [x, y])
    assert (moved.pitch, moved.yaw, moved.roll) == pytest.approx((pose.pitch, pose.yaw, pose.roll), abs=1e-6)


def test_the_mirrored_face_has_the_mirrored_pose() -> None:
    shape = _turned(0.4, 0.1)
    pose, mirrored = head_pose(shape), head_pose(shape[MIRROR] * [-1, 1])
    assert astuple(mirrored) == pytest.approx(
        astuple(replace(pose, yaw=-pose.yaw, roll=-pose.roll)), abs=1e-9
    )


def test_points_that_coincide_look_straight() -> None:
    pose = head_pose(np.full((68, 2), 7.0))
    assert (pose.pitch, pose.yaw, pose.roll) == (0.0, 0.0, 0.0)
    assert pose.yaw_sd == math.radians(90)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_people_in_photos_look_roughly_at_the_camera() -> None:
    poses = np.degrees([[p.pitch, p.yaw, p.roll] for p in map(head_pose, _labelled())])
    assert np.abs(np.median(poses, 0)).max() < 10
    assert np.abs(poses).max() < 100


@pytest.mark.parametrize("pitch", [-15.0, 0.0, 15.0])
def test_the_yaw_of_a_turning_head_rises_to_profile_without_a_jump(pitch: float) -> None:
    turns = [rotation_of(math.radians(pitch), math.radians(yaw), 0.0)[:2] for yaw in range(-90, 91)]
    poses = [head_pose(100 * mean_head() @ turn.T) for turn in turns]
    steps = np.degrees(np.diff([pose.yaw for pose in poses]))
    assert steps[5:-5].min() > 0  # up to 85 degrees
    assert np.abs(steps).max() < 2
    assert poses[-1].yaw > math.radians(80)
    assert np.abs(np.diff([[pose.pitch, pose.roll] for pose in poses], axis=0)).max() < math.radians(3)


def test_angles_of_turned_heads_are_less_sure() -> None:
    front, side = head_pose(_head(0.0)), head_pose(_head(70.0))
    near = [front.pitch_sd or 0.0, front.yaw_sd or 0.0, front.roll_sd or 0.0]
    far = [side.pitch_sd or 0.0, side.yaw_sd or 0.0, side.roll_sd or 0.0]
    assert math.radians(0.5) <= near[1] < math.radians(4)
    assert min(np.array(far) / near) > 1.5


def _head(yaw: float) -> np.ndarray:
    return 100 * mean_head() @ rotation_of(0.0, math.radians(yaw), 0.0)[:2].T
