"""Columns of time keep the range of every reading, however often they were joined."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_live.plots.columns import Curves

RATE, CHANNELS = 30.0, 2


def gathered(values: np.ndarray, seen: np.ndarray, limit: int, shut: np.ndarray | None = None) -> Curves:
    """Curves of face 5 of a film in which it is ``seen`` in some of the frames."""
    curves = Curves(CHANNELS, limit)
    for index, row in enumerate(values):
        curves.frame(index / RATE)
        if seen[index]:
            curves.add(5, row, shut=bool(shut is not None and shut[index]))
    return curves


def film(frames: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(frames).normal(size=(frames, CHANNELS))
    values[::17, 1] = np.nan
    seen = np.zeros(frames, bool)
    seen[frames // 10 : 9 * frames // 10] = True
    seen[frames // 3 : frames // 3 + 5] = False
    return values.astype(np.float32), seen


@pytest.mark.parametrize("frames", [300, 1000, 5003])
def test_joined_columns_hold_range_and_mean(frames: int) -> None:
    values, seen = film(frames)
    curves = gathered(values, seen, limit=128)
    curve = curves.curve(5)
    columns = np.floor(np.arange(frames) / RATE / curves.width).astype(int)
    assert curves.joined
    assert 64 <= len(curves.times) <= 128
    for place, column in enumerate(np.unique(columns)):
        inside = np.flatnonzero((columns == column) & seen)
        at = place - curve.first
        if not 0 <= at < len(curve.mean):
            assert not len(inside)
            continue
        assert curve.presence[at] == pytest.approx(len(inside) / (columns == column).sum())
        for channel in range(CHANNELS):
            known = values[inside, channel][np.isfinite(values[inside, channel])]
            found = [part[at, channel] for part in (curve.low, curve.mean, curve.high)]
            if not len(known):
                assert np.isnan(found).all()
                continue
            assert (found[0], found[2]) == (known.min(), known.max())
            assert found[1] == pytest.approx(known.mean(), abs=1e-5)


def test_a_short_film_keeps_every_frame() -> None:
    values, seen = film(100)
    curves = gathered(values, seen, limit=4096)
    curve = curves.curve(5)
    assert not curves.joined
    np.testing.assert_allclose(curves.times, np.arange(100) / RATE)
    np.testing.assert_array_equal(curves.middles, curves.times)
    inside = slice(10, 90)
    expected = np.where(seen[inside, None], values[inside], np.nan)
    for part in (curve.low, curve.mean, curve.high):
        np.testing.assert_array_equal(part, expected)
    assert curve.first == 10


def test_a_blink_of_one_frame_in_hours_is_still_there() -> None:
    frames = 4_000
    values = np.full((frames, CHANNELS), 0.3, np.float32)
    values[2_345] = 0.05
    shut = np.zeros(frames, bool)
    shut[2_345] = True
    curves = gathered(values, np.ones(frames, bool), limit=64, shut=shut)
    curve = curves.curve(5)
    at = np.flatnonzero(curve.shut)
    assert len(at) == 1
    assert curve.low[at[0], 0] == np.float32(0.05)
    assert (
        curves.times[curve.first + at[0]] <= 2_345 / RATE < curves.times[curve.first + at[0]] + curves.width
    )


def test_joining_by_hand_halves_the_columns() -> None:
    values, seen = film(1000)
    curves = gathered(values, seen, limit=128)
    before, low = len(curves.times), np.nanmin(curves.curve(5).low[:, 0])
    curves.join()
    assert len(curves.times) in (before // 2, before // 2 + 1)
    assert np.nanmin(curves.curve(5).low[:, 0]) == low


def test_times_that_go_back_and_that_jump() -> None:
    curves = Curves(1, 16)
    for time in (5.0, 4.0, 5.1, 1e15, 6.0):
        curves.frame(time)
        curves.add(0, np.array([time]), shut=False)
    curve = curves.curve(0)
    assert len(curves.times) == 2
    assert curve.low.min() == 4.0
    assert curve.high.max() == np.float32(1e15)
    assert curve.presence.max() == 1.0


def test_face_that_appears_after_joins_begins_at_its_time() -> None:
    curves = Curves(1, 32)
    for index in range(2000):
        curves.frame(index / RATE)
        if index >= 1900:
            curves.add(9, np.array([index]), shut=False)
    curve = curves.curve(9)
    begin = curves.times[curve.first]
    assert begin <= 1900 / RATE < begin + curves.width
    assert curve.first + len(curve.mean) == len(curves.times)
