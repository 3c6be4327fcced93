"""Running statistics: mean, spread, range and quantiles of numbers that are seen once, in memory that does not grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Moments:
    """Mean, standard deviation and range of several numbers at once. NaN and infinity are omitted, each on its own.

    Parameters
    ----------
    size : how many numbers come together

    Attributes
    ----------
    count : (size,) how many of each were seen
    low, high : (size,) the range, NaN where none was seen
    """

    def __init__(self, size: int) -> None:
        self.count = np.zeros(size)
        self.low, self.high = np.full((2, size), np.nan)
        self._mean, self._squares = np.zeros((2, size))

    def add(self, values: ArrayLike) -> None:
        """Take in (size,) numbers. Welford's update, see https://doi.org/10.1080/00401706.1962.10490022."""
        values = np.asarray(values, np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            values = np.where(finite, values, self._mean)
            self.low = np.where(finite, np.fmin(self.low, values), self.low)
            self.high = np.where(finite, np.fmax(self.high, values), self.high)
        else:
            self.low, self.high = np.fmin(self.low, values), np.fmax(self.high, values)
        self.count += finite
        off = values - self._mean
        self._mean += off / np.maximum(self.count, 1.0)
        self._squares += off * (values - self._mean)

    @property
    def mean(self) -> NDArray[np.float64]:
        """(size,), NaN where none was seen."""
        return np.where(self.count > 0, self._mean, np.nan)

    @property
    def sd(self) -> NDArray[np.float64]:
        """(size,) standard deviation of the sample (divided by n - 1); NaN for fewer than two."""
        return np.where(self.count > 1, np.sqrt(self._squares / np.maximum(self.count - 1.0, 1.0)), np.nan)


class Histogram:
    """Counts of numbers in equal bins, for quantiles that are right to a bin's width.

    Parameters
    ----------
    high : the bins lie from 0 to here; lower and higher numbers count at the ends
    bins : how many
    """

    def __init__(self, high: float, bins: int) -> None:
        self._width = high / bins
        self._counts = np.zeros(bins, np.uint32)

    def add(self, value: float) -> None:
        """Count a number; NaN and infinity are omitted."""
        if np.isfinite(value):
            self._counts[min(max(int(value / self._width), 0), len(self._counts) - 1)] += 1

    def quantile(self, share: float) -> float:
        """The number below which this share lies, evenly spread inside its bin; NaN where none was seen."""
        total = int(self._counts.sum())
        if not total:
            return float("nan")
        before = np.concatenate([[0], np.cumsum(self._counts)])
        at = min(int(np.searchsorted(before, share * total, side="right")) - 1, len(self._counts) - 1)
        inside = (share * total - before[at]) / max(int(self._counts[at]), 1)
        return float((at + min(inside, 1.0)) * self._width)

    def share_from(self, value: float) -> float:
        """The share of numbers of ``value`` and more, to a bin's width; NaN where none was seen."""
        total = int(self._counts.sum())
        if not total:
            return float("nan")
        return float(self._counts[int(np.ceil(value / self._width - 1e-9)) :].sum() / total)
