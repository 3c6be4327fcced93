"""Openness of eyes and mouth, and blinks: drawn eyes of known openness, and real faces where they are at hand."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from shapes import face_at

from fkp_live.choices import PipelineOptions
from fkp_live.faces.openness import BLINK_BELOW, Blinks, measures
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source

SHARED = Path(__file__).parents[3] / "shared" / "data"


def _labelled(count: int = 200) -> np.ndarray:
    with (SHARED / "wild" / "keypoints.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([row[1:] for row in rows[:: len(rows) // count]], np.float64).reshape(-1, 68, 2)


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


def test_a_followed_face_blinks_by_its_own_usual_openness() -> None:
    """Where its eyes are shut the points of one face come down as far as those of another with narrow eyes."""
    wide = _blinks(*[0.32] * 30, 0.26, 0.2, 0.19, 0.2, 0.27, *[0.32] * 10)
    assert [i for i, blink in enumerate(wide) if blink] == [31, 32, 33]
    assert not any(_blinks(*[0.2] * 60))
    assert any(_blinks(*[0.22] * 30, *[0.155] * 3))
    assert all(_blinks(*[0.1] * 5))


def test_shut_for_a_minute_is_shut_for_a_minute() -> None:
    shut = _blinks(*[0.37] * 30, *[0.19] * 1800, *[0.37] * 30)
    assert [i for i, blink in enumerate(shut) if blink] == list(range(30, 1830))


def test_a_face_that_comes_with_its_eyes_shut_has_them_shut() -> None:
    assert _blinks(*[0.185] * 1800, *[0.3] * 30) == [True] * 1800 + [False] * 30


def test_narrower_eyes_become_usual_and_too_wide_ones_do_not_stay_so() -> None:
    narrowed = _blinks(*[0.32] * 30, *np.linspace(0.32, 0.22, 120), *[0.22] * 300)
    assert not any(narrowed[-200:])
    # Wide for ten seconds, then as most: what cannot be shut is not shut for long.
    after = _blinks(*[0.5] * 300, *[0.225] * 900)
    assert not any(after[-600:])


def test_blinks_are_those_of_the_points_before_smoothing() -> None:
    blinks = Blinks()
    for i in range(30):
        blinks(1, measures(_eyes(0.35)), 0.0, i / 30)
    smoothed = measures(_eyes(0.3))
    assert not blinks(1, smoothed, 0.0, 1.0).blink
    assert blinks(1, smoothed, 0.0, 1.03, raw=0.19).blink


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
            seen = [pipeline.process(frame).faces[0].measures for frame in source]
        assert all((m := seen[i]) is not None and m.blink for i in frames)
        assert not any((m := seen[i]) is not None and m.blink for i in wide[clip])
        assert np.mean([m is not None and m.blink for m in seen]) < 0.05


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
@pytest.mark.parametrize("smooth", ["off", "strong"])
def test_smoothing_does_not_change_the_count(smooth: str) -> None:
    """Of a person who blinks twice, at 7.4 and 11.1 seconds."""
    pipeline = Pipeline(PipelineOptions(provider="cpu", model="fkp68", smooth=smooth))
    with open_source(SHARED / "videos" / "talking_head.mp4", max_frames=350) as source:
        shut = [m.blink for frame in source if (m := pipeline.process(frame).faces[0].measures)]
    begins = [i for i in range(1, len(shut)) if shut[i] and not shut[i - 1]]
    assert len(begins) == 2
    assert begins == pytest.approx([221, 332], abs=2)


def test_openness_does_not_depend_on_size_or_tilt() -> None:
    small, tilted = measures(_eyes(0.3) / 10), measures(_eyes(0.3) @ np.array([[0.8, 0.6], [-0.6, 0.8]]))
    assert small.left_eye_open == pytest.approx(tilted.left_eye_open, abs=1e-5)
    assert small.mouth_open == pytest.approx(tilted.mouth_open, abs=1e-5)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_few_people_in_photos_have_their_eyes_shut() -> None:
    assert np.mean([measures(points).blink for points in _labelled()]) < 0.1


@pytest.mark.parametrize("openness", [0.165, 0.175])
def test_in_a_single_picture_eyes_are_shut_below_0_17(openness: float) -> None:
    assert measures(_eyes(openness)).blink == (openness < 0.17)


def _shut(blinks: Blinks, openness: float, time: float, yaw: float = 0.0) -> bool:
    return blinks(1, measures(_eyes(openness)), yaw, time).blink


@pytest.mark.parametrize("openness", [0.227, 0.235])
def test_in_a_stream_eyes_are_shut_below_70_percent_of_the_usual(openness: float) -> None:
    blinks = Blinks()
    assert not _shut(blinks, 0.33, 0.0)
    assert _shut(blinks, openness, 0.001) == (openness < 0.231)


@pytest.mark.parametrize("openness", [0.246, 0.254])
def test_wide_eyes_do_not_make_open_ones_shut(openness: float) -> None:
    blinks = Blinks()
    assert not _shut(blinks, 0.45, 0.0)
    assert _shut(blinks, openness, 0.001) == (openness < 0.25)


@pytest.mark.parametrize("openness", [0.249, 0.259])
def test_shut_eyes_are_open_again_above_77_percent_of_the_usual(openness: float) -> None:
    blinks = Blinks()
    _shut(blinks, 0.33, 0.0)
    assert _shut(blinks, 0.19, 0.001)
    assert _shut(blinks, openness, 0.002) == (openness < 0.2541)


@pytest.mark.parametrize("openness", [0.214, 0.222])
def test_narrower_eyes_become_usual_with_a_time_constant_of_6_seconds(openness: float) -> None:
    """From 0.4 towards 0.26: 0.3115 after 6 seconds, so that eyes are shut below 0.218."""
    blinks = Blinks()
    _shut(blinks, 0.4, 0.0)
    _shut(blinks, 0.26, 6.0)
    assert _shut(blinks, openness, 6.001) == (openness < 0.218)


@pytest.mark.parametrize("openness", [0.212, 0.219])
def test_wider_eyes_become_usual_with_a_time_constant_of_0_3_seconds(openness: float) -> None:
    """From 0.27, with which a face begins, towards 0.33: 0.3079 after 0.3 seconds; eyes are shut below 0.2155."""
    blinks = Blinks()
    _shut(blinks, 0.2, 0.0)
    _shut(blinks, 0.33, 0.3)
    assert _shut(blinks, openness, 0.301) == (openness < 0.2155)


@pytest.mark.parametrize("yaw", [0.43, 0.47, -0.43, -0.47])
def test_only_faces_turned_by_less_than_0_45_radians_are_judged(yaw: float) -> None:
    blinks = Blinks()
    _shut(blinks, 0.4, 0.0)
    assert _shut(blinks, 0.25, 0.033, yaw) == (abs(yaw) < 0.45)


def test_points_that_coincide_give_numbers() -> None:
    openness = measures(np.full((68, 2), 7.0))
    assert all(
        math.isfinite(v) for v in (openness.right_eye_open, openness.left_eye_open, openness.mouth_open)
    )
