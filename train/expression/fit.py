"""The training of the expression network, top to bottom: sampling, optimiser, one epoch, checkpoint, epochs.

Everything random follows from (seed, epoch), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import copy
import hashlib
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.errors import OutputError
from fkp_live.types import EXPRESSIONS
from train.expression.augment import disturbed, network_crops
from train.expression.data import KEPT_SIZE, NETWORK_SIDE, Faces, Labelled, template_pixels
from train.expression.evaluation import taught
from train.expression.network import ExpressionNet, network_of, new_network, read_expression_checkpoint
from train.fit.interruption import Interruption
from train.network.checkpoint import load_weights

# Weights of the losses of the three heads: both together, the crop alone, the points alone.
_HEADS = (1.0, 0.3, 0.3)
# Noise on the points, in their standard deviations.
_NOISE = 0.10
_FIRST_CROPS = 256


@dataclass(frozen=True, slots=True)
class ExpressionRecipe:
    """How the expression network is trained.

    Attributes
    ----------
    first : the network whose trunk is taken over, below models/
    size : of the crop in pixels
    epochs, batch, lr, weight_decay, warmup, ema, seed : as of `train.options.TrainingOptions`; ``lr`` is that of the
        heads
    trunk : learning rate of the trunk, as a share of ``lr``
    smoothing : of the labels
    mixed : share of batches whose crops and labels are mixed (H. Zhang et al., "mixup", ICLR 2018)
    blocks : residual blocks that are kept at strides 4, 8 and 16
    taught : share of the teachers' answer in what labelled faces are trained to, where some are given (G. Hinton
        et al., "Distilling the knowledge in a neural network", 2015)
    unlabelled : faces without a label beside each batch, where there are some: trained to the teachers' answer
    """

    first: str = "fkp68.onnx"
    size: int = 64
    blocks: tuple[int, int, int] = (1, 1, 1)
    taught: float = 0.5
    unlabelled: int = 24
    epochs: int = 24
    batch: int = 64
    lr: float = 0.003
    trunk: float = 0.4
    weight_decay: float = 0.02
    warmup: float = 0.15
    ema: float = 0.99
    smoothing: float = 0.1
    mixed: float = 0.5
    seed: int = 0


def learning_rate(progress: float, recipe: ExpressionRecipe) -> float:
    """Share of the full rate over ``progress`` from 0 to 1: a linear warm-up, then a cosine to a thousandth."""
    if progress < recipe.warmup:
        return max(progress / recipe.warmup, 0.04)
    return max(0.5 * (1 + math.cos(math.pi * (progress - recipe.warmup) / (1 - recipe.warmup))), 1e-3)


def fit(
    recipe: ExpressionRecipe,
    data: Labelled,
    models: Path,
    out: Path,
    *,
    init: Path | None,
    resume: bool,
    teachers: Sequence[Path] = (),
    more: Faces | None = None,
) -> Path:
    """Train, with a checkpoint after each epoch. Returns its path.

    Parameters
    ----------
    models : folder of ``recipe.first``
    out : folder of the run
    init : checkpoint of another run to start from
    resume : go on where the run in ``out`` stopped
    teachers : checkpoints of other runs, whose mean answers are learnt too
    more : faces without labels, for the teachers

    Raises
    ------
    ModelError, OutputError
    """
    torch.manual_seed(recipe.seed)
    chosen = np.flatnonzero(data.training)
    given = Faces(data.crops[chosen], data.points[chosen])
    targets = functional.one_hot(torch.from_numpy(data.labels[chosen]), len(EXPRESSIONS)).float()
    targets = (1 - recipe.smoothing) * targets + recipe.smoothing / len(EXPRESSIONS)
    nets = [network_of(read_expression_checkpoint(path)) for path in teachers]
    if nets:
        targets = (1 - recipe.taught) * targets + recipe.taught * taught(nets, given, data.template)
    if nets and more is not None:
        others = taught(nets, more, data.template)
        given = Faces(np.concatenate([given.crops, more.crops]), np.concatenate([given.points, more.points]))
        targets = torch.cat([targets, others])
    crops, points = torch.from_numpy(given.crops).permute(0, 3, 1, 2), torch.from_numpy(given.points)
    beside = recipe.unlabelled if len(crops) > len(chosen) else 0
    # Rare classes are drawn more often, by the root.
    weight = 1.0 / np.sqrt(np.bincount(data.labels[chosen], minlength=7))[data.labels[chosen]]
    weight /= weight.sum()
    scale = recipe.size / NETWORK_SIDE
    template = torch.from_numpy(template_pixels(data.template, recipe.size, NETWORK_SIDE)).float()
    noise = (points[: len(chosen)] - torch.from_numpy(data.template).float()).std(0) + 1e-3
    middle = template.mean(0)
    path = out / "last.pt"
    net, epoch, started = _network(recipe, crops, template, noise * scale, models, path if resume else init)
    ema = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(
        [
            {"params": net.body.parameters(), "share": recipe.trunk},
            {
                "params": [p for name, p in net.named_parameters() if not name.startswith("body")],
                "share": 1.0,
            },
        ],
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
    )
    if resume:
        load_weights(net, started["model"], path)
        load_weights(optimiser, started["optimiser"], path)
        epoch = started["epoch"]
    steps = len(chosen) // recipe.batch
    facts = {
        "trained_on": _counts(data),
        "init": (started.get("init") if resume else _named(init)) or _named(models / recipe.first),
        "teachers": [_named(path) for path in teachers],
        "unlabelled": len(crops) - len(chosen),
    }
    began = time.perf_counter()
    with Interruption() as interruption:
        for number in range(epoch, recipe.epochs):
            torch.manual_seed(recipe.seed * 100_003 + number + 1)
            rng = np.random.default_rng((recipe.seed, number))
            order = rng.choice(len(chosen), steps * recipe.batch, p=weight)
            net.train()
            total = 0.0
            for step in range(steps):
                interruption.obey()
                part = torch.from_numpy(order[step * recipe.batch : (step + 1) * recipe.batch])
                if beside:
                    part = torch.cat([part, torch.from_numpy(rng.integers(len(chosen), len(crops), beside))])
                rate = learning_rate((number * steps + step) / (recipe.epochs * steps), recipe)
                for group in optimiser.param_groups:
                    group["lr"] = recipe.lr * rate * group["share"]
                x, p = disturbed(crops[part].float(), points[part], recipe.size, noise * _NOISE, rng)
                loss = _loss(net, x, p * scale + middle, targets[part], recipe, rng)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                _follow(ema, net, recipe.ema)
                total += loss.item()
            saved = {"optimiser": optimiser.state_dict(), "epoch": number + 1, **facts}
            _save(path, net, ema, recipe, data, **saved)
            print(
                f"epoch {number + 1}: loss {total / steps:.3f}, {time.perf_counter() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return path


def _network(
    recipe: ExpressionRecipe,
    crops: Tensor,
    template: Tensor,
    spread: Tensor,
    models: Path,
    start: Path | None,
) -> tuple[ExpressionNet, int, dict[str, Any]]:
    if start is not None:
        content = read_expression_checkpoint(start)
        net = network_of(content)
        # The template may differ by a trifle from that of the first run; what was learnt belongs to that one.
        return net, 0, content
    first = network_crops(crops[:: max(len(crops) // _FIRST_CROPS, 1)].float(), recipe.size)
    return new_network(models / recipe.first, first, template, spread, recipe.blocks), 0, {}


def _loss(
    net: ExpressionNet,
    x: Tensor,
    points: Tensor,
    targets: Tensor,
    recipe: ExpressionRecipe,
    rng: np.random.Generator,
) -> Tensor:
    share = float(rng.beta(0.3, 0.3)) if rng.random() < recipe.mixed else 1.0
    other = torch.randperm(len(x))
    x, points, targets = (share * each + (1 - share) * each[other] for each in (x, points, targets))
    loss = torch.zeros(())
    for logits, weight in zip(net.heads(x, points), _HEADS, strict=True):
        loss = loss + weight * functional.cross_entropy(logits, targets)
    return loss


@torch.no_grad()
def _follow(ema: ExpressionNet, net: ExpressionNet, share: float) -> None:
    """Move the averaged weights towards the network's."""
    for mean, value in zip(ema.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1.0 - share)
        else:
            mean.copy_(value)


def _counts(data: Labelled) -> dict[str, list[int]]:
    """Training faces of each class, by source."""
    return {
        source: np.bincount(data.labels[data.training & (data.source == source)], minlength=7).tolist()
        for source in sorted(set(data.source.tolist()))
    }


def _named(path: Path | None) -> dict[str, str] | None:
    return (
        None if path is None else {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    )


def _save(
    path: Path,
    net: ExpressionNet,
    ema: ExpressionNet,
    recipe: ExpressionRecipe,
    data: Labelled,
    **more: Any,
) -> None:
    partial = path.with_name(f"{path.name}.partial")
    content = {
        "kind": "expression",
        "options": asdict(net.options),
        "model": net.state_dict(),
        "ema": ema.state_dict(),
        "recipe": asdict(recipe),
        "kept_size": KEPT_SIZE,
        "held": int(data.held.sum()),
        **more,
    }
    try:
        torch.save(content, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch has a RuntimeError for a full disk
        raise OutputError(f"cannot write {path}: {error}", "Is there room on the disk?") from error
    finally:
        partial.unlink(missing_ok=True)
