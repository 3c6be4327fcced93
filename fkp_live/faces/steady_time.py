"""Steady time: presentation timestamps as a clock that does not go back by a little."""

from __future__ import annotations

import math

from fkp_live.clock import CLOCK_JUMP


class SteadyTime:
    """Seconds that filters and predictions can take differences of.

    Sources let a timestamp up to `CLOCK_JUMP` before the last one through: frames out of order, or a clock that was
    set back a little. Such a frame comes one usual step after the one before, since faces go on moving whatever the
    timestamps are: with a step of zero, filters stood still and the velocity of a face that swings by 100 pixels was
    wrong enough to lose it. After a single frame out of order it is the timestamps again; a clock that was set back
    goes on at its own pace. A larger step back is a clock that began anew. Equal timestamps remain equal.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget every timestamp."""
        self._last = self._latest = self._time = -math.inf
        self._step = 0.0  # the last one between timestamps in order
        # What is added to timestamps: now, and once they are later than every one so far.
        self._shift = self._later_shift = 0.0

    def __call__(self, timestamp: float) -> tuple[float, bool]:
        """Steady time of the next frame in seconds, and whether the clock began anew."""
        last = self._last
        began_anew = timestamp < last - CLOCK_JUMP
        if began_anew:
            self.reset()
        is_latest = timestamp > self._latest
        shift = self._later_shift if is_latest else self._shift
        if timestamp < self._last or (is_latest and timestamp + shift <= self._time):
            shift = self._time + self._step - timestamp
        elif -math.inf < last == self._latest:
            self._step = min(timestamp - last, CLOCK_JUMP)
        self._shift = shift
        if is_latest:
            self._later_shift, self._latest = shift, timestamp
        self._last, self._time = timestamp, timestamp + shift
        return self._time, began_anew
