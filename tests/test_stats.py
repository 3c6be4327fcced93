from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest

from fkp_live.images.picture import BgrPicture
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
            stats.frame(result(time.perf_counter(), detect=1e-3, landmark=2e-3))
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
    assert rate.tick(11.0) < 0.2


def test_summary_counts_what_was_measured() -> None:
    stats = RunStats()
    with stats.stage("draw"):
        time.sleep(0.002)
    now = time.perf_counter()
    stats.frame(result(now - 0.5, faces=2, detect=0.004))
    stats.frame(result(now - 0.25, faces=0, detected=False, detect=0.002))
    summary = stats.summary(dropped=3, outputs=["a.mp4"])
    assert (summary.frames, summary.faces, summary.detections, summary.dropped) == (2, 2, 1, 3)
    assert summary.outputs == ("a.mp4",)
    assert summary.fps == pytest.approx(2 / summary.wall)
    assert set(summary.stages) == {"draw", "detect"}
    assert summary.stages["draw"].p50 >= 2
    assert summary.stages["detect"].mean == pytest.approx(3)
    assert summary.stages["detect"].largest == pytest.approx(4)
    assert summary.age is not None
    assert 250 <= summary.age.p50 < summary.age.p99
    assert summary.age.p99 >= 490


def test_a_stage_that_fails_is_not_counted() -> None:
    stats = RunStats()
    with pytest.raises(ValueError, match="no"), stats.stage("write"):
        raise ValueError("no")
    assert not stats.stages


def test_table_for_people_and_dict_for_machines() -> None:
    stats = RunStats()
    stats.frame(result(time.perf_counter(), detect=0.004))
    summary = stats.summary(dropped=7)
    table = summary.table()
    for word in ("1 frames", "fps", "p50", "p95", "p99", "detect", "4.00", "frame age", "7 frames dropped"):
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
