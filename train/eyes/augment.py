"""Disturbed patches for training: place, turn and size, sharpness, light, noise, covered parts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from train.cutouts.augment import relit, resampled, turned, unmoved
from train.eyes.data import EYE, KEPT_EYE, KEPT_SIZE, SIZE

# The part of the kept patch that the network sees, across and down.
ZOOM = (SIZE[0] / EYE / (KEPT_SIZE[0] / KEPT_EYE), SIZE[1] / EYE / (KEPT_SIZE[1] / KEPT_EYE))


def network_patches(patches: Tensor, moves: Tensor | None = None) -> Tensor:
    """Kept patches (N, 1, 64, 64) -> (N, 1, 24, 32) as the network gets them, moved by affines (N, 2, 3)."""
    return resampled(patches, unmoved(len(patches), *ZOOM) if moves is None else moves, SIZE)


def disturbed(patches: Tensor) -> Tensor:
    """Training patches (N, 1, 24, 32) 0..255 of kept ones (N, 1, 64, 64), by torch's generator."""
    count = len(patches)
    x = network_patches(_smaller(patches / 255.0), _moves(count))
    x = _lit(x)
    # By the patch's own contrast: in a dark one little noise hides all.
    spread = x.std((1, 2, 3), keepdim=True) + 0.01
    x = x + torch.randn_like(x) * spread * (torch.rand(count, 1, 1, 1) ** 2 * 0.5)
    return _covered(x).clamp(0, 1) * 255.0


def _smaller(x: Tensor) -> Tensor:
    """Some as of a small or blurred face: reduced by 2 to 5, which leaves 12 to 5 pixels to the eye."""
    out = x.clone()
    chosen = torch.rand(len(x))
    for place, factor in enumerate((2, 3, 4, 5)):
        part = (chosen >= 0.09 * place) & (chosen < 0.09 * (place + 1))
        if part.any():
            side = KEPT_SIZE[0] // factor
            small = functional.interpolate(x[part], size=(side, side), mode="area")
            out[part] = functional.interpolate(small, size=x.shape[2:], mode="bilinear")
    return out


def _moves(count: int) -> Tensor:
    """(N, 2, 3): turns, sizes, stretches and shifts, as corners err."""
    angle, scale = torch.randn(count) * 0.07, torch.exp(torch.randn(count) * 0.09)
    stretch = torch.exp(torch.randn(count) * 0.05)
    # The kept patch is 2.7 eyes wide and high, from -1 to 1.
    shift = torch.randn(count, 2, 1) * 0.03
    return torch.cat([turned(angle, scale, stretch) * torch.tensor(ZOOM), shift], 2)


def _lit(x: Tensor) -> Tensor:
    """Patches 0..1 in other light: contrast, gamma, and a light that falls off to one side."""
    lit = relit(x, contrast=0.25, light=0.2, gamma=0.25)
    across, down = torch.randn(2, len(x), 1, 1, 1) * 0.25
    shade = 1 + across * torch.linspace(-1, 1, SIZE[0]) + down * torch.linspace(-1, 1, SIZE[1])[:, None]
    return lit * shade.clamp(0.2, 2)


def _covered(x: Tensor) -> Tensor:
    """A tenth with a bar over a part: hair, the frame of glasses, a finger."""
    for place in torch.where(torch.rand(len(x)) < 0.1)[0].tolist():
        height, width = torch.randint(2, 10, (2,)).tolist()
        top, left = int(torch.randint(0, SIZE[1] - height, ())), int(torch.randint(0, SIZE[0] - width, ()))
        x[place, :, top : top + height, left : left + width] = torch.rand(())
    return x
