"""Sampling of faces for an epoch, and the training crop of each.

Everything random follows from (seed, epoch, face), so a resumed run continues exactly as if it had not stopped.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import measures
from fkp_live.topology import N_POINTS, REGIONS
from train.data.augment import background_crop, training_crop
from train.data.faces import COVERED, HIDDEN, FaceSet
from train.data.turning import random_turn
from train.options import DataOptions, Recipe


@dataclass(frozen=True, slots=True)
class Source:
    """A set of faces in memory: how often its faces are drawn, their weight, whether they have pseudo-labels.

    ``point_weights`` (N, 68): of each point beside that of its face, 0 where it has no label. ``crowded`` (N,):
    whether other faces of the set are on the same picture.
    """

    faces: FaceSet
    images: list[NDArray[np.uint8]]
    share: float
    weight: float
    guessed: bool
    point_weights: NDArray[np.float32]
    crowded: NDArray[np.bool_]


# Crop (S, S, 3) uint8 BGR, points (68, 2) in it, whether it holds a face, its weight, whether they are pseudo-labels,
# weights (68,) of the points.
Item = tuple[Tensor, Tensor, bool, float, bool, Tensor]


class Crops(Dataset[Item]):
    """Training crops of one epoch: item k is a function of (seed, epoch, k) alone."""

    def __init__(self, sources: list[Source], recipe: Recipe) -> None:
        self.sources, self.recipe, self.epoch = sources, recipe, 0
        owner = np.concatenate([np.full(len(s.faces), i) for i, s in enumerate(sources)])
        member = np.concatenate([np.arange(len(s.faces)) for s in sources])
        self.members = np.stack([owner, member], 1)
        pose, hard = recipe.training.pose_balance, recipe.training.hard_balance
        chance = np.array([sources[i].share for i in owner]) * np.concatenate(
            [face_weights(s.faces.points, pose) for s in sources]
        )
        if hard > 0.0:
            chance *= 1.0 + hard * np.concatenate([hardness(s.faces.points) for s in sources])
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
        options, weights = self.recipe.augment, np.ones(N_POINTS, np.float32)
        is_face = bool(rng.random() >= training.backgrounds)
        if is_face:
            other = source.images[rng.integers(len(source.images))]
            weights = source.point_weights[index]
            if options.turn and rng.random() < options.turn and (turned := random_turn(image, points, rng)):
                image, points, rough = turned
                weights = weights * rough
            crop, moved, weights = training_crop(image, points, spec, rng, options, other, weights)
        else:
            crowded = bool(source.crowded[index])
            crop = background_crop(image, points, spec, rng, options, crowded=crowded)
            moved = np.zeros_like(points)
        labels = torch.from_numpy(np.nan_to_num(moved)), is_face, source.weight, source.guessed
        return torch.from_numpy(crop), *labels, torch.from_numpy(weights)


def face_weights(points: NDArray[np.float32], strength: float) -> NDArray[np.float64]:
    """Chance of each face (N, 68, 2) to be drawn: rare shapes more often.

    The shapes (moved, scaled and turned onto each other) are projected on their first two principal components, mostly
    yaw and pitch, and a face is weighted by its distance from the mean to the power ``strength`` (0: all alike). After
    the pose-based balancing of Z. Feng et al., CVPR 2018. Faces with partial labels are weighted as the rarest
    complete ones (95 %), because points are hidden where a head is turned away.
    """
    if strength == 0.0:
        return np.ones(len(points))
    complete = np.isfinite(points).all((1, 2))
    if not complete.all():
        weights = np.ones(len(points))
        if complete.any():
            weights[complete] = face_weights(points[complete], strength)
            weights[~complete] = np.quantile(weights[complete], 0.95)
        return weights / weights.mean()
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


# Where a face begins to be hard, and where it is entirely: degrees of yaw and of roll, openness of mouth and (negative)
# of the eyes.
_HARD = {"yaw": (20.0, 45.0), "roll": (15.0, 35.0), "mouth": (0.35, 0.8), "eyes": (-0.24, -0.12)}


def hardness(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """How hard each face (N, 68, 2) is, 0 to 4: the sum of turned, tilted, mouth wide open and eyes shut, 0 to 1 each.

    A face with hidden points is turned; nothing else is known of it, so it has 1.
    """
    found = np.ones(len(points))
    for number in np.flatnonzero(np.isfinite(points).all((1, 2))):
        pose, openness = head_pose(points[number]), measures(points[number])
        values = {
            "yaw": abs(np.rad2deg(pose.yaw)),
            "roll": abs(np.rad2deg(pose.roll)),
            "mouth": openness.mouth_open,
            "eyes": -openness.eyes_open,
        }
        found[number] = sum(
            np.clip((values[key] - low) / (high - low), 0.0, 1.0) for key, (low, high) in _HARD.items()
        )
    return found


def point_weights(faces: FaceSet, options: DataOptions) -> NDArray[np.float32]:
    """Weight of each point (N, 68): 0 without a label, less where it was covered, that of the brows by set."""
    weights: NDArray[np.float32] = np.array(np.isfinite(faces.points).all(-1), np.float32)
    if faces.visibility is not None:
        weights[faces.visibility == COVERED] *= options.covered
        weights[faces.visibility == HIDDEN] = 0.0
    brows = np.concatenate([REGIONS["right_brow"], REGIONS["left_brow"]])
    weights[:, brows] *= options.brows.get(faces.name, 1.0)
    return weights


def load_sources(sets: list[FaceSet], options: DataOptions) -> list[Source]:
    """Read all images into memory, each once: they are small, and every epoch shows them again."""
    sources = []
    for faces in sets:
        read: dict[Path, NDArray[np.uint8]] = {}
        for index in tqdm(range(len(faces)), desc=f"reading {faces.name}", file=sys.stderr):
            if faces.paths[index] not in read:
                read[faces.paths[index]] = faces.image(index)
        images = [read[path] for path in faces.paths]
        count = Counter(faces.paths)
        crowded = np.array([count[path] > 1 for path in faces.paths], bool)
        name = faces.name
        share, weight = options.share.get(name, 1.0), options.weight.get(name, 1.0)
        points = point_weights(faces, options)
        sources.append(Source(faces, images, share, weight, name in options.guessed, points, crowded))
    return sources
