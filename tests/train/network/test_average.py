"""The mean of two networks: between the weights of both, and a checkpoint like any other."""

from __future__ import annotations

import copy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from export.card import card, training_facts
from export.landmark import metadata
from fkp_live.errors import ExitCode
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from train.__main__ import main
from train.network.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from train.network.initial import initial_network
from train.network.model import LandmarkNet
from train.network.norms import fold_batch_norms
from train.options import ModelOptions, Recipe

OPTIONS = ModelOptions(32, 0.125, (4, 6, 8, 8), (1, 1, 1), (8, 8))


def checkpoint(path: Path, network: LandmarkNet) -> Path:
    recipe = Recipe(name="second", model=network.options).as_dict()
    save_checkpoint(path, network, ema=network.state_dict(), epoch=3, history=[], recipe=recipe)
    return path


@pytest.fixture(name="pair")
def _pair() -> tuple[LandmarkNet, LandmarkNet]:
    """A network that has seen something, and one that was moved on from it."""
    torch.manual_seed(0)
    first = LandmarkNet(OPTIONS).train()
    for _ in range(3):
        first.features(torch.rand(16, 3, 32, 32) * 255.0)
    second = copy.deepcopy(first)
    with torch.no_grad():
        for value in second.parameters():
            value.add_(0.02 * torch.randn_like(value))
    second.features(torch.rand(16, 3, 32, 32) * 255.0)
    return first.eval(), second.eval()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_every_folded_weight_lies_between_those_of_both(
    tmp_path: Path, pair: tuple[LandmarkNet, LandmarkNet], share: float
) -> None:
    paths = [checkpoint(tmp_path / f"{n}.pt", network) for n, network in enumerate(pair)]
    out = tmp_path / "mean.pt"
    assert main(["average", *map(str, paths), "--share", str(share), "--out", str(out)]) == 0
    first, second, mean = (fold_batch_norms(load_checkpoint(p)).state_dict() for p in (*paths, out))
    for name, value in mean.items():
        torch.testing.assert_close(value, torch.lerp(first[name], second[name], share), atol=1e-5, rtol=1e-4)
    if share in (0.0, 1.0):
        crops = torch.rand(4, 3, 32, 32) * 255.0
        with torch.no_grad():
            for mine, theirs in zip(load_checkpoint(out)(crops), pair[int(share)](crops), strict=True):
                np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-3)


def test_the_checkpoint_and_the_card_record_what_was_averaged(
    tmp_path: Path, pair: tuple[LandmarkNet, LandmarkNet]
) -> None:
    paths = [checkpoint(tmp_path / f"{n}.pt", network) for n, network in enumerate(pair)]
    out = tmp_path / "mean.pt"
    assert main(["average", *map(str, paths), "--out", str(out)]) == 0
    content = read_checkpoint(out)
    assert content["recipe"]["name"] == "second"
    facts = training_facts(content)
    assert facts["averaged"]["with"] == "0.pt"
    assert facts["averaged"]["share"] == 0.5
    assert "averaged: 0.5 of each weight" in card("mean", out, load_checkpoint(out), facts, {})
    assert main(["average", *map(str, paths), "--out", str(out)]) == ExitCode.OUTPUT


def test_what_cannot_be_averaged_is_refused(tmp_path: Path, pair: tuple[LandmarkNet, LandmarkNet]) -> None:
    wider = LandmarkNet(ModelOptions(**{**asdict(OPTIONS), "channels": (8, 8, 8, 8)}))
    paths = [checkpoint(tmp_path / f"{n}.pt", network) for n, network in enumerate((pair[0], wider))]
    words = ["average", *map(str, paths), "--out", str(tmp_path / "mean.pt")]
    assert main(words) == ExitCode.USAGE
    assert main([*words, "--share", "1.5"]) == ExitCode.USAGE
    assert not (tmp_path / "mean.pt").exists()


def test_a_bare_network_and_a_folder_are_refused(
    tmp_path: Path, pair: tuple[LandmarkNet, LandmarkNet], capsys: pytest.CaptureFixture[str]
) -> None:
    whole, bare, folder = checkpoint(tmp_path / "0.pt", pair[0]), tmp_path / "bare.pt", tmp_path / "folder"
    save_checkpoint(bare, pair[1])
    folder.mkdir()
    assert main(["average", str(whole), str(bare), "--out", str(tmp_path / "mean.pt")]) == ExitCode.MODEL
    assert "holds no recipe" in capsys.readouterr().err
    words = ["average", str(whole), str(whole), "--out", str(folder), "--overwrite"]
    assert main(words) == ExitCode.OUTPUT
    assert not list(tmp_path.glob("*.partial"))


def test_the_mean_with_a_shipped_network_notes_what_that_learnt_from(tmp_path: Path) -> None:
    shipped = Path(resolve_model("fkp68-large"))
    network = initial_network(shipped, torch.rand(8, 3, 160, 160) * 255.0)
    second, out = tmp_path / "second.pt", tmp_path / "mean.pt"
    recipe = Recipe(name="second", model=network.options).as_dict()
    noted = {"trained_on": [{"name": "mine", "faces": 3, "sha256": "abc"}], "init": None, "held_out": None}
    save_checkpoint(second, network, epoch=3, history=[], recipe=recipe, **noted)
    assert main(["average", str(shipped), str(second), "--share", "0.25", "--out", str(out)]) == 0
    training = open_session(shipped, "cpu").metadata["training"]
    other = read_checkpoint(out)["averaged"]
    assert (other["trained_on"], other["held_out"]) == (training["trained_on"], training["held_out_seen"])
    facts = training_facts(read_checkpoint(out))
    # The second knows of no turned faces.
    assert metadata(network, "mean", facts, {})["confidence"] == {"turned": 0.75}
    assert "fkp68-large.onnx, the network averaged with, learnt from" in card("mean", out, network, facts, {})
