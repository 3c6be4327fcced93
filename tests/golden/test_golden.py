"""Golden boxes and points: the shipped networks on one portrait and on the demo clip, to 0.75 px.

After a network was replaced, ``python -m tests.golden.write`` writes the record anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from golden import scenes
from numpy.typing import ArrayLike

from fkp_live.engine import Engine
from fkp_live.types import Frame

# Pixels. Measured without graph optimisation, which changes the order of the sums: float networks moved by 0.08 at
# most, int8 by 0.42 (its roundings flip, as they do between processors with and without VNNI) and 0.13 in the mean.
POINT, MEAN = 0.75, 0.3
# Openness and probability of eyes.
EYE = 0.02


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return scenes.demo_frames()


def check(found: dict[str, np.ndarray], recorded: dict[str, ArrayLike]) -> None:
    assert set(found) == set(recorded)
    for scene, values in found.items():
        off = np.abs(values - np.array(recorded[scene]))
        worst = np.unravel_index(off.argmax(), off.shape)
        assert off.max() <= POINT, f"{scene}: {off.max():.2f} px at {worst}"
        assert off.mean() <= MEAN, f"{scene}: {off.mean():.2f} px in the mean"


def test_the_record_covers_every_shipped_network() -> None:
    shipped = {path.stem for path in (Path(__file__).parents[2] / "models").glob("*.onnx")}
    assert (
        shipped - {"fkp-expression", "fkp-expression-large"}
        == {*scenes.NETWORKS, "yunet", "fkp-eyes"}
        == set(json.loads(scenes.RECORD.read_text()))
    )


def test_boxes_of_the_detector(frames: list[Frame]) -> None:
    recorded = json.loads(scenes.RECORD.read_text())["yunet"]
    check(scenes.detect(scenes.astronaut(), frames, Engine("cpu").detector), recorded)


def test_eyes_at_the_recorded_points(frames: list[Frame]) -> None:
    recorded = json.loads(scenes.RECORD.read_text())
    found = scenes.look(scenes.astronaut(), frames, Engine("cpu"), recorded["fkp68"])
    assert set(found) == set(recorded["fkp-eyes"])
    for scene, values in found.items():
        assert np.abs(values - np.array(recorded["fkp-eyes"][scene])).max() <= EYE, scene


@pytest.mark.parametrize("name", scenes.NETWORKS)
def test_points_of_single_pictures_and_of_the_tracked_clip(name: str, frames: list[Frame]) -> None:
    recorded = json.loads(scenes.RECORD.read_text())[name]
    check(scenes.locate(scenes.astronaut(), frames, Engine("cpu", name)), recorded)
