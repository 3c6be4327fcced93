"""Movement: its speed is exact, and head and expression are told apart."""

from __future__ import annotations

import numpy as np
import pytest
from drawn import mean_shape

from fkp_live.plots.motion import Motion
from fkp_live.plots.readings import eye_distance
from fkp_live.topology import REGIONS

SHAPE = mean_shape() * 100
UNIT = eye_distance(SHAPE)


def speeds(shapes: list[np.ndarray], rate: float = 30.0) -> np.ndarray:
    motion = Motion()
    found = [motion(shape.astype(np.float32), index / rate) for index, shape in enumerate(shapes)]
    return np.mean([one for one in found if one is not None], axis=0)


def moved(frames: int, rate: float) -> list[np.ndarray]:
    """Half an eye distance a second to the right."""
    return [SHAPE + np.array([0.5 * UNIT * index / rate, 0.0]) for index in range(frames)]


@pytest.mark.parametrize("rate", [10.0, 25.0, 30.0, 60.0])
def test_a_shift_is_the_heads_at_any_frame_rate(rate: float) -> None:
    total, head, expression = speeds(moved(60, rate), rate)
    assert total == pytest.approx(0.5, rel=1e-3)
    assert head == pytest.approx(0.5, rel=1e-3)
    assert expression == pytest.approx(0.0, abs=1e-3)


def test_turning_and_growing_are_the_heads() -> None:
    turns = [
        SHAPE @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) for a in np.arange(30) * 0.02
    ]
    grown = [shape * (1 + 0.01 * index) for index, shape in enumerate(turns)]
    total, head, expression = speeds(grown)
    assert head == pytest.approx(total, rel=1e-3)
    assert expression < 0.01 * head


def test_a_mouth_that_opens_is_expression() -> None:
    shapes = []
    for index in range(30):
        shape = SHAPE.copy()
        shape[REGIONS["mouth"][12:], 1] += index
        shapes.append(shape)
    total, head, expression = speeds(shapes)
    assert expression == pytest.approx(total, rel=1e-3)
    assert head == pytest.approx(0.0, abs=1e-3)


def test_jitter_does_not_count_more_at_a_higher_rate() -> None:
    rng = np.random.default_rng(0)
    noise = [
        speeds([SHAPE + rng.normal(0, 0.2, SHAPE.shape) for _ in range(600)], rate)[0]
        for rate in (30.0, 60.0)
    ]
    assert noise[1] == pytest.approx(noise[0], rel=0.1)


def test_gaps_and_steps_back_are_no_movement() -> None:
    motion = Motion()
    assert motion(SHAPE.astype(np.float32), 0.0) is None
    assert motion((SHAPE + 500).astype(np.float32), 5.0) is None
    assert motion(SHAPE.astype(np.float32), 1.0) is None
    assert motion(SHAPE.astype(np.float32), 1.1) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
