"""Statistics of a run: stage timers, quantiles and the summary at its end.

A run may last for weeks, so nothing here grows with its length: durations go into histograms of fixed size.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from fkp_live.types import FrameResult
from fkp_live.wording import counted

# Bins of a histogram: each is 2 % wider than the one before, from 100 ns to over an hour.
_SMALLEST = 1e-7
_LOG_RATIO = math.log(1.02)
_BINS = 1 + math.ceil(math.log(4000 / _SMALLEST) / _LOG_RATIO)

QUANTILES = (0.5, 0.95, 0.99)


class Histogram:
    """Durations in seconds, counted in bins 2 % wide: constant memory, quantiles within 1 %."""

    def __init__(self) -> None:
        self._bins = array("Q", bytes(8 * _BINS))
        self.count = 0
        self.total = 0.0
        self.smallest = math.inf
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration; a negative one, from a clock that was set back, counts as 0."""
        seconds = max(seconds, 0.0)
        place = int(math.log(seconds / _SMALLEST) / _LOG_RATIO) + 1 if seconds > _SMALLEST else 0
        self._bins[min(place, _BINS - 1)] += 1
        self.count += 1
        self.total += seconds
        self.smallest = min(self.smallest, seconds)
        self.largest = max(self.largest, seconds)

    @property
    def mean(self) -> float:
        """Arithmetic mean in seconds, NaN where nothing was counted."""
        return self.total / self.count if self.count else math.nan

    def quantile(self, share: float) -> float:
        """The seconds that ``share`` of all durations do not exceed; NaN where nothing was counted."""
        if not self.count:
            return math.nan
        rank = max(1, math.ceil(share * self.count))
        place = next(place for place, seen in enumerate(accumulate(self._bins)) if seen >= rank)
        middle = _SMALLEST * math.exp((place - 0.5) * _LOG_RATIO)
        return min(max(middle, self.smallest), self.largest)


