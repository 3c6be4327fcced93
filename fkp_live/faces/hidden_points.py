"""Confidence of points that a turned head hides.

Where a head is turned far, the network guesses the far eye, brow, jaw and half of the mouth, with a confidence that is
too high, and it is too sure of the points that are seen. How often a point is seen at a yaw is known from labels, and
its confidence is multiplied by that; and by how much more often it is wrong there than the network says.
``benchmarks/fit_hidden.py`` makes the table (``assets/hidden.npz``).
"""

from __future__ import annotations

import math
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import own_turns
from fkp_live.topology import MIRROR
from fkp_live.types import FloatArray, Pose

Array = NDArray[np.float64]

# Radians of yaw up to which the network's confidence stays as it is.
FROM = math.radians(20)
# From which and up to which the share of hidden points comes into force. Below, annotators still place points that are
# just out of sight, and the network was taught where.
HIDDEN_FROM, FULL = math.radians(32), math.radians(52)


def seen_confidence(confidence: FloatArray, pose: Pose, *, knows_turned: float = 0.0) -> FloatArray:
    """Confidence (68,) of the points of a face, lower where its turn hides them, however the camera is tilted.

    Parameters
    ----------
    knows_turned : how much of the network learnt from turned faces, 0 to 1 (a mean of two: the share of the one that
        did). That much less is it too sure of the points that are seen.
    """
    _, yaw, _ = own_turns(pose.pitch, pose.yaw, pose.roll)
    if not abs(yaw) > FROM:  # NaN too
        return confidence
    # Of a head that turns to its own left, which is to the right in the picture.
    log_odds, slopes = _table()
    factor = seen_share(log_odds, abs(yaw))
    factor = factor * np.exp(-(1 - knows_turned) * slopes * (abs(yaw) - FROM))
    return np.asarray(confidence * (factor if yaw > 0 else factor[MIRROR]), np.float32)


def seen_share(log_odds: Array, yaw: float | Array) -> Array:
    """(68,) factors for points with these log-odds (68, 2) of being hidden, at a yaw in radians; (N, 68) of (N, 1)."""
    force = np.clip((yaw - HIDDEN_FROM) / (FULL - HIDDEN_FROM), 0.0, 1.0)
    return np.asarray(1 - force / (1 + np.exp(-(log_odds[:, 0] + log_odds[:, 1] * yaw))))


@cache
def _table() -> tuple[Array, Array]:
    """(68, 2): log-odds that a point is hidden, at yaw 0 and per radian; (68,): by how much it is oftener wrong."""
    with (
        resources.files("fkp_live").joinpath("assets/hidden.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        return np.asarray(arrays["log_odds"], np.float64), np.asarray(arrays["slopes"], np.float64)
