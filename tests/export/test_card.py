"""A model card shows what the checkpoint recorded of the training and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from export.card import card, training_facts
from export.landmark import metadata
from export.training import HARD, USUAL, limits, turned_share
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
from train.network.model import LandmarkNet
from train.options import LITE, DataOptions, ModelOptions, Recipe

MODEL = LandmarkNet(ModelOptions(size=32, channels=(4, 4, 8, 8), blocks=(0, 0, 0), decoder=(8, 8)))
OURS = ("udacity_train", "wild_train")


def facts_and_card(
    tmp_path: Path, data: DataOptions, name: str = "mine", **noted: Any
) -> tuple[dict[str, Any], str]:
    """Metadata and card of a checkpoint."""
    checkpoint = {"epoch": 3, "recipe": Recipe(name=name, data=data).as_dict(), **noted}
    facts = training_facts(checkpoint)
    (tmp_path / "mine.onnx").write_bytes(b"model")
    return facts, card("mine", tmp_path / "mine.onnx", MODEL, facts, {})


def row(name: str, faces: int) -> dict[str, Any]:
    return {"name": name, "faces": faces, "sha256": f"sum of {name}"}


def test_sets_and_counts_are_those_that_were_noted(tmp_path: Path) -> None:
    noted = {
        "trained_on": [row("udacity_train", 71), row("more", 1234), row("wild_train", 2)],
        "init": {"name": "fkp68.onnx", "sha256": "abc"},
        "held_out": {"unseen": 0, "wild_val": 5},
    }
    facts, text = facts_and_card(
        tmp_path,
        DataOptions(("udacity_train",), ("a/more.csv", "a/wild_train.csv"), guessed=("more",)),
        **noted,
    )
    assert facts["sets"] == ["udacity_train", "more.csv", "wild_train.csv"]
    assert facts["trained_on"] == noted["trained_on"]
    assert facts["init"] == noted["init"]
    assert facts["held_out"] == ["udacity unseen persons"]
    assert facts["held_out_seen"] == noted["held_out"]
    for message in (
        "udacity_train: 71 faces",
        "x 0.90, y 0.80 px are taken off",
        "more: 1,234 faces, labels given by a network; SHA-256 of names and labels sum of more",
        "wild_train: 2 faces; SHA",
        "first weights: fkp68.onnx, SHA-256 abc",
        "`unseen` among them: none",
        "`wild_val` among them: 5",
    ):
        assert message in text
    for false in ("3,120", "1,712", "never trained on", "No held-out face", "AFW", "train/recipes/mine"):
        assert false not in text


@pytest.mark.parametrize(
    "noted", [{"trained_on": [row("keypoints", 90)], "init": None, "held_out": None}, {}]
)
def test_of_other_faces_nothing_is_claimed(tmp_path: Path, noted: dict[str, Any]) -> None:
    facts, text = facts_and_card(tmp_path, DataOptions(sets=(), csv=("wild/keypoints.csv",)), **noted)
    assert facts["held_out"] == []
    assert facts["udacity_offset"] is None
    assert "- keypoints" in text
    assert "Nothing is known about held-out faces" in text
    message = text + metadata(MODEL, "mine", facts, {})["licence"]
    for false in ("3,120", "300-W", "persons", "Udacity", "news footage", "first weights"):
        assert false not in message


def test_a_folder_of_labels_is_listed_by_its_name(tmp_path: Path) -> None:
    noted = {"trained_on": [row("labels", 60)], "init": None, "held_out": None}
    _, text = facts_and_card(tmp_path, DataOptions(sets=(), csv=("mine/labels",)), **noted)
    assert "- labels: 60 faces; SHA-256 of names and labels sum of labels" in text


def test_older_checkpoints_of_our_own_sets_give_their_shipped_cards(tmp_path: Path) -> None:
    guessed = DataOptions(OURS, csv=("runs/sixth_training.csv",), guessed=("sixth_training",))
    facts, text = facts_and_card(tmp_path, guessed, name="fkp68-tiny-seventh")
    shipped = open_session(models_dir() / "fkp68-tiny.onnx", "cpu").metadata
    assert facts["held_out"] == shipped["training"]["held_out"]
    assert metadata(MODEL, "mine", facts, {})["licence"] == shipped["licence"]
    expected = (models_dir() / "fkp68-tiny.md").read_text().split("## Data")[1].split("## Limits")[0]
    assert text.split("## Data")[1].split("## Limits")[0] == expected.replace("sixth_unlabelled.csv, ", "")
    assert "train/recipes/history/fkp68-tiny-seventh.toml" in text


@pytest.mark.parametrize("data", [DataOptions(("wild_train",)), DataOptions(OURS, csv=("people.csv",))])
def test_older_checkpoints_of_other_sets_give_shorter_cards(tmp_path: Path, data: DataOptions) -> None:
    facts, text = facts_and_card(tmp_path, data)
    assert facts["held_out"] == []
    assert "Nothing is known about held-out faces" in text
    assert "3,120" not in text


def test_faces_of_an_averaged_network_are_listed_apart(tmp_path: Path) -> None:
    averaged: dict[str, Any] = {"with": "old.onnx", "sha256": "abc", "share": 0.5}
    noted = {
        "trained_on": [row("wild_train", 9)],
        "held_out": {"unseen": None, "wild_val": 0},
        "init": None,
        "averaged": averaged,
    }
    facts, text = facts_and_card(tmp_path, DataOptions(("wild_train",)), **noted)
    assert facts["held_out"] == ["wild_val"]
    assert "Nothing is known about held-out faces of `unseen`" in text
    assert "averaged: 0.5 of each weight" in text
    assert "is not counted here" in text
    averaged |= {"trained_on": [row("people", 3)], "init": None, "held_out": {"unseen": 0, "wild_val": 2}}
    facts, text = facts_and_card(tmp_path, DataOptions(("wild_train",)), **noted)
    assert facts["held_out"] == []
    assert "old.onnx, the network averaged with, learnt from people (3 faces)" in text
    assert "`wild_val` among those of old.onnx: 2" in text
    assert "is not counted here" not in text


def test_limits_of_known_data_are_listed() -> None:
    assert "news footage" in limits({"sets": [*USUAL]})
    assert "holds few" in limits({"sets": [*USUAL]})
    assert "holds few" not in limits({"sets": [*USUAL, *HARD]})
    assert "news footage" not in limits({"sets": ["people"]})


def test_the_card_of_hard_faces_names_the_benchmark_that_they_end(tmp_path: Path) -> None:
    noted = {
        "trained_on": [row(name, 7) for name in (*OURS, "hard_aflw")],
        "init": None,
        "held_out": {"unseen": 0, "wild_val": 0},
    }
    _, text = facts_and_card(tmp_path, DataOptions((*OURS, "hard_aflw")), **noted)
    assert "hard_aflw: 7 faces (of AFLW2000-3D" in text
    assert "no test of" in text
    assert "moved" not in text
    moved, text = facts_and_card(tmp_path, DataOptions((*OURS, "hard_aflw"), without_habit=True), **noted)
    assert moved["without_habit"] is True
    assert text.count("labels moved to 300-W's convention") == 1


@pytest.mark.parametrize("sets", [("wild_train",), ()])
def test_the_licence_of_a_published_trunk_is_named(tmp_path: Path, sets: tuple[str, ...]) -> None:
    data = DataOptions(sets=sets, csv=() if sets else ("people.csv",))
    recipe = Recipe(name="mine", data=data, model=ModelOptions(trunk=LITE))
    facts = training_facts({"epoch": 3, "recipe": recipe.as_dict()})
    (tmp_path / "mine.onnx").write_bytes(b"model")
    text = card("mine", tmp_path / "mine.onnx", MODEL, facts, {})
    for message in (text, metadata(MODEL, "mine", facts, {})["licence"]):
        assert "Apache-2.0" in message
        assert ("non-commercial" in message) is bool(sets)
    plain, text = facts_and_card(tmp_path, data)
    assert "Apache" not in text + metadata(MODEL, "mine", plain, {})["licence"]


@pytest.mark.parametrize(
    ("sets", "other", "expected"),
    [
        (OURS, None, 0.0),
        ((*OURS, "hard_mtfl"), None, 1.0),
        ((*OURS, "hard_mtfl"), {"turned": 0.0}, 0.4),
        (OURS, {"turned": 0.5}, 0.3),
        (OURS, {"trained_on": [row("hard_aflw", 7)]}, 0.6),
        ((*OURS, "hard_aflw"), {}, 0.4),
    ],
)
def test_how_much_of_a_network_knows_turned_faces(
    sets: tuple[str, ...], other: dict[str, Any] | None, expected: float
) -> None:
    averaged = {} if other is None else {"averaged": {"with": "old.onnx", "share": 0.4, **other}}
    assert turned_share({"sets": [*sets], **averaged}) == pytest.approx(expected)


def test_the_licence_of_the_trunk_that_ships_lies_beside_it() -> None:
    licence, recipe = (models_dir() / "LICENSE-efficientnet-lite0.txt").read_text(), "train/recipes/history/"
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    # The published file has the beginning of its hash in its name.
    assert "\n57934424" in licence
    assert f"{recipe}fkp68-lite.toml" in licence
    assert "Apache-2.0" in open_session(models_dir() / "fkp68-large.onnx", "cpu").metadata["licence"]
