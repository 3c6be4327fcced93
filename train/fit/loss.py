"""The loss of a batch: distance of the points, sharpness of the maps, calibration of the confidence.

For the faces f of a batch, with predicted and true points p, p* in crop pixels, maps m and confidence c::

    L = 1/F sum_f w_f [ 100 mean_k v_fk d(p_fk, p*_fk) / side  +  maps * mean_k v_fk H(g_fk, softmax m_fk)
                        + lids * 100 mean_ab min(v_fa, v_fb) |(p_fa - p_fb) - (p*_fa - p*_fb)| / side ]
        + confidence * sum_fk v_fk BCE(c_fk, |p_fk - p*_fk| < 0.1 eyes_f) / sum_fk v_fk
        + stillness * 100 mean_f mean_k |p'_fk - p_fk|_1 / side

- side: longer side of the face's box; eyes_f: distance of the outer eye corners, at least `LEAST_EYE_DISTANCE` sides.
- F: number of crops with a face; w_f: weight of the face's set, with ``per_eye_distance`` times 0.62 side / eyes_f, so
  that errors are measured in eye distances, as in the NME, instead of box sides.
- v_fk: weight of the point, 0 where it has no label; without a label of an outer eye corner eyes_f is the least.
- p: mean of softmax m, the soft-argmax (X. Sun et al., "Integral Human Pose Regression", ECCV 2018); d: L1 or Euclidean
  distance, by ``kind``.
- H: cross-entropy with g_fk, a Gaussian of ``sigma`` cells at p*_fk, which supervises the maps themselves (after A.
  Nibali et al., "Numerical Coordinate Regression with Convolutional Neural Networks", arXiv 1801.07372).
- a, b: upper and lower point of the four pairs of the lids, whose distances are the openness of the eyes.
- BCE: over crops without a face too (label 0), but not over faces with pseudo-labels.
- p': points of the same crop as the next frame of a camera shows it, compared with p moved likewise, see
  `train.fit.next_frame`. `train.fit.loop` adds this term, because it runs the network again.

Terms that need nothing but the prediction and its labels belong in `total_loss`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.topology import LEFT_EYE_LIDS, LEFT_EYE_OUTER, N_POINTS, RIGHT_EYE_LIDS, RIGHT_EYE_OUTER
from train.network.model import STRIDE, Prediction
from train.options import LEAST_EYE_DISTANCE, USUAL_EYE_DISTANCE, LossOptions

# The confidence estimates the probability that a point lies within this share of the bounded eye distance.
FOUND_WITHIN = 0.1

_UPPER_LIDS, _LOWER_LIDS = (list(numbers) for numbers in zip(*RIGHT_EYE_LIDS, *LEFT_EYE_LIDS, strict=True))


@dataclass(slots=True)
class Truth:
    """Labels of N crops.

    Attributes
    ----------
    points : (N, 68, 2) crop pixels, any finite number where a point has no label
    is_face : (N,) bool, False for a crop of the background
    weight : (N,) float, of the face's set
    guessed : (N,) bool, whether the points are pseudo-labels
    point_weight : (N, 68) float, of each point beside that of its face: 0 where it has no label
    """

    points: Tensor
    is_face: Tensor
    weight: Tensor
    guessed: Tensor
    point_weight: Tensor


def eye_distance(points: Tensor) -> Tensor:
    """Distance of the outer eye corners, (N, 68, 2) -> (N,)."""
    return (points[:, LEFT_EYE_OUTER] - points[:, RIGHT_EYE_OUTER]).norm(dim=-1)


def total_loss(
    prediction: Prediction, truth: Truth, options: LossOptions, face_side: float
) -> dict[str, Tensor]:
    """All terms of one view and their weighted sum; the formula is at the head of this module.

    Parameters
    ----------
    face_side : longer side of the box in crop pixels

    Returns
    -------
    dict
        ``loss`` (the sum) and each term before its weight, as scalars.
    """
    predicted, true = prediction.points, truth.points
    usual = USUAL_EYE_DISTANCE * face_side
    both_corners = (truth.point_weight[:, [LEFT_EYE_OUTER, RIGHT_EYE_OUTER]] > 0.0).all(1)
    bounded_eyes = (eye_distance(true) * both_corners).clamp_min(LEAST_EYE_DISTANCE * face_side)
    # Crops without a face are masked, not selected: indexing costs more than the arithmetic it saves.
    faces = truth.is_face.float()
    per_face = truth.weight * faces * (usual / bounded_eyes if options.per_eye_distance else 1.0)
    count = faces.sum().clamp_min(1.0)
    distance = point_distance((predicted - true) * (100.0 / face_side), options.kind)
    points = ((distance * truth.point_weight).mean(1) * per_face).sum() / count
    error = (predicted.detach() - true).norm(dim=-1)
    found = (error < FOUND_WITHIN * bounded_eyes[:, None]) & truth.is_face[:, None]
    # Only labels of people show how far from people's labels the points are; the background needs no label.
    known = (~(truth.guessed & truth.is_face)).float()
    entropy = functional.binary_cross_entropy_with_logits(
        prediction.confidence, found.float(), reduction="none"
    )
    labelled = (truth.point_weight.mean(1) * known).sum().clamp_min(1.0 / N_POINTS)
    confidence = ((entropy * truth.point_weight).mean(1) * known).sum() / labelled
    terms = {"points": points, "confidence": confidence}
    loss = points + options.confidence * confidence
    if options.maps > 0.0:
        per_map = map_cross_entropy(prediction.maps, true, options.sigma)
        terms["maps"] = ((per_map * truth.point_weight).mean(1) * per_face).sum() / count
        loss = loss + options.maps * terms["maps"]
    if options.lids > 0.0:
        lids = lid_distance(predicted, true, truth.point_weight) * (100.0 / face_side)
        terms["lids"] = (lids * per_face).sum() / count
        loss = loss + options.lids * terms["lids"]
    return {"loss": loss, **terms}


def point_distance(difference: Tensor, kind: str) -> Tensor:
    """Differences (N, 68, 2) -> distances (N, 68) of the chosen kind, in the same unit."""
    if kind == "l2":
        return difference.square().sum(-1).add(1e-4).sqrt()
    return difference.abs().sum(-1)


def lid_distance(predicted: Tensor, true: Tensor, point_weight: Tensor) -> Tensor:
    """Error of the vectors between upper and lower lid: mean over four pairs of points, (N,) in crop pixels.

    A shift of both lids together costs nothing.

    Parameters
    ----------
    predicted, true : (N, 68, 2) crop pixels
    point_weight : (N, 68); a pair has the smaller weight of its two points
    """
    off = predicted - true
    apart = (off[:, _UPPER_LIDS] - off[:, _LOWER_LIDS]).square().sum(-1).add(1e-4).sqrt()
    return (apart * torch.minimum(point_weight[:, _UPPER_LIDS], point_weight[:, _LOWER_LIDS])).mean(1)


def map_cross_entropy(maps: Tensor, points: Tensor, sigma: float) -> Tensor:
    """Cross-entropy (N, 68) between softmax maps (N, 68, h, w) and Gaussians at points (N, 68, 2) in crop pixels.

    Points outside the crop have no map: zero.
    """
    height, width = maps.shape[2:]
    cells = (points - (STRIDE - 1) / 2.0) / STRIDE
    x, y = cells[..., :1], cells[..., 1:]
    inside = ((cells > -0.5).all(-1, keepdim=True) & (x < width - 0.5) & (y < height - 0.5)).squeeze(-1)
    columns, rows = (torch.arange(n, device=maps.device) for n in (width, height))
    gx = torch.softmax(-((columns - x) ** 2) / (2.0 * sigma**2), -1)
    gy = torch.softmax(-((rows - y) ** 2) / (2.0 * sigma**2), -1)
    # Spelt out over the map: two small products for each of thousands of maps take three times as long.
    target = (gy[..., :, None] * gx[..., None, :]).flatten(2)
    return -(target * maps.flatten(2).log_softmax(-1)).sum(-1) * inside


def disagreement(again: Tensor, points: Tensor, is_face: Tensor, face_side: float) -> Tensor:
    """Mean L1 distance of points (N, 68, 2) of two views of the same crops, in per cent of the box side, of faces."""
    distance = (again - points).abs().sum(-1).mean(1)
    return (distance * is_face).sum() / is_face.sum().clamp_min(1) * (100.0 / face_side)
