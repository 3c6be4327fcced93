"""What ships of a network: the ONNX file, its model card, its figures, and the sums of all files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from export.landmark import CHECKED_BATCHES, TOLERANCE, export_onnx, largest_difference, metadata, sha256_of
from fkp_live.errors import OutputError
from train.model import LandmarkNet, count_macs, load_checkpoint, read_checkpoint

_LIMITS = """\
- Profile faces (yaw beyond about 60 degrees): the markup itself is ill-defined there and the training data holds few.
- Small faces: the crop is enlarged and the error grows; see the slices by size.
- Dark or heavily backlit faces, hands and masks over the mouth: points are guessed from the rest of the face, and
  their confidence falls.
- The confidence estimates the probability that a point lies within a tenth of the eye distance. It was learnt on
  training faces; the last table shows how far it can be believed on others.
- The faces that it learnt from are mostly adults in news footage and web photos.
"""

_DATA = """\
- 3,120 faces of the Udacity facial-keypoints set (frames of YouTube Faces; the 35 persons of its hold-out list are
  never trained on). Their labels sit right of and below 300-W's convention: x {x:.2f}, y {y:.2f} px are taken off.
- 1,712 faces of 300-W (AFW, HELEN, LFPW); 300 more are the validation set `wild_val` and are never trained on.
{more}
The weights are those of the last epoch (averaged); no checkpoint was picked on validation faces. Recipes were
compared on `wild_val` and on the unseen persons, see train/EXPERIMENTS.md.

Licence: the labelled faces of 300-W are for research and non-commercial use, and so are these weights. The code is MIT.
"""


_MORE = """\
- {names}: labels that networks trained here gave (mean of several boxes and their mirror images) to faces without
  labels and to the training faces once more; the commands stand in the recipe. No held-out face is among them.
"""


_AVERAGED = """\
- averaged: {share:g} of each weight is from this recipe, the rest from {with}, SHA-256 {sha256}; batch
  norms were folded before (`python -m train average`)"""


def ship(checkpoint: Path, name: str, folder: Path, data: Path | None, overwrite: bool) -> None:
    """Write ``name``.onnx, .md and .json into ``folder`` and bring SHA256SUMS up to date.

    Raises
    ------
    OutputError
        The model exists and ``overwrite`` was not given, or the folder cannot be written.
    """
    target = folder / f"{name}.onnx"
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists", "Give --overwrite to replace it, or another --name.")
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder", "Give an existing folder as --out.")
    content, model = read_checkpoint(checkpoint), load_checkpoint(checkpoint)
    training = training_facts(content)
    export_onnx(model, target, metadata(model, name, training, {}))
    figures: dict[str, Any] = {}
    if data is not None:
        # Judged as it ships: the file just written, through the product's code. Then the figures go into it.
        figures = measure(target, data)
        export_onnx(model, target, metadata(model, name, training, headline(figures)))
    facts = {"name": name, "sha256": sha256_of(target), "training": training, "figures": figures}
    (folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    (folder / f"{name}.md").write_text(card(name, target, model, training, figures))
    write_sums(folder)
    print(
        f"points differ from torch's by {largest_difference(model, target):.4f} px at most", file=sys.stderr
    )
    print(target)


def training_facts(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What the metadata says of the training: data, split, recipe."""
    recipe = checkpoint["recipe"]
    averaged = {"averaged": checkpoint["averaged"]} if "averaged" in checkpoint else {}
    return {
        **averaged,
        "recipe": recipe["name"],
        "epochs": checkpoint["epoch"],
        "sets": [*recipe["data"]["sets"], *(Path(csv).name for csv in recipe["data"]["csv"])],
        "udacity_offset": list(recipe["data"]["udacity_offset"]),
        "held_out": ["udacity unseen persons", "wild_val"],
        "seed": recipe["training"]["seed"],
    }


def measure(model: Path, data: Path) -> dict[str, Any]:
    """Figures of the ONNX file on the three judged sets, as `python -m train evaluate` prints them."""
    from train.data import splits
    from train.judge import JUDGED, finite, judge, open_network
    from train.recipe import UDACITY_OFFSET

    network, _ = open_network(model)
    available = splits(data)
    results = {}
    for name in JUDGED:
        offset = None if name == "wild_val" else UDACITY_OFFSET
        results[name] = judge(network, available[name], offset, seed=0).figures()
    return finite(results)


def headline(figures: dict[str, Any]) -> dict[str, Any]:
    """The few figures that the ONNX file itself carries."""
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
    more = [name for name in training["sets"] if name.endswith(".csv")]
    batches = " and ".join(map(str, CHECKED_BATCHES))
    offset = dict(zip("xy", training["udacity_offset"], strict=True))
    parts = [
        f"# {name}\n",
        "68 iBUG points of a face from one square crop, with a confidence for each point.\n",
        f"- input: {options.size}x{options.size} BGR, 0..255; the box and {options.margin:.1%} of it on each side",
        f"- size: {count_macs(model) / 1e6:.1f} million multiply-accumulates, {parameters:.2f} million parameters",
        f"- file: {path.name}, {path.stat().st_size:,} bytes, SHA-256 {sha256_of(path)}",
        f"- recipe: train/recipes/{training['recipe']}.toml, {training['epochs']} epochs, seed {training['seed']}",
        *([_AVERAGED.format(**training["averaged"])] if "averaged" in training else []),
        f"- checked: onnxruntime against torch at batch sizes {batches}, limit {TOLERANCE} px\n",
        "## Data\n",
        _DATA.format(**offset, more=_MORE.format(names=", ".join(more)) if more else ""),
        "## Limits\n",
        _LIMITS,
        "## Figures\n",
    ]
    return "\n".join([*parts, figures_section(name, figures)])


def figures_section(name: str, figures: dict[str, Any]) -> str:
    """The tables of a card, and the command that gives them again."""
    from train.judge import report

    if not figures:
        return "Not measured: exported without --data.\n"
    return (
        f"By `python -m train evaluate models/{name}.onnx --data DIR` (seed 0). The official Udacity test shares every "
        "person and clip with its training half, so it measures memory as well as skill; `unseen` holds the persons "
        f"kept out of training.\n\n{report(_with_infinities(figures))}\n"
    )


def _with_infinities(value: Any) -> Any:
    """Undo what JSON cannot hold: None where a quantile is a miss."""
    if isinstance(value, dict):
        return {key: _with_infinities(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_infinities(inner) for inner in value]
    return np.inf if value is None else value


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every model and licence in the folder, as `sha256sum --check` reads it."""
    files = sorted(p for p in folder.iterdir() if p.suffix in (".onnx", ".txt", ".json"))
    (folder / "SHA256SUMS").write_text("".join(f"{sha256_of(p)}  {p.name}\n" for p in files))
