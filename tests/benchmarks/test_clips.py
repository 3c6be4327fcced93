"""Figures of the comparison on clips: what follows from tracks whose making is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapes import FRONTAL

from benchmarks.clips import Track, figures, pictures, tremble
from fkp_live.commands.bench.scenes import demo_clip

FRAMES = 200


def track(noise: float, *, lost: tuple[int, ...] = (), seconds: float = 0.01) -> Track:
    """A face of 100 px that glides, with white noise of ``noise`` px in x and in y."""
    random = np.random.default_rng(round(100 * noise))
    points = [
        None if k in lost else 100.0 * FRONTAL + [0.3 * k, 0.1 * k] + random.normal(0, noise, (68, 2))
        for k in range(FRAMES)
    ]
    return Track(points, [seconds] * FRAMES, [seconds] * FRAMES)


def test_tremble_is_the_noise_and_not_the_way() -> None:
    face = 100.0 * FRONTAL
    eyes = np.linalg.norm(face[45] - face[36])
    found = tremble({"still": track(0.0), "noisy": track(0.5, lost=(50,))})
    assert found["still"] == pytest.approx(0.0, abs=1e-6)
    assert found["noisy"] == pytest.approx(100.0 * 0.5 * np.sqrt(2.0) / eyes, rel=0.05)


def test_tremble_of_nobody_is_not_made_up() -> None:
    assert tremble({"one": track(0.1), "blind": track(0.1, lost=tuple(range(FRAMES)))})["one"] is None


def test_ratios_are_to_the_first_system() -> None:
    rows = figures({"first": track(0.1, seconds=0.01), "second": track(0.1, lost=(0, 1), seconds=0.02)})
    assert rows["second"]["p50_ratio"] == pytest.approx(2.0)
    assert rows["second"]["cpu_ratio"] == pytest.approx(2.0)
    assert rows["second"]["fps"] == pytest.approx(50.0)
    assert rows["second"]["seen"] == pytest.approx(1 - 2 / FRAMES)
    assert rows["first"]["seen"] == 1.0


def test_pictures_are_scaled_into_the_size() -> None:
    frames = pictures(Path(demo_clip()), (320, 240), 3)
    assert len(frames) == 3
    assert all(image.shape == (240, 320, 3) for image, _ in frames)
    assert frames[0][1] < frames[1][1] < frames[2][1]
