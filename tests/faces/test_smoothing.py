"""Stillness and delay of the smoothing, on noise like the network's: 0.4 % of the eye distance."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import FRONTAL, face_at
from simulated import SIZE, noise

from benchmarks.stability import jitter, lag
from fkp_live.choices import SMOOTHING
from fkp_live.faces import smoothing
from fkp_live.faces.smoothing import LandmarkSmoother, OneEuro, OneEuroOptions
from fkp_live.topology import LEFT_EYE_LIDS, RIGHT_EYE_LIDS


def _smoothed(points: np.ndarray, times: np.ndarray, level: str = "medium") -> np.ndarray:
    smoother = LandmarkSmoother(level)
    return np.stack([smoother(1, p.astype(np.float32), float(t)) for p, t in zip(points, times, strict=True)])


def _still(frames: int) -> np.ndarray:
    return face_at(300, 300, SIZE)[None] + noise(frames)


def _swinging(times: np.ndarray, frequency: float) -> tuple[np.ndarray, np.ndarray]:
    """A head that swings half an eye distance to both sides, with and without noise."""
    shift = 0.5 * SIZE * np.sin(2 * np.pi * frequency * times)[:, None, None] * [1.0, 0.0]
    truth = face_at(300, 300, SIZE)[None] + shift
    return truth + noise(len(times)), truth


def _own(points: np.ndarray) -> np.ndarray:
    """Points without the shift that they share."""
    return points - points.mean(1, keepdims=True) + [300, 300]


def test_default_halves_the_jitter_of_a_still_face() -> None:
    raw = _still(300)
    smooth = _smoothed(raw, np.arange(300) / 30)
    assert jitter(raw) == pytest.approx(0.40, abs=0.03)
    assert jitter(smooth) < 0.55 * jitter(raw)
    assert jitter(_own(smooth)) < 0.3 * jitter(_own(raw))


def test_a_shift_by_a_fraction_of_a_pixel_is_followed() -> None:
    """A still face in a shaking picture: points have to shake with it, or they are beside it."""
    shake = 0.0025 * SIZE * np.random.default_rng(5).uniform(-1, 1, (200, 1, 2))
    truth = face_at(300, 300, SIZE)[None] + shake
    beside = np.linalg.norm(_smoothed(truth, np.arange(200) / 30) - truth, axis=-1).mean()
    assert beside < 0.45 * np.linalg.norm(shake, axis=-1).mean()


def test_turn_and_zoom_of_a_still_face_rest_too() -> None:
    """Noise that all points share as a turn and a zoom, of 0.2 % each."""
    noise = 0.002 * np.random.default_rng(1).standard_normal((300, 2))
    raw = np.stack([face_at(300, 300, SIZE * (1 + zoom), roll=turn) for turn, zoom in noise])
    raw -= raw.mean(1, keepdims=True) - [300, 300]
    smooth = _smoothed(raw, np.arange(300) / 30)
    assert smooth[100:].std(0).mean() < 0.3 * raw[100:].std(0).mean()


def test_levels_are_in_order() -> None:
    raw, times = _still(300), np.arange(300) / 30
    still = [jitter(_smoothed(raw, times, level)) for level in SMOOTHING]
    assert still == sorted(still, reverse=True)
    assert still[0] == pytest.approx(jitter(raw))
    assert still[3] < 0.7 * still[1]


@pytest.mark.parametrize("frequency", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_a_swinging_head_is_followed_at_every_frame_rate(frequency: float, rate: float) -> None:
    times = np.arange(int(6 * rate)) / rate
    raw, truth = _swinging(times, frequency)
    delay = lag(_smoothed(raw, times), truth, times, frequency)
    assert abs(delay) < 0.010


def test_uneven_timestamps_are_taken_as_they_are() -> None:
    times = np.cumsum(np.random.default_rng(3).choice([1 / 60, 1 / 30, 1 / 12], 240))
    raw, truth = _swinging(times, 1.0)
    assert abs(lag(_smoothed(raw, times), truth, times, 1.0)) < 0.010


def test_the_size_of_the_face_does_not_matter() -> None:
    raw, times = _still(100), np.arange(100) / 30
    np.testing.assert_allclose(_smoothed(raw * 4, times), 4 * _smoothed(raw, times), rtol=1e-4)


@pytest.mark.parametrize("rate", [30, 60])
def test_a_blink_keeps_its_depth_and_its_moment(rate: int) -> None:
    times = np.arange(8 * rate) / rate
    phase = (times % 1.0) / 0.15
    shut = np.where(phase < 1, 0.5 - 0.5 * np.cos(2 * np.pi * phase), 0.0)
    lids = [upper for upper, _ in (*RIGHT_EYE_LIDS, *LEFT_EYE_LIDS)]
    raw = _still(len(times))
    raw[:, lids, 1] += 0.1 * SIZE * shut[:, None]
    drop = (_smoothed(raw, times) - face_at(300, 300, SIZE))[:, lids, 1].mean(1).reshape(8, rate)[2:]
    true = (0.1 * SIZE * shut).reshape(8, rate)[2:]
    assert drop.max(1).mean() > 0.9 * true.max(1).mean()
    assert np.abs(drop.argmax(1) - true.argmax(1)).max() <= max(1, rate // 30)


def test_smoothing_neither_shifts_nor_shrinks() -> None:
    turning = np.stack([face_at(300, 300, SIZE, roll=0.02 * t) for t in range(100)])
    smooth = _smoothed(turning, np.arange(100) / 30)
    assert np.abs(smooth - turning)[10:].mean() < 0.005 * SIZE
    np.testing.assert_array_equal(_smoothed(turning[:1].repeat(50, 0), np.arange(50) / 30)[-1], turning[0])


def test_a_pause_and_time_running_backwards_start_afresh() -> None:
    smoother = LandmarkSmoother("strong")
    here, there = face_at(100, 100, SIZE), face_at(100.5, 100, SIZE)
    smoother(1, here, 0.0)
    assert not np.array_equal(smoother(1, there, 0.033), there)
    np.testing.assert_array_equal(smoother(1, there, 5.0), there)
    np.testing.assert_array_equal(smoother(1, here, 1.0), here)


def test_equal_timestamps_give_numbers() -> None:
    smoother = LandmarkSmoother()
    for x in (100, 101, 130):
        assert np.isfinite(smoother(1, face_at(x, 100), 1.0)).all()


def test_faces_do_not_mix_and_are_forgotten() -> None:
    smoother = LandmarkSmoother("strong")
    a, b = face_at(100, 100), face_at(101, 100)
    smoother(1, a, 0.0)
    np.testing.assert_array_equal(smoother(2, b, 0.0), b)
    smoother.forget(1)
    np.testing.assert_array_equal(smoother(1, b, 0.033), b)
    smoother.forget(99)  # a track that never was


def test_the_input_is_left_alone() -> None:
    smoother, points = LandmarkSmoother(), face_at(100, 100)
    smoother(1, points, 0.0)
    smoother(1, face_at(120, 100), 0.033)
    np.testing.assert_array_equal(points, face_at(100, 100))


def test_the_unit_of_length_is_the_eye_distance_of_a_frontal_face() -> None:
    """Taken from the radius, the root mean square distance of the points from their centre."""
    radius = np.sqrt(((FRONTAL - FRONTAL.mean(0)) ** 2).sum(1).mean())
    assert radius == pytest.approx(smoothing._RADIUS, rel=0.03)


def _gain(options: OneEuroOptions, distance: float, frames: int = 3000, seconds: float = 0.01) -> float:
    """Share of a constant distance that a filter moves by, after many frames."""
    one, gain = OneEuro(options, 1), np.zeros(1)
    for _ in range(frames):
        gain = one.gain(np.array([distance + 0j]), seconds)
    return float(gain[0])


@pytest.mark.parametrize(("distance", "cutoff"), [(0.0, 2.0), (0.009, 2.0), (0.05, 6.0), (-0.05, 6.0)])
def test_the_cutoff_rises_with_the_trend_beyond_the_dead_zone(distance: float, cutoff: float) -> None:
    """In Hz: 2 at rest, and 100 for each eye distance beyond 0.01."""
    options = OneEuroOptions(rest=2.0, gain=100.0, dead=0.01)
    assert _gain(options, distance) == pytest.approx(1 - np.exp(-2 * np.pi * cutoff * 0.01), rel=1e-3)


def test_a_trend_is_a_low_pass_with_its_own_cutoff() -> None:
    """One second of constant distance at 0.1 Hz: 47 % of it."""
    options = OneEuroOptions(rest=2.0, gain=100.0, dead=0.0, trend=0.1)
    cutoff = 2.0 + 100 * 0.05 * (1 - np.exp(-2 * np.pi * 0.1))
    assert _gain(options, 0.05, frames=100) == pytest.approx(1 - np.exp(-2 * np.pi * cutoff * 0.01), rel=1e-3)


def test_the_trend_follows_at_6_hertz_unless_the_level_says_otherwise() -> None:
    trend = 0.05 * (1 - np.exp(-2 * np.pi * 6.0 * 0.1))
    gain = _gain(OneEuroOptions(2.0, 100.0, 0.0), 0.05, frames=10)
    assert gain == pytest.approx(1 - np.exp(-2 * np.pi * (2.0 + 100.0 * trend) * 0.01), rel=1e-3)


def test_a_young_filter_averages_what_it_has_seen() -> None:
    assert _gain(OneEuroOptions(0.01, 0.0, 1.0), 0.0, frames=1) == pytest.approx(1 - np.exp(-1.0))
    assert _gain(OneEuroOptions(0.01, 0.0, 1.0), 0.0, frames=4) == pytest.approx(1 - np.exp(-1 / 4))


@pytest.mark.parametrize(("pause", "is_anew"), [(0.48, False), (0.52, True), (-0.01, True)])
def test_half_a_second_without_points_starts_afresh(pause: float, is_anew: bool) -> None:
    smoother = LandmarkSmoother("strong")
    here, there = face_at(100, 100, SIZE), face_at(100.3, 100, SIZE)
    for i in range(100):
        smoother(1, here, i / 30)
    assert np.array_equal(smoother(1, there, 99 / 30 + pause), there) == is_anew


def test_a_step_counts_as_a_millisecond_at_least() -> None:
    ends = []
    for step in (0.0, 1e-3, 2e-3):
        smoother = LandmarkSmoother()
        for i in range(30):
            smoother(1, face_at(100, 100, SIZE), i / 30)
        ends.append(smoother(1, face_at(103, 100, SIZE), 29 / 30 + step))
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-4)
    assert np.abs(ends[2] - ends[0]).max() > 1e-3
