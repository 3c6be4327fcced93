"""Confidence of points that a turned head hides.

Where a head is turned far, the network guesses the far eye, brow, jaw and half of the mouth, with a confidence that is
too high: at a yaw of 50 to 60 degrees it was 0.6 for points of training faces that nobody can see, and 0.7 for the
others. How often a point is seen at a yaw is known from labels, and its confidence is multiplied by that.
``benchmarks/fit_hidden.py`` makes the table (``assets/hidden.npz``).
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources

import numpy as np

from fkp_live.topology import MIRROR
from fkp_live.types import FloatArray

# Radians of yaw from which and up to which the share of hidden points comes into force. Below, annotators still place
# points that are just out of sight, and the network was taught where.
FROM, FULL = math.radians(40), math.radians(55)


def seen_confidence(confidence: FloatArray, yaw: float) -> FloatArray:
    """Confidence (68,) of the points of a face, lower where this yaw in radians hides them; see `types.Pose`."""
    force = min((abs(yaw) - FROM) / (FULL - FROM), 1.0)
    if not force > 0:  # NaN too
        return confidence
    # Of a head that turns to its own left, which is to the right in the picture.
    hidden = 1 / (1 + np.exp(-(_table() @ (1.0, abs(yaw)))))
    if yaw < 0:
        hidden = hidden[MIRROR]
    return np.asarray(confidence * (1 - force * hidden), np.float32)


@cache
def _table() -> np.ndarray:
    """(68, 2): log-odds that a point is hidden, at yaw 0 and per radian."""
    with (
        resources.files("fkp_live").joinpath("assets/hidden.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        return np.asarray(arrays["log_odds"], np.float64)
