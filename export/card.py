"""Metadata of the training, figures and model card of a shipped network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from export.landmark import TOLERANCE
from export.training import HELD_OUT, USUAL, data_section, limits, recipe_named
from export.written import checked_line, file_line
from train.evaluate.evaluation import report
from train.network.model import LandmarkNet, count_macs
from train.options import PLAIN

_AVERAGED = """\
- averaged: {share:g} of each weight is from this recipe, the rest from {with}, SHA-256 {sha256}; batch
  norms were folded before (`python -m train average`)"""


def training_facts(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Metadata of the training: data, split, recipe."""
    recipe, facts = checkpoint["recipe"], {}
    data = recipe["data"]
    guessed = data.get("guessed", ())
    if "averaged" in checkpoint:
        facts["averaged"] = checkpoint["averaged"]
    if "trained_on" in checkpoint:
        both = (checkpoint, checkpoint.get("averaged", {}))
        found = [noted["held_out"] or {} for noted in both if "trained_on" in noted]
        kept_out = [name for name in HELD_OUT if all(number.get(name) == 0 for number in found)]
        facts |= {key: checkpoint[key] for key in ("trained_on", "init")}
        facts |= {"held_out_seen": checkpoint["held_out"], "guessed": list(guessed)}
    else:
        as_shipped = set(data["sets"]) == USUAL and all(Path(csv).stem in guessed for csv in data["csv"])
        kept_out = [*HELD_OUT] if as_shipped else []
    return {
        **facts,
        "trunk": recipe["model"].get("trunk", PLAIN),
        "recipe": recipe["name"],
        "epochs": checkpoint["epoch"],
        "sets": [*data["sets"], *(Path(csv).name for csv in data["csv"])],
        "udacity_offset": list(data["udacity_offset"]) if "udacity_train" in data["sets"] else None,
        "without_habit": bool(data.get("without_habit")),
        "held_out": [HELD_OUT[name] for name in kept_out],
        "seed": recipe["training"]["seed"],
    }


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures that the ONNX file itself has."""
    short: dict[str, Any] = {}
    for name, result in figures.items():
        for way, conventions in result["ways"].items():
            for convention, row in conventions.items():
                key = f"{name}, {way}, {convention}"
                short[key] = {
                    k: None if row[k] is None else round(row[k], 3) for k in ("nme", "fr10", "auc10")
                }
    return short


def card(name: str, path: Path, model: LandmarkNet, training: dict[str, Any], figures: dict[str, Any]) -> str:
    """The model card as Markdown."""
    options = model.options
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    parts = [
        f"# {name}\n",
        "68 iBUG points of a face from one square crop, with a confidence for each point.\n",
        f"- input: {options.size}x{options.size} BGR, 0..255; the box and {options.margin:.1%} of it on each side",
        f"- size: {count_macs(model) / 1e6:.1f} million multiply-accumulates, {parameters:.2f} million parameters",
        file_line(path),
        f"- recipe: {recipe_named(training)}, {training['epochs']} epochs, seed {training['seed']}",
        *([_AVERAGED.format(**training["averaged"])] if "averaged" in training else []),
        checked_line(f"{TOLERANCE} px"),
        "## Data\n",
        data_section(training),
        "## Limits\n",
        limits(training),
        "## Figures\n",
    ]
    return "\n".join([*parts, figures_section(name, figures, training)])


def figures_section(name: str, figures: dict[str, Any], training: dict[str, Any]) -> str:
    """The tables of a card, and the command that gives them again."""
    if not figures:
        return "Not measured: exported without --data.\n"
    unseen = (
        "holds the persons kept out of training"
        if HELD_OUT["unseen"] in training["held_out"]
        else "is another choice of its faces: see above whether they were kept out of training"
    )
    return (
        f"By `python -m train evaluate models/{name}.onnx --data DIR` (seed 0). The official Udacity test shares every "
        f"person and clip with its training half, so it measures memory as well as skill; `unseen` {unseen}."
        f"\n\n{report(_with_infinities(figures))}\n"
    )


def _with_infinities(value: Any) -> Any:
    """Undo what JSON cannot hold: None where a quantile is a miss."""
    if isinstance(value, dict):
        return {key: _with_infinities(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_infinities(inner) for inner in value]
    return np.inf if value is None else value
