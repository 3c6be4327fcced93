"""The training loop, top to bottom: model, optimiser, learning rate, evaluation, one step, checkpoint, epochs.

Everything random follows from (seed, epoch, face), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import copy
import csv
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from fkp_live.console import say
from fkp_live.errors import FkpError, OutputError, UsageError
from fkp_live.geometry import CropSpec, apply, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.metrics import failure_rate
from train.arguments import make_folder
from train.data.agreement import check_labels
from train.data.augment import detector_jitter
from train.data.faces import FaceSet
from train.data.provenance import KEYS, provenance, refuse_held_out, refuse_other_data
from train.data.sampling import Crops, load_sources
from train.data.splits import training_sets, validation_sets
from train.fit.advice import few_faces
from train.fit.curves import plot_curves
from train.fit.interruption import Interruption, quiet_worker
from train.fit.loss import Truth, disagreement, eye_distance, total_loss
from train.fit.next_frame import next_frame, warp_points
from train.network.checkpoint import load_weights, read_checkpoint, save_checkpoint
from train.network.initial import initial_network, is_trunk, start_from, start_trunk
from train.network.model import LandmarkNet, Prediction, fast_bf16
from train.options import ModelOptions, Recipe, TrainingOptions

# Crops from which a shipped network, whose batch norms are folded, learns them again.
FIRST_CROPS = 512


def build_model(options: ModelOptions, device: torch.device) -> LandmarkNet:
    """A network with random weights, drawn from torch's global generator."""
    model = LandmarkNet(options).to(device)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_optimiser(model: LandmarkNet, options: TrainingOptions) -> torch.optim.AdamW:
    """AdamW; biases and batch norms do not decay."""
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decay, "weight_decay": options.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=options.lr)


def learning_rate(progress: float, options: TrainingOptions) -> float:
    """One cycle over ``progress`` from 0 to 1: linear warm-up, then a cosine to a thousandth."""
    warm = options.warmup
    if progress < warm:
        return options.lr * max(progress / warm, 1e-3)
    return options.lr * max(0.5 * (1 + math.cos(math.pi * (progress - warm) / (1 - warm))), 1e-3)


def evaluation_crops(faces: FaceSet, spec: CropSpec) -> tuple[Tensor, Tensor]:
    """Crops (N, 3, S, S) uint8 around the true boxes with a detector's jitter, and the true points in them."""
    crops, points = [], []
    for index in range(len(faces)):
        rng = np.random.default_rng((0, index))
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


