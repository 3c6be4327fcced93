"""Movement of a face: how fast its points go, and how much of that is the head and how much the expression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fkp_live.plots.readings import eye_distance
from fkp_live.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    REGIONS,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
)
from fkp_live.types import FloatArray

# Speeds are taken over steps of at least this, in seconds, less a rounding: from frame to frame the jitter of the
# points would count in full, and at 60 frames a second twice as much as at 30. A longer gap is not measured.
_STEP, _ROUNDING, _GAP = 0.1, 0.005, 0.5
# Points that expressions hardly move: corners of the eyes, and the nose.
_RIGID = np.array(
    [RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER, *REGIONS["nose"].tolist()]
)


class Motion:
    """Speeds of one face's points, in eye distances a second."""

    def __init__(self) -> None:
        self._time = 0.0
        self._points: NDArray[np.complex128] | None = None

    def __call__(self, points: FloatArray, time: float) -> tuple[float, float, float] | None:
        """Mean speed of all points, of the head, and of the expression, since the last step; None if it is not over.

        The head's movement is the shift, turn and scaling that takes the eye corners and the nose along, applied to all
        points; the expression's is what remains.
        """
        elapsed = time - self._time
        if self._points is not None and 0 <= elapsed < _STEP - _ROUNDING:
            return None
        now = np.asarray(points, np.float64)
        before, self._points, self._time = self._points, _complex(now), time
        if before is None or not 0 < elapsed <= _GAP:
            return None
        carried = _carried(before, self._points)
        unit = eye_distance(now) * elapsed
        parts = (self._points - before, carried - before, self._points - carried)
        total, head, expression = (float(np.abs(part).mean()) / unit for part in parts)
        return total, head, expression


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return points[:, 0] + 1j * points[:, 1]


def _carried(before: NDArray[np.complex128], after: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """``before`` under the similarity that fits its rigid points to those of ``after`` by least squares."""
    from_, to = before[_RIGID], after[_RIGID]
    centre = from_.mean()
    spread = from_ - centre
    turn = np.vdot(spread, to - to.mean()) / max(float(np.vdot(spread, spread).real), 1e-12)
    return np.asarray(turn * (before - centre) + to.mean())
