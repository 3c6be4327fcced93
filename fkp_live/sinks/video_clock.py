"""From the presentation timestamps of a source to those of the file that is written."""

from __future__ import annotations

from fractions import Fraction

from fkp_live.types import FrameResult, SourceInfo

_LIVE_BASE = Fraction(1, 90_000)  # unit of time where the source has none of its own
_FINEST_BASE = 1_000_000  # ticks a second that encoder and containers handle without trouble


class VideoClock:
    """Timestamps of a file in ticks of `base`: exact where the source's are, and always growing.

    The file begins where a player begins to show the source (``info.origin``). After a cut at the front
    (``info.start``) and for live sources it begins with the first picture.

    Parameters
    ----------
    info : of the source

    Attributes
    ----------
    base : seconds of one tick
    rebased : whether the first picture is at 0, so that what lies before it on the source's clock is cut off

    >>> clock = VideoClock(SourceInfo("clip.mp4", 640, 480, time_base=Fraction(1, 30)))
    >>> [clock.ticks(result) for result in results]
    [0, 1, 2]
    """

    def __init__(self, info: SourceInfo) -> None:
        base = info.time_base or _LIVE_BASE
        self.base = _LIVE_BASE if base.denominator > _FINEST_BASE else base
        self.rebased = info.live or info.start > 0.0
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
        if self._last is None and self.rebased:
            self._zero = ticks
        ticks -= self._zero
        if self._last is not None:
            ticks = max(ticks, self._last + 1)  # two pictures cannot share a timestamp in a file
        self._last = ticks
        return ticks
