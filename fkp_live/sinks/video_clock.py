"""From the presentation timestamps of a source to those of the file that is written."""

from __future__ import annotations

import math
from fractions import Fraction

from fkp_live.types import FrameResult, SourceInfo

LONGEST_STEP = 6 * 3600.0  # seconds between two timestamps; a longer step is a wrong one
_LIVE_BASE = Fraction(1, 90_000)  # unit of time where the source has none of its own
_FINEST_BASE = 1_000_000  # ticks a second that encoder and containers handle without trouble
# What MP4 can hold between two pictures is 2**31 ticks; the encoder's own delay comes on top.
_MOST_TICKS = 2_000_000_000


class VideoClock:
    """Timestamps of a file in ticks of `base`: exact where the source's are, and always growing.

    The file begins where a player begins to show the source (``info.origin``). After a cut at the front
    (``info.start``), for live sources and others without a clock in exact units, and where a picture comes before the
    origin, it begins with the first picture.
    A step of over six hours, or of more than a container can hold, is replaced by one as long as the step before it.

    Parameters
    ----------
    info : of the source
    unit : seconds of one unit of the container's timestamps, where it has a fixed one; no two pictures share a unit

    Attributes
    ----------
    base : seconds of one tick
    rebased : whether the first picture is at 0, so that what lies before it on the source's clock is cut off
    note : which steps were replaced; usually empty

    >>> clock = VideoClock(SourceInfo("clip.mp4", 640, 480, time_base=Fraction(1, 30)))
    >>> [clock.ticks(result) for result in results]
    [0, 1, 2]
    """

    def __init__(self, info: SourceInfo, unit: Fraction | None = None) -> None:
        base = info.time_base or _LIVE_BASE
        self.base = _LIVE_BASE if base.denominator > _FINEST_BASE else base
        self.rebased = info.live or info.start > 0.0
        self._exact = info.time_base is not None
        self.note = ""
        self._name = info.name
        self._units = None if unit is None or unit <= self.base else self.base / unit  # in a tick
        self._longest = min(round(LONGEST_STEP / self.base), _MOST_TICKS)
        self._step = max(round(1 / ((info.fps or 30) * self.base)), 1)
        self._zero = round(info.origin / self.base)  # ticks of the source's clock
        self._last: int | None = None

    @property
    def origin(self) -> float:
        """Seconds on the source's clock at which the file begins; if `rebased`, known with the first picture."""
        return float(self._zero * self.base)

    def ticks(self, result: FrameResult) -> int:
        """The timestamp of the next picture in the file, from its exact timestamp in the source if it has one."""
        if result.pts is None or result.time_base is None:
            ticks = round(result.time / self.base)
        else:
            ticks = round(result.pts * result.time_base / self.base)
        if self._last is None:
            late = ticks - self._zero
            self.rebased = self.rebased or not 0 <= late <= (self._longest if self._exact else 0)
            if self.rebased:
                self._zero = ticks
            self._last = ticks - self._zero
            return self._last
        step = ticks - self._zero - self._last
        if step > self._longest:
            self._zero += step - self._step
            step = self._step
            self.note = self.note or (
                f"the clock of {self._name} jumps forward at {float(self._last * self.base):.3f} s; "
                "the video goes on without the gap"
            )
        ticks = max(self._last + step, self._first_after(self._last))
        self._last, self._step = ticks, ticks - self._last
        return ticks

    def _first_after(self, ticks: int) -> int:
        """The next tick that is another timestamp in the container as well."""
        if self._units is None:
            return ticks + 1
        # Containers round to the nearest unit, halves away from 0.
        unit = math.floor(ticks * self._units + Fraction(1, 2))
        return math.ceil((unit + Fraction(1, 2)) / self._units)
