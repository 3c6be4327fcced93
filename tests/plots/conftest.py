"""The demo clip's results, computed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fkp_live import Pipeline, PipelineOptions, open_source
from fkp_live.types import FrameResult

DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"


@pytest.fixture(scope="session")
def demo_results() -> list[FrameResult]:
    """What was found in the first two seconds of the clip in the package."""
    pipeline = Pipeline(PipelineOptions(provider="cpu"))
    with open_source(DEMO, end=2.0) as source:
        return [pipeline.process(frame) for frame in source]