class FrameRate:
    """Frames per second over the last second, or over as many frames as are kept where they come faster."""

    def __init__(self, seconds: float = 1.0, most: int = 240) -> None:
        self._seconds = seconds
        self._ticks: deque[float] = deque(maxlen=most)

    def tick(self, now: float) -> float:
        """Count a frame at ``now`` (seconds of a steady clock); the rate, 0 until there are two."""
        ticks = self._ticks
        ticks.append(now)
        while len(ticks) > 2 and now - ticks[0] > self._seconds:
            ticks.popleft()
        span = now - ticks[0]
        return (len(ticks) - 1) / span if span > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution of durations in milliseconds."""

    mean: float
    p50: float
    p95: float
    p99: float
    largest: float

    @classmethod
    def of(cls, histogram: Histogram) -> Quantiles:
        """The quantiles of a histogram (seconds)."""
        p50, p95, p99 = (1e3 * histogram.quantile(share) for share in QUANTILES)
        return cls(1e3 * histogram.mean, p50, p95, p99, 1e3 * histogram.largest)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the results given to a sender.

    Attributes
    ----------
    sent : handed to the network or device without an error
    dropped : left out because a newer one had come before the sender was done
    failed : refused by the network or device
    """

    sent: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run.

    Attributes
    ----------
    frames, faces : frames processed, and faces in all of them together
    wall : seconds from the start of the run to its end, without ``idle``
    idle : seconds in which the run was paused, or waited for a file's own pace
    fps : frames over ``wall``
    dropped : frames of a live source that a newer one replaced before anybody read them
    detections : frames that the detector looked at
    stages : milliseconds that a frame spends in each stage; a stage counts the frames that passed through it
    age : milliseconds from the arrival of a frame to the end of its walk, without idle time; None where there was no
        frame
    outputs : files written
    deliveries : of each sender, by its target
    """

    frames: int
    faces: int
    wall: float
    fps: float
    dropped: int
    detections: int
    stages: Mapping[str, Quantiles]
    age: Quantiles | None
    outputs: tuple[str, ...] = ()
    idle: float = 0.0
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """For people."""
        rate = self.faces / self.frames if self.frames else 0.0
        head = [
            f"{counted(self.frames, 'frame')} in {self.wall:.2f} s: {self.fps:.1f} fps",
            f"{counted(self.faces, 'face')} ({rate:.2f} a frame), detector ran on {counted(self.detections, 'frame')}",
        ]
        if self.idle >= 0.05:
            head.append(f"{self.idle:.2f} s more were spent waiting: paused, or for the file's own pace")
        if self.dropped:
            head.append(f"{counted(self.dropped, 'frame')} dropped: newer ones had arrived")
        for name, to in self.deliveries.items():
            head.append(f"{name}: {to.sent} sent, {to.dropped} dropped, {to.failed} failed")
        return "\n".join([*head, *self._rows()])

    def _rows(self) -> Iterator[str]:
        rows = [*self.stages.items()]
        if self.age is not None:
            rows.append(("frame age", self.age))
        if not rows:
            return
        yield f"{'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}{'mean':>9}"
        for name, row in rows:
            yield f"{name:<12}{row.p50:>9.2f}{row.p95:>9.2f}{row.p99:>9.2f}{row.mean:>9.2f}"


class RunStats:
    """The statistics of one run while it goes on. `stream.process_stream` fills them.

    Counted as time of the run (`elapsed`, and from it the frame rate): reading, waiting for a live source, processing,
    painting, writing and showing. Not counted, there and in a frame's age: what `waiting` encloses, which is a pause
    and the waiting of a file for its own pace.

    Parameters
    ----------
    clock : seconds of a steady clock, the one that `types.Frame.arrived` is measured on
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.frames = self.faces = self.detections = 0
        self.stages: dict[str, Histogram] = {}
        self.age = Histogram()
        self.idle = 0.0
        self._started = clock()
        # Begin and end of waits that a frame on its way can have seen: it arrived before their end.
        self._waits: deque[tuple[float, float]] = deque()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, without idle time."""
        return self.clock() - self._started - self.idle

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time in the ``with`` block under ``name``, unless it fails."""
        begin = self.clock()
        yield
        self.add(name, self.clock() - begin)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time in the ``with`` block as idle."""
        begin = self.clock()
        try:
            yield
        finally:
            end = self.clock()
            if end > begin:
                self.idle += end - begin
                self._waits.append((begin, end))

    def add(self, name: str, seconds: float) -> None:
        """Count a duration under ``name``."""
        if name not in self.stages:
            self.stages[name] = Histogram()
        self.stages[name].add(seconds)

    def age_of(self, result: FrameResult) -> float:
        """Seconds since the frame arrived, without idle time; NaN where its arrival is not known."""
        arrived = result.arrived
        while self._waits and self._waits[0][1] <= arrived:
            # Frames come in the order of their arrival, so no later one has seen it either.
            self._waits.popleft()
        idle = sum(end - max(begin, arrived) for begin, end in self._waits)
        return self.clock() - arrived - idle

    def frame(self, result: FrameResult) -> None:
        """The walk of a frame is over: count its faces, the pipeline's own timings and its age."""
        self.frames += 1
        self.faces += len(result.faces)
        self.detections += result.detected
        for name, seconds in result.timings.items():
            self.add(name, seconds)
        age = self.age_of(result)
        if not math.isnan(age):
            self.age.add(age)

    def summary(
        self,
        *,
        dropped: int = 0,
        outputs: Sequence[str] = (),
        deliveries: Mapping[str, Delivery] | None = None,
    ) -> Summary:
        """The run so far."""
        wall = self.elapsed
        return Summary(
            frames=self.frames,
            faces=self.faces,
            wall=wall,
            fps=self.frames / wall if wall > 0 else 0.0,
            dropped=dropped,
            detections=self.detections,
            stages={name: Quantiles.of(histogram) for name, histogram in self.stages.items()},
            age=Quantiles.of(self.age) if self.age.count else None,
            outputs=tuple(outputs),
            idle=self.idle,
            deliveries=dict(deliveries or {}),
        )
