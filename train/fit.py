"""`python -m train fit RECIPE`: the training loop.

Everything random follows from (seed, epoch, face), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.errors import ExitCode, FkpError, InputError, OutputError, UsageError
from fkp_live.geometry import CropSpec, apply, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.metrics import failure_rate
from train.arguments import make_folder
from train.augment import detector_jitter
from train.begin import first_network, start_from
from train.curves import plot_curves
from train.data import FaceSet
from train.interruption import Interruption, quiet_worker
from train.losses import Truth, eye_distance, total_loss
from train.model import STRIDE, LandmarkNet, load_weights, read_checkpoint, save_checkpoint
from train.provenance import KEYS, provenance, refuse_held_out, refuse_other_data
from train.recipe import DataOptions, Recipe, read_recipe, training_sets, validation_sets
from train.sampling import Crops, load_sources
from train.warps import next_frame, warp_points

# Crops from which a shipped network, whose batch norms are folded, learns them again.
FIRST_CROPS = 512


def evaluation_crops(faces: FaceSet, spec: CropSpec, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Crops (N, 3, S, S) uint8 around the true boxes with a detector's jitter, and the true points in them."""
    crops, points = [], []
    for index in range(len(faces)):
        rng = np.random.default_rng((seed, index))
        matrix = crop_matrix(detector_jitter(box_of(faces.points[index]), rng), spec)
        crops.append(torch.from_numpy(warp(faces.image(index), matrix, spec.size)))
        points.append(torch.from_numpy(apply(matrix, faces.points[index])))
    return torch.stack(crops).permute(0, 3, 1, 2).contiguous(), torch.stack(points)


@torch.no_grad()
def nme_per_face(model: LandmarkNet, crops: Tensor, points: Tensor, batch: int = 64) -> NDArray[np.float64]:
    """NME of each face in per cent of the distance of its outer eye corners."""
    device = next(model.parameters()).device
    model.eval()
    predicted = torch.cat([model(part.to(device).float())[0].cpu() for part in crops.split(batch)])
    return (100.0 * (predicted - points).norm(dim=-1).mean(1) / eye_distance(points)).double().numpy()


