"""Presentation timestamps that go back a little: disorder of a stream, not another scene.

Sources let a step back by up to `clock.CLOCK_JUMP` through as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from shapes import SPEC, World, face_at

from fkp_live.choices import PipelineOptions
from fkp_live.clock import CLOCK_JUMP
from fkp_live.engine import Engine
from fkp_live.faces.tracker import Tracker
from fkp_live.pipeline import Pipeline
from fkp_live.types import FrameResult

RATE = 30.0
LUMA = np.full((480, 640), 100, np.uint8)
IMAGE = np.full((480, 640, 3), 100, np.uint8)
IN_ORDER = np.arange(180) / RATE
# One timestamp in ten lies 50 ms back.
ONE_IN_TEN = IN_ORDER - 0.05 * (np.arange(180) % 10 == 9)
# From the middle on a clock that was set back by 0.4 seconds.
SET_BACK = IN_ORDER - 0.4 * (np.arange(180) >= 90)
# Every second pair of frames swapped.
SWAPPED = IN_ORDER[np.arange(180) ^ (np.arange(180) // 2 % 2)]


def tracker_times(times: Sequence[float]) -> list[float]:
    """The times of a tracker's plans."""
    tracker, world = Tracker(SPEC), World()
    plans = []
    for time in times:
        plans.append(tracker.plan(LUMA, time, list))
        tracker.update(plans[-1], world.run_matrices(LUMA, []))
    return [plan.time for plan in plans]


def swinging(times: np.ndarray, smooth: str = "medium") -> list[FrameResult]:
    """Results of a head that swings over 100 pixels to both sides, a picture every 30th of a second."""
    world = World(noise=0.1)
    pipeline = Pipeline(PipelineOptions(smooth=smooth), engine=Engine(detector=world.detector, network=world))
    results = []
    for index, time in enumerate(times):
        world.faces = [face_at(300 + 100 * np.sin(2 * np.pi * index / RATE), 200)]
        results.append(pipeline.process_image(IMAGE, float(time)))
    return results


@pytest.mark.parametrize("times", [ONE_IN_TEN, SET_BACK, SWAPPED], ids=["one in ten", "set back", "swapped"])
def test_disorder_costs_no_detection_and_no_id(times: np.ndarray) -> None:
    assert min(b - a for a, b in pairwise(times)) < 0.0
    results = swinging(times)
    assert sum(result.detected for result in results) == 180 / 15
    assert {face.id for result in results for face in result.faces} == {1}
    assert all(len(result.faces) == 1 for result in results)


@pytest.mark.parametrize("times", [ONE_IN_TEN, SET_BACK, SWAPPED], ids=["one in ten", "set back", "swapped"])
def test_points_stay_smooth_and_on_the_face(times: np.ndarray) -> None:
    """In eye distances (60 pixels): the error of smoothed points against that with timestamps in order."""

    def error(results: list[FrameResult]) -> np.ndarray:
        truth = [face_at(300 + 100 * np.sin(2 * np.pi * i / RATE), 200) for i in range(len(results))]
        faces = np.stack([result.faces[0].points for result in results])
        return np.linalg.norm(faces - np.stack(truth), axis=-1).mean(1) / 60

    in_order, disorder = error(swinging(IN_ORDER)), error(swinging(times))
    assert disorder.mean() < 1.5 * in_order.mean()
    assert disorder.max() < 0.05


def test_times_in_order_are_taken_as_they_are() -> None:
    assert tracker_times(IN_ORDER) == IN_ORDER.tolist()
    assert tracker_times([5.0, 5.0, 17.25, 17.25, 17.3]) == [5.0, 5.0, 17.25, 17.25, 17.3]


def test_a_frame_out_of_order_comes_one_step_after_the_one_before() -> None:
    np.testing.assert_allclose(tracker_times(ONE_IN_TEN), IN_ORDER, atol=1e-9)


def test_a_clock_that_was_set_back_goes_on_at_its_own_pace() -> None:
    np.testing.assert_allclose(tracker_times(SET_BACK), IN_ORDER, atol=1e-9)
    slower = tracker_times([1.0, 1.1, 0.8, 1.0, 1.2, 1.4])
    assert slower == pytest.approx([1.0, 1.1, 1.2, 1.4, 1.5, 1.7])


def test_time_goes_on_with_every_frame_that_is_swapped() -> None:
    steps = np.diff(tracker_times(SWAPPED))
    assert steps.min() > 0.9 / RATE
    assert steps.max() < 2.1 / RATE


def test_a_pause_is_not_the_usual_step() -> None:
    assert tracker_times([0.0, 9.0, 8.9]) == pytest.approx([0.0, 9.0, 9.0 + CLOCK_JUMP])


def test_without_a_usual_step_time_stands_still() -> None:
    assert tracker_times([1.0, 0.98, 1.1]) == pytest.approx([1.0, 1.0, 1.1])


@pytest.mark.parametrize(("back", "is_anew"), [(CLOCK_JUMP - 0.01, False), (CLOCK_JUMP + 0.01, True)])
def test_a_clock_that_begins_anew_is_a_cut(back: float, is_anew: bool) -> None:
    tracker, world = Tracker(SPEC), World(faces=[face_at(300, 200)])
    for time in (2.0, 2.03, 2.03 - back):
        plan = tracker.plan(LUMA, time, lambda: world.detector(LUMA))
        tracker.update(plan, world.run_matrices(LUMA, plan.matrices))
    assert plan.detected == is_anew
    assert plan.time == pytest.approx(2.03 - back if is_anew else 2.06)
    assert [track.id for track in tracker.tracks] == [1]  # in the same place
