"""Cuts of plain pictures whose change is known."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_live.faces.scene_cut import SceneCut
from fkp_live.faces.tracker_options import TrackerOptions


def level(grey: int, width: int = 320, height: int = 240) -> np.ndarray:
    return np.full((height, width), grey, np.uint8)


@pytest.fixture
def scene_cut() -> SceneCut:
    return SceneCut(TrackerOptions())


@pytest.mark.parametrize(("change", "is_cut"), [(24, False), (26, True), (-24, False), (-26, True)])
def test_a_cut_is_a_mean_change_of_more_than_25_levels(
    scene_cut: SceneCut, change: int, is_cut: bool
) -> None:
    assert not scene_cut(level(100))
    assert scene_cut(level(100 + change)) == is_cut


@pytest.mark.parametrize(("change", "is_cut"), [(46, False), (50, True)])
def test_in_a_restless_stream_a_cut_is_four_times_the_usual_change(
    scene_cut: SceneCut, change: int, is_cut: bool
) -> None:
    for i in range(41):
        assert not scene_cut(level(100 if i % 2 else 112))
    assert scene_cut(level(112 + change)) == is_cut


@pytest.mark.parametrize(("change", "is_cut"), [(31, False), (33, True)])
def test_the_usual_change_learns_a_fifth_of_each(scene_cut: SceneCut, change: int, is_cut: bool) -> None:
    """After one change of 40 levels the usual one is 8, so that a cut needs 32."""
    scene_cut(level(100))
    assert scene_cut(level(140))
    assert scene_cut(level(140 + change)) == is_cut


def test_the_middles_of_24_by_24_blocks_are_compared(scene_cut: SceneCut) -> None:
    before, after, elsewhere = level(100, 480, 240), level(100, 480, 240), level(200, 480, 240)
    after[5::10, 10::20], elsewhere[5::10, 10::20] = 200, 100
    assert not scene_cut(before)
    assert not scene_cut(elsewhere)
    assert scene_cut(after)


def test_another_size_of_picture_is_a_cut(scene_cut: SceneCut) -> None:
    assert not scene_cut(level(100))
    assert scene_cut(level(100, 240, 320))
    assert not scene_cut(level(100, 240, 320))


def test_the_smallest_pictures_are_compared_too(scene_cut: SceneCut) -> None:
    assert not scene_cut(level(0, 3, 2))
    assert scene_cut(level(255, 3, 2))


def test_after_reset_there_is_nothing_to_compare_with(scene_cut: SceneCut) -> None:
    scene_cut(level(0))
    scene_cut.reset()
    assert not scene_cut(level(255))
    assert not scene_cut(level(231))
