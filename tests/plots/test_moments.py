"""Running statistics agree with those of numpy over all the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_live.plots.moments import Histogram, Moments

RNG = np.random.default_rng(0)


def test_moments_are_those_of_all_numbers() -> None:
    values = RNG.normal(100.0, 0.5, (500, 3))
    moments = Moments(3)
    for row in values:
        moments.add(row)
    np.testing.assert_allclose(moments.mean, values.mean(0))
    np.testing.assert_allclose(moments.sd, values.std(0, ddof=1))
    np.testing.assert_array_equal([moments.low, moments.high], [values.min(0), values.max(0)])


def test_moments_omit_what_is_not_finite_each_on_its_own() -> None:
    values = RNG.normal(0.0, 1.0, (50, 2))
    values[::3, 0], values[10, 1] = np.nan, np.inf
    moments = Moments(2)
    for row in values:
        moments.add(row)
    for place in range(2):
        finite = values[np.isfinite(values[:, place]), place]
        assert moments.count[place] == len(finite)
        assert moments.mean[place] == pytest.approx(finite.mean())
        assert moments.sd[place] == pytest.approx(finite.std(ddof=1))
        assert (moments.low[place], moments.high[place]) == (finite.min(), finite.max())


def test_moments_of_nothing_and_of_one() -> None:
    moments = Moments(1)
    moments.add([np.nan])
    assert np.isnan([moments.mean[0], moments.sd[0], moments.low[0], moments.high[0]]).all()
    moments.add([3.0])
    assert moments.mean[0] == moments.low[0] == moments.high[0] == 3.0
    assert np.isnan(moments.sd[0])


def test_quantiles_are_right_to_a_bin() -> None:
    values = RNG.uniform(0.4, 0.9, 5000)
    histogram = Histogram(1.5, 600)
    for value in values:
        histogram.add(value)
    histogram.add(np.nan)
    for share in (0.05, 0.5, 0.95):
        assert histogram.quantile(share) == pytest.approx(np.quantile(values, share), abs=0.0025)
    assert histogram.share_from(0.7) == pytest.approx((values >= 0.7).mean(), abs=0.01)


def test_histogram_counts_what_is_out_of_range_at_its_ends() -> None:
    histogram = Histogram(1.0, 10)
    for value in (-5.0, 7.0):
        histogram.add(value)
    assert histogram.share_from(0.95) == 0.0
    assert histogram.share_from(0.9) == 0.5
    assert np.isnan(Histogram(1.0, 10).quantile(0.5))
    assert np.isnan(Histogram(1.0, 10).share_from(0.5))
