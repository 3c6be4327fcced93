"""A clock that moves only by hand."""

from __future__ import annotations


class Clock:
    """Seconds that `pass_` adds to; called like ``time.perf_counter``."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds
