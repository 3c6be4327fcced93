"""What training minimises: distance of the points, sharpness of the maps, honesty of the confidence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from train.model import Answer

# The confidence estimates the probability that a point lies within this share of the bounded eye distance.
FOUND_WITHIN = 0.1
# Distance of the outer eye corners of a frontal face, and the least that the bounded one takes, in sides of the box:
# in turned heads the corners nearly coincide.
USUAL_EYE_DISTANCE = 0.62
LEAST_EYE_DISTANCE = USUAL_EYE_DISTANCE / 1.8


@dataclass(frozen=True, slots=True)
class LossOptions:
    """Weights and shapes of the terms.

    Attributes
    ----------
    kind : distance of the points: l1 or l2 (Euclidean, as in the NME)
    maps : weight of the cross-entropy between the probability maps and a Gaussian at the true point
    sigma : of that Gaussian, in cells of the map
    confidence : weight of the cross-entropy of the confidence
    stillness : weight of the distance between the points of a crop and those of the same face as a camera shows it in
        the next frame: a fraction of a pixel away, with noise of its own
    per_eye_distance : whether a face counts by its error in eye distances (as NME does) instead of box sides
    """

    kind: str = "l1"
    maps: float = 3.0
    sigma: float = 1.0
    confidence: float = 0.1
    stillness: float = 0.0
    per_eye_distance: bool = True


@dataclass(slots=True)
class Truth:
    """Labels of N crops: ``points`` (N, 68, 2) crop pixels, ``is_face`` (N,) bool, ``weight`` (N,), ``guessed`` (N,)
    bool: whether a network gave them."""

    points: Tensor
    is_face: Tensor
    weight: Tensor
    guessed: Tensor


def eye_distance(points: Tensor) -> Tensor:
    """Distance of the outer eye corners, (N, 68, 2) -> (N,)."""
    return (points[:, LEFT_EYE_OUTER] - points[:, RIGHT_EYE_OUTER]).norm(dim=-1)


def total_loss(
    answer: Answer, truth: Truth, options: LossOptions, face_side: float, stride: int
) -> dict[str, Tensor]:
    """All terms and their weighted sum.

    Parameters
    ----------
    face_side : longer side of the box in crop pixels
    stride : crop pixels per cell of the maps

    Returns
    -------
    dict
        ``loss`` (the sum) and each term before its weight, as scalars.
    """
    predicted, true = answer.points, truth.points
    usual = USUAL_EYE_DISTANCE * face_side
    bounded_eyes = eye_distance(true).clamp_min(usual / 1.8)
    # Crops without a face are masked, not selected: indexing costs more than the arithmetic it saves.
    faces = truth.is_face.float()
    per_face = truth.weight * faces * (usual / bounded_eyes if options.per_eye_distance else 1.0)
    count = faces.sum().clamp_min(1.0)
    distance = point_distance((predicted - true) * (100.0 / face_side), options)
    points = (distance.mean(1) * per_face).sum() / count
    error = (predicted.detach() - true).norm(dim=-1)
    found = (error < FOUND_WITHIN * bounded_eyes[:, None]) & truth.is_face[:, None]
    # People's labels alone say how far from them the points are; crops without a face need no label.
    known = (~(truth.guessed & truth.is_face)).float()
    surprise = functional.binary_cross_entropy_with_logits(
        answer.confidence, found.float(), reduction="none"
    ).mean(1)
    confidence = (surprise * known).sum() / known.sum().clamp_min(1.0)
    terms = {"points": points, "confidence": confidence}
    loss = points + options.confidence * confidence
    if options.maps > 0.0:
        per_map = map_cross_entropy(answer.maps, true, options.sigma, stride).mean(1)
        terms["maps"] = (per_map * per_face).sum() / count
        loss = loss + options.maps * terms["maps"]
    return {"loss": loss, **terms}


def point_distance(difference: Tensor, options: LossOptions) -> Tensor:
    """Differences (N, 68, 2) in per cent of the box side -> distances (N, 68) of the chosen kind."""
    if options.kind == "l2":
        return difference.square().sum(-1).add(1e-4).sqrt()
    return difference.abs().sum(-1)


def map_cross_entropy(maps: Tensor, points: Tensor, sigma: float, stride: int) -> Tensor:
    """Cross-entropy (N, 68) between softmax maps (N, 68, h, w) and Gaussians at points (N, 68, 2) in crop pixels.

    Points outside the crop have no map: zero.
    """
    height, width = maps.shape[2:]
    cells = (points - (stride - 1) / 2.0) / stride
    x, y = cells[..., :1], cells[..., 1:]
    inside = ((cells > -0.5).all(-1, keepdim=True) & (x < width - 0.5) & (y < height - 0.5)).squeeze(-1)
    columns, rows = (torch.arange(n, device=maps.device) for n in (width, height))
    gx = torch.softmax(-((columns - x) ** 2) / (2.0 * sigma**2), -1)
    gy = torch.softmax(-((rows - y) ** 2) / (2.0 * sigma**2), -1)
    # Spelt out over the map: two small products for each of thousands of maps take three times as long.
    target = (gy[..., :, None] * gx[..., None, :]).flatten(2)
    return -(target * maps.flatten(2).log_softmax(-1)).sum(-1) * inside
