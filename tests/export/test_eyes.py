"""Export of an eye network: the file that the product opens, and what lies beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from export.__main__ import main as export  # noqa: E402
from fkp_live.errors import ExitCode  # noqa: E402
from fkp_live.faces.eyes import EyeNetwork  # noqa: E402
from fkp_live.images.picture import BgrPicture  # noqa: E402
from fkp_live.inference.session import open_session  # noqa: E402
from train.eyes.data import Eyes  # noqa: E402
from train.eyes.fit import EyeRecipe  # noqa: E402
from train.eyes.network import EyeNet  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run: a network that has learnt nothing, and two faces of each held-out set."""
    folder, rng = tmp_path_factory.mktemp("run"), np.random.default_rng(0)
    torch.manual_seed(0)
    net = EyeNet(4)
    content = {"kind": "eyes", "recipe": asdict(EyeRecipe(width=4)), "epoch": 3, "ema": net.state_dict()}
    torch.save({**content, "trained_on": {"wild_train": 7}}, folder / "last.pt")
    name = np.repeat(["wild_val", "hard_mtfl", "unseen"], 2)
    openness = np.array([[0.05, 0.3]] * 6, np.float32)
    eyes = Eyes(
        rng.integers(0, 255, (6, 2, 64, 64), np.uint8),
        np.full((6, 2, 6, 2), np.nan, np.float32),
        openness,
        np.ones((6, 2), np.bool_),
        np.full((6, 2), 20, np.float32),
        openness,
        np.zeros(6, np.float32),
        name,
        np.ones(6, np.bool_),
    )
    np.savez(folder / "eyes.npz", **{field: getattr(eyes, field) for field in Eyes.__slots__})
    return folder


def test_the_product_opens_what_is_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eyes", str(run / "last.pt"), "--name", "mine", "--out", str(tmp_path), "--data", str(run)]
    assert export(words) == ExitCode.OK
    session = open_session(tmp_path / "mine.onnx", "cpu")
    assert session.metadata["name"] == "mine"
    assert session.metadata["training"]["trained_on"] == {"wild_train": 7}
    points = np.random.default_rng(0).uniform(20, 80, (68, 2)).astype(np.float32)
    found = EyeNetwork(session)(BgrPicture(np.zeros((100, 100, 3), np.uint8)), [points])
    assert found.shape == (1, 2, 2)
    assert (found[..., 1] > 0).all()
    assert (found[..., 1] < 1).all()
    card, facts = (tmp_path / "mine.md").read_text(), json.loads((tmp_path / "mine.json").read_text())
    assert "| wild_val: 2 faces, 2 of 4 eyes shut | points | 1.00 |" in card
    assert facts["sha256"] == session.sha256
    assert facts["sha256"] in card
    assert facts["sha256"] in (tmp_path / "SHA256SUMS").read_text()
    assert str(run) not in (tmp_path / "mine.onnx").read_bytes().decode("latin-1")
    assert export(words) == ExitCode.OUTPUT
    assert "exists" in capsys.readouterr().err


def test_a_checkpoint_of_another_kind_is_a_model_error(run: Path, tmp_path: Path) -> None:
    torch.save({"kind": "expression"}, tmp_path / "other.pt")
    words = ["eyes", str(tmp_path / "other.pt"), "--out", str(tmp_path), "--data", str(run)]
    assert export(words) == ExitCode.MODEL
    assert [path.name for path in tmp_path.iterdir()] == ["other.pt"]
