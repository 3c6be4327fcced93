"""Noise like the network's, for tests of smoothing."""

from __future__ import annotations

import numpy as np
from shapes import FRONTAL

SIZE = 100.0  # eye distance in pixels


def noise(frames: int, seed: int = 0) -> np.ndarray:
    """(T, 68, 2) pixels: shared by the face, by neighbours and by nobody; half of it lasts over frames."""
    random = np.random.default_rng(seed)
    distance = np.linalg.norm(FRONTAL[:, None] - FRONTAL[None], axis=-1)
    covariance = (
        0.4 * np.exp(-((distance / 1.2) ** 2)) + 0.35 * np.exp(-((distance / 0.15) ** 2)) + 0.25 * np.eye(68)
    )
    root = np.linalg.cholesky(covariance)
    fresh, steps = (np.einsum("ij,tjc->tic", root, random.standard_normal((frames, 68, 2))) for _ in range(2))
    lasting = np.zeros_like(steps)
    lasting[0] = steps[0]
    for t in range(1, frames):
        lasting[t] = 0.6 * lasting[t - 1] + 0.8 * steps[t]
    return SIZE * 0.004 * 0.5 * (fresh + lasting)
