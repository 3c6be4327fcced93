"""From a map of features to 68 positions: the head that ships, and two that it was compared with.

Each is called with what its last layer says and gives the points (N, 68, 2) in crop pixels, their spread (N, 68) in
crop pixels (ones where a head knows none) and maps of logits (N, 68, h, w), or None where it has none.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fkp_live.topology import N_POINTS

Reading = tuple[Tensor, Tensor, "Tensor | None"]


def cell_centres(cells: int, stride: int) -> Tensor:
    """(cells * cells, 2) x, y in crop pixels: cell u covers pixels u * stride … u * stride + stride - 1."""
    y, x = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2).float() * stride + (stride - 1) / 2.0


class SoftArgmax(nn.Module):
    """Maps of logits (N, K, h, w) -> mean position and spread (integral regression, X. Sun et al., ECCV 2018)."""

    def __init__(self, cells: int, stride: int) -> None:
        super().__init__()
        self.centre = (cells * stride - 1) / 2.0
        centred = cell_centres(cells, stride) - self.centre
        self.columns: Tensor
        columns = torch.cat([centred, centred.square().sum(-1, keepdim=True)], -1)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, logits: Tensor) -> Reading:
        probability = logits.flatten(2).softmax(-1)
        moments = probability @ self.columns
        centred, square = moments[..., :2], moments[..., 2]
        variance = (square - centred.square().sum(-1)).clamp_min(1e-4)
        return centred + self.centre, variance.sqrt(), logits


class Flat(nn.Module):
    """One linear layer on the flattened map says all coordinates, in half crop sides from the centre."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.middle = (size - 1) / 2.0

    def forward(self, coordinates: Tensor) -> Reading:
        points = coordinates.reshape(-1, N_POINTS, 2) * self.middle + self.middle
        return points, torch.ones_like(points[..., 0]), None


class PixelInPixel(nn.Module):
    """The best cell of a coarse score map and the offset that this cell says.

    H. Jin et al., "Pixel-in-Pixel Net", IJCV 2021, without the regression of neighbours' points.
    """

    def __init__(self, cells: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.centres: Tensor
        self.register_buffer("centres", cell_centres(cells, stride), persistent=False)

    def forward(self, maps: Tensor) -> Reading:
        """Maps (N, 3 * 68, h, w): scores, then offsets in x and in y in cells."""
        score, right, down = maps.unflatten(1, (3, N_POINTS)).unbind(1)
        best = score.flatten(2).argmax(-1, keepdim=True)
        offsets = torch.cat([side.flatten(2).gather(2, best) for side in (right, down)], -1)
        points = self.centres[best.squeeze(-1)] + offsets * self.stride
        return points, torch.ones_like(points[..., 0]), score


HEADS = ("soft-argmax", "flat", "pixel-in-pixel")


def make_head(kind: str, size: int, stride: int) -> SoftArgmax | Flat | PixelInPixel:
    """The head, one of `HEADS`, of a network whose last map has one cell for ``stride`` crop pixels."""
    if kind == "flat":
        return Flat(size)
    return (SoftArgmax if kind == "soft-argmax" else PixelInPixel)(size // stride, stride)
