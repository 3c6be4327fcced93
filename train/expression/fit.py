"""The training of the expression network: recipe, targets, sampling, first weights, losses.

The loop itself, with its checkpoints, is `train.cutouts.loop`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.types import EXPRESSIONS
from train.cutouts.loop import RESUMED, Run, Schedule
from train.expression.augment import disturbed, network_crops
from train.expression.data import KEPT_SIZE, NETWORK_SIDE, Faces, Labelled, template_pixels
from train.expression.evaluation import taught
from train.expression.network import ExpressionNet, network_of, new_network, read_expression_checkpoint

# Weights of the losses of the three heads: both together, the crop alone, the points alone.
_HEADS = (1.0, 0.3, 0.3)
# Noise on the points, in their standard deviations.
_NOISE = 0.10
_FIRST_CROPS = 256


@dataclass(frozen=True, slots=True)
class ExpressionRecipe(Schedule):
    """How the expression network is trained.

    Attributes
    ----------
    lr : learning rate of the heads
    first : the network whose trunk is taken over, below models/
    size : of the crop in pixels
    blocks : residual blocks that are kept at strides 4, 8 and 16
    taught : share of the teachers' answer in what labelled faces are trained to, where some are given (G. Hinton
        et al., "Distilling the knowledge in a neural network", 2015)
    unlabelled : faces without a label beside each batch, where there are some: trained to the teachers' answer
    trunk : learning rate of the trunk, as a share of ``lr``
    smoothing : of the labels
    mixed : share of batches whose crops and labels are mixed (H. Zhang et al., "mixup", ICLR 2018)
    """

    epochs: int = 24
    batch: int = 64
    lr: float = 0.003
    warmup: float = 0.15
    first: str = "fkp68.onnx"
    size: int = 64
    blocks: tuple[int, int, int] = (1, 1, 1)
    taught: float = 0.5
    unlabelled: int = 24
    trunk: float = 0.4
    smoothing: float = 0.1
    mixed: float = 0.5


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
    started = read_expression_checkpoint(out / "last.pt", RESUMED) if resume else {}
    weights = started or (read_expression_checkpoint(init) if init else None)
    net = _network(recipe, crops, template, noise * scale, models, weights)
    heads = [p for name, p in net.named_parameters() if not name.startswith("body")]
    groups = [{"params": net.body.parameters(), "share": recipe.trunk}, {"params": heads, "share": 1.0}]
    run = Run("expression", net, recipe, out, groups)
    if resume:
        run.resume(started)
    steps = len(chosen) // recipe.batch

    def losses(number: int) -> Iterator[Tensor]:
        rng = np.random.default_rng((recipe.seed, number))
        order = rng.choice(len(chosen), steps * recipe.batch, p=weight)
        for part in torch.from_numpy(order).split(recipe.batch):
            if beside:
                part = torch.cat([part, torch.from_numpy(rng.integers(len(chosen), len(crops), beside))])
            x, p = disturbed(crops[part].float(), points[part], recipe.size, noise * _NOISE, rng)
            yield _loss(net, x, p * scale + middle, targets[part], recipe, rng)

    facts = {
        "options": asdict(net.options),
        "kept_size": KEPT_SIZE,
        "held": int(data.held.sum()),
        "trained_on": _counts(data),
        "init": started.get("init") or _named(init) or _named(models / recipe.first),
        "teachers": [_named(path) for path in teachers],
        "unlabelled": len(crops) - len(chosen),
    }
    return run.train(steps, losses, facts)


def _network(
    recipe: ExpressionRecipe,
    crops: Tensor,
    template: Tensor,
    spread: Tensor,
    models: Path,
    given: dict[str, Any] | None,
) -> ExpressionNet:
    if given is not None:
        # The template may differ by a trifle from that of the first run; what was learnt belongs to that one.
        return network_of(given)
    first = network_crops(crops[:: max(len(crops) // _FIRST_CROPS, 1)].float(), recipe.size)
    return new_network(models / recipe.first, first, template, spread, recipe.blocks)


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
