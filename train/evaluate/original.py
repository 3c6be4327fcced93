"""`python -m train original-table`: the original course project's table, and the shipped network on its own terms.

The course project on this data set (Udacity's computer-vision nanodegree, "Facial Keypoint Detection") scales
each picture's shorter side to 250, cuts a random 224x224 out of it, makes it grey and fits ``(keypoints -
100) / 50`` with a small network, MSE and Adam. Its loss is kept here as it was, pixel for pixel, the scaling
of labels from the corner of the first pixel included. The network is the one of the course's own repository:
five convolutions and two linear layers; its authors' exact one was not published with the figures, so the two
rows are compared, not copied.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from fkp_live.errors import UsageError
from fkp_live.pipeline import FaceLandmarker
from train.arguments import is_plain_name
from train.data.faces import FaceSet
from train.network.model import fast_bf16
from train.recipe import read_toml, shown

RECIPES = ("original_lr01", "original_lr001")
RECIPE_FOLDER = Path(__file__).parents[1] / "recipes"
# Best test loss that the project published; the shipped network is held to a twentieth of it.
PUBLISHED_BEST = 0.077
BAR = PUBLISHED_BEST / 20.0
_SHORTER, _CROP = 250, 224

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OriginalRecipe:
    """One row of the published table and how it was made.

    ``batch`` was not published; the course's notebook has 10. Batch norm is not in the course's own network but in most
    of its students'. Without it behind the first linear layer, the first steps at the higher learning rate kill that
    layer's units and the network never leaves the mean shape, which the published 0.077 clearly did; see
    train/EXPERIMENTS.md. ``width``: channels of the first layer, twice as many in each further one; the course's
    template has 32, half of it takes a quarter of the time.
    """

    name: str
    learning_rate: float
    published_train: float
    published_test: float
    epochs: int = 10
    batch: int = 10
    dropout: float = 0.3
    batch_norm: bool = True
    width: int = 32
    seed: int = 0


def _whole(least: int) -> tuple[Callable[[Any], bool], str]:
    return lambda value: type(value) is int and value >= least, f"a whole number from {least} up"


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_TWO = "Batch norm takes its statistics over the faces of a batch."
_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and is_plain_name(value), "a word that can name a file"),
    "learning_rate": (lambda value: _number(value) and value > 0, "a number above 0"),
    "published_train": (_number, "a number"),
    "published_test": (_number, "a number"),
    "epochs": _whole(1),
    "batch": _whole(1),
    "dropout": (lambda value: _number(value) and 0 <= value < 1, "a number from 0 up, below 1"),
    "batch_norm": (lambda value: isinstance(value, bool), "true or false"),
    "width": _whole(1),
    "seed": _whole(0),
}


def read_original_recipe(path: Path) -> OriginalRecipe:
    """A recipe from a TOML file; InputError or UsageError if it is none."""
    content = read_toml(path)
    known = {field.name for field in fields(OriginalRecipe)}
    if content.keys() - known:
        raise UsageError(
            f"{path}: unknown key '{min(content.keys() - known)}'", f"Known: {', '.join(sorted(known))}."
        )
    try:
        recipe = OriginalRecipe(**content)
    except TypeError as error:
        raise UsageError(f"{path}: {error}", "See train/recipes/original_lr01.toml.") from error
    for key, (fits, expected) in _CHECKS.items():
        value = getattr(recipe, key)
        if not fits(value):
            raise UsageError(f"{path}: {key} = {shown(value)}, expected {expected}")
    if recipe.batch_norm and recipe.batch < 2:
        raise UsageError(f"{path}: batch = 1, expected at least 2 with batch_norm", _TWO)
    return recipe


class OriginalNet(nn.Module):
    """Grey crops (N, 1, 224, 224) in [0, 1] -> (N, 136), the 68 points as ``(pixels - 100) / 50``."""

    def __init__(self, dropout: float, batch_norm: bool, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = [1, *(width * 2**level for level in range(5))]
        for inputs, outputs, kernel in zip(channels, channels[1:], (5, 3, 3, 3, 1), strict=False):
            layers += [nn.Conv2d(inputs, outputs, kernel)]
            layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        hidden: list[nn.Module] = [nn.Flatten(), nn.Linear(channels[-1] * 6 * 6, 1024)]
        hidden += [nn.BatchNorm1d(1024)] if batch_norm else []
        self.points = nn.Sequential(*hidden, nn.ReLU(), nn.Dropout(dropout), nn.Linear(1024, 136))

    def forward(self, crops: Tensor) -> Tensor:
        points: Tensor = self.points(self.features(crops))
        return points


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture after the project's Rescale(250).

    Attributes
    ----------
    image : (H, W, 3) uint8 BGR, the shorter side 250
    keypoints : (68, 2) labels in its pixels, scaled from the corner of the first pixel as the project does
    scale : (2,) new over old size in x and y
    """

    image: NDArray[np.uint8]
    keypoints: Points
    scale: Points

    def corner(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """(x, y) of the upper left corner of the project's RandomCrop(224)."""
        height, width = self.image.shape[:2]
        return np.array([rng.integers(0, width - _CROP), rng.integers(0, height - _CROP)])

    def crop(self, corner: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(224, 224, 3) uint8 BGR at a corner."""
        x, y = corner
        return self.image[y : y + _CROP, x : x + _CROP]


def rescale(image: NDArray[np.uint8], points: NDArray[np.float32]) -> Picture:
    """The project's Rescale(250) of a picture and its labels (68, 2)."""
    height, width = image.shape[:2]
    shorter = min(height, width)
    new = np.array([int(_SHORTER * width / shorter), int(_SHORTER * height / shorter)])
    scale = new / np.array([width, height])
    resized = np.asarray(cv2.resize(image, (int(new[0]), int(new[1]))), np.uint8)
    return Picture(resized, points * scale, scale)


def pictures_of(faces: FaceSet) -> list[Picture]:
    """All pictures of a set, rescaled, in memory."""
    numbers = tqdm(range(len(faces)), desc=f"reading {faces.name}", file=sys.stderr, disable=None)
    return [rescale(faces.image(number), faces.points[number]) for number in numbers]


def units(keypoints: Points) -> Points:
    """Pixels of a 224x224 crop -> the project's units."""
    return (keypoints - 100.0) / 50.0


def loss_of(predicted: Points, true: Points) -> float:
    """The project's MSE of pixels of the crop, twice (N, 68, 2), in its units."""
    return float(np.mean((units(predicted) - units(true)) ** 2))


def batch_of(pictures: list[Picture], corners: list[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    """Grey crops (N, 1, 224, 224) float in [0, 1] and targets (N, 136) in the project's units."""
    crops = np.stack(
        [cv2.cvtColor(p.crop(c), cv2.COLOR_BGR2GRAY) for p, c in zip(pictures, corners, strict=True)]
    )
    targets = np.stack([units(p.keypoints - c) for p, c in zip(pictures, corners, strict=True)])
    grey = torch.from_numpy(crops)[:, None].float() / 255.0
    return grey, torch.from_numpy(targets).float().flatten(1)


def fixed_corners(pictures: list[Picture]) -> list[NDArray[np.int64]]:
    """One random crop a picture, the same ones in every run, for everybody who is judged."""
    rng = np.random.default_rng(0)
    return [picture.corner(rng) for picture in pictures]


@torch.no_grad()
def loss_on_test(model: nn.Module, pictures: list[Picture], batch: int = 32) -> float:
    """Loss of a network on the fixed crops."""
    model.eval()
    corners, total = fixed_corners(pictures), 0.0
    for start in range(0, len(pictures), batch):
        part = slice(start, start + batch)
        crops, targets = batch_of(pictures[part], corners[part])
        total += float((model(crops) - targets).square().mean(1).sum())
    return total / len(pictures)


def fit(
    recipe: OriginalRecipe, training: list[Picture], test: list[Picture], threads: int = 1
) -> dict[str, Any]:
    """Train one row; returns the recipe and the losses of each epoch.

    As the project counts them: the training loss is the mean over the batches of the epoch while the network learns
    (dropout on), the test loss comes after the epoch (dropout off). Convolutions are in bfloat16 where the processor
    gains by it: it takes 0.6 of the time. With batch norm a last batch of one face is left out; UsageError if there is
    no other.
    """
    if recipe.batch_norm and len(training) < 2:
        raise UsageError(f"'{recipe.name}' cannot be trained on one face", _TWO)
    torch.set_num_threads(threads)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    model = OriginalNet(recipe.dropout, recipe.batch_norm, recipe.width)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(model.parameters(), recipe.learning_rate)
    history = []
    for epoch in range(recipe.epochs):
        model.train()
        order, losses = rng.permutation(len(training)), []
        starts = range(0, len(order) - (1 if recipe.batch_norm else 0), recipe.batch)
        for start in tqdm(
            starts, desc=f"{recipe.name} {epoch + 1}/{recipe.epochs}", file=sys.stderr, disable=None
        ):
            chosen = [training[number] for number in order[start : start + recipe.batch]]
            crops, targets = batch_of(chosen, [picture.corner(rng) for picture in chosen])
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
                answers = model(crops)
            loss = nn.functional.mse_loss(answers.float(), targets)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        row = {"epoch": epoch + 1, "train": float(np.mean(losses)), "test": loss_on_test(model, test)}
        print(
            f"{recipe.name} epoch {row['epoch']}: train {row['train']:.4f} test {row['test']:.4f}",
            file=sys.stderr,
        )
        history.append(row)
    return {"recipe": asdict(recipe), "faces": len(training), "history": history}


def mean_shape(training: list[Picture]) -> Points:
    """Mean of the labels (68, 2) in pixels of the training crops: what a network knows before it looks."""
    corners = fixed_corners(training)
    crops = np.stack([p.keypoints - c for p, c in zip(training, corners, strict=True)])
    return np.asarray(crops.mean(0), np.float64)


Finder = Callable[[NDArray[np.uint8]], "NDArray[np.float32] | None"]


def largest_face(landmarker: FaceLandmarker) -> Finder:
    """The product as the project's networks are used: a picture in, one face (68, 2) out, or None."""

    def find(image: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        faces = landmarker(image)
        return faces[0].points if faces else None

    return find


def product_loss(
    find: Finder, test: list[Picture], fallback: Points, offset: tuple[float, float]
) -> tuple[float, int]:
    """Loss of the product on the fixed crops in colour, and how many faces it missed.

    Parameters
    ----------
    find : picture -> points, see `largest_face`
    fallback : (68, 2) in pixels of the crop, taken for a miss
    offset : (x, y) in pixels of the pictures as they are on disk, added for the labels' own convention
    """
    answers, truth, missed = [], [], 0
    for picture, corner in zip(
        tqdm(test, desc="product", file=sys.stderr, disable=None), fixed_corners(test), strict=True
    ):
        points = find(np.ascontiguousarray(picture.crop(corner)))
        truth.append(picture.keypoints - corner)
        if points is None:
            missed += 1
            answers.append(fallback)
            continue
        # Pictures are resized about pixel centres, the project's labels from the corner of the first pixel: go back to
        # the picture on disk the one way and return the other.
        on_disk = (points.astype(np.float64) + corner + 0.5) / picture.scale - 0.5 + np.asarray(offset)
        answers.append(on_disk * picture.scale - corner)
    return loss_of(np.stack(answers), np.stack(truth)), missed
