"""The training of the eye network: recipe, sampling, eyes that are closed by a warp, losses.

The loop itself, with its checkpoints, is `train.cutouts.loop`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from train.cutouts.loop import RESUMED, Run, Schedule
from train.eyes.augment import disturbed
from train.eyes.closing import can_close, closed
from train.eyes.data import OPEN, SHUT, Eyes
from train.eyes.network import EyeNet, read_eye_checkpoint

# Openness by which eyes are drawn: of each part of this width about as many, but rare ones at most so much oftener.
_PART, _OFTENER = 0.04, 12.0


@dataclass(frozen=True, slots=True)
class EyeRecipe(Schedule):
    """How the eye network is trained.

    Attributes
    ----------
    width : channels of the first convolution
    rounded : weight of the openness of Udacity's faces, whose labels are whole pixels
    covered : weight of eyes whose points the labeller guessed
    closed : share of the open eyes whose upper lid is drawn down by a warp, by any part of the way
    shut : weight of the loss of the probability of shut beside that of openness
    """

    epochs: int = 40
    batch: int = 256
    lr: float = 0.004
    warmup: float = 0.1
    width: int = 8
    rounded: float = 0.3
    covered: float = 0.3
    closed: float = 0.3
    shut: float = 0.02


def fit(recipe: EyeRecipe, eyes: Eyes, out: Path, *, resume: bool) -> Path:
    """Train on the eyes that are not held out, with a checkpoint in ``out`` after each epoch. Returns its path.

    Raises
    ------
    ModelError, OutputError
    """
    torch.manual_seed(recipe.seed)
    patches, lids, openness, weight, drawn = _training(recipe, eyes)
    net = EyeNet(recipe.width)
    run = Run("eyes", net, recipe, out)
    if resume:
        run.resume(read_eye_checkpoint(run.path, RESUMED))
    steps = len(patches) // recipe.batch

    def losses(_: int) -> Iterator[Tensor]:
        order = torch.multinomial(drawn, steps * recipe.batch, replacement=True)
        for part in order.split(recipe.batch):
            x, target = _some_closed(patches[part].float(), lids[part], openness[part], recipe.closed)
            yield _loss(net, disturbed(x), target, weight[part], recipe)

    names, counts = np.unique(eyes.name[~eyes.held], return_counts=True)
    return run.train(steps, losses, {"trained_on": dict(zip(names.tolist(), counts.tolist(), strict=True))})


def _training(recipe: EyeRecipe, eyes: Eyes) -> tuple[Tensor, ...]:
    """Patches (N, 1, 64, 64), lids (N, 6, 2), openness (N,), weights of its loss (N,), how often each is drawn (N,)."""
    chosen = np.isfinite(eyes.openness) & ~eyes.held[:, None]
    rounded = np.where(eyes.name == "udacity_train", recipe.rounded, 1.0)[:, None]
    weight = (rounded * np.where(eyes.visible, 1.0, recipe.covered))[chosen]
    openness = eyes.openness[chosen]
    part = (openness.clip(0, 0.6) / _PART).astype(int)
    often = 1.0 / np.bincount(part)[part]
    often = np.minimum(often / often.min(), _OFTENER) * np.sqrt(weight)
    # Only of eyes that were seen is it known where the lids are.
    lids = np.where(eyes.visible[..., None, None], eyes.lids, np.nan)[chosen]
    arrays = eyes.patches[chosen][:, None], lids, openness, weight.astype(np.float32), often
    return tuple(torch.from_numpy(np.ascontiguousarray(each)) for each in arrays)


def _some_closed(x: Tensor, lids: Tensor, openness: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Patches and openness, of which a share of the open eyes was closed by some part of the way."""
    chosen = can_close(lids) & (openness > OPEN) & (torch.rand(len(x)) < share)
    if not chosen.any():
        return x, openness
    way = torch.rand(int(chosen.sum())) ** 0.5
    x, openness = x.clone(), openness.clone()
    x[chosen] = closed(x[chosen], lids[chosen], way)
    openness[chosen] *= 1 - way
    return x, openness


def _loss(net: EyeNet, x: Tensor, openness: Tensor, weight: Tensor, recipe: EyeRecipe) -> Tensor:
    """Of openness, and of the probability of shut: between shut and open the label goes over from 1 to 0."""
    found, logit = net(x)
    label = ((OPEN - openness) / (OPEN - SHUT)).clamp(0, 1)
    apart = functional.smooth_l1_loss(found, openness, reduction="none", beta=0.03)
    wrong = functional.binary_cross_entropy_with_logits(logit, label, reduction="none")
    return ((apart + recipe.shut * wrong) * weight).sum() / weight.sum()
