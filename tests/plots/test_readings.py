"""Readings of one face, differences of its sides, and how long each result stands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn import mean_shape
from recorded import OPEN, face, film, result

from fkp_live.geometry import apply, rotation
from fkp_live.plots.readings import (
    MOUTH_WIDTH,
    PITCH,
    ROLL,
    YAW,
    differences,
    is_frontal,
    numbered,
    reading,
    timed,
)
from fkp_live.topology import LEFT_EYE_OUTER, MOUTH_LEFT, MOUTH_RIGHT, REGIONS, RIGHT_EYE_OUTER
from fkp_live.types import Pose


def test_reading_has_degrees_and_openness() -> None:
    seen = reading(face(pose=Pose(math.radians(10), math.radians(-20), math.radians(5))))
    assert seen[:3].tolist() == [OPEN.right_eye_open, OPEN.left_eye_open, OPEN.mouth_open]
    assert seen[[PITCH, YAW, ROLL]] == pytest.approx([10.0, -20.0, 5.0])


def test_mouth_width_is_in_eye_distances_at_any_size() -> None:
    shape = mean_shape()
    eyes = np.linalg.norm(shape[LEFT_EYE_OUTER] - shape[RIGHT_EYE_OUTER])
    expected = np.linalg.norm(shape[MOUTH_LEFT] - shape[MOUTH_RIGHT]) / eyes
    for scale in (20.0, 300.0):
        assert reading(face(scale=scale))[MOUTH_WIDTH] == pytest.approx(expected, rel=1e-4)


def test_what_is_not_known_is_nan() -> None:
    seen = reading(face(pose=None, measures=None))
    assert np.isnan(seen[[YAW, PITCH, ROLL]]).all()
    # openness then comes from the points
    assert np.isfinite(seen[:3]).all()
    assert is_frontal(math.nan)
    assert is_frontal(25.0)
    assert not is_frontal(-25.1)


@pytest.mark.parametrize("turn", [0.0, 0.4, -1.0])
def test_the_side_that_is_higher_counts_up_however_the_head_tilts(turn: float) -> None:
    shape = mean_shape()
    # left is the person's own, and up is a smaller y
    shape[REGIONS["left_brow"], 1] -= 0.05
    shape[MOUTH_RIGHT, 1] -= 0.02
    unit = np.linalg.norm(shape[LEFT_EYE_OUTER] - shape[RIGHT_EYE_OUTER])
    eyes, brows, corners = differences(face(points=apply(rotation(turn), shape)))
    assert eyes == 0.0
    assert brows == pytest.approx(0.05 / unit, abs=1e-3)
    assert corners == pytest.approx(-0.02 / unit, abs=1e-3)


def test_a_symmetric_face_has_no_differences() -> None:
    assert differences(face()) == pytest.approx([0.0, 0.0, 0.0], abs=1e-5)


def test_faces_without_a_track_are_numbered_by_place() -> None:
    assert [number for number, _ in numbered([face(7), face(None)])] == [7, 1]


def test_each_result_stands_until_the_next() -> None:
    results = [result(i, time) for i, time in enumerate((10.0, 10.1, 10.4, 10.4, 10.2, 10.7))]
    seconds = [stands for _, stands in timed(results)]
    assert seconds == pytest.approx([0.1, 0.3, 0.0, 0.0, 0.5, 0.9 / 5])


def test_missing_frames_are_not_time_with_a_face() -> None:
    results = [result(0, 0.0, face()), result(1, 0.1, face()), result(9, 60.0, face())]
    assert [stands for _, stands in timed(results, fps=10)] == pytest.approx([0.1, 1.0, 0.55])
    # Of a film with a picture every ten seconds none is missing.
    slow = [result(i, 10.0 * i) for i in range(3)]
    assert [stands for _, stands in timed(slow, fps=0.1)] == pytest.approx([10.0, 10.0, 10.0])


def test_a_single_result_stands_for_a_frame_if_the_rate_is_known() -> None:
    assert [stands for _, stands in timed([result(0, 0.0)], fps=25)] == [0.04]
    assert [stands for _, stands in timed([result(0, 0.0)])] == [0.0]
    assert list(timed([])) == []


def test_times_that_are_not_finite_repeat_the_last() -> None:
    results = [result(0, math.nan), result(1, 0.5), result(2, math.inf), result(3, 0.7)]
    assert [one.time for one, _ in timed(results)] == [0.0, 0.5, 0.5, 0.7]


def test_blinks_are_found_where_they_were_not_recorded() -> None:
    shut = mean_shape()
    for name in ("right_eye", "left_eye"):
        eye = REGIONS[name]
        shut[eye, 1] = shut[eye, 1].mean() + 0.2 * (shut[eye, 1] - shut[eye, 1].mean())
    frames = [[face(measures=None, points=shut if 30 <= i < 34 else None)] for i in range(60)]
    blinks = [one.faces[0].measures.blink for one, _ in timed(film(frames)) if one.faces[0].measures]
    assert [i for i, blink in enumerate(blinks) if blink] == [30, 31, 32, 33]
