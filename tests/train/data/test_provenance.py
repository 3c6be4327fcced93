"""Provenance in a checkpoint: right, and compared when a run continues."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from drawn import write_data, write_drawn

from fkp_live.errors import FkpError
from train.__main__ import main
from train.data.provenance import KEYS
from train.fit.loop import fit
from train.network.checkpoint import read_checkpoint, save_checkpoint
from train.recipe import read_recipe

TOML = """
[model]
size = 32
channels = [4, 8, 8, 16]
blocks = [0, 1, 1]
decoder = [8, 8]
[training]
epochs = 1
batch = 4
workers = 0
"""


@pytest.fixture(name="data")
def _data(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TOML)
    return write_data(tmp_path / "data")


def command(folder: Path, *more: str | Path) -> list[str]:
    words = [folder / "tiny.toml", "--out", folder / "run", "--threads", "1", *more]
    return ["fit", *map(str, words)]


def test_a_checkpoint_names_its_faces_its_first_weights_and_the_hold_outs(data: Path, tmp_path: Path) -> None:
    assert main(command(tmp_path, "--data", data)) == 0
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    assert [(one["name"], one["faces"]) for one in content["trained_on"]] == [
        ("udacity_train", 3),
        ("wild_train", 3),
    ]
    assert all(len(one["sha256"]) == 64 for one in content["trained_on"])
    assert content["init"] is None
    assert content["held_out"] == {"unseen": 0, "wild_val": 0}

    first = tmp_path / "first.pt"
    (tmp_path / "run" / "last.pt").rename(first)
    copied = write_drawn(tmp_path / "copy.csv", tmp_path / "images", ["p 1.png", "Ann_Bee_01.png", "x.png"])
    assert main(command(tmp_path, "--data", data, "--init", first, "--more", copied)) == 0
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    assert content["trained_on"][2]["faces"] == 3
    assert content["init"] == {"name": "first.pt", "sha256": hashlib.sha256(first.read_bytes()).hexdigest()}
    assert content["held_out"] == {"unseen": 1, "wild_val": 1}

    mean = tmp_path / "mean.pt"
    words = [first, tmp_path / "run" / "last.pt", "--out", mean]
    assert main(["average", *map(str, words)]) == 0
    averaged = read_checkpoint(mean)
    assert all(averaged[key] == content[key] for key in KEYS)
    assert averaged["averaged"]["held_out"] == {"unseen": 0, "wild_val": 0}


def test_without_lists_nothing_is_recorded_of_hold_outs(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    own = write_drawn(tmp_path / "own.csv", tmp_path / "images", ["a.png", "b.png", "c.png", "d.png"])
    assert main(command(tmp_path, "--csv", own, "--data", tmp_path)) == 0
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    assert content["held_out"] == {"unseen": None, "wild_val": None}


@pytest.mark.parametrize(
    ("csv", "named"),
    [("wild/keypoints.csv", "p 1.png"), ("udacity/training_frames_keypoints.csv", "Ann_Bee_00.png")],
)
@pytest.mark.parametrize("option", ["--csv", "--more"])
def test_held_out_pictures_are_refused_whatever_path_leads_to_them(
    option: str, csv: str, named: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "way").symlink_to(data)
    assert main(command(tmp_path, option, tmp_path / "way" / csv, "--data", data)) == 3
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_its_own_faces_only(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, cpu, checkpoint = (
        read_recipe(tmp_path / "tiny.toml"),
        torch.device("cpu"),
        tmp_path / "run" / "last.pt",
    )
    run = fit(recipe, data, tmp_path / "run", cpu, resume=False)
    before = read_checkpoint(checkpoint)
    assert fit(recipe, data, tmp_path / "run", cpu, resume=True).origin == run.origin
    csv = data / "wild" / "keypoints.csv"
    csv.write_text(csv.read_text().replace("q.png,", "q.png,1"))
    assert main(command(tmp_path, "--data", data, "--resume")) == 2
    assert "other faces (wild_train differs)" in capsys.readouterr().err
    # An older checkpoint records nothing, and nothing is invented for it.
    old = {key: value for key, value in before.items() if key not in (*KEYS, "model", "options")}
    save_checkpoint(checkpoint, run.model, **old)
    assert fit(recipe, data, tmp_path / "run", cpu, resume=True).origin == {}


def test_first_weights_that_are_missing_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FkpError, match=r"none\.pt") as caught:
        fit(
            read_recipe(tmp_path / "tiny.toml"),
            data,
            tmp_path / "run",
            torch.device("cpu"),
            resume=False,
            init=tmp_path / "none.pt",
        )
    assert caught.value.exit_code == 4
