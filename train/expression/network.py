"""The expression network: the trunk of a landmark network on an aligned crop, and the 68 points beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fkp_live.errors import UsageError
from fkp_live.types import EXPRESSIONS
from train.network.checkpoint import read_content
from train.network.initial import initial_network
from train.network.model import LandmarkNet
from train.options import PLAIN, ModelOptions

_EVENED_SCALE, _EVENED_EPS = 0.866, 0.006875 * 255.0**2


class ExpressionNet(nn.Module):
    """Crops (N, 3, S, S) float 0..255 BGR and points (N, 68, 2) in crop pixels -> logits (N, 7) of `EXPRESSIONS`.

    Two more heads, one on the crop and one on the points alone, are trained beside the first: each part then learns
    what it can, and the evaluation compares them. They are not exported.

    Parameters
    ----------
    landmarks : its trunk is taken over, weights included
    template : (68, 2) points in crop pixels that faces are aligned to
    spread : (68, 2) standard deviation of aligned points, in crop pixels
    size : side of the crop in pixels
    """

    def __init__(self, landmarks: LandmarkNet, template: Tensor, spread: Tensor, size: int) -> None:
        super().__init__()
        self.size = size
        self.options = landmarks.options
        self.body = nn.Sequential(landmarks.stem, landmarks.stage4, landmarks.stage8, landmarks.stage16)
        deepest, classes = landmarks.options.channels[3], len(EXPRESSIONS)
        self.shape = nn.Sequential(
            nn.Linear(136, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 64), nn.ReLU()
        )
        self.drop = nn.Dropout(0.4)
        self.head = nn.Linear(deepest + 64, classes)
        self.crop_head = nn.Linear(deepest, classes)
        self.shape_head = nn.Linear(64, classes)
        self.template: Tensor
        self.spread: Tensor
        self.temperature: Tensor
        self.register_buffer("template", template)
        self.register_buffer("spread", spread)
        self.register_buffer("temperature", torch.ones(()))

    def heads(self, image: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, 7) of both together, of the crop alone, and of the points alone."""
        features = self.body(evened(image)).mean((2, 3))
        shape = self.shape(((points - self.template) / self.spread).flatten(1))
        both = self.head(self.drop(torch.cat([features, shape], 1)))
        return both, self.crop_head(self.drop(features)), self.shape_head(shape)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        return self.heads(image, points)[0] / self.temperature


def evened(image: Tensor) -> Tensor:
    """Crops (N, 3, S, S) 0..255 with mean 0 and deviation about 0.8 each: light and contrast do not count.

    Within 3 % the division by (deviation + 0.05) of pixels 0..1, in the one operation that onnxruntime has for it.
    """
    shape = image.shape[1:]
    scale = torch.full(shape, _EVENED_SCALE, dtype=image.dtype, device=image.device)
    return functional.layer_norm(image, shape, scale, eps=_EVENED_EPS)


def new_network(
    first: Path, crops: Tensor, template: Tensor, spread: Tensor, blocks: tuple[int, int, int]
) -> ExpressionNet:
    """A network with the trunk of a landmark network, cut to at most its ``blocks`` a stage.

    ``crops`` (N, 3, S, S) 0..255 settle its batch norms.

    Raises
    ------
    UsageError
        The landmark network has fewer blocks, or another trunk than the residual one.
    """
    given = initial_network(first, evened(crops) * 64.0 + 127.5)
    if given.options.trunk != PLAIN:
        raise UsageError(
            f"{first} has the trunk {given.options.trunk}", f"Expected a network with the trunk {PLAIN}."
        )
    if any(few > many for few, many in zip(blocks, given.options.blocks, strict=True)):
        raise UsageError(f"blocks {blocks} are more than {first} has", f"At most {given.options.blocks}.")
    landmarks = LandmarkNet(replace(given.options, blocks=blocks))
    kept = landmarks.state_dict().keys()
    landmarks.load_state_dict({key: value for key, value in given.state_dict().items() if key in kept})
    return ExpressionNet(landmarks, template, spread, crops.shape[-1])


def network_of(content: dict[str, Any]) -> ExpressionNet:
    """The network of a checkpoint's content, in eval mode, with its averaged weights."""
    trunk = LandmarkNet(ModelOptions(**content["options"]))
    net = ExpressionNet(trunk, torch.zeros(68, 2), torch.ones(68, 2), content["recipe"]["size"])
    net.load_state_dict(content.get("ema") or content["model"])
    return net.eval()


def read_expression_checkpoint(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Content of a checkpoint of `python -m train expression`; raises as `train.network.checkpoint.read_content`."""
    return read_content(path, "expression", ("recipe", "options", "model", *needs))
