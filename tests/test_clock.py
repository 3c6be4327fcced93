"""The clock of live streams."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from fkp_live.clock import LiveClock


def times(clock: LiveClock, *frames: tuple[int | None, float]) -> list[float]:
    return [clock(pts, arrived) for pts, arrived in frames]


def test_frames_that_piled_up_keep_their_distances() -> None:
    clock = LiveClock(Fraction(1, 1000))
    piled = [(5000 + 40 * i, 100.0 + 0.001 * i) for i in range(20)]
    late = [(5800, 101.3), (7300, 102.8)]  # held up on the way; and a gap in what the sender sent
    assert times(clock, *piled, *late) == pytest.approx([*(0.04 * i for i in range(20)), 0.8, 2.3])


@pytest.mark.parametrize("base", [None, Fraction(1, 1000)])
def test_without_time_stamps_arrival_counts(base: Fraction | None) -> None:
    pts = None if base else 7
    assert times(LiveClock(base), (pts, 3.0), (pts, 3.5), (pts, 3.6)) == pytest.approx([0.0, 0.5, 0.6])


@pytest.mark.parametrize("jump", [-90_000, 0, 90_000])
def test_a_jump_of_the_senders_clock_is_bridged_by_arrival(jump: int) -> None:
    clock = LiveClock(Fraction(1, 1000))
    frames = [(1000, 5.0), (1040, 5.04), (1040 + jump, 5.09), (1080 + jump, 5.12), (1120 + jump, 5.16)]
    seconds = times(clock, *frames)
    assert seconds == pytest.approx([0.0, 0.04, 0.09, 0.13, 0.17])
    assert all(b > a for a, b in itertools.pairwise(seconds))


def test_a_pause_of_the_sender_is_not_lost() -> None:
    """The last frame of the old sender comes only when the new one begins: the parser held it."""
    clock = LiveClock(Fraction(1, 1000))
    seconds = times(clock, (1000, 5.0), (1040, 5.04), (1080, 7.0), (40, 7.001), (80, 7.041))
    assert seconds == pytest.approx([0.0, 0.04, 0.08, 2.001, 2.041])


def test_a_stamp_that_is_missing_is_bridged_by_arrival() -> None:
    clock = LiveClock(Fraction(1, 1000))
    assert times(clock, (40, 1.0), (None, 1.05), (120, 1.08), (160, 1.20)) == pytest.approx(
        [0, 0.05, 0.08, 0.12]
    )
