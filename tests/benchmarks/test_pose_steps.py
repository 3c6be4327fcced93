"""Changes of angles from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.pose_steps import steps


def test_only_faces_that_stay_are_counted_and_full_turns_are_none() -> None:
    first, second = np.radians([1.0, 2.0, 179.0]), np.radians([3.0, 2.0, -179.0])
    found = steps([{1: first, 2: first}, {1: second, 3: first}, {}, {1: first}])
    assert found == pytest.approx(np.array([[2.0, 0.0, 2.0]]))
    assert steps([]).shape == (0, 3)
