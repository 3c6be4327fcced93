"""The clip that the package carries."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
from written import frames_in


def test_demo_clip_is_small_and_moves() -> None:
    path = Path(__file__).parents[1] / "fkp_live" / "assets" / "demo.mp4"
    assert path.stat().st_size < 1_000_000
    frames = [f.image for f in frames_in(path)]
    assert 150 <= len(frames) <= 180
    small = [cv2.resize(f, (64, 48)).astype(int) for f in frames]
    assert min(np.abs(b - a).mean() for a, b in itertools.pairwise(small)) > 0.2