def evaluate(model: LandmarkNet, validation: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """NME and FR10 on each validation set, given as crops and points of `evaluation_crops`."""
    figures = {}
    for name, (crops, points) in validation.items():
        errors = nme_per_face(model, crops, points)
        figures[f"{name}_nme"] = float(errors.mean())
        figures[f"{name}_fr10"] = failure_rate(errors)
    return figures


class Run:
    """One training run: its model, average, optimiser and files."""

    def __init__(self, recipe: Recipe, folder: Path, device: torch.device) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        torch.manual_seed(recipe.training.seed)
        self.model = build_model(recipe.model, device)
        self.ema = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = build_optimiser(self.model, recipe.training)
        self.bf16 = recipe.training.bf16 and fast_bf16(device)
        self.epoch, self.step, self.history = 0, 0, list[dict[str, float]]()
        # See `train.data.provenance`.
        self.origin: dict[str, Any] = {}

    def predict(self, crops: Tensor) -> Prediction:
        """The model's output for crops (N, 3, S, S) float 0..255; convolutions in bfloat16 where that is faster."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            maps, context = self.model.features(crops)
        return self.model.read(maps.float(), context.float())

    def losses(self, crops: Tensor, truth: Truth) -> dict[str, Tensor]:
        """The terms of `train.fit.loss` and their sum ``loss``, for crops (N, 3, S, S) float 0..255."""
        options, side = self.recipe.loss, self.recipe.model.crop_spec.face_side
        prediction = self.predict(crops)
        terms = total_loss(prediction, truth, options, side)
        if options.stillness > 0.0:
            some = max(round(options.stillness_share * len(crops)), 1)
            second, warps = next_frame(crops[:some], self.step)
            moved = warp_points(prediction.points[:some], warps)
            terms["stillness"] = disagreement(self.predict(second).points, moved, truth.is_face[:some], side)
            terms["loss"] = terms["loss"] + options.stillness * terms["stillness"]
        return terms

    def train_step(self, batch: Sequence[Tensor], rate: float) -> dict[str, float]:
        """One step of the optimiser at a learning rate, on a batch of `Item`; returns the loss terms."""
        crops, points, is_face, weight, guessed, point_weight = (part.to(self.device) for part in batch)
        # NHWC bytes: the permuted tensor is channels_last as the model wants it.
        inputs = crops.permute(0, 3, 1, 2).float()
        terms = self.losses(inputs, Truth(points, is_face, weight.float(), guessed, point_weight))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.training.clip)
        self.optimiser.step()
        self.step += 1
        self._average()
        return {name: float(value.detach()) for name, value in terms.items()}

    @torch.no_grad()
    def _average(self) -> None:
        # Early on the average follows faster, or it would remember the random start.
        decay = min(self.recipe.training.ema, (1 + self.step) / (10 + self.step))
        averaged, current = self.ema.state_dict(), self.model.state_dict()
        floats = [key for key in averaged if averaged[key].is_floating_point()]
        torch._foreach_lerp_([averaged[k] for k in floats], [current[k] for k in floats], 1.0 - decay)

    def train_one_epoch(
        self, loader: DataLoader[Any], bar: tqdm[Any], between_batches: Callable[[], None]
    ) -> dict[str, float]:
        """One pass; returns the mean of each loss term."""
        self.model.train()
        options, sums = self.recipe.training, dict[str, float]()
        total_steps = options.epochs * len(loader)
        for batch in loader:
            terms = self.train_step(batch, learning_rate(self.step / total_steps, options))
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value
            bar.update(1)
            between_batches()
        return {name: value / len(loader) for name, value in sums.items()}

    def refuse_divergence(self, loss: float) -> None:
        """Raise FkpError if the loss of the epoch just trained, or a weight after it, is not finite."""
        weights = [*self.model.state_dict().values(), *self.ema.state_dict().values()]
        if math.isfinite(loss) and all(bool(value.isfinite().all()) for value in weights):
            return
        kept = f"{self.checkpoint} holds epoch {self.epoch}." if self.epoch else "No epoch was kept."
        raise FkpError(
            f"the training diverged in epoch {self.epoch + 1} (loss {loss:g}): its weights are not finite any more",
            f"{kept} Lower lr in [training], or look for faces with wrong labels.",
        )

    @property
    def checkpoint(self) -> Path:
        """The run's only checkpoint, replaced after every epoch."""
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
        """Begin with the weights of a run, a shipped file or a published trunk; ``crops``: see `initial_network`."""
        if is_trunk(path):
            start_trunk(self.model, path)
        else:
            start_from(self.model, initial_network(path, crops))
        self.ema.load_state_dict(self.model.state_dict())

    def load(self) -> None:
        """Continue from the folder's checkpoint.

        Raises
        ------
        UsageError
            It was trained by another recipe or on other faces.
        ModelError
            It is damaged, or not the checkpoint of a run that can continue.
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
    recipe: Recipe,
    data: Path,
    folder: Path,
    device: torch.device,
    *,
    resume: bool,
    init: Path | None = None,
    compare_labels: bool = True,
    images: Path | None = None,
) -> Run:
    """Train by the recipe; the folder then holds last.pt, metrics.csv, curves.png and recipe.json.

    ``init`` names a checkpoint or a shipped ONNX file whose weights the run starts from instead of random ones.
    ``compare_labels``: see `check_labels`. ``images``: folder of the pictures of the recipe's CSV and COCO files, where
    they do not lie beside them. With few faces and neither ``init`` nor ``resume``, a warning is printed.

    Raises
    ------
    FkpError
        The training diverged, or as `training_sets`, `Run.load`, `refuse_held_out` and `check_labels` document. All
        that can be refused is refused before anything is written.
    """
    run = Run(recipe, folder, device)
    training = recipe.training
    sets, watched = training_sets(recipe, data, images), validation_sets(recipe, data, images)
    refuse_held_out(sets, data)
    run.origin = provenance(sets, data, init)
    if resume:
        run.load()  # only a run of the same faces, which were checked at its start
    elif compare_labels:
        check_labels([*sets, *watched.values()])
    # A published trunk knows no faces yet.
    is_new = not resume and (init is None or is_trunk(init))
    if is_new and (warning := few_faces(sum(map(len, sets)), recipe.model.crop_spec)):
        say(warning, sys.stderr)
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
    try:
        with bar, Interruption() as interruption:
            for epoch in range(run.epoch, training.epochs):
                started = time.perf_counter()
                crops.start(epoch)
                means = run.train_one_epoch(loader, bar, interruption.obey)
                run.refuse_divergence(means["loss"])
                row = {"epoch": epoch + 1, **means, "seconds": time.perf_counter() - started}
                if (epoch + 1) % training.evaluate_every == 0 or epoch + 1 == training.epochs:
                    row.update(evaluate(run.ema, validation))
                    shown = {k: f"{v:.2f}" for k, v in row.items() if k.endswith("_nme")}
                    bar.set_postfix(loss=f"{row['loss']:.3f}", **shown)
                run.history.append(row)
                run.epoch = epoch + 1
                run.save()
                if any(key.endswith("_nme") for key in row):
                    run.write_history()
    except KeyboardInterrupt:
        kept = f"{run.checkpoint} holds epoch {run.epoch}" if run.epoch else "no epoch was finished"
        print(f"\ninterrupted; {kept}", file=sys.stderr)
        raise
    return run
