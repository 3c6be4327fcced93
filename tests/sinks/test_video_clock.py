"""Timestamps of the file: exact, growing, and where they begin."""

from __future__ import annotations

from fractions import Fraction

import pytest
from written import info, result_of

from fkp_live.sinks.video_clock import VideoClock

BASE = Fraction(1, 30_000)


def ticks(clock: VideoClock, *pts: int, base: Fraction = BASE) -> list[int]:
    return [clock.ticks(result_of(i, pts=stamp, base=base)) for i, stamp in enumerate(pts)]


def test_timestamps_of_a_file_are_kept_exactly() -> None:
    clock = VideoClock(info(time_base=BASE))
    assert clock.base == BASE
    assert ticks(clock, 7, 1008, 2009, 9000) == [7, 1008, 2009, 9000]
    assert clock.origin == 0.0
    assert not clock.rebased


def test_timestamps_come_from_pts_and_not_from_the_seconds() -> None:
    clock = VideoClock(info(time_base=BASE))
    assert clock.ticks(result_of(0, seconds=99.0, pts=5, base=BASE)) == 5


def test_equal_timestamps_and_steps_back_become_steps_of_one_tick() -> None:
    clock = VideoClock(info(time_base=BASE))
    assert ticks(clock, 0, 100, 100, 100, 40, 101, 500) == [0, 100, 101, 102, 103, 104, 500]


def test_a_file_whose_clock_starts_late_begins_at_0() -> None:
    clock = VideoClock(info(time_base=BASE, origin=10.0))
    assert clock.origin == 10.0
    # The first picture comes 0.1 s after the sound, and does so in the file.
    assert ticks(clock, 303_000, 304_001) == [3000, 4001]
    assert clock.origin == 10.0


def test_a_picture_before_the_origin_is_at_0() -> None:
    """Players do not show what lies before 0; a video of such pictures only would have none."""
    clock = VideoClock(info(time_base=BASE, origin=1.4))
    assert ticks(clock, 36_000, 37_001, 45_000) == [0, 1001, 9000]
    assert clock.origin == 1.2
    assert clock.rebased


@pytest.mark.parametrize("more", [{"start": 2.5}, {"live": True}])
def test_after_a_cut_and_live_the_first_picture_is_at_0(more: dict[str, float]) -> None:
    clock = VideoClock(info(time_base=BASE, **more))
    assert clock.rebased
    assert ticks(clock, 75_300, 76_301, 78_000) == [0, 1001, 2700]
    assert clock.origin == pytest.approx(2.51)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (None, Fraction(1, 90_000)),  # live sources
        (Fraction(1, 1000), Fraction(1, 1000)),
        (Fraction(1001, 30_000), Fraction(1001, 30_000)),
        (Fraction(1, 1_000_000), Fraction(1, 1_000_000)),
        (Fraction(1, 10_000_000), Fraction(1, 90_000)),
    ],
)
def test_the_unit_is_the_source_s_where_encoders_can_use_it(given: Fraction | None, used: Fraction) -> None:
    clock = VideoClock(info(time_base=given))
    assert clock.base == used
    # A source without exact times is shown from its first picture on.
    begin = 2.0 if given is None else 0.0
    assert clock.ticks(result_of(3, seconds=2.0)) == round((2.0 - begin) / used)
    later = Fraction(5, 2) / given if given else Fraction(5, 2) / used
    assert clock.ticks(result_of(4, pts=round(later), base=given or used)) == pytest.approx(
        (2.5 - begin) / used, abs=1
    )


MS = Fraction(1, 1000)


def test_timestamps_grow_in_the_unit_of_the_container() -> None:
    clock = VideoClock(info(time_base=Fraction(1, 90_000)), MS)
    # 90 ticks are a unit: 0, 0 + 1 tick, 0.5 ms (rounded up), 1 ms, then a second of its own.
    stamps = ticks(clock, 0, 1, 45, 90, 90_000, base=Fraction(1, 90_000))
    units = [int(stamp / 90 + 0.5) for stamp in stamps]
    assert units == [0, 1, 2, 3, 1000]
    assert stamps[-1] == 90_000


@pytest.mark.parametrize(
    "base", [Fraction(1, 10_240), Fraction(1, 30_000), Fraction(1001, 30_000), Fraction(1, 999_983)]
)
def test_timestamps_that_differ_in_the_container_are_kept_exactly(base: Fraction) -> None:
    given = [0]
    while len(given) < 200:
        # The next tick that another unit is nearest to.
        unit = int(given[-1] * base / MS + Fraction(1, 2))
        given.append(max(int((unit + Fraction(1, 2)) * MS / base) + 1, given[-1] + 1))
    assert ticks(VideoClock(info(time_base=base), MS), *given, base=base) == given
    equal = ticks(VideoClock(info(time_base=base), MS), *[0] * 50, base=base)
    assert len({int(stamp * base / MS + Fraction(1, 2)) for stamp in equal}) == 50


def test_a_wild_step_forward_is_as_long_as_the_step_before() -> None:
    clock = VideoClock(info(time_base=MS))
    assert ticks(clock, 0, 83, 166, 30_000_001_667, 30_000_001_750, base=MS) == [0, 83, 166, 249, 332]
    assert clock.note == "the clock of x jumps forward at 0.166 s; the video goes on without the gap"
    assert clock.origin == pytest.approx(30_000_001.418)


def test_a_wild_step_behind_the_first_picture_is_a_usual_one() -> None:
    clock = VideoClock(info(time_base=MS, fps=25.0))
    assert ticks(clock, 0, 30_000_001_667, base=MS) == [0, 40]


def test_a_step_of_some_hours_is_kept() -> None:
    clock = VideoClock(info(time_base=Fraction(1, 90_000)))
    assert ticks(clock, 0, 4 * 3600 * 90_000, base=Fraction(1, 90_000)) == [0, 4 * 3600 * 90_000]
    assert clock.note == ""


def test_a_step_is_shorter_than_mp4_can_hold() -> None:
    base = Fraction(1, 1_000_000)
    clock = VideoClock(info(time_base=base, fps=25.0))
    assert ticks(clock, 0, 2**31, base=base) == [0, 40_000]


def test_a_first_picture_long_after_the_beginning_is_at_0() -> None:
    clock = VideoClock(info(time_base=MS, origin=10.0))
    assert ticks(clock, 30_000_000_000, 30_000_000_040, base=MS) == [0, 40]
    assert clock.rebased
