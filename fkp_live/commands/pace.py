"""The pace of a file that is only sent on: its own, as if it were live."""

from __future__ import annotations

import time
from collections.abc import Callable

_NAP = 0.05  # seconds after which a stop is noticed
# Seconds that a frame may be late before the pace goes on from it, without a rush to catch up.
_LATE = 0.5


class Pace:
    """Waits until each frame of a file is due.

    Parameters
    ----------
    clock : seconds of a steady clock
    sleep : waits for this many seconds
    """

    def __init__(
        self, clock: Callable[[], float] = time.perf_counter, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._zero: float | None = None  # when the stream's time 0 was due, on our clock

    def wait(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Wait until a frame of this time in the stream is over, or `stopped` returns true."""
        now = self._clock()
        if self._zero is None or now - self._zero > seconds + _LATE:
            self._zero = now - seconds
        while (rest := self._zero + seconds - self._clock()) > 0 and not stopped():
            self._sleep(min(rest, _NAP))
