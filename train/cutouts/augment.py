"""What the disturbances of crops and patches have in common: sampling, turns, and light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def resampled(images: Tensor, moves: Tensor, size: tuple[int, int]) -> Tensor:
    """Parts (N, C, height, width) of images (N, C, H, W), by affines (N, 2, 3) as of `affine_grid`.

    Parameters
    ----------
    size : width and height in pixels
    """
    grid = functional.affine_grid(moves, [*images.shape[:2], size[1], size[0]], align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False, padding_mode="border")


def unmoved(count: int, across: float, down: float) -> Tensor:
    """(N, 2, 3) affines of the middle: the share of the image that is seen across and down."""
    return torch.tensor([[across, 0.0, 0.0], [0.0, down, 0.0]]).expand(count, 2, 3)


def turned(angle: Tensor, scale: Tensor, stretch: Tensor) -> Tensor:
    """(N, 2, 2): turned by angles in radians, scaled, and stretched in width at the cost of height; each (N,)."""
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    return torch.stack([torch.stack([cos * stretch, -sin], 1), torch.stack([sin, cos / stretch], 1)], 1)


def relit(x: Tensor, contrast: float, light: float, gamma: float) -> Tensor:
    """Images (N, C, H, W) 0..1 in other light, by random factors whose logarithms have these deviations."""
    mean = x.mean((1, 2, 3), keepdim=True)
    by, lift, power = (torch.exp(torch.randn(len(x), 1, 1, 1) * each) for each in (contrast, light, gamma))
    return ((x - mean) * by + mean * lift).clamp(1e-3, 1) ** power
