"""The columns of the ablation table that are its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from steady import Steady

from benchmarks.ablation import comment_of, costs, warp_jitter
from fkp_live.geometry import CropSpec
from fkp_live.types import Image
from train.data.faces import FaceSet
from train.network.model import LandmarkNet
from train.options import ModelOptions


def test_a_blind_network_jitters_as_much_as_the_warps_shift(astronaut: Image, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "face.png"), astronaut)
    points = np.random.default_rng(0).uniform(150, 260, (68, 2)).astype(np.float32)
    box = points.max(0) - points.min(0)
    eyes = float(np.linalg.norm(points[36] - points[45]))
    # It answers the middle of whatever it sees: every warp moves it against the face.
    blind = Steady(np.full((68, 2), 55.5, np.float32), CropSpec(112, 0.125))
    jitter = warp_jitter(blind, FaceSet("one", (tmp_path / "face.png",), points[None]))  # type: ignore[arg-type]
    # A shift of 1 % of the crop's side (its longer side and a margin on both ends) in x and in y, as a distance.
    expected = 100.0 * 2**0.5 * 0.01 * 1.25 * float(box.max()) / eyes
    assert jitter == pytest.approx(expected, rel=0.35)


def test_cost_is_relative_to_the_first() -> None:
    small = ModelOptions(size=32, channels=(4, 4, 8, 8), blocks=(0, 0, 0), decoder=(8, 8))
    large = ModelOptions(size=96, channels=(16, 32, 64, 128), blocks=(1, 1, 1), decoder=(32, 32))
    found = costs({"base": LandmarkNet(small), "large": LandmarkNet(large)}, rounds=20)
    assert found["base"] == 1.0
    assert found["large"] > 1.5


def test_every_recipe_says_what_it_changes() -> None:
    recipes = sorted(
        (Path(__file__).parents[2] / "train" / "recipes" / "history" / "ablation").glob("*.toml")
    )
    assert "base.toml" in {path.name for path in recipes}
    for path in recipes:
        assert len(comment_of(path)) > 10
        assert comment_of(path) != path.read_text()
