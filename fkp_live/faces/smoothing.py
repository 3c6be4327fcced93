"""Smoothing of landmarks over time: a One-Euro filter for 68 points.

The One-Euro filter (G. Casiez, N. Roussel, D. Vogel, "1 Euro Filter", CHI 2012,
https://gery.casiez.net/1euro/) is a low-pass whose cutoff rises with speed. Three things are done differently
here, each because a simulation with the network's kind of noise (about 0.4 % of the eye distance, correlated
in space and time) and moving, blinking and talking faces was clearly better with it:

- The motion that all 68 points share (shift, turn, zoom) is filtered apart from what remains, the expression
  of the face. Shared motion is known far better than any single point, so it may be followed at once while each
  point still rests.
- "Speed" is the trend of the distance between raw and filtered point, not the difference of two raw points,
  whose noise grows with the frame rate. A lid that starts to fall is followed within a frame or two, because
  this distance is the lag itself.
- A dead band: a trend that noise alone explains does not raise the cutoff at all.

All lengths are in eye distances and all times in seconds of the stream, so faces of every size and sources of
every or of varying frame rate are treated alike. On simulated noise of 0.40 % at 30 frames per second, "medium"
left 0.20 % at rest, most of it the shift that all points share (0.07 % without). It added under 1 ms to a head
swinging half an eye distance to both sides at 0.5, 1 or 2 Hz and 6 ms to a blink of 150 ms, of which it kept 97 %.
``benchmarks/stability.py`` measures the whole pipeline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fkp_live.types import FloatArray

# Root mean square distance of the 68 points from their centre, in eye distances, of the mean frontal face.
# The eye distance is taken as radius / this, because that of the points themselves collapses in profile.
_RADIUS = 0.618
# Seconds. After a longer pause, or a step back, a filter starts afresh; a shorter step than the least one (equal
# timestamps) is taken as the least.
LONGEST_STEP, LEAST_STEP = 0.5, 1e-3

_ComplexArray = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class OneEuroOptions:
    """Trade-off of one filter.

    Attributes
    ----------
    rest : cutoff at rest in Hz; lower is stiller
    gain : Hz that each eye distance of trend beyond the dead band adds; higher follows faster
    dead : dead band in eye distances
    trend : cutoff in Hz of the low-pass that separates a trend from noise
    """

    rest: float
    gain: float
    dead: float
    trend: float = 6.0


class OneEuro:
    """The adaptive gain of a low-pass for one group of coordinates, given how far it is behind."""

    __slots__ = ("_age", "_options", "_trend")

    def __init__(self, options: OneEuroOptions, size: int) -> None:
        self._options = options
        self._age = 0.0
        self._trend: _ComplexArray = np.zeros(size, np.complex128)

    def gain(self, distance: _ComplexArray, seconds: float) -> NDArray[np.float64]:
        """Share in [0, 1] of ``distance`` (raw less filtered, x + iy in eye distances) to move by: (K,) -> (K,)."""
        options = self._options
        self._age += seconds
        # A young filter averages all that it was given, so that one bad first frame does not linger.
        rest = max(options.rest, 1.0 / (2.0 * math.pi * self._age))
        self._trend += (1.0 - math.exp(-2.0 * math.pi * options.trend * seconds)) * (distance - self._trend)
        self._trend += 1e-30  # on a frozen picture it would sink to denormal numbers, which are slow
        cutoff = np.abs(self._trend)
        cutoff -= options.dead
        np.maximum(cutoff, 0.0, out=cutoff)
        cutoff *= options.gain
        cutoff += rest
        cutoff *= -2.0 * math.pi * seconds
        gain: NDArray[np.float64] = -np.expm1(cutoff)
        return gain


# (shift, turn and zoom, each point's own), from a search over simulated and recorded faces. Shift is followed closely
# even at rest: a still face shifts in the picture by fractions of a pixel, and following them improves the points more
# than the small noise of the mean of 68 points costs.
_LEVELS = {
    "light": (
        OneEuroOptions(12.0, 1700.0, 0.002),
        OneEuroOptions(1.0, 1500.0, 0.003),
        OneEuroOptions(1.0, 1400.0, 0.004),
    ),
    "medium": (
        OneEuroOptions(7.0, 1500.0, 0.003),
        OneEuroOptions(0.3, 1000.0, 0.005),
        OneEuroOptions(0.2, 1500.0, 0.007, 4.0),
    ),
    "strong": (
        OneEuroOptions(4.0, 800.0, 0.005),
        OneEuroOptions(0.15, 600.0, 0.008, 4.0),
        OneEuroOptions(0.1, 800.0, 0.012, 4.0),
    ),
    # For `offline_smoothing`, which takes the mean of both directions.
    "offline": (
        OneEuroOptions(7.0, 1500.0, 0.003),
        OneEuroOptions(0.2, 1000.0, 0.005),
        OneEuroOptions(0.1, 1500.0, 0.007, 4.0),
    ),
}


class FaceFilter:
    """The state of one face: filtered points and the trends."""

    __slots__ = ("_own", "_shift", "_turn", "points", "time")

    def __init__(self, points: _ComplexArray, time: float, level: str) -> None:
        shift, turn, own = _LEVELS[level]
        self.points, self.time = points.copy(), time
        self._shift, self._turn, self._own = OneEuro(shift, 1), OneEuro(turn, 1), OneEuro(own, len(points))

    def step(self, points: _ComplexArray, seconds: float) -> None:
        """Move the filtered points towards new ones that came ``seconds`` later."""
        distance = points - self.points
        # Least-squares shift and (complex factor) turn and zoom that explain the distance.
        shift = distance.sum(keepdims=True) / len(points)
        centred = self.points - self.points.sum() / len(points)
        energy = max(float(np.vdot(centred, centred).real), 1e-12)
        turn = np.vdot(centred, distance) / energy
        radius = math.sqrt(energy / len(points))
        unit = radius / _RADIUS
        distance -= shift
        distance -= turn * centred
        distance *= self._own.gain(distance / unit, seconds)
        self.points += distance
        self.points += self._shift.gain(shift / unit, seconds) * shift
        centred *= turn * self._turn.gain(np.array([turn * radius / unit]), seconds)
        self.points += centred


class LandmarkSmoother:
    """Smoothed points of every track.

    Parameters
    ----------
    level : one of `choices.SMOOTHING`; "off" returns the points as they are
    """

    def __init__(self, level: str = "medium") -> None:
        self.level = level
        self._faces: dict[int, FaceFilter] = {}

    def __call__(self, track_id: int, points: FloatArray, time: float) -> FloatArray:
        """Points (68, 2) of a track at ``time`` (seconds of the stream) -> smoothed (68, 2)."""
        if self.level == "off":
            return points
        raw = np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]
        face = self._faces.get(track_id)
        if face is None or not 0.0 <= time - face.time <= LONGEST_STEP:
            self._faces[track_id] = FaceFilter(raw, time, self.level)
            return points
        face.step(raw, max(time - face.time, LEAST_STEP))
        face.time = time
        return face.points.view(np.float64).reshape(-1, 2).astype(np.float32)

    def forget(self, track_id: int) -> None:
        """Drop the state of a track that has ended."""
        self._faces.pop(track_id, None)

    def reset(self) -> None:
        """Drop the state of every track."""
        self._faces.clear()
