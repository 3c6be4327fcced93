"""Where the time goes: stage timers, quantiles and the summary at the end of a run.

A run may last for weeks, so nothing here grows with its length: durations go into histograms of fixed size.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from fkp_live.types import FrameResult

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
        """Count one duration; what a clock that was set back makes negative counts as nothing."""
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
        """Note a frame at ``now`` (seconds of a steady clock) and return the rate; 0 until there are two."""
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
        """Read them off a histogram (seconds)."""
        p50, p95, p99 = (1e3 * histogram.quantile(share) for share in QUANTILES)
        return cls(1e3 * histogram.mean, p50, p95, p99, 1e3 * histogram.largest)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Attributes
    ----------
    frames, faces : frames processed, and faces found in all of them together
    wall : seconds from the start of the run to its end
    fps : frames over wall
    dropped : frames of a live source that a newer one replaced before anybody read them
    detections : frames that the detector looked at
    stages : milliseconds that a frame spends in each stage; a stage counts the frames that passed through it
    age : milliseconds from the arrival of a frame to the end of its walk; None where there was no frame
    outputs : files written
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

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def table(self) -> str:
        """For people."""
        rate = self.faces / self.frames if self.frames else 0.0
        head = [
            f"{self.frames} frames in {self.wall:.2f} s: {self.fps:.1f} fps",
            f"{self.faces} faces ({rate:.2f} a frame), detector ran on {self.detections} frames",
        ]
        if self.dropped:
            head.append(f"{self.dropped} frames dropped: newer ones had arrived")
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


@dataclass
class RunStats:
    """Collects one run; `frame` closes each frame, `stage` times what happens outside the pipeline."""

    started: float = field(default_factory=time.perf_counter)
    frames: int = 0
    faces: int = 0
    detections: int = 0
    stages: dict[str, Histogram] = field(default_factory=dict)
    age: Histogram = field(default_factory=Histogram)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside the ``with`` block under ``name``, unless it fails."""
        begin = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - begin)

    def add(self, name: str, seconds: float) -> None:
        """Count a duration under ``name``."""
        if name not in self.stages:
            self.stages[name] = Histogram()
        self.stages[name].add(seconds)

    def frame(self, result: FrameResult) -> None:
        """A frame's walk is over: count its faces, the pipeline's own timings and its age."""
        self.frames += 1
        self.faces += len(result.faces)
        self.detections += result.detected
        for name, seconds in result.timings.items():
            self.add(name, seconds)
        self.age.add(time.perf_counter() - result.arrived)

    def summary(self, *, dropped: int = 0, outputs: Sequence[str] = ()) -> Summary:
        """The run so far."""
        wall = time.perf_counter() - self.started
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
        )
