"""Eyes shut by a warp: the upper lid is drawn down to the lower one, or by a share of the way, as a blink draws it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# The skin that gives way begins this many openings above the upper lid.
_ABOVE = 1.2
# Least distance in pixels, across the patch, between points of a lid: below it there is no curve through them.
_APART = 1.5
# Of the six points of an eye: those of each lid from corner to corner.
_UPPER, _LOWER = [0, 1, 2, 3], [0, 5, 4, 3]


def can_close(lids: Tensor) -> Tensor:
    """(N,) bool: whether lids (N, 6, 2) are known and lie in order from corner to corner."""
    gaps = torch.stack([lids[:, lid, 0].diff(dim=1).amin(1) for lid in (_UPPER, _LOWER)]).amin(0)
    return torch.isfinite(lids).all(2).all(1) & (gaps > _APART)


def closed(patches: Tensor, lids: Tensor, share: Tensor) -> Tensor:
    """Patches (N, 1, H, W) with the upper lids drawn down.

    Parameters
    ----------
    lids : (N, 6, 2) in pixels, for which `can_close` is true
    share : (N,) of the way, 0 as they are to 1 shut
    """
    height, width = patches.shape[2:]
    columns = torch.arange(width, dtype=torch.float32).expand(len(patches), width)
    upper, lower = _curve(lids[:, _UPPER], columns), _curve(lids[:, _LOWER], columns)
    across = (columns > lids[:, 0, :1]) & (columns < lids[:, 3, :1])
    opening = (lower - upper).clamp(min=0) * across * share[:, None]
    top = upper - _ABOVE * opening.amax(1, keepdim=True)
    top, upper, opening = top[:, None], upper[:, None], opening[:, None]
    edge = upper + opening
    rows = torch.arange(height, dtype=torch.float32)[None, :, None]
    stretched = top + (rows - top) * (upper - top) / (edge - top).clamp(min=1e-3)
    source = torch.where((opening > 0) & (rows > top) & (rows < edge), stretched, rows.expand_as(stretched))
    x = columns[:, None] * 2 / (width - 1) - 1
    grid = torch.stack([x.expand_as(source), source * 2 / (height - 1) - 1], -1)
    return functional.grid_sample(patches, grid, align_corners=True, padding_mode="border")


def _curve(points: Tensor, columns: Tensor) -> Tensor:
    """Heights (N, W) of the cubics through four points (N, 4, 2) at ``columns`` (N, W)."""
    middle, spread = points[:, :, :1].mean(1), 8.0
    powers = torch.arange(4)
    across = ((points[:, :, 0] - middle) / spread)[..., None] ** powers
    weights = torch.linalg.solve(across, points[:, :, 1])
    return ((((columns - middle) / spread)[..., None] ** powers) * weights[:, None]).sum(2)
