"""`python -m export expression CHECKPOINT`: the expression network as a checked ONNX file with card and figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.ship import check_place, ship_measured
from export.written import checked_line, file_line, git_commit, graph_of, largest_difference, write_checked
from fkp_live.faces.expression import GIVEN_SHARE
from fkp_live.inference.metadata import EXPRESSION
from fkp_live.types import EXPRESSIONS
from train.expression.data import Labelled, load, load_clips
from train.expression.difference import Difference, fit_difference
from train.expression.evaluation import answers, evaluate, report
from train.expression.network import ExpressionNet, evened, network_of, read_expression_checkpoint
from train.expression.own_neutral import compare
from train.network.model import count_macs
from train.network.norms import fold_batch_norms

# Largest difference between the logits of torch and of onnxruntime.
TOLERANCE = 0.01
_LICENCE = "research and non-commercial use, as the labelled faces of RAF-DB and LFW; the code is MIT"
# In train/recipes/: of a network that learnt from teachers, and of one that did not.
_TAUGHT = (
    "expression-teacher.toml, expression.toml and expression-second.toml in train/recipes/, in this order"
)
_ALONE = "train/recipes/expression-teacher.toml"
_TEMPERATURES = np.exp(np.linspace(-1.0, 1.0, 81))

_SPLIT = """
All are training faces. A fifth of the persons of `faces` and a fifth of the pictures of `rafdb` were never trained on.
The persons of `rafdb` are not known, so some may be on both sides. The sad and disgusted faces of one annotator,
`jhamski`, are in neither half: others would not label them so. Unlabelled pictures of the collection that `faces` comes
from are not used, as they may show the held-out persons. What an own neutral face says was fitted on the training faces
and on unlabelled clips of Udacity's training persons; whether one of these is also a held-out person of `faces` is
not known.
"""
_LIMITS = """\
- An expression is not a feeling: the network says what people who judge photographs would call a face, not what the
  person in it feels.
- `afraid` and `disgusted` are rare in the data, `angry` is mostly shouting in one of its sets: these three are wrong
  most often.
- Faces turned by more than about 40 degrees, small (under 40 px) or covered ones were rare in training.
- Who looks sad or cross at rest is called so, unless the neutral face is known (docs/expression.md).
- People who talk are often called surprised or happy: their mouths are open.
- Sad faces with pressed lips may be called happy, as a crying one is for seconds in a clip of ours.
- Culture, age and sex of the people who labelled and of those shown are not balanced. Never use it to judge a person,
  in hiring, schooling, policing or the like.
