"""Training of the expression network: its recipe, and a run of two epochs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fkp_live.errors import ExitCode, OutputError, UsageError
from fkp_live.sources import open_source

torch = pytest.importorskip("torch")

from train.__main__ import main as train  # noqa: E402
from train.cutouts import loop  # noqa: E402
from train.cutouts.command import read_schedule  # noqa: E402
from train.expression.fit import ExpressionRecipe  # noqa: E402
from train.network.checkpoint import write_content  # noqa: E402

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "train" / "recipes" / "expression.toml"
SMALL = '[expression]\nfirst = "fkp68.onnx"\nsize = 64\nepochs = 2\nbatch = 8\n'
LABELS = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both data sets, of faces of the demo clip: what their labels say does not matter here."""
    folder = tmp_path_factory.mktemp("expression")
    with open_source(ROOT / "fkp_live" / "assets" / "demo.mp4") as source:
        images = [frame.image for frame in source][::6]
    for name, columns in (
        ("faces", ["image", "label", "annotator", "person"]),
        ("rafdb", ["image", "label"]),
    ):
        (folder / name / "images").mkdir(parents=True)
        with (folder / name / "labels.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for number, image in enumerate(images[:28]):
                x, y = 210 + number % 7, 130 + number % 5
                cv2.imwrite(str(folder / name / "images" / f"{number}.png"), image[y : y + 230, x : x + 230])
                row = [f"{number}.png", LABELS[number % 7], "one", str(number // 2)]
                writer.writerow(row[: len(columns)])
    return folder


def weights(path: Path) -> dict[str, np.ndarray]:
    state = torch.load(path, weights_only=True)["model"]
    return {name: value.numpy() for name, value in state.items()}


def test_a_run_that_is_resumed_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    words = ["expression", str(recipe), "--data", str(data), "--threads", "1"]
    assert train([*words, "--out", str(tmp_path / "whole")]) == 0
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "faces.npz").write_bytes((tmp_path / "whole" / "faces.npz").read_bytes())

    def save_and_stop(path: Path, content: dict[str, Any]) -> None:
        write_content(path, content)
        raise OutputError("stopped after an epoch")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_content", save_and_stop)
        assert train([*words, "--out", str(tmp_path / "parts")]) == ExitCode.OUTPUT
    assert train([*words, "--out", str(tmp_path / "parts"), "--resume"]) == 0
    whole, parts = (weights(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)

    # A smaller one learns from it, also on faces without labels.
    recipe.write_text(SMALL + "blocks = [1, 1, 0]\n")
    unlabelled = ["--unlabelled", str(data / "faces" / "images"), "--out", str(tmp_path / "parts" / "small")]
    assert train([*words, *unlabelled]) == ExitCode.USAGE
    taught = [*unlabelled, "--epochs", "1", "--teacher", str(tmp_path / "whole" / "last.pt")]
    (tmp_path / "parts" / "small").mkdir()
    (tmp_path / "parts" / "faces.npz").rename(tmp_path / "parts" / "small" / "faces.npz")
    assert train([*words, *taught]) == 0
    small = torch.load(tmp_path / "parts" / "small" / "last.pt", weights_only=True)
    assert small["options"]["blocks"] == (1, 1, 0)
    assert small["unlabelled"] == 28
    assert [teacher["name"] for teacher in small["teachers"]] == ["last.pt"]


def test_the_shipped_recipe_is_read_and_another_section_refused(tmp_path: Path) -> None:
    assert read_schedule(RECIPE, "expression", ExpressionRecipe).blocks == (1, 1, 0)
    recipe = tmp_path / "other.toml"
    recipe.write_text(SMALL + "[data]\n")
    with pytest.raises(UsageError, match="unknown section 'data'"):
        read_schedule(recipe, "expression", ExpressionRecipe)
