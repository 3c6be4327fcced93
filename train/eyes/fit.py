"""The training of the eye network, top to bottom: targets, sampling, one epoch, checkpoint, epochs.

Everything random follows from (seed, epoch), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.errors import OutputError
from train.eyes.augment import disturbed
from train.eyes.closing import can_close, closed
from train.eyes.data import OPEN, SHUT, Eyes
from train.eyes.network import EyeNet, read_eye_checkpoint
from train.fit.interruption import Interruption
from train.network.checkpoint import load_weights

# Openness by which eyes are drawn: of each part of this width about as many, but rare ones at most so much oftener.
_PART, _OFTENER = 0.04, 12.0


@dataclass(frozen=True, slots=True)
class EyeRecipe:
    """How the eye network is trained.

    Attributes
    ----------
    width : channels of the first convolution
    epochs, batch, lr, weight_decay, warmup, ema, seed : as of `train.options.TrainingOptions`
    rounded : weight of the openness of Udacity's faces, whose labels are whole pixels
    covered : weight of eyes whose points the labeller guessed
    closed : share of the open eyes whose upper lid is drawn down by a warp, by any part of the way
    shut : weight of the loss of the probability of shut beside that of openness
    """

    width: int = 8
    epochs: int = 40
    batch: int = 256
    lr: float = 0.004
    weight_decay: float = 0.02
    warmup: float = 0.1
    ema: float = 0.99
    rounded: float = 0.3
    covered: float = 0.3
    closed: float = 0.3
    shut: float = 0.02
    seed: int = 0


def learning_rate(progress: float, recipe: EyeRecipe) -> float:
    """Share of the full rate over ``progress`` from 0 to 1: a linear warm-up, then a cosine to a thousandth."""
    if progress < recipe.warmup:
        return max(progress / recipe.warmup, 0.04)
    return max(0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup))), 1e-3)


def fit(recipe: EyeRecipe, eyes: Eyes, out: Path, *, resume: bool) -> Path:
    """Train on the eyes that are not held out, with a checkpoint in ``out`` after each epoch. Returns its path.

    Raises
    ------
    ModelError, OutputError
    """
    torch.manual_seed(recipe.seed)
    patches, lids, openness, weight, drawn = _training(recipe, eyes)
    net, first, path = EyeNet(recipe.width), 0, out / "last.pt"
    ema = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    if resume:
        content = read_eye_checkpoint(path)
        for what, key in ((net, "model"), (ema, "ema"), (optimiser, "optimiser")):
            load_weights(what, content[key], path)
        first = content["epoch"]
    steps = len(patches) // recipe.batch
    names, counts = np.unique(eyes.name[~eyes.held], return_counts=True)
    trained_on = dict(zip(names.tolist(), counts.tolist(), strict=True))
    began = time.perf_counter()
    with Interruption() as interruption:
        for number in range(first, recipe.epochs):
            torch.manual_seed(recipe.seed * 100_003 + number + 1)
            order = torch.multinomial(drawn, steps * recipe.batch, replacement=True)
            net.train()
            total = 0.0
            for step, part in enumerate(order.split(recipe.batch)):
                interruption.obey()
                rate = learning_rate((number * steps + step) / (recipe.epochs * steps), recipe)
                for group in optimiser.param_groups:
                    group["lr"] = recipe.lr * rate
                x, target = _some_closed(patches[part].float(), lids[part], openness[part], recipe.closed)
                loss = _loss(net, disturbed(x), target, weight[part], recipe)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                _follow(ema, net, recipe.ema)
                total += loss.item()
            saved = {
                "kind": "eyes",
                "recipe": asdict(recipe),
                "epoch": number + 1,
                "model": net.state_dict(),
                "ema": ema.state_dict(),
                "optimiser": optimiser.state_dict(),
                "trained_on": trained_on,
            }
            _save(path, saved)
            print(
                f"epoch {number + 1}: loss {total / steps:.5f}, {time.perf_counter() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return path


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


@torch.no_grad()
def _follow(ema: EyeNet, net: EyeNet, share: float) -> None:
    for kept, new in zip(ema.state_dict().values(), net.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - share)
        else:
            kept.copy_(new)


def _save(path: Path, content: dict) -> None:
    partial = path.with_suffix(".partial")
    try:
        torch.save(content, partial)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}", "Choose another --out."
        ) from error
