"""What avatars are driven with, from a face of 68 points: openness in [0, 1] and the time of its capture."""

from __future__ import annotations

import math
import time

from fkp_live.types import FrameResult, Measures

# Openness of an eye (height over width, see `types.Measures`) at which it counts as shut and as open: looked at, and by
# the points, which give most shut eyes 0.18 to 0.21, and open ones 0.28 to 0.35.
_EYE, _EYE_BY_POINTS = (0.08, 0.27), (0.18, 0.29)
# Openness of the mouth, on the inner lip, that counts as wide open.
_MOUTH_OPEN = 0.7


def eyes_open(measures: Measures | None) -> tuple[float, float]:
    """How far the right and the left eye are open, in [0, 1]; both 0 in a blink, both 1 where nothing was measured."""
    if measures is None:
        return 1.0, 1.0
    if measures.blink:
        return 0.0, 0.0
    shut, opened = _EYE_BY_POINTS if measures.eyes_by_points else _EYE
    right, left = (
        (value - shut) / (opened - shut) for value in (measures.right_eye_open, measures.left_eye_open)
    )
    return min(max(right, 0.0), 1.0), min(max(left, 0.0), 1.0)


def mouth_open(measures: Measures | None) -> float:
    """How far the mouth is open, in [0, 1]."""
    return 0.0 if measures is None else min(max(measures.mouth_open / _MOUTH_OPEN, 0.0), 1.0)


def age_of(result: FrameResult) -> float:
    """Seconds since the frame arrived; 0 where that is not known."""
    age = time.perf_counter() - result.arrived
    return 0.0 if math.isnan(age) else age
