"""Time of live streams: by the sender's timestamps where they can be used, else by arrival."""

from __future__ import annotations

from fractions import Fraction

# Seconds. A file's clock that goes back by more begins anew (joined recordings); by less, it is out of order.
CLOCK_JUMP = 0.5

_CLOCK_SLACK = 1.0  # seconds that a sender's clock may gain on ours from frame to frame; more is a jump


class LiveClock:
    """Seconds since the first frame of a live stream, always growing.

    By the sender's timestamps, so that frames that piled up on the way keep their distances; by arrival where there
    are none, and across a jump (a sender that started again, a counter that wrapped around).

    Parameters
    ----------
    base : seconds of one unit of the timestamps; None if they are not the sender's
    """

    def __init__(self, base: Fraction | None) -> None:
        self._base = base
        self._stamp: float | None = None
        self._arrived: float | None = None
        self._first = self._time = 0.0

    def __call__(self, pts: int | None, arrived: float) -> float:
        """Time of the frame with this timestamp that arrived at ``arrived`` (``time.perf_counter()``)."""
        stamp = None if pts is None or self._base is None else float(pts * self._base)
        if self._arrived is None:
            self._first = arrived
        else:
            sent = None if stamp is None or self._stamp is None else stamp - self._stamp
            waited = arrived - self._arrived
            if sent is None:
                self._time += waited
            elif 0.0 < sent <= waited + _CLOCK_SLACK:
                self._time += sent
            else:
                # The pause may have come one frame earlier: the parser holds a frame back until more data comes.
                self._time += max(waited, arrived - self._first - self._time)
        self._stamp, self._arrived = stamp, arrived
        return self._time
