"""What events are made of: spans, swings, runs of shut eyes and shares of time in a signal with its times.

Each takes one value after the other with its time in seconds. `faces.events` gives them the values of a face.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# A span ends below this share of the limit at which it began, once it has been there for this number of seconds.
_END_SHARE, _END_SECONDS = 0.75, 0.25
# A span whose value cannot be judged for longer has ended.
_UNJUDGED_SECONDS = 2.0
# Seconds before a dip over which the openness of the open eyes is taken: a slower fall is not a blink.
_LEVEL_SECONDS = 0.3
# A dip that is not known to be shut eyes comes back within this time, or the eyes only look down.
_DIP_SECONDS = 0.4
# Swings in a row that make a nod or a shake; and turns of a movement that are kept.
_SWINGS, _MOST_TURNS = 3, 64
# A head is still at the end of a swing while it is within this share of the smallest swing from there.
_AT_REST = 0.25
# Rounding of times must not make a blink of six frames slow in one film and not in another.
ROUNDING = 1e-6


class Phase(NamedTuple):
    """Something in a signal: its times in seconds, ``end`` NaN while it goes on, and the value that matters."""

    start: float
    end: float
    value: float


class Span:
    """A state with hysteresis: it begins once the value was at the limit for ``seconds`` in all without leaving.

    The value leaves below three quarters of the limit; its sign does not matter. NaN: it cannot be judged.
    """

    def __init__(self, limit: float, seconds: float) -> None:
        self.begun = False
        self._limit, self._seconds = limit, seconds
        self._start = self._most = math.nan
        self._reached = False  # the limit, by the value before this one
        self._at_limit = 0.0  # seconds so far
        self._last = self._left = math.nan  # last time within the span, and first time out of it

    def step(self, value: float, time: float) -> Phase | None:
        """What begins or ends at this time."""
        inside = not math.isnan(self._start)
        size = abs(value)
        if size >= self._limit * (_END_SHARE if inside else 1.0):
            if not inside:
                self._start, self._most, self._at_limit, self._reached = time, value, 0.0, False
            reached = size >= self._limit
            if reached and self._reached:
                self._at_limit += time - self._last
            self._reached, self._last, self._left = reached, time, math.nan
            if size > abs(self._most):
                self._most = value
            if self.begun or self._at_limit < self._seconds - ROUNDING:
                return None
            self.begun = True
            return Phase(self._start, math.nan, self._most)
        if not inside:
            return None
        judged, self._reached = not math.isnan(value), False
        if judged and math.isnan(self._left):
            self._left = time
        if judged and not self.begun:
            return self.finish()
        waits = _END_SECONDS if judged else _UNJUDGED_SECONDS
        return self.finish() if time - self._last >= waits else None

    def finish(self) -> Phase | None:
        """Leave the span. Its end, if it had begun."""
        end = self._last if math.isnan(self._left) else self._left
        phase = Phase(self._start, end, self._most) if self.begun else None
        self._start, self.begun = math.nan, False
        return phase


class _Turn(NamedTuple):
    """An extreme value of a signal, when it was reached, and when it was left."""

    reached: float
    value: float
    left: float


class Swings:
    """Movements to and fro: three swings in a row or more, each of at least ``least`` and within ``seconds``."""

    def __init__(self, least: float, seconds: float) -> None:
        self._least, self._seconds = least, seconds
        self._turns: list[_Turn] = []  # those of the movement, at each of which a swing begins
        # How far the head got, by direction (1 up, -1 down): that of the swing that goes on, both while it rests.
        self._peaks: dict[int, _Turn] = {}

    def step(self, value: float, time: float) -> Phase | None:
        """The movement that has ended, with the size of its largest swing."""
        here = _Turn(time, value, time)
        if not self._peaks:
            self._peaks = {1: here, -1: here}
        for way, peak in self._peaks.items():
            back = way * (peak.value - value)
            if back >= self._least:
                found = self._end() if self._turns and self._is_slow(peak, self._turns[-1]) else None
                self._turns = [*self._turns[1 - _MOST_TURNS :], peak]
                self._peaks = {-way: here}
                return found
            if back < 0:
                self._peaks[way] = here
            elif back < self._least * _AT_REST:
                self._peaks[way] = _Turn(peak.reached, peak.value, time)
        if self._turns and time - self._turns[-1].left > self._seconds:
            found = self._end()
            self._peaks = {1: here, -1: here}
            return found
        return None

    def _is_slow(self, peak: _Turn, before: _Turn) -> bool:
        """Whether the swing between two turns takes too long."""
        return peak.reached - before.left > self._seconds

    def _end(self) -> Phase | None:
        """The movement up to the last swing, which counts if it is large and fast enough."""
        turns, self._turns = self._turns, []
        (peak,) = self._peaks.values()
        if abs(peak.value - turns[-1].value) >= self._least and not self._is_slow(peak, turns[-1]):
            turns = [*turns, peak]
        if len(turns) <= _SWINGS:
            return None
        return Phase(
            turns[0].left, turns[-1].reached, max(abs(b.value - a.value) for a, b in pairwise(turns))
        )


class Lids:
    """Eyes that come down and up again: by the share ``depth`` at least of what they were open just before.

    Half of the fall is made good within 0.4 s, or later where the eyes are known to be shut.
    """

    def __init__(self, depth: float) -> None:
        self._depth = depth
        self._before: deque[tuple[float, float]] = deque(maxlen=64)
        self.clear()

    def clear(self) -> None:
        """Forget all: the eyes cannot be judged."""
        self._before.clear()
        self._start = self._level = math.nan
        self._least, self._was_shut = math.inf, False

    def step(self, openness: float, time: float, *, shut: bool) -> Phase | None:
        """What ended at this time, with its depth as a share.

        ``shut``: whether the eyes are shut by what is usual for the face.
        """
        if math.isnan(self._start):
            while self._before and self._before[0][0] < time - _LEVEL_SECONDS:
                self._before.popleft()
            self._level = median(value for _, value in self._before) if self._before else math.nan
            if not (shut or openness < (1.0 - self._depth) * self._level):
                self._before.append((time, openness))
                return None
            self._start = time
        self._least, self._was_shut = min(self._least, openness), self._was_shut or shut
        level, least = self._level, self._least
        back = openness >= (level + least) / 2
        if shut or not (back or math.isnan(level) or time - self._start > _DIP_SECONDS):
            return None
        found, counts = Phase(self._start, time, 1.0 - least / max(level, 1e-6)), back or self._was_shut
        self.clear()
        self._before.append((time, openness))
        return found if counts and found.value >= self._depth else None


class ShutShare:
    """Share of the time with shut eyes, in buckets of a second: memory does not depend on the frame rate."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._buckets: deque[list[float]] = deque()  # whole second, seconds shut, seconds seen
        self._shut = self._seen = 0.0

    def step(self, time: float, seconds: float, *, shut: bool) -> float:
        """The share after ``seconds`` more, 0 until half of the window was seen."""
        if not self._buckets or self._buckets[-1][0] != math.floor(time):
            self._buckets.append([math.floor(time), 0.0, 0.0])
        for place, more in ((1, seconds * shut), (2, seconds)):
            self._buckets[-1][place] += more
        self._shut += seconds * shut
        self._seen += seconds
        while self._buckets[0][0] <= time - self._window:
            _, shut_then, seen_then = self._buckets.popleft()
            self._shut -= shut_then
            self._seen -= seen_then
        return self._shut / self._seen if self._seen >= self._window / 2 else 0.0
