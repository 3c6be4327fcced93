"""Export of a trained landmark network to an ONNX file with metadata, checked against torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from export.training import licence, turned_share
from export.written import CHECKED_BATCHES, git_commit, graph_of, write_checked
from fkp_live.inference.metadata import LANDMARKS
from fkp_live.inference.session import open_session
from train.network.model import LandmarkNet
from train.network.norms import fold_batch_norms

# Largest distance between the points of torch and of onnxruntime, in crop pixels.
TOLERANCE = 0.05


class Shipped(nn.Module):
    """The network as it ships: batch norms folded into their convolutions."""

    def __init__(self, model: LandmarkNet) -> None:
        super().__init__()
        self.model = fold_batch_norms(model)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        points, confidence = self.model(image)
        return points, confidence


def metadata(
    model: LandmarkNet, name: str, training: dict[str, Any], figures: dict[str, Any]
) -> dict[str, Any]:
    """Metadata of the file, by key without the ``fkp.`` prefix."""
    options = model.options
    return {
        "schema": LANDMARKS,
        "name": name,
        "points": {"markup": "ibug68", "count": 68},
        "input": {
            "name": "image",
            "layout": "NCHW",
            "dtype": "float32",
            "color": "BGR",
            "size": options.size,
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
        },
        "crop": {"kind": "square", "margin": options.margin},
        "confidence": {"turned": turned_share(training)},
        "output": {"points": "points", "confidence": "confidence", "unit": "crop pixels"},
        "training": training,
        "figures": figures,
        "licence": licence(training),
        "git_commit": git_commit(),
    }


def export_onnx(
    model: LandmarkNet, path: Path, meta: dict[str, Any], graph: onnx.ModelProto | None = None
) -> None:
    """Write the network to ``path`` with its metadata and check it.

    Parameters
    ----------
    graph : of `traced`, which takes seconds, where it is there already

    Raises
    ------
    FkpError
        torch cannot export it, or onnxruntime's points differ from torch's by more than `TOLERANCE`; no file is left.
    OSError
        The file cannot be written.
    """
    write_checked(
        graph or traced(model),
        path,
        meta,
        lambda: largest_difference(model, path),
        limit=TOLERANCE,
        what="points",
        unit=" px",
    )


def traced(model: LandmarkNet) -> onnx.ModelProto:
    """The network's graph as it ships. FkpError where torch cannot export it."""
    size = model.options.size
    return graph_of(Shipped(model), {"image": torch.zeros(2, 3, size, size)}, ["points", "confidence"])


def largest_difference(model: LandmarkNet, path: Path) -> float:
    """Largest distance in crop pixels between torch's points and onnxruntime's, over the checked batch sizes."""
    session = open_session(path, "cpu")
    size = model.options.size
    rng = np.random.default_rng(0)
    worst = 0.0
    for batch in CHECKED_BATCHES:
        crops = rng.uniform(0.0, 255.0, (batch, 3, size, size)).astype(np.float32)
        with torch.no_grad():
            expected = model.eval()(torch.from_numpy(crops))[0].numpy()
        points = session.run({"image": crops})[0]
        worst = max(worst, float(np.linalg.norm(points - expected, axis=-1).max()))
    return worst