"""


def ship_expression(
    checkpoint: Path, name: str, folder: Path, data: Path, clips: Path, kept: Path, *, overwrite: bool
) -> None:
    """Write ``name``.onnx, .md and .json into ``folder`` and bring SHA256SUMS up to date.

    Parameters
    ----------
    data : folder that holds faces/ and rafdb/, to measure the figures
    clips : root of the data that holds udacity/, for what an own neutral face says
    kept : folder of crops and points of these, see `train.expression.data`

    Raises
    ------
    UsageError, OutputError, InputError, ModelError
    """
    check_place(checkpoint, name, folder, overwrite=overwrite)
    content = read_expression_checkpoint(checkpoint)
    net, faces = network_of(content), load(data, kept / "faces.npz")
    net.temperature.fill_(best_temperature(net, faces))
    figures = evaluate(net, faces)
    difference = fit_difference(net, faces, load_clips(clips, kept / "clips.npz", faces.template))
    own = compare(net, faces, difference)
    keys = ("recipe", "epoch", "trained_on", "init", "teachers", "unlabelled")
    # Checkpoints of before have no teachers.
    training = {"teachers": [], "unlabelled": 0} | {key: content[key] for key in keys if key in content}
    headline = {
        source: {key: found["ways"]["network"][key] for key in ("accuracy", "macro_f1")}
        for source, found in figures.items()
    }
    ship_measured(
        folder / f"{name}.onnx",
        training,
        figures,
        lambda path: export_onnx(net, path, metadata(net, name, training, headline, faces, difference)),
        lambda path: card(path, net, training, figures, own),
    )


def best_temperature(net: ExpressionNet, faces: Labelled) -> float:
    """The divisor of the logits that makes probabilities fit best on the held-out faces (C. Guo et al., ICML 2017)."""
    chosen = np.flatnonzero(faces.held)
    logits, truth = answers(net, faces, chosen)[0], faces.labels[chosen]

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(truth)), truth]))

    return float(net.temperature) * float(min(_TEMPERATURES, key=loss))


def average_neutral(net: ExpressionNet, faces: Labelled) -> NDArray[np.float32]:
    """(7,): the mean logits of neutral training faces."""
    chosen = np.flatnonzero(faces.training & (faces.labels == EXPRESSIONS.index("neutral")))
    return np.asarray(answers(net, faces, chosen)[0].mean(0), np.float32)


def metadata(
    net: ExpressionNet,
    name: str,
    training: dict[str, Any],
    figures: dict[str, Any],
    faces: Labelled,
    difference: Difference,
) -> dict[str, Any]:
    """Metadata of the file, by key without the ``fkp.`` prefix."""
    return {
        "schema": EXPRESSION,
        "name": name,
        "input": {
            "name": "image",
            "layout": "NCHW",
            "dtype": "float32",
            "color": "BGR",
            "size": net.size,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
        },
        "points": {"name": "points", "markup": "ibug68", "count": 68, "unit": "crop pixels"},
        "crop": {"kind": "similarity", "template": np.round(net.template.numpy(), 4).astype(float).tolist()},
        "output": {"logits": "logits", "classes": list(EXPRESSIONS)},
        "neutral": np.round(average_neutral(net, faces), 4).astype(float).tolist(),
        "difference": {
            "weights": np.round(difference.weights, 5).astype(float).tolist(),
            "bias": np.round(difference.bias, 5).astype(float).tolist(),
        },
        "training": training,
        "figures": figures,
        "licence": _LICENCE,
        "git_commit": git_commit(),
    }


class Shipped(nn.Module):
    """The network as it ships: template, spread and temperature lie in the weights of its linear layers."""

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        folded = fold_batch_norms(net)
        self.body, self.shape, self.head = folded.body, folded.shape, folded.head
        first = self.shape[0]
        assert isinstance(first, nn.Linear)
        with torch.no_grad():
            first.weight.div_(net.spread.flatten())
            first.bias.sub_(first.weight @ net.template.flatten())
            self.head.weight.div_(net.temperature)
            self.head.bias.div_(net.temperature)

    def forward(self, image: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        features = self.body(evened(image)).mean((2, 3))
        logits: torch.Tensor = self.head(torch.cat([features, self.shape(points.flatten(1))], 1))
        return logits


def export_onnx(net: ExpressionNet, path: Path, meta: dict[str, Any]) -> float:
    """Write the network with its metadata and check it; returns the largest difference from torch's logits.

    Raises
    ------
    FkpError
        The difference is above `TOLERANCE`; no file is left.
    """
    inputs = {"image": torch.zeros(2, 3, net.size, net.size), "points": torch.zeros(2, 68, 2)}
    graph = graph_of(Shipped(net), inputs, ["logits"])

    def drawn(rng: np.random.Generator, batch: int) -> dict[str, NDArray[np.float32]]:
        crops = rng.uniform(0.0, 255.0, (batch, 3, net.size, net.size)).astype(np.float32)
        points = net.template.numpy() + rng.normal(0.0, 2.0, (batch, 68, 2)).astype(np.float32)
        return {"image": crops, "points": points}

    def difference() -> float:
        return largest_difference(net, path, drawn)

    return write_checked(graph, path, meta, difference, limit=TOLERANCE, what="logits")


def card(
    path: Path,
    net: ExpressionNet,
    training: dict[str, Any],
    figures: dict[str, Any],
    own: Sequence[str],
) -> str:
    """The model card as Markdown."""
    counts = [
        f"- {source}: {sum(numbers):,} faces ("
        + ", ".join(f"{count} {word}" for word, count in zip(EXPRESSIONS, numbers, strict=True))
        + ")"
        for source, numbers in training["trained_on"].items()
    ]
    first = training["init"]
    macs = count_macs(net, torch.zeros(1, 3, net.size, net.size), torch.zeros(1, 68, 2))
    parts = [
        f"# {path.stem}\n",
        f"What a face shows ({', '.join(EXPRESSIONS)}), from one aligned crop and the 68 points.\n",
        f"- input: {net.size}x{net.size} BGR, 0..255, aligned by a similarity of the points to the file's template;",
        "  and the points in pixels of that crop",
        f"- size: {macs / 1e6:.1f} million multiply-accumulates, "
        f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} million parameters",
        file_line(path),
        f"- recipe: {_TAUGHT if training['teachers'] else _ALONE}; the last run: {training['epoch']} epochs, "
        f"seed {training['recipe']['seed']}",
        f"- first weights: {first['name']}, SHA-256 {first['sha256']}",
        *(f"- teacher: {each['name']}, SHA-256 {each['sha256']}" for each in training["teachers"]),
        checked_line(f"{TOLERANCE}"),
        "## Data\n",
        *counts,
        *(
            [f"- without labels, for the teachers: {training['unlabelled']:,} faces"]
            if training["teachers"]
            else []
        ),
        _SPLIT,
        f"Licence: {_LICENCE}.\n",
        "## Limits\n",
        _LIMITS,
        "## Figures\n",
        f"By `python -m export expression CHECKPOINT --name {path.stem} --data DIR --clips ROOT`, on held-out faces.",
        "The temperature of the probabilities (one number) was chosen on them, and the recipes were compared with",
        "simpler ones on them.\n",
        report(figures),
        "",
        "Single pictures (`FaceLandmarker`) are given fkp-expression-large and the mean with the mirror image, streams "
        "fkp-expression alone.\n",
        "## The person's own neutral face\n",
        "Held-out persons of `faces` with a neutral picture and others; each is seen against the mean of the person's",
        "other neutral pictures, at other places and times. The last two columns: heads seen from about the same side.",
        f"The product takes {GIVEN_SHARE} of the logits off and uses the points, both chosen on these faces.\n",
        *own,
    ]
    return "\n".join(parts) + "\n"
