"""How the pose map's size is chosen."""

from __future__ import annotations

import numpy as np

from benchmarks.fit_pose import plainest


def test_the_plainest_map_that_is_not_clearly_worse_is_taken() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0.0, 2.0, 400)  # a standard error of 0.1
    noise -= noise.mean()
    scores = {
        (3, 1.0): 4.5 + noise,  # clearly worse
        (4, 0.3): 4.05 + noise,
        (4, 1.0): 4.08 + noise,
        (8, 3.0): 4.0 + noise,  # the least
    }
    assert plainest(scores) == (4, 1.0)