def fast_bf16(device: torch.device) -> bool:
    """Whether the device gains by bfloat16.

    Among processors only those with AMX do: AVX-512 alone takes 1.3 to 1.7 times as long as with float32, and without
    it bfloat16 is emulated, ten times slower.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Older torch does not tell: float32 is never slow.
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    return bool(capabilities().get("amx_bf16", False))


class Run:
    """One training run: its model, average, optimiser and files."""

    def __init__(self, recipe: Recipe, folder: Path, device: torch.device) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        torch.manual_seed(recipe.training.seed)
        self.model = LandmarkNet(recipe.model).to(device)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        decay = [p for p in self.model.parameters() if p.dim() > 1]
        rest = [p for p in self.model.parameters() if p.dim() <= 1]
        groups = [
            {"params": decay, "weight_decay": recipe.training.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.training.lr)
        self.bf16 = recipe.training.bf16 and fast_bf16(device)
        self.epoch, self.step, self.history = 0, 0, list[dict[str, float]]()
        # See `train.provenance`.
        self.origin: dict[str, Any] = {}

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.pt"

    def save(self) -> None:
        """Write the checkpoint of the last whole epoch."""
        save_checkpoint(
            self.checkpoint,
            self.model,
            ema=self.ema.state_dict(),
            optimiser=self.optimiser.state_dict(),
            epoch=self.epoch,
            step=self.step,
            history=self.history,
            recipe=self.recipe.as_dict(),
            **self.origin,
        )

    def start_from(self, path: Path, crops: Tensor) -> None:
        """Begin with the weights of another run or of a shipped file; ``crops`` see `train.begin.first_network`."""
        donor = first_network(path, crops)
        start_from(self.model, donor)
        self.ema.load_state_dict(self.model.state_dict())

    def load(self) -> None:
        """Continue from the folder's checkpoint.

        Raises
        ------
        UsageError
            It was trained by another recipe or on other faces.
        ModelError
            It is damaged, or no checkpoint of a run that can go on.
        """
        needs = ("recipe", "ema", "optimiser", "epoch", "step", "history")
        content = read_checkpoint(self.checkpoint, needs)
        stored, wanted = content["recipe"], self.recipe.as_dict()
        different = [key for key in wanted if json.dumps(stored.get(key)) != json.dumps(wanted[key])]
        if different:
            raise UsageError(
                f"{self.checkpoint} was trained with another recipe (section {', '.join(different)} differs)",
                "Resume with the same recipe, or train into another folder.",
            )
        refuse_other_data(content, self.origin, self.checkpoint)
        self.origin = {key: content[key] for key in KEYS if key in content}
        load_weights(self.model, content["model"], self.checkpoint)
        load_weights(self.ema, content["ema"], self.checkpoint)
        load_weights(self.optimiser, content["optimiser"], self.checkpoint)
        self.epoch, self.step, self.history = content["epoch"], content["step"], content["history"]

    def refuse_divergence(self, loss: float) -> None:
        """Raise FkpError if the loss of the epoch just trained, or what it left of the weights, is not finite."""
        weights = [*self.model.state_dict().values(), *self.ema.state_dict().values()]
        if math.isfinite(loss) and all(bool(value.isfinite().all()) for value in weights):
            return
        kept = f"{self.checkpoint} holds epoch {self.epoch}." if self.epoch else "No epoch was kept."
        raise FkpError(
            f"the training diverged in epoch {self.epoch + 1} (loss {loss:g}): its weights are no numbers any more",
            f"{kept} Lower lr in [training], or look for faces with wrong labels.",
        )

    def learning_rate(self, progress: float) -> float:
        """One cycle: linear warm-up, then a cosine to a thousandth."""
        warm = self.recipe.training.warmup
        shape = (
            progress / warm
            if progress < warm
            else 0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm)))
        )
        return self.recipe.training.lr * max(shape, 1e-3)

    def train_one_epoch(
        self, loader: DataLoader[Any], bar: tqdm[Any], between_batches: Callable[[], None]
    ) -> dict[str, float]:
        """One pass; returns the mean of each loss term."""
        self.model.train()
        sums: dict[str, float] = {}
        spec, total_steps = self.recipe.model.crop_spec, self.recipe.training.epochs * len(loader)
        for crops, points, is_face, counts, guessed in loader:
            rate = self.learning_rate(self.step / total_steps)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            inputs = (
                crops.to(self.device).permute(0, 3, 1, 2).float()
            )  # NHWC bytes: channels_last as they come
            truth = Truth(*(part.to(self.device) for part in (points, is_face, counts.float(), guessed)))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                maps, context = self.model.features(inputs)
            answer = self.model.read(maps.float(), context.float())
            terms = total_loss(answer, truth, self.recipe.loss, spec.face_side, STRIDE)
            if self.recipe.loss.stillness > 0.0:
                second, warps = next_frame(inputs, self.step)
                moved = warp_points(answer.points, warps)
                terms["stillness"] = self._disagreement(second, moved, truth.is_face)
                terms["loss"] = terms["loss"] + self.recipe.loss.stillness * terms["stillness"]
            self.optimiser.zero_grad(set_to_none=True)
            terms["loss"].backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.training.clip)
            self.optimiser.step()
            self.step += 1
            self._average()
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            bar.update(1)
            between_batches()
        return {name: value / len(loader) for name, value in sums.items()}

    def _disagreement(self, crops: Tensor, points: Tensor, is_face: Tensor) -> Tensor:
        """Mean L1 distance of points (N, 68, 2) and those that the network finds in crops, in % of the box side."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            maps, context = self.model.features(crops)
        again = self.model.read(maps.float(), context.float()).points
        distance = (again - points).abs().sum(-1).mean(1)
        return (
            (distance * is_face).sum()
            / is_face.sum().clamp_min(1)
            * (100.0 / self.recipe.model.crop_spec.face_side)
        )

    @torch.no_grad()
    def _average(self) -> None:
        # Early on the average follows faster, or it would remember the random start.
        decay = min(self.recipe.training.ema, (1 + self.step) / (10 + self.step))
        averaged, current = self.ema.state_dict(), self.model.state_dict()
        floats = [key for key in averaged if averaged[key].is_floating_point()]
        torch._foreach_lerp_([averaged[k] for k in floats], [current[k] for k in floats], 1.0 - decay)

    def evaluate(self, validation: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
        """NME and FR10 of the averaged network on each validation set."""
        figures = {}
        for name, (crops, points) in validation.items():
            errors = nme_per_face(self.ema, crops, points)
            figures[f"{name}_nme"] = float(errors.mean())
            figures[f"{name}_fr10"] = failure_rate(errors)
        return figures

    def write_history(self) -> None:
        """metrics.csv and curves.png from the history."""
        columns = list(dict.fromkeys(key for row in self.history for key in row))
        with _writing(self.folder):
            with open(self.folder / "metrics.csv", "w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows({k: f"{v:.6g}" for k, v in row.items()} for row in self.history)
            plot_curves(self.history, self.folder / "curves.png")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}", "Choose another --out.") from error


def fit(
    recipe: Recipe, data: Path, folder: Path, device: torch.device, resume: bool, init: Path | None = None
) -> Run:
    """Train by the recipe; the folder then holds last.pt, metrics.csv, curves.png and recipe.json.

    ``init`` names a checkpoint or a shipped ONNX file whose weights the run starts from instead of random ones.

    Raises
    ------
    FkpError
        The training diverged, or as `training_sets`, `Run.load` and `refuse_held_out` say. Nothing but the CSV files
        has been read before what can be refused is refused.
    """
    run = Run(recipe, folder, device)
    training = recipe.training
    sets, watched = training_sets(recipe, data), validation_sets(recipe, data)
    refuse_held_out(sets, data)
    run.origin = provenance(sets, data, init)
    if resume:
        run.load()
    make_folder(folder)
    with _writing(folder):
        (folder / "recipe.json").write_text(json.dumps(recipe.as_dict(), indent=1) + "\n")
    if run.history:
        run.write_history()
    crops = Crops(load_sources(sets, recipe.data), recipe)
    validation = {name: evaluation_crops(faces, recipe.model.crop_spec) for name, faces in watched.items()}
    if init is not None:
        crops.start(0)
        some = torch.stack([crops[k][0] for k in range(min(len(crops), FIRST_CROPS))])
        run.start_from(init, some.permute(0, 3, 1, 2).float())
    # Workers are forked every epoch: they see the epoch's number and share the images' memory.
    loader = DataLoader(
        crops,
        training.batch,
        num_workers=training.workers,
        drop_last=len(crops) > training.batch,
        worker_init_fn=quiet_worker,
        prefetch_factor=8 if training.workers else None,
    )
    cv2.setNumThreads(1)
    bar = tqdm(
        total=training.epochs * len(loader), initial=run.step, unit="batch", file=sys.stderr, mininterval=2.0
    )
    with bar, Interruption(run) as interruption:
        for epoch in range(run.epoch, training.epochs):
            started = time.perf_counter()
            crops.start(epoch)
            row: dict[str, float] = {
                "epoch": epoch + 1,
                **run.train_one_epoch(loader, bar, interruption.obey),
            }
            run.refuse_divergence(row["loss"])
            row["seconds"] = time.perf_counter() - started
            if (epoch + 1) % training.evaluate_every == 0 or epoch + 1 == training.epochs:
                row.update(run.evaluate(validation))
                shown = {k: f"{v:.2f}" for k, v in row.items() if k.endswith("_nme")}
                bar.set_postfix(loss=f"{row['loss']:.3f}", **shown)
            run.history.append(row)
            run.epoch = epoch + 1
            run.save()
            if any(key.endswith("_nme") for key in row):
                run.write_history()
    return run


def pick_device(name: str) -> torch.device:
    """``auto`` takes CUDA where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here", "Use --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train fit`."""
    parser.add_argument("recipe", type=Path, help="TOML file, for example train/recipes/fkp68.toml")
    parser.add_argument(
        "--data", type=Path, default=Path(), help="folder of the recipe's data (default: here)"
    )
    parser.add_argument(
        "--csv", type=Path, action="append", help="train on this CSV instead of the recipe's data"
    )
    parser.add_argument("--val", type=Path, action="append", help="with --csv: watch the error on this CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--epochs", type=whole_number(1), help="instead of the recipe's")
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), help="instead of the recipe's")
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=2,
        help="torch threads (default: %(default)s)",
    )
    parser.add_argument(
        "--more", type=Path, action="append", help="train on this CSV beside the recipe's data"
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="start from another run's checkpoint (.pt) or a shipped network (.onnx), of this shape or smaller",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out exactly where it stopped"
    )


