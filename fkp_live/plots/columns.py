"""Curves of any length in a bounded number of columns: lowest, mean and highest reading in each column of time.

A column is a step of time. While a film has fewer frames than there may be columns, each frame has one of its own and
nothing is lost. As it grows longer, columns are joined two by two. A joined column keeps its range, so that the
shortest blink stays as deep as it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Width of a column at the beginning, in seconds: shorter than the frames of any camera.
_FIRST_WIDTH = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The readings of one face along the film.

    Attributes
    ----------
    first : place of its first column in `Curves.times`
    low, mean, high : (n, channels) float32: of the column's readings, all the same where it has one frame; NaN where
        the face was not seen
    presence : (n,) share of the column's frames with the face
    shut : (n,) share of those with shut eyes
    """

    first: int
    low: NDArray[np.float32]
    mean: NDArray[np.float32]
    high: NDArray[np.float32]
    presence: NDArray[np.float32]
    shut: NDArray[np.float32]


class Curves:
    """The curves of every face of a film, taken in frame by frame.

    Parameters
    ----------
    channels : number of readings of a face
    limit : the most columns that the film may have; at the end it has more than half of that, or one for each frame

    >>> curves = Curves(channels=7, limit=4096)
    >>> for result, _ in timed(recording):
    ...     curves.frame(result.time)
    ...     for number, face in numbered(result.faces):
    ...         curves.add(number, reading(face), shut=face.measures.blink)
    """

    def __init__(self, channels: int, limit: int) -> None:
        self._channels, self._limit = channels, limit
        self.width = _FIRST_WIDTH
        self._start: float | None = None
        self._now = 0
        self._frames = np.zeros(limit, np.int64)
        self._times = np.zeros(limit)
        self._faces: dict[int, _Columns] = {}

    def frame(self, time: float) -> None:
        """The next frame, at this finite time in seconds. One that goes back joins the last column."""
        if self._start is None:
            self._start = time
        # As a float first: a damaged time may be beyond any whole number that numpy holds.
        while (time - self._start) / self.width >= self._limit:
            self.join()
        self._now = max(self._now, int((time - self._start) / self.width))
        if not self._frames[self._now]:
            self._times[self._now] = time
        self._frames[self._now] += 1

    def add(self, number: int, values: NDArray[np.float64], *, shut: bool) -> None:
        """A face of the current frame."""
        if number not in self._faces:
            self._faces[number] = _Columns(self._now, self._channels)
        self._faces[number].add(self._now, values, shut=shut)

    def join(self) -> None:
        """Halve the columns, joining two and two."""
        self.width *= 2.0
        self._now //= 2
        pairs = self._frames.reshape(-1, 2)
        # Of two columns the first that has frames says when the joined one begins.
        times = np.where(pairs[:, 0] > 0, self._times[0::2], self._times[1::2])
        half = self._limit // 2
        self._frames[:half], self._frames[half:] = pairs.sum(1), 0
        self._times[:half], self._times[half:] = times, 0.0
        for face in self._faces.values():
            face.join()

    @property
    def numbers(self) -> list[int]:
        """The faces."""
        return sorted(self._faces)

    @property
    def times(self) -> NDArray[np.float64]:
        """(n,) seconds at which each column's first frame came; columns without a frame are omitted."""
        return self._times[self._frames > 0]

    @property
    def middles(self) -> NDArray[np.float64]:
        """(n,) seconds at which a column's readings are drawn: its middle, or the time of its one frame."""
        return self.times + self.width / 2 if self.joined else self.times

    @property
    def joined(self) -> bool:
        """Whether a column may hold more than one frame."""
        return bool((self._frames > 1).any())

    def curve(self, number: int) -> Curve:
        """The curve of one face."""
        face = self._faces[number]
        kept = np.flatnonzero(self._frames)
        kept = kept[(kept >= face.first) & (kept < face.first + face.length)]
        at = kept - face.first
        frames = face.frames[at]
        presence = np.minimum(frames / self._frames[kept], 1.0)
        shut = face.shut[at] / np.maximum(frames, 1)
        first = int(np.count_nonzero(self._frames[: face.first]))
        shares = presence.astype(np.float32), shut.astype(np.float32)
        return Curve(first, face.low[at], face.mean[at], face.high[at], *shares)


class _Columns:
    """The columns of one face, from its first to its last one."""

    def __init__(self, first: int, channels: int) -> None:
        self.first, self.length = first, 0
        self.low, self.mean, self.high = np.full((3, 8, channels), np.nan, np.float32)
        # How many readings the mean is of: fewer than frames where some were not known.
        self.known = np.zeros((8, channels), np.int32)
        self.frames, self.shut = np.zeros((2, 8), np.int32)

    def add(self, column: int, values: NDArray[np.float64], *, shut: bool) -> None:
        at = column - self.first
        if at >= len(self.frames):
            self._resize(max(at + 1, 2 * len(self.frames)))
        self.length = max(self.length, at + 1)
        self.frames[at] += 1
        self.shut[at] += shut
        finite = np.isfinite(values)
        new = np.where(finite, values, np.nan).astype(np.float32)
        if self.frames[at] == 1:
            self.low[at] = self.mean[at] = self.high[at] = new
            self.known[at] = finite
            return
        self.low[at], self.high[at] = np.fmin(self.low[at], new), np.fmax(self.high[at], new)
        self.mean[at] = _mean(self.mean[at], self.known[at], new, finite)
        self.known[at] += finite

    def join(self) -> None:
        before, after = self.first % 2, (self.first + self.length) % 2
        self._resize(self.length)
        low, mean, high, known, frames, shut = (
            _padded(getattr(self, name), before, after) for name in _ARRAYS
        )
        self.low, self.high = np.fmin(low[0::2], low[1::2]), np.fmax(high[0::2], high[1::2])
        self.mean = _mean(mean[0::2], known[0::2], mean[1::2], known[1::2])
        self.known, self.frames, self.shut = (part[0::2] + part[1::2] for part in (known, frames, shut))
        self.first //= 2
        self.length = len(self.frames)

    def _resize(self, length: int) -> None:
        for name in _ARRAYS:
            array = getattr(self, name)
            setattr(self, name, _padded(array[:length], 0, max(length - len(array), 0)))


_ARRAYS = ("low", "mean", "high", "known", "frames", "shut")


def _mean(one: NDArray, of_one: NDArray, other: NDArray, of_other: NDArray) -> NDArray[np.float32]:
    """Mean of two means, each of a number of readings; NaN of none."""
    number = of_one + of_other
    total = np.where(of_one > 0, one * of_one, 0.0) + np.where(of_other > 0, other * of_other, 0.0)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan).astype(np.float32)


def _padded(array: NDArray, before: int, after: int) -> NDArray:
    """With empty columns in front and behind: NaN of readings, else 0."""
    if not before and not after:
        return array.copy()
    empty = math.nan if array.dtype == np.float32 else 0
    widths = [(before, after)] + [(0, 0)] * (array.ndim - 1)
    return np.pad(array, widths, constant_values=empty)
