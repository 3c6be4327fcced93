"""From a checkpoint to an ONNX file that the product runs and that says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export import landmark
from export.__main__ import main
from export.card import write_sums
from fkp_live.errors import FkpError
from fkp_live.landmark import LandmarkNetwork
from fkp_live.runtime import open_session
from fkp_live.types import Image
from train.model import LandmarkNet, ModelOptions, save_checkpoint
from train.recipe import Recipe

OPTIONS = ModelOptions(size=32, channels=(4, 8, 8, 16), blocks=(0, 1, 1), decoder=(8, 8))


@pytest.fixture(name="model", scope="module")
def _model() -> LandmarkNet:
    """An untrained network whose batch norms have seen something, so that folding them matters."""
    torch.manual_seed(0)
    model = LandmarkNet(OPTIONS)
    for _ in range(3):
        model.train()(torch.rand(8, 3, 32, 32) * 255)
    return model.eval()


@pytest.fixture(name="exported", scope="module")
def _exported(model: LandmarkNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    extra = {"epoch": 7, "recipe": Recipe(name="tiny").as_dict()}
    save_checkpoint(folder / "last.pt", model, **extra)
    assert main([str(folder / "last.pt"), "--name", "tiny", "--out", str(folder)]) == 0
    return folder / "tiny.onnx"


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_file_gives_torchs_points_at_any_batch(model: LandmarkNet, exported: Path, batch: int) -> None:
    crops = np.random.default_rng(batch).uniform(0, 255, (batch, 3, 32, 32)).astype(np.float32)
    points, confidence = open_session(exported, "cpu").run({"image": crops})
    with torch.no_grad():
        expected = model(torch.from_numpy(crops))
    assert points == pytest.approx(expected[0].numpy(), abs=0.01)
    assert confidence == pytest.approx(expected[1].numpy(), abs=1e-3)


def test_the_product_runs_it(exported: Path, astronaut: Image) -> None:
    network = LandmarkNetwork(open_session(exported, "cpu"))
    assert network.spec == OPTIONS.crop_spec
    found = network(astronaut, np.array([[170.0, 60.0, 280.0, 180.0]]))
    assert found.points.shape == (1, 68, 2)


def test_it_says_what_it_is(exported: Path) -> None:
    told = open_session(exported, "cpu").metadata
    assert told["schema"] == "fkp-landmarks/1"
    assert told["input"]["size"] == 32
    assert told["crop"] == {"kind": "square", "margin": 0.125}
    assert told["training"]["epochs"] == 7
    assert "non-commercial" in told["licence"]


def test_nothing_of_this_machine_is_inside(exported: Path) -> None:
    content = exported.read_bytes()
    assert str(Path(__file__).parents[1]).encode() not in content
    assert b"site-packages" not in content
    assert b".py" not in content
    onnx.checker.check_model(str(exported), full_check=True)


def test_card_figures_and_sums_lie_beside_it(exported: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    digest = landmark.sha256_of(exported)
    assert digest in card
    assert json.loads(exported.with_suffix(".json").read_text())["sha256"] == digest
    assert f"{digest}  tiny.onnx" in (exported.parent / "SHA256SUMS").read_text().splitlines()


def test_an_existing_model_is_kept(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = exported.read_bytes()
    arguments = [str(exported.parent / "last.pt"), "--name", "tiny", "--out", str(exported.parent)]
    assert main(arguments) == 6
    assert exported.read_bytes() == before
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_a_missing_checkpoint_is_a_model_error(tmp_path: Path) -> None:
    assert main([str(tmp_path / "none.pt"), "--out", str(tmp_path)]) == 4


def test_a_file_that_differs_from_torch_is_not_written(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmark, "TOLERANCE", -1.0)
    with pytest.raises(FkpError, match="differ from torch's"):
        landmark.export_onnx(model, tmp_path / "x.onnx", landmark.metadata(model, "x", {}, {}))
    assert list(tmp_path.iterdir()) == []


def test_sums_of_the_shipped_models_are_right() -> None:
    models = Path(__file__).parents[1] / "models"
    before = (models / "SHA256SUMS").read_text()
    for line in before.splitlines():
        digest, name = line.split("  ")
        assert landmark.sha256_of(models / name) == digest, name
    listed = {line.split("  ")[1] for line in before.splitlines()}
    assert {path.name for path in models.glob("*.onnx")} <= listed


def test_write_sums_is_sorted_and_complete(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.onnx", "note.md"):
        (tmp_path / name).write_text(name)
    write_sums(tmp_path)
    assert [line[66:] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()] == ["a.onnx", "b.onnx"]
