"""Disturbed crops and points for training: place, light, colour, sharpness, covered parts, mirror images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fkp_live.topology import MIRROR
from train.cutouts.augment import relit, resampled, turned, unmoved
from train.expression.data import KEPT_SIDE, NETWORK_SIDE

_MIRROR = torch.from_numpy(np.array(MIRROR))
# The part of the kept crop that the network sees.
ZOOM = NETWORK_SIDE / KEPT_SIDE
# BGR weights of luma.
_LUMA = torch.tensor([0.114, 0.587, 0.299])[None, :, None, None]


def network_crops(crops: Tensor, size: int, moves: Tensor | None = None) -> Tensor:
    """Kept crops (N, 3, 88, 88) -> (N, 3, size, size) as the network gets them, moved by affines (N, 2, 3)."""
    return resampled(crops, unmoved(len(crops), ZOOM, ZOOM) if moves is None else moves, (size, size))


def disturbed(
    crops: Tensor, points: Tensor, size: int, noise: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Training crops (N, 3, size, size) 0..255 and points (N, 68, 2) in eye distances, from torch's generator and rng.

    Parameters
    ----------
    crops : (N, 3, 88, 88) float 0..255
    points : (N, 68, 2) in eye distances, x about 0 in the middle
    noise : (68, 2) deviation of the noise on the points
    """
    count = len(crops)
    x = network_crops(crops / 255.0, size, _moves(count))
    mirrored = (torch.rand(count) < 0.5)[:, None, None]
    x = torch.where(mirrored[..., None], x.flip(3), x)
    points = torch.where(mirrored, points[:, _MIRROR] * torch.tensor([-1.0, 1.0]), points)
    x = _lit(x)
    soft = torch.rand(count) < 0.3
    if soft.any():
        smaller = functional.avg_pool2d(x[soft], int(rng.choice([2, 3])))
        x[soft] = functional.interpolate(smaller, size=(size, size), mode="bilinear")
    x = x + torch.randn_like(x) * (torch.rand(count, 1, 1, 1) * 0.04)
    for place in torch.where(torch.rand(count) < 0.3)[0].tolist():
        height, width = rng.integers(size // 8, size * 2 // 5, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        x[place, :, top : top + height, left : left + width] = torch.rand(3, 1, 1)
    return x * 255.0, points + torch.randn_like(points) * noise


def _moves(count: int) -> Tensor:
    """(N, 2, 3): small turns, scales, stretches and shifts."""
    angle, scale = torch.randn(count) * 0.10, ZOOM * torch.exp(torch.randn(count) * 0.06)
    stretch = torch.exp(torch.randn(count) * 0.04)
    shift = torch.stack([torch.randn(count) * 0.035, torch.randn(count) * 0.035], 1)
    return torch.cat([turned(angle, scale, stretch), shift[..., None]], 2)


def _lit(x: Tensor) -> Tensor:
    """Crops 0..1 in other light and colours, 40 % of them grey."""
    count = len(x)
    grey = (torch.rand(count) < 0.4)[:, None, None, None]
    luma = (x * _LUMA).sum(1, keepdim=True)
    x = luma + (x - luma) * torch.where(grey, torch.zeros(()), torch.rand(count, 1, 1, 1) + 0.3)
    x = x * (1 + torch.randn(count, 3, 1, 1) * 0.06 * ~grey)
    return relit(x, contrast=0.25, light=0.25, gamma=0.2)
