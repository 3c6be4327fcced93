"""A classifier of the difference between a face's points and those of the same person's neutral face.

Few labelled persons have both. So neutral faces are drawn for every labelled face, from what differs between people and
what stays the same in one person before one camera. How much that is, is taken from clips: pictures of each person in
front of one camera, without labels. Two Gaussians, as in PLDA: S. Ioffe, ECCV 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from fkp_live.types import EXPRESSIONS
from train.expression.data import NETWORK_SIDE, Clips, Faces, Labelled
from train.expression.evaluation import taught
from train.expression.network import ExpressionNet

# Neutral faces drawn for each labelled one, weight decay, and the most steps of the optimiser.
_DRAWN, _DECAY, _STEPS = 2, 4e-3, 60
# Frames of a clip that a drawn neutral face is the mean of.
_FRAMES = 3
# Added to variances of 1.
_RIDGE = 1e-2

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """Logits (N, 7) = differences (N, 136) of points in crop pixels @ weights (7, 136) transposed + bias (7,)."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, differences: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (N, 7) of differences (N, 68, 2) in crop pixels."""
        return differences.reshape(len(differences), -1) @ self.weights.T + self.bias


def pixels_a_distance(net: ExpressionNet) -> float:
    """Crop pixels in an eye distance."""
    return net.size / NETWORK_SIDE


def fit_difference(net: ExpressionNet, data: Labelled, clips: Clips) -> Difference:
    """The classifier, from labelled training faces and drawn neutral ones; the same every time.

    Parameters
    ----------
    net : says which expressions the pictures of clips show; its answers about labelled faces are not used
    """
    rng = np.random.default_rng(0)
    chosen = np.flatnonzero(data.training)
    labels = data.labels[chosen]
    points = data.points[chosen].reshape(len(chosen), -1).astype(np.float64)
    spread = points.std(0) + 1e-4
    shapes = points / spread
    means = np.array([shapes[labels == label].mean(0) for label in range(len(EXPRESSIONS))])
    rest = shapes - means[labels]
    between, within = _covariances(net, data, clips, spread)
    share = between @ np.linalg.inv(np.cov(rest.T) + _RIDGE * np.eye(len(between)))
    unknown, jitter = _root(between - share @ between), _root(within / _FRAMES)
    neutral = means[0] + rest @ share.T
    differences = []
    for _ in range(_DRAWN):
        drawn = rng.normal(size=(2, *shapes.shape))
        differences.append(shapes - neutral - drawn[0] @ unknown.T - drawn[1] @ jitter.T)
    weights, bias = _regression(np.concatenate(differences), np.tile(labels, _DRAWN))
    scale = spread * pixels_a_distance(net)
    return Difference((weights / scale).astype(np.float32), bias.astype(np.float32))


def _covariances(net: ExpressionNet, data: Labelled, clips: Clips, spread: Matrix) -> tuple[Matrix, Matrix]:
    """(136, 136) between persons and within one, in ``spread``, after the mean of each expression."""
    faces = Faces(clips.crops, clips.points)
    labels = taught([net], faces, data.template).argmax(1).numpy()
    shapes = clips.points.reshape(len(labels), -1) / spread
    for label in np.unique(labels):
        shapes[labels == label] -= shapes[labels == label].mean(0)
    within, count = np.zeros((shapes.shape[1],) * 2), 0
    for person in np.unique(clips.person):
        own = shapes[clips.person == person]
        own = own - own.mean(0)
        within += own.T @ own
        count += len(own) - 1
    within /= max(count, 1)
    root = _root(np.cov(shapes.T) - within)
    return root @ root.T, within


def _root(covariance: Matrix) -> Matrix:
    """A matrix whose product with its transpose is the covariance, without its negative part."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(values.clip(0)))


def _regression(given: Matrix, labels: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
    """Logistic regression; rare classes count more, by the root."""
    count = np.bincount(labels, minlength=len(EXPRESSIONS)) + 1
    weight = torch.from_numpy(1.0 / np.sqrt(count[labels])).float()
    x, truth = functional.pad(torch.from_numpy(given).float(), (0, 1), value=1.0), torch.from_numpy(labels)
    weights = torch.zeros(x.shape[1], len(EXPRESSIONS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=_STEPS, history_size=10)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        each = functional.cross_entropy(x @ weights, truth, reduction="none")
        total = (weight * each).sum() / weight.sum() + _DECAY * weights[:-1].square().sum()
        total.backward()
        return total

    optimiser.step(loss)
    found = weights.detach().double().numpy()
    return found[:-1].T, found[-1]
