"""Faces turned in 3D: points go with the picture, and as far as the head turns."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import face_at

from fkp_live.topology import LEFT_EYE_OUTER, MIRROR, NOSE_TIP, RIGHT_EYE_OUTER
from train.data.turning import attitude, mean_head, random_turn, turned, yaw_of


def _head(yaw: float, scale: float = 150.0) -> np.ndarray:
    """The mean head turned by ``yaw`` radians, seen from the front, in a picture of 400 px."""
    x, y, z = mean_head().T
    seen = np.stack([x * np.cos(yaw) + z * np.sin(yaw), y], 1)
    return (seen * scale + 200.0).astype(np.float32)


def test_the_mean_head_is_symmetric_and_its_nose_is_in_front() -> None:
    head = mean_head()
    assert head[MIRROR] == pytest.approx(head * [-1.0, 1.0, 1.0])
    assert head[:, 2].argmax() == NOSE_TIP
    assert np.ptp(head[:, 0]) == pytest.approx(1.0)


@pytest.mark.parametrize("degrees", [-40.0, -10.0, 0.0, 25.0])
def test_the_attitude_of_a_turned_mean_head(degrees: float) -> None:
    turn, _, scale = attitude(_head(np.deg2rad(degrees)))
    assert np.rad2deg(yaw_of(turn)) == pytest.approx(degrees, abs=0.5)
    assert scale == pytest.approx(150.0, rel=0.02)
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-6)


@pytest.mark.parametrize("degrees", [-18.0, 12.0])
def test_points_turn_as_the_head_does_and_the_picture_follows(degrees: float) -> None:
    points, picture = _head(0.0), np.zeros((400, 400, 3), np.uint8)
    marked = [NOSE_TIP, LEFT_EYE_OUTER, 57, 8, RIGHT_EYE_OUTER]
    y, x = np.mgrid[0:400, 0:400]
    for number in marked:
        px, py = points[number]
        picture[((x - px) ** 2 + (y - py) ** 2) < 9.0] = 255
    made = turned(picture, points, np.deg2rad(degrees))
    assert made is not None
    warped, moved, turn = made
    assert np.rad2deg(yaw_of(turn)) == pytest.approx(degrees, abs=0.5)
    assert np.rad2deg(yaw_of(attitude(moved)[0])) == pytest.approx(degrees, abs=2.5)
    for number in marked:
        px, py = np.rint(moved[number]).astype(int)
        near = warped[py - 8 : py + 9, px - 8 : px + 9, 0].astype(float)
        v, u = np.mgrid[-8:9, -8:9]
        assert abs((near * u).sum() / near.sum()) < 1.2
        assert abs((near * v).sum() / near.sum()) < 1.2


def test_the_far_side_of_the_jaw_of_turned_heads_has_half_the_weight() -> None:
    points, picture = face_at(200.0, 180.0, 110.0).astype(np.float32), np.zeros((400, 400, 3), np.uint8)
    found = set()
    for seed in range(40):
        made = random_turn(picture, points, np.random.default_rng(seed))
        if made is None:
            continue
        _, moved, weights = made
        yaw = np.rad2deg(yaw_of(attitude(moved)[0]))
        if yaw > 25.0:
            assert weights[9:17].max() == 0.5
            assert weights[:9].min() == 1.0
            found.add("right")
        elif yaw < -25.0:
            assert weights[:8].max() == 0.5
            found.add("left")
        elif abs(yaw) < 15.0:
            assert weights.min() == 1.0
            found.add("front")
    assert "front" in found


def test_faces_with_hidden_points_stay_as_they_are() -> None:
    points = face_at(200.0, 180.0, 110.0).astype(np.float32)
    points[3] = np.nan
    assert random_turn(np.zeros((400, 400, 3), np.uint8), points, np.random.default_rng(0)) is None
