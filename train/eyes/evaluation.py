"""Figures of an eye network on held-out faces, beside those of fkp68's points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from train.eyes.augment import network_patches
from train.eyes.data import HARD, Eyes
from train.eyes.figures import Array, judged
from train.eyes.network import EyeNet


@torch.no_grad()
def answers(net: EyeNet, patches: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Openness and logits of being shut (N, 2) of kept patches (N, 2, 64, 64)."""
    flat = torch.from_numpy(patches.reshape(-1, 1, *patches.shape[2:]))
    parts = [net.eval()(network_patches(part.float())) for part in flat.split(512)]
    openness, shut = (torch.cat(each).numpy().reshape(-1, 2) for each in zip(*parts, strict=True))
    return openness, shut


def held_out_sets(eyes: Eyes) -> dict[str, NDArray[np.bool_]]:
    """Faces (N,) of each set that is judged, by its name."""
    return {
        "wild_val": eyes.held & (eyes.name == "wild_val"),
        "hard, held out": eyes.held & np.isin(eyes.name, HARD),
        "unseen": eyes.held & (eyes.name == "unseen"),
    }


def evaluate(net: EyeNet, eyes: Eyes) -> dict[str, Any]:
    """By set: figures of the points, of the network's openness, and of its probability of shut."""
    figures = {}
    for name, chosen in held_out_sets(eyes).items():
        if not chosen.any():
            continue
        part = eyes.select(chosen)
        openness, shut = answers(net, part.patches)
        ways = {"points": (part.by_points, part.by_points), "network": (openness, -shut)}
        figures[name] = judged(part.openness, ways)
    return figures
