"""Stage times of the pipeline, with a clock that the test advances."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import World, face_at

from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.pipeline import Pipeline
from fkp_live.types import FaceBox, Landmarks


class Clock:
    """Advances by a second at every reading, and by what else takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class SlowWorld(World):
    """A detector that takes 100 seconds and a landmark network that takes 10,000."""

    clock: Clock

    def detector(self, image: np.ndarray) -> list[FaceBox]:
        self.clock.now += 100.0
        return super().detector(image)

    def run_matrices(self, image: np.ndarray, matrices: list[np.ndarray]) -> Landmarks:  # type: ignore[override]
        self.clock.now += 10_000.0
        return super().run_matrices(image, matrices)


def test_the_stages_share_out_the_time_of_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SlowWorld([face_at(300, 200)])
    world.clock = Clock()
    options = PipelineOptions(any_roll=False)  # which way up a new face is would count as detecting
    pipeline = Pipeline(options, engine=Engine(detector=world.detector, network=world))
    monkeypatch.setattr("fkp_live.pipeline.perf_counter", world.clock)
    picture = np.full((480, 640, 3), 100, np.uint8)
    for index in range(3):
        arrived = world.clock.now + 1  # process_image reads the clock first, then the stages begin
        result = pipeline.process_image(picture, index / 30)
        timings = result.timings
        assert sum(timings.values()) == world.clock.now - arrived - 1
        assert result.detected == (index == 0)
        assert (100 <= timings["detect"] < 105) == result.detected
        assert 10_000 <= timings["landmark"] < 10_005
        assert 2 <= timings["track"] < 5
        assert timings["smooth"] == timings["measure"] == 1