def _texts(paths: list[Path]) -> tuple[str, ...]:
    return tuple(str(path.resolve()) for path in paths)


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train fit`."""
    recipe = read_recipe(args.recipe)
    if args.val and not args.csv:
        raise UsageError("--val goes with --csv", "The recipe's own data has its validation faces.")
    if args.csv:
        chosen = DataOptions(sets=(), csv=_texts(args.csv), validation=_texts(args.val or []))
        recipe = replace(recipe, data=chosen)
    if args.more:
        recipe = replace(recipe, data=replace(recipe.data, csv=recipe.data.csv + _texts(args.more)))
    changes = {key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None}
    recipe = replace(recipe, training=replace(recipe.training, **changes))
    if args.init and args.resume:
        raise UsageError("--init and --resume contradict each other", "A resumed run has its own weights.")
    if not args.resume and (args.out / "last.pt").exists():
        raise OutputError(
            f"{args.out} holds a run already", "Continue it with --resume or choose another folder."
        )
    if args.resume and not (args.out / "last.pt").exists():
        raise InputError(
            f"nothing to resume: {args.out / 'last.pt'} does not exist", "Start without --resume."
        )
    torch.set_num_threads(args.threads)
    finished = fit(recipe, args.data, args.out, pick_device(args.device), args.resume, args.init)
    last = finished.history[-1]
    for key in sorted(k for k in last if k.endswith(("_nme", "_fr10"))):
        print(f"{key}: {last[key]:.3f}")
    print(finished.checkpoint)
    return ExitCode.OK
