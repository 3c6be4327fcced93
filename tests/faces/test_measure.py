"""Head pose and openness: signs, invariances, and real faces where a network is at hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from shapes import FRONTAL, face_at

from fkp_live.choices import PipelineOptions
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import BLINK_BELOW, Blinks, measures
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
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


def test_points_that_coincide_give_numbers() -> None:
    pose, openness = head_pose(np.full((68, 2), 7.0)), measures(np.full((68, 2), 7.0))
    assert (pose.pitch, pose.yaw, pose.roll) == (0.0, 0.0, 0.0)
    assert all(
        math.isfinite(v) for v in (openness.right_eye_open, openness.left_eye_open, openness.mouth_open)
    )


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_people_in_photos_look_roughly_at_the_camera() -> None:
    poses = np.degrees([[p.pitch, p.yaw, p.roll] for p in map(head_pose, _labelled())])
    assert np.abs(np.median(poses, 0)).max() < 10
    assert np.abs(poses).max() < 100


def _eyes(openness: float) -> np.ndarray:
    face = face_at(100, 100, 200)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        middle, width = (face[upper] + face[lower]) / 2, abs(face[39, 0] - face[36, 0])
        half = np.array([0.0, openness * width / 2])
        face[upper], face[lower] = middle - half, middle + half
    return face


def test_openness_is_height_over_width() -> None:
    for openness in (0.0, 0.1, 0.35):
        found = measures(_eyes(openness))
        assert found.right_eye_open == pytest.approx(openness, abs=0.01)
        assert found.left_eye_open == pytest.approx(openness, abs=0.01)
    mouth = face_at(0, 0, 100)
    shut = measures(mouth).mouth_open
    mouth[[65, 66, 67], 1] += 20
    assert measures(mouth).mouth_open == pytest.approx(shut + 20 / 48, abs=0.01)


def test_blink_is_both_eyes_shut() -> None:
    assert measures(_eyes(BLINK_BELOW - 0.05)).blink
    assert not measures(_eyes(BLINK_BELOW + 0.05)).blink
    wink = _eyes(0.35)
    wink[36:42] = _eyes(0.05)[36:42]
    assert not measures(wink).blink


def _blinks(*openness: float, rate: float = 30.0) -> list[bool]:
    blinks = Blinks()
    return [blinks(1, measures(_eyes(o)), 0.0, i / rate).blink for i, o in enumerate(openness)]


def test_a_followed_face_blinks_by_its_own_measure() -> None:
    """Where its eyes are shut the points of one face come down as far as those of another with narrow eyes."""
    wide = _blinks(*[0.32] * 30, 0.26, 0.2, 0.19, 0.2, 0.27, *[0.32] * 10)
    assert [i for i, blink in enumerate(wide) if blink] == [31, 32, 33]
    assert not any(_blinks(*[0.2] * 60))
    assert any(_blinks(*[0.22] * 30, *[0.155] * 3))
    assert all(_blinks(*[0.1] * 5))


def test_eyes_that_stay_shut_are_shut_for_seconds_and_narrower_ones_become_usual() -> None:
    shut = _blinks(*[0.32] * 30, *[0.18] * 60)
    assert all(shut[30:75])
    narrowed = _blinks(*[0.32] * 30, *np.linspace(0.32, 0.22, 120), *[0.22] * 300)
    assert not any(narrowed[-200:])


def test_what_eyes_look_like_from_the_side_is_not_usual() -> None:
    blinks = Blinks()
    for i in range(30):
        assert not blinks(1, measures(_eyes(0.6)), 0.8, i / 30).blink
    assert not blinks(1, measures(_eyes(0.3)), 0.1, 1.0).blink


def test_faces_do_not_share_what_is_usual() -> None:
    blinks = Blinks()
    for i in range(30):
        blinks(1, measures(_eyes(0.35)), 0.1, i / 30)
    assert not blinks(2, measures(_eyes(0.22)), 0.1, 1.0).blink
    assert blinks(1, measures(_eyes(0.22)), 0.1, 1.0).blink
    blinks.forget(1)
    assert not blinks(1, measures(_eyes(0.22)), 0.1, 1.1).blink


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_blinks_of_real_people_are_seen() -> None:
    """Frames looked at by eye: both eyes shut, and wide open."""
    shut, wide = (
        {"webcam_long": (640, 642), "talking_head": (223, 333)},
        {"webcam_long": (600, 700), "talking_head": (180, 300)},
    )
    for clip, frames in shut.items():
        pipeline = Pipeline(PipelineOptions(provider="cpu", model="fkp68"))
        with open_source(
            SHARED / "videos" / f"{clip}.mp4", max_frames=max(*frames, *wide[clip]) + 1
        ) as source:
            told = [pipeline.process(frame).faces[0].measures for frame in source]
        assert all((m := told[i]) is not None and m.blink for i in frames)
        assert not any((m := told[i]) is not None and m.blink for i in wide[clip])
        assert np.mean([m is not None and m.blink for m in told]) < 0.05


def test_openness_does_not_depend_on_size_or_tilt() -> None:
    small, tilted = measures(_eyes(0.3) / 10), measures(_eyes(0.3) @ np.array([[0.8, 0.6], [-0.6, 0.8]]))
    assert small.left_eye_open == pytest.approx(tilted.left_eye_open, abs=1e-5)
    assert small.mouth_open == pytest.approx(tilted.mouth_open, abs=1e-5)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_few_people_in_photos_have_their_eyes_shut() -> None:
    assert np.mean([measures(points).blink for points in _labelled()]) < 0.1
