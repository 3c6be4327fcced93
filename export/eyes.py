"""`python -m export eyes CHECKPOINT`: the eye network as a checked ONNX file with card and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.ship import check_place, ship_measured
from export.written import checked_line, file_line, git_commit, graph_of, largest_difference, write_checked
from fkp_live.inference.metadata import EYES
from train.eyes.data import EYE, OPEN, SHUT, SIZE, load
from train.eyes.evaluation import evaluate
from train.eyes.figures import FALSE, report
from train.eyes.network import EyeNet, network_of, read_eye_checkpoint
from train.network.model import count_macs
from train.network.norms import fold_batch_norms

# Largest difference between the outputs of torch and of onnxruntime.
TOLERANCE = 0.001
_RECIPE = "train/recipes/eyes.toml"
_LICENCE = "research and non-commercial use, as the labelled faces of 300-W and AFLW; the code is MIT"
_SPLIT = """
The labels are the lids and corners that people marked. Held out are `wild_val`, Udacity's unseen persons and a fifth
of the hard faces, chosen by a seed. fkp68, whose corners cut the patches, has seen none of the first two, but has
learnt from the points of the hard faces. The openness of Udacity's faces counts for less, because their labels are
whole pixels; so does that of eyes whose points a labeller guessed (behind sunglasses, hair, hands). Some open eyes are
shut in training by a warp that draws the upper lid down.
"""
_LIMITS = """\
- Narrow eyes, laughing, and eyes that look far down look like shut ones, to people as well: one picture does not show
  which they are.
- Behind dark glasses, hair or hands the answer is a guess.
- Eyes of less than 8 pixels, and the far eye beyond 45 degrees of yaw, are guesses too.
- Shut eyes are rare in the data, a few hundred: the figures below rest on some dozens.
- It judges each frame by itself; `fkp_live.faces.openness.Blinks` knows what is usual for a face.
- It is not for safety: whoever watches drivers needs more than this.
"""


def ship_eyes(checkpoint: Path, name: str, folder: Path, data: Path, kept: Path, *, overwrite: bool) -> None:
    """Write ``name``.onnx, .md and .json into ``folder`` and bring SHA256SUMS up to date.

    Parameters
    ----------
    data : root of the data, to measure the figures
    kept : file of the labelled eyes, see `train.eyes.data`

    Raises
    ------
    UsageError, OutputError, InputError, ModelError
    """
    check_place(checkpoint, name, folder, overwrite=overwrite)
    content = read_eye_checkpoint(checkpoint)
    net = network_of(content)
    figures = evaluate(net, load(data, kept))
    training = {key: content[key] for key in ("recipe", "epoch", "trained_on")}
    keys = ("slope", "shut_found")
    headline = {name: {key: row["ways"]["network"][key] for key in keys} for name, row in figures.items()}
    ship_measured(
        folder / f"{name}.onnx",
        training,
        figures,
        lambda path: export_onnx(net, path, metadata(name, training, headline)),
        lambda path: card(path, net, training, figures),
    )


def metadata(name: str, training: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    """Metadata of the file, by key without the ``fkp.`` prefix."""
    return {
        "schema": EYES,
        "name": name,
        "input": {
            "name": "image",
            "layout": "NCHW",
            "dtype": "float32",
            "color": "GRAY",
            "width": SIZE[0],
            "height": SIZE[1],
            "mean": [0.0],
            "std": [1.0],
        },
        "crop": {"kind": "eye corners", "eye": EYE},
        "output": {"openness": "openness", "shut": "shut"},
        "training": training,
        "figures": figures,
        "licence": _LICENCE,
        "git_commit": git_commit(),
    }


class Shipped(nn.Module):
    """The network as it ships: without batch norms, with the probability of shut in place of its logit."""

    def __init__(self, net: EyeNet) -> None:
        super().__init__()
        self.net = fold_batch_norms(net)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        openness, shut = self.net(image)
        return openness, torch.sigmoid(shut)


def export_onnx(net: EyeNet, path: Path, meta: dict[str, Any]) -> float:
    """Write the network with its metadata and check it; returns the largest difference from torch's outputs.

    Raises
    ------
    FkpError
        The difference is above `TOLERANCE`; no file is left.
    """
    shipped = Shipped(net)
    graph = graph_of(shipped, {"image": torch.zeros(2, 1, SIZE[1], SIZE[0])}, ["openness", "shut"])

    def difference() -> float:
        return largest_difference(shipped, path, _inputs)

    return write_checked(graph, path, meta, difference, limit=TOLERANCE, what="outputs")


def _inputs(rng: np.random.Generator, batch: int) -> dict[str, NDArray[np.float32]]:
    return {"image": rng.uniform(0.0, 255.0, (batch, 1, SIZE[1], SIZE[0])).astype(np.float32)}


def card(path: Path, net: EyeNet, training: dict[str, Any], figures: dict[str, Any]) -> str:
    """The model card as Markdown."""
    name, macs = path.stem, count_macs(net, torch.zeros(1, 1, SIZE[1], SIZE[0]))
    counts = [f"- {source}: {count:,} faces" for source, count in training["trained_on"].items()]
    parts = [
        f"# {name}\n",
        "How far an eye is open, and whether it is shut, from a patch around it.\n",
        f"- input: {SIZE[0]}x{SIZE[1]} grey, 0..255: outer corner of the eye on the left, inner one on the right,",
        f"  {EYE:g} px apart; the person's left eye is mirrored",
        "- output: openness, the distance of the lids over the width of the eye; probability that it is shut",
        f"- size: {macs / 1e6:.2f} million multiply-accumulates an eye, "
        f"{sum(p.numel() for p in net.parameters()):,} parameters",
        file_line(path),
        f"- recipe: {_RECIPE}, {training['epoch']} epochs, seed {training['recipe']['seed']}",
        checked_line(f"{TOLERANCE}"),
        "## Data\n",
        *counts,
        _SPLIT,
        f"Licence: {_LICENCE}.\n",
        "## Limits\n",
        _LIMITS,
        "## Figures\n",
        f"By `python -m export eyes CHECKPOINT --name {name} --data DIR`, on held-out faces; 'points' is the openness",
        "that fkp68's points give. The line is the least-squares one of what was found against the labels. An eye is",
        f"labelled as shut below an openness of {SHUT}. Found are the shut eyes below the limit under which",
        f"{FALSE:.0%} of those that are not shut lie (in brackets: of those beyond {OPEN}). Labels of `unseen` are",
        "whole pixels, of eyes 13 px wide, and hardly any of them is shut: its figures say little.\n",
        report(figures),
    ]
    return "\n".join(parts) + "\n"
