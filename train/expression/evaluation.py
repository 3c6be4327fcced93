"""Figures of an expression network on held-out faces, beside simpler means: most frequent class, logistic regression.

Two sets: `faces` with the five classes that it has enough of, persons never seen in training; `rafdb` with all seven.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fkp_live.topology import MIRROR
from fkp_live.types import EXPRESSIONS
from train.expression.augment import network_crops
from train.expression.data import NETWORK_SIDE, Faces, Labelled, template_pixels
from train.expression.network import ExpressionNet

# Of each source: the classes that are judged. `faces` has 16 of fear, and disgust of one poor annotator.
JUDGED = {"faces": (0, 1, 2, 3, 4), "rafdb": (0, 1, 2, 3, 4, 5, 6)}
# Weight decay and steps of the logistic regression, full batches.
_DECAY, _STEPS = 1e-3, 400

Logits = NDArray[np.float32]


def answers(net: ExpressionNet, data: Labelled, chosen: NDArray[np.int64]) -> list[Logits]:
    """Logits (N, 7) of faces by number: both together, the crop alone, the points alone."""
    faces = Faces(data.crops[chosen], data.points[chosen])
    heads = _run(net, faces, data.template, lambda x, points: torch.stack(net.heads(x, points), 1))
    return list((heads / net.temperature).transpose(0, 1).numpy())


def taught(nets: Sequence[ExpressionNet], faces: Faces, template: NDArray[np.float64]) -> Tensor:
    """Teachers' probabilities (N, 7): the mean over them, of the faces and of their mirror images."""
    both = (faces, _mirrored(faces))
    found = [_run(net, each, template, net).softmax(1) for net in nets for each in both]
    return torch.stack(found).mean(0)


def _mirrored(faces: Faces) -> Faces:
    return Faces(
        np.ascontiguousarray(faces.crops[:, :, ::-1]),
        faces.points[:, MIRROR] * np.array([-1, 1], np.float32),
    )


@torch.no_grad()
def _run(
    net: ExpressionNet,
    faces: Faces,
    template: NDArray[np.float64],
    call: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """What ``call`` gives for the crops and points of faces as the network gets them."""
    net.eval()
    size = net.size
    pixels = template_pixels(template, size, NETWORK_SIDE)
    scale, middle = size / NETWORK_SIDE, torch.from_numpy(pixels.mean(0)).float()
    parts = []
    for first in range(0, len(faces.points), 256):
        part = slice(first, first + 256)
        crops = torch.from_numpy(faces.crops[part]).permute(0, 3, 1, 2).float()
        points = torch.from_numpy(faces.points[part]) * scale + middle
        parts.append(call(network_crops(crops, size), points))
    return torch.cat(parts)


def evaluate(net: ExpressionNet, data: Labelled) -> dict[str, Any]:
    """By source and way: accuracy, macro-F1, F1 of each class, and the confusion table."""
    regression = _regression(data)
    figures: dict[str, Any] = {}
    for source, classes in JUDGED.items():
        there = (data.source == source) & np.isin(data.labels, classes)
        chosen = np.flatnonzero(data.held & there)
        if not len(chosen):
            continue
        truth = data.labels[chosen]
        usual = np.bincount(data.labels[data.training & there], minlength=7).argmax()
        both, crop, shape = answers(net, data, chosen)
        reflected = _mirrored(Faces(data.crops[chosen], data.points[chosen]))
        mirror_image = (_run(net, reflected, data.template, net) / net.temperature).numpy()
        shapes = data.points[chosen].reshape(len(chosen), -1)
        guesses = {
            "network": both,
            "network, mean with the mirror image": (both + mirror_image) / 2,
            "its crop alone": crop,
            "its points alone": shape,
            "logistic regression on the points": regression(shapes),
            "most frequent class": np.tile(np.eye(7, dtype=np.float32)[usual], (len(chosen), 1)),
        }
        ways = {way: judged(logits, truth, classes) for way, logits in guesses.items()}
        people = len(np.unique(data.person[chosen])) if source == "faces" else None
        figures[source] = {"faces": len(chosen), "persons": people, "ways": ways}
    return figures


def judged(logits: Logits, truth: NDArray[np.int64], classes: tuple[int, ...]) -> dict[str, Any]:
    """Accuracy and macro-F1 in per cent among ``classes``, F1 of each, and the table: rows truth, columns answer."""
    columns = list(classes)
    answer = np.array(columns)[logits[:, columns].argmax(1)]
    table = [[int(((truth == row) & (answer == column)).sum()) for column in columns] for row in columns]
    f1 = {}
    for place, number in enumerate(columns):
        hits, both = table[place][place], int((truth == number).sum() + (answer == number).sum())
        f1[EXPRESSIONS[number]] = round(200.0 * hits / both, 1) if both else 0.0
    return {
        "accuracy": round(100.0 * float((answer == truth).mean()), 1),
        "macro_f1": round(sum(f1.values()) / len(f1), 1),
        "f1": f1,
        "confusion": table,
    }


def _regression(data: Labelled) -> Any:
    """A logistic regression on aligned points, trained on the same faces: points (N, 136) -> logits (N, 7)."""
    chosen = np.flatnonzero(data.training)
    shapes = torch.from_numpy(data.points[chosen].reshape(len(chosen), -1))
    labels = torch.from_numpy(data.labels[chosen])
    mean, spread = shapes.mean(0), shapes.std(0) + 1e-3
    weights = torch.zeros(shapes.shape[1] + 1, 7, requires_grad=True)
    known = functional.pad((shapes - mean) / spread, (0, 1), value=1.0)
    optimiser = torch.optim.Adam([weights], lr=0.02)
    for _ in range(_STEPS):
        loss = functional.cross_entropy(known @ weights, labels) + _DECAY * weights.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = weights.detach()

    def logits(points: NDArray[np.float32]) -> Logits:
        given = functional.pad((torch.from_numpy(points) - mean) / spread, (0, 1), value=1.0)
        return (given @ found).numpy()

    return logits


def report(figures: dict[str, Any]) -> str:
    """The figures as Markdown: a table of ways, then a confusion table of each source."""
    rows = [
        "| held-out faces | way | accuracy % | macro-F1 % |",
        "|---|---|---:|---:|",
    ]
    for source, found in figures.items():
        people = f" of {found['persons']} persons" if found["persons"] else ""
        name = f"{source}, {found['faces']}{people}"
        rows += [
            f"| {name} | {way} | {row['accuracy']} | {row['macro_f1']} |"
            for way, row in found["ways"].items()
        ]
    for source, found in figures.items():
        row = found["ways"]["network"]
        names = list(row["f1"])
        rows += ["", f"| {source}: label, answer of the network | {' | '.join(names)} | F1 % |"]
        rows.append("|---|" + "---:|" * (len(names) + 1))
        for name, counts in zip(names, row["confusion"], strict=True):
            rows.append(f"| {name} | {' | '.join(map(str, counts))} | {row['f1'][name]} |")
    return "\n".join(rows)
