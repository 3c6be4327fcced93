"""Second views of whole batches, for the stillness term: the same faces as a camera shows them in the next frame.

After X. Dong et al., "Supervision-by-Registration", CVPR 2018, with known warps instead of optical flow.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def next_frame(crops: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Crops (N, 3, S, S) as the next frame of a camera shows them, and the affines (N, 2, 3) that moved them.

    A shift of a fraction of a pixel, a gain of 2 %, and noise of up to 6 grey levels: fine grain, and for every other
    crop grain of twice the pixel, which is what noise and codecs leave when a small face is enlarged.
    """
    count, _, height, width = crops.shape
    warps = random_warps(count, width, seed, turn=0.0, scale=0.0, shift=0.25 / width).to(crops.device)
    generator = torch.Generator().manual_seed(seed)
    strength, gain = torch.rand(2, count, 1, 1, 1, generator=generator)
    noise = torch.randn(crops.shape, generator=generator)
    coarse = noise[::2, :, : (height + 1) // 2, : (width + 1) // 2]
    noise[::2] = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    disturbance = (0.98 + 0.04 * gain).to(crops.device), (6.0 * strength * noise).to(crops.device)
    return (warp_crops(crops, warps) * disturbance[0] + disturbance[1]).clamp(0.0, 255.0), warps


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
    last_row = warps.new_tensor([0.0, 0.0, 1.0]).expand(len(warps), 1, 3)
    inverse = torch.linalg.inv(torch.cat([warps, last_row], 1))
    # Pixel x is (2 x + 1) / size - 1 in the units of grid_sample.
    unmoved = torch.eye(2, 3, device=warps.device).expand(len(crops), 2, 3)
    grid = functional.affine_grid(unmoved, list(crops.shape), align_corners=False)
    pixels = ((grid.flatten(1, 2) + 1.0) * size - 1.0) / 2.0
    source = (2.0 * warp_points(pixels, inverse[:, :2]) + 1.0) / size - 1.0
    return functional.grid_sample(crops, source.unflatten(1, (size, size)), align_corners=False)
