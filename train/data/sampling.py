"""Sampling of faces for an epoch, and the training crop of each.

Everything random follows from (seed, epoch, face), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from train.data.augment import background_crop, training_crop
from train.data.faces import FaceSet
from train.options import DataOptions, Recipe


@dataclass(frozen=True, slots=True)
class Source:
    """A set of faces in memory: how often its faces are drawn, their weight, whether they have pseudo-labels."""

    faces: FaceSet
    images: list[NDArray[np.uint8]]
    share: float
    weight: float
    guessed: bool


# Crop (S, S, 3) uint8 BGR, points (68, 2) in it, whether it holds a face, its weight, whether they are pseudo-labels.
Item = tuple[Tensor, Tensor, bool, float, bool]


class Crops(Dataset[Item]):
    """Training crops of one epoch: item k is a function of (seed, epoch, k) alone."""

    def __init__(self, sources: list[Source], recipe: Recipe) -> None:
        self.sources, self.recipe, self.epoch = sources, recipe, 0
        owner = np.concatenate([np.full(len(s.faces), i) for i, s in enumerate(sources)])
        member = np.concatenate([np.arange(len(s.faces)) for s in sources])
        self.members = np.stack([owner, member], 1)
        chance = np.array([sources[i].share for i in owner]) * np.concatenate(
            [face_weights(s.faces.points, recipe.training.pose_balance) for s in sources]
        )
        self.chance = chance / chance.sum()
        self.length = recipe.training.epoch_faces or len(owner)

    def __len__(self) -> int:
        return self.length

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Which faces the epoch shows: systematic resampling, so equal chances show every face once."""
        rng = np.random.default_rng((self.recipe.training.seed, epoch))
        edges = np.cumsum(self.chance) * self.length
        ticks = np.arange(self.length) + rng.random()
        return rng.permutation(np.searchsorted(edges, ticks).clip(0, len(edges) - 1))

    def start(self, epoch: int) -> None:
        """Choose the epoch before the loader is iterated."""
        self.epoch, self.shown = epoch, self.order(epoch)

    def __getitem__(self, item: int) -> Item:
        training, spec = self.recipe.training, self.recipe.model.crop_spec
        rng = np.random.default_rng((training.seed, self.epoch, item))
        source_index, index = self.members[self.shown[item]]
        source = self.sources[source_index]
        image, points = source.images[index], source.faces.points[index]
        is_face = bool(rng.random() >= training.backgrounds)
        if is_face:
            other = source.images[rng.integers(len(source.images))]
            crop, moved = training_crop(image, points, spec, rng, self.recipe.augment, other)
        else:
            crop, moved = (
                background_crop(image, points, spec, rng, self.recipe.augment),
                np.zeros_like(points),
            )
        return torch.from_numpy(crop), torch.from_numpy(moved), is_face, source.weight, source.guessed


def face_weights(points: NDArray[np.float32], strength: float) -> NDArray[np.float64]:
    """Chance of each face (N, 68, 2) to be drawn: rare shapes more often.

    The shapes (moved, scaled and turned onto each other) are projected on their first two principal components, mostly
    yaw and pitch, and a face is weighted by its distance from the mean to the power ``strength`` (0: all alike). After
    the pose-based balancing of Z. Feng et al., CVPR 2018.
    """
    if strength == 0.0:
        return np.ones(len(points))
    centred = points - points.mean(1, keepdims=True)
    scaled = centred / np.linalg.norm(centred, axis=(1, 2), keepdims=True)
    mean = scaled.mean(0) / np.linalg.norm(scaled.mean(0))
    a = (scaled * mean).sum((1, 2))
    b = (scaled[..., 0] * mean[:, 1] - scaled[..., 1] * mean[:, 0]).sum(1)
    c, s = a / np.hypot(a, b), b / np.hypot(a, b)
    turned = np.stack([c[:, None] * scaled[..., 0] + s[:, None] * scaled[..., 1],
                       c[:, None] * scaled[..., 1] - s[:, None] * scaled[..., 0]], -1)  # fmt: skip
    flat = (turned - turned.mean(0)).reshape(len(points), -1)
    _, _, axes = np.linalg.svd(flat, full_matrices=False)
    scores = flat @ axes[:2].T
    distance = np.sqrt((scores**2 / scores.var(0).clip(1e-12)).sum(1))
    weights = (0.3 + distance) ** strength
    return weights / weights.mean()


def load_sources(sets: list[FaceSet], options: DataOptions) -> list[Source]:
    """Read all images into memory: they are small, and every epoch shows them again."""
    sources = []
    for faces in sets:
        images = [
            faces.image(i) for i in tqdm(range(len(faces)), desc=f"reading {faces.name}", file=sys.stderr)
        ]
        name = faces.name
        share, weight = options.share.get(name, 1.0), options.weight.get(name, 1.0)
        sources.append(Source(faces, images, share, weight, name in options.guessed))
    return sources
