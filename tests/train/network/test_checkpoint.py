"""Checkpoints: written whole or not at all, and refused where they are damaged or of something else."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fkp_live.errors import ModelError, OutputError
from train.network.checkpoint import load_checkpoint, read_checkpoint, save_checkpoint
from train.network.model import LandmarkNet
from train.options import ModelOptions

SMALL = ModelOptions(size=64, channels=(4, 4, 8, 8), blocks=(1, 1, 1), decoder=(8, 8))


def test_a_checkpoint_of_an_older_version_is_read(tmp_path: Path) -> None:
    """It stores options that have one value left; another value is another network."""
    model = LandmarkNet(SMALL)
    content = {"options": {**asdict(SMALL), "stride": 4, "head": "soft-argmax"}, "model": model.state_dict()}
    torch.save(content, tmp_path / "old.pt")
    assert load_checkpoint(tmp_path / "old.pt").options == SMALL
    torch.save({**content, "options": {**asdict(SMALL), "head": "flat"}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="unknown key 'head'"):
        load_checkpoint(tmp_path / "other.pt")


def test_checkpoint_gives_back_the_averaged_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    raw, averaged = LandmarkNet(SMALL), LandmarkNet(SMALL)
    save_checkpoint(tmp_path / "last.pt", raw, ema=averaged.state_dict())
    crops = torch.rand(2, 3, 64, 64) * 255
    assert torch.equal(load_checkpoint(tmp_path / "last.pt")(crops)[0], averaged.eval()(crops)[0])


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.pt"):
        load_checkpoint(path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": 1}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="holds no model of this program"):
        load_checkpoint(tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"foo": 1}}, "unknown key 'foo'"),
        ({"options": "large"}, "cannot be built"),
        ({"options": {**asdict(SMALL), "channels": (0, 4, 8, 8)}}, "channels = "),
        ({"options": asdict(replace(SMALL, decoder=(8, 4)))}, "another network than its options describe"),
        ({"model": {}}, "another network than its options describe"),
        ({"model": 3}, "another network than its options describe"),
        ({"recipe": 3}, "damaged recipe"),
        ({"recipe": {"data": {}, "model": asdict(SMALL)}}, "damaged recipe, without training"),
        (
            {"recipe": {"data": {}, "training": {}, "model": asdict(replace(SMALL, size=96))}},
            "another network than its recipe describes",
        ),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    content = {"options": asdict(SMALL), "model": LandmarkNet(SMALL).state_dict()}
    torch.save({**content, **changes}, tmp_path / "x.pt")
    with pytest.raises(ModelError, match=r"x\.pt") as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert message in caught.value.message


def test_a_damaged_file_does_not_bring_torchs_advice_to_load_it_unsafely(tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"garbage")
    with pytest.raises(ModelError) as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert "weights_only" not in str(caught.value)


def test_a_full_disk_leaves_the_previous_checkpoint_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, LandmarkNet(SMALL), epoch=1)

    def full(_: object, partial: Path) -> None:
        partial.write_bytes(b"PK")
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="cannot write") as caught:
        save_checkpoint(path, LandmarkNet(SMALL), epoch=2)
    assert caught.value.exit_code == 6
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert read_checkpoint(path)["epoch"] == 1


@pytest.mark.parametrize("place", ["folder", "file/x.pt", "none/x.pt"])
def test_a_place_that_holds_no_file_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"):
        save_checkpoint(tmp_path / place, LandmarkNet(SMALL))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]
