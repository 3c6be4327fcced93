"""The training loop of small networks on cut-outs: one step, one epoch, its checkpoint, the next epoch.

Everything random follows from (seed, epoch), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train.fit.interruption import Interruption
from train.network.checkpoint import load_weights, write_content

# What the checkpoint of a run holds that can be resumed.
RESUMED = ("model", "ema", "optimiser", "epoch")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the recipes of these networks have in common; attributes as of `train.options.TrainingOptions`."""

    epochs: int
    batch: int
    lr: float
    warmup: float
    weight_decay: float = 0.02
    ema: float = 0.99
    seed: int = 0


def learning_rate(progress: float, schedule: Schedule) -> float:
    """Learning rate over ``progress`` from 0 to 1: a linear warm-up, then a cosine to a thousandth."""
    warm = schedule.warmup
    if progress < warm:
        return schedule.lr * max(progress / warm, 0.04)
    return schedule.lr * max(0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))), 1e-3)


class Run:
    """One training run: a network, the running average of its weights, and the optimiser.

    Parameters
    ----------
    command : of `python -m train`, which the checkpoint names
    folder : where ``last.pt`` is written after each epoch
    groups : parameters with the ``share`` of the learning rate that each gets; all at the full rate by default
    """

    def __init__(
        self,
        command: str,
        net: nn.Module,
        schedule: Schedule,
        folder: Path,
        groups: list[dict[str, Any]] | None = None,
    ) -> None:
        self.command, self.net, self.schedule, self.path = command, net, schedule, folder / "last.pt"
        self.ema = copy.deepcopy(net).eval()
        self.optimiser = torch.optim.AdamW(
            groups or net.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay
        )
        self.epoch = 0

    def resume(self, content: dict[str, Any]) -> None:
        """Go on where the run stopped that wrote this checkpoint. ModelError where its weights do not fit."""
        for part, key in ((self.net, "model"), (self.ema, "ema"), (self.optimiser, "optimiser")):
            load_weights(part, content[key], self.path, self.command)
        self.epoch = content["epoch"]

    def train(self, steps: int, losses: Callable[[int], Iterator[Tensor]], facts: dict[str, Any]) -> Path:
        """Train to the last epoch, with a checkpoint after each. Returns its path.

        Parameters
        ----------
        steps : of the optimiser in an epoch
        losses : the loss of each step of an epoch, by its number from 0; computed when the step is due
        facts : what the checkpoint says besides

        Raises
        ------
        OutputError : a checkpoint cannot be written
        KeyboardInterrupt : Ctrl-C came; the checkpoint of the last whole epoch is kept
        """
        began, all_steps = time.perf_counter(), self.schedule.epochs * steps
        with Interruption() as interruption:
            while self.epoch < self.schedule.epochs:
                torch.manual_seed(self.schedule.seed * 100_003 + self.epoch + 1)
                self.net.train()
                total = 0.0
                for step, loss in enumerate(losses(self.epoch)):
                    interruption.obey()
                    self._step(loss, learning_rate((self.epoch * steps + step) / all_steps, self.schedule))
                    total += loss.item()
                self.epoch += 1
                self._save(facts)
                seconds = time.perf_counter() - began
                print(
                    f"epoch {self.epoch}: loss {total / steps:.5f}, {seconds:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
        return self.path

    def _step(self, loss: Tensor, rate: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("share", 1.0)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        for mean, value in zip(self.ema.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - self.schedule.ema)
            else:
                mean.copy_(value)

    def _save(self, facts: dict[str, Any]) -> None:
        content = {
            "kind": self.command,
            "recipe": asdict(self.schedule),
            "epoch": self.epoch,
            "model": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        write_content(self.path, content | facts)
