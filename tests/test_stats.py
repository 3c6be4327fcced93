"""Histograms, frame rate and the statistics of a run."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from ticking import Clock

from fkp_live.engine import Engine
from fkp_live.geometry import CropSpec
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import Pipeline
from fkp_live.stats import FrameRate, Histogram, RunStats
from fkp_live.types import Face, Frame, FrameResult


def result(arrived: float, faces: int = 1, detected: bool = True, **timings: float) -> FrameResult:
    points = np.zeros((68, 2), np.float32)
    face = Face(points, np.ones(68, np.float32), np.zeros(4, np.float32), 1.0)
    frame = Frame(BgrPicture(np.zeros((4, 4, 3), np.uint8)), 0, 0.0, arrived)
    return FrameResult.of(frame, (face,) * faces, detected=detected, timings=timings)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.99, 1.0])
def test_quantiles_are_within_a_hundredth(share: float) -> None:
    times = np.random.default_rng(3).lognormal(-5, 1.5, 5000)
    histogram = Histogram()
    for seconds in times:
        histogram.add(float(seconds))
    assert histogram.quantile(share) == pytest.approx(
        np.quantile(times, share, method="inverted_cdf"), rel=0.0101
    )
    assert histogram.mean == pytest.approx(times.mean())
    assert histogram.count == 5000


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-7, 3e-4, 1.0, 3600.0, 1e9])
def test_one_duration_is_all_its_quantiles(seconds: float) -> None:
    histogram = Histogram()
    histogram.add(seconds)
    assert histogram.quantile(0.5) == histogram.quantile(0.99) == seconds


def test_a_clock_set_back_counts_as_nothing() -> None:
    histogram = Histogram()
    histogram.add(-1.0)
    assert histogram.quantile(0.5) == 0.0
    assert histogram.mean == 0.0


def test_nothing_counted_is_not_zero() -> None:
    assert math.isnan(Histogram().quantile(0.5))
    assert math.isnan(Histogram().mean)


def test_memory_does_not_grow_with_the_run() -> None:
    stats = RunStats()
    sizes = []
    for frames in (10, 5000):
        for _ in range(frames):
            stats.frame(result(stats.clock(), detect=1e-3, landmark=2e-3))
        sizes.append(sum(len(part._bins) for part in (*stats.stages.values(), stats.age)))
    assert sizes[0] == sizes[1]
    assert len(stats.stages) == 2


def test_frame_rate_over_the_last_second() -> None:
    rate = FrameRate()
    assert rate.tick(0.0) == 0.0
    for number in range(1, 61):
        steady = rate.tick(number / 30)
    assert steady == pytest.approx(30)
    for number in range(1, 31):
        slower = rate.tick(2 + number / 10)
    assert slower == pytest.approx(10)


def test_frame_rate_after_a_pause_falls_at_once() -> None:
    rate = FrameRate()
    for number in range(30):
        rate.tick(number / 30)
    assert rate.tick(29 / 30 + 10) == pytest.approx(1 / 10)


def test_frame_rate_of_frames_that_come_faster_than_are_kept() -> None:
    rate = FrameRate(most=5)
    for number in range(100):
        fast = rate.tick(number / 1000)
    assert fast == pytest.approx(1000)


def test_frame_rate_counts_the_last_second_alone() -> None:
    rate = FrameRate()
    for number in range(40):
        rate.tick(number / 40)
    for number in range(11):
        slower = rate.tick(1.0 + number / 10)
    assert slower == pytest.approx(10)


def test_quantiles_of_a_stage_are_in_their_places() -> None:
    stats = RunStats()
    for milliseconds in range(1, 201):
        stats.add("write", milliseconds / 1000)
    row = stats.summary().stages["write"]
    assert (row.p50, row.p95, row.p99) == pytest.approx((100, 190, 198), rel=0.0101)
    assert (row.mean, row.largest) == pytest.approx((100.5, 200))


def test_summary_counts_what_was_measured() -> None:
    clock = Clock()
    stats = RunStats(clock)
    with stats.stage("draw"):
        clock.pass_(0.002)
    stats.frame(result(clock() - 0.5, faces=2, detect=0.004))
    stats.frame(result(clock() - 0.25, faces=0, detected=False, detect=0.002))
    clock.pass_(0.998)
    summary = stats.summary(dropped=3, outputs=["a.mp4"])
    assert (summary.frames, summary.faces, summary.detections, summary.dropped) == (2, 2, 1, 3)
    assert summary.outputs == ("a.mp4",)
    assert (summary.wall, summary.fps, summary.idle) == pytest.approx((1.0, 2.0, 0.0))
    assert set(summary.stages) == {"draw", "detect"}
    assert summary.stages["draw"].p50 == pytest.approx(2)
    assert summary.stages["detect"].mean == pytest.approx(3)
    assert summary.stages["detect"].largest == pytest.approx(4)
    assert summary.age is not None
    assert (summary.age.p50, summary.age.p99) == pytest.approx((250, 500), rel=0.0101)


def test_idle_time_counts_neither_as_run_time_nor_as_age() -> None:
    clock = Clock()
    stats = RunStats(clock)
    before = result(clock())
    clock.pass_(0.1)
    with stats.waiting():
        clock.pass_(2.0)
        during = result(clock())
        clock.pass_(1.0)
    after = result(clock())
    clock.pass_(0.2)
    assert stats.elapsed == pytest.approx(0.3)
    assert stats.age_of(before) == pytest.approx(0.3)
    assert stats.age_of(during) == pytest.approx(0.2)
    assert stats.age_of(after) == pytest.approx(0.2)
    for one in (before, during, after):
        stats.frame(one)
    summary = stats.summary()
    assert (summary.wall, summary.idle, summary.fps) == pytest.approx((0.3, 3.0, 10.0))
    assert "3.00 s more were spent waiting" in summary.table()


def test_a_wait_that_fails_is_idle_all_the_same() -> None:
    clock = Clock()
    stats = RunStats(clock)

    def interrupted() -> None:
        clock.pass_(2.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), stats.waiting():
        interrupted()
    assert (stats.idle, stats.elapsed) == (2.0, 0.0)


def test_waits_are_forgotten_with_the_frames_that_saw_them() -> None:
    clock = Clock()
    stats = RunStats(clock)
    for _ in range(1000):
        stats.frame(result(clock()))
        with stats.waiting():
            clock.pass_(0.03)
    assert len(stats._waits) <= 2


def test_a_frame_of_unknown_arrival_has_no_age() -> None:
    stats = RunStats()
    stats.frame(result(math.nan))
    assert stats.frames == 1
    assert stats.summary().age is None


def test_the_timings_of_a_frame_add_up_to_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by 1 whenever it is read: each reading ends one stage and begins the next."""

    class Blind:
        spec = CropSpec(64, 0.25)

        def __call__(self, picture: object) -> list[object]:
            return []

    pipeline = Pipeline(engine=Engine(detector=Blind(), network=Blind()))  # type: ignore[arg-type]
    readings = itertools.count()
    monkeypatch.setattr("fkp_live.pipeline.perf_counter", lambda: float(next(readings)))
    timings = pipeline.process(Frame(BgrPicture(np.zeros((48, 64, 3), np.uint8)), 0, 0.0, 0.0)).timings
    assert sum(timings.values()) == next(readings) - 1
    assert min(timings.values()) >= 1


def test_a_stage_that_fails_is_not_counted() -> None:
    stats = RunStats()
    with pytest.raises(ValueError, match="no"), stats.stage("write"):
        raise ValueError("no")
    assert not stats.stages


def test_table_for_people_and_dict_for_machines() -> None:
    stats = RunStats()
    stats.frame(result(stats.clock(), detect=0.004))
    summary = stats.summary(dropped=7)
    table = summary.table()
    assert "waiting" not in table
    for word in ("1 frame ", "fps", "p50", "p95", "p99", "detect", "4.00", "frame age", "7 frames dropped"):
        assert word in table
    again = json.loads(json.dumps(summary.as_dict()))
    assert again["stages"]["detect"]["p95"] == pytest.approx(4)
    assert again["dropped"] == 7


def test_an_empty_run_has_a_summary() -> None:
    summary = RunStats().summary()
    assert summary.frames == 0
    assert summary.fps == 0
    assert summary.age is None
    assert "p50" not in summary.table()
