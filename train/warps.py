"""Known warps of whole batches: two views of one face must tell the same points.

The equivariance term cuts jitter at its source: what a network says of a crop, warped, should be what it says of the
warped crop (X. Dong et al., "Supervision-by-Registration", CVPR 2018, with known warps instead of optical flow).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def random_warps(
    count: int, size: int, seed: int, turn: float = 6.0, scale: float = 0.05, shift: float = 0.02
) -> Tensor:
    """Affines (N, 2, 3) about the centre of crops of ``size`` pixels, crop -> warped crop.

    Standard deviations: ``turn`` in degrees, ``scale`` of the logarithm, ``shift`` in crop sides.
    """
    generator = torch.Generator().manual_seed(seed)
    angle, grow, right, down = torch.randn(4, count, generator=generator)
    angle, grow = angle * math.radians(turn), torch.exp(grow * scale)
    cos, sin = torch.cos(angle) * grow, torch.sin(angle) * grow
    centre = (size - 1) / 2.0
    linear = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], 1)
    moved = torch.stack([right, down], -1) * shift * size
    return torch.cat([linear, (centre + moved - linear.sum(2) * centre)[..., None]], 2)


def warp_points(points: Tensor, warps: Tensor) -> Tensor:
    """Points (N, K, 2) through affines (N, 2, 3)."""
    return points @ warps[:, :, :2].transpose(1, 2) + warps[:, None, :, 2]


def warp_crops(crops: Tensor, warps: Tensor) -> Tensor:
    """Crops (N, C, S, S) through affines (N, 2, 3), bilinear; black comes in from outside."""
    size = crops.shape[-1]
    inverse = torch.linalg.inv(
        torch.cat([warps, torch.tensor([[[0.0, 0.0, 1.0]]]).expand(len(warps), 1, 3)], 1)
    )
    # Pixel x is (2 x + 1) / size - 1 in the units of grid_sample.
    grid = functional.affine_grid(
        torch.eye(2, 3).expand(len(crops), 2, 3), list(crops.shape), align_corners=False
    )
    pixels = ((grid.flatten(1, 2) + 1.0) * size - 1.0) / 2.0
    source = (2.0 * warp_points(pixels, inverse[:, :2]) + 1.0) / size - 1.0
    return functional.grid_sample(crops, source.unflatten(1, (size, size)), align_corners=False)
