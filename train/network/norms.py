"""Batch norms and the convolutions before them: one pair, or one convolution that computes the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def norm_pairs(model: nn.Module) -> Iterator[tuple[str, nn.Sequential, nn.Conv2d, nn.BatchNorm2d]]:
    """Every block of the model that begins with a convolution and its batch norm: name, block, convolution, norm."""
    for name, block in model.named_modules():
        if isinstance(block, nn.Sequential) and len(block) >= 2 and isinstance(block[1], nn.BatchNorm2d):
            convolution = block[0]
            assert isinstance(convolution, nn.Conv2d)
            yield name, block, convolution, block[1]


def fold_batch_norms(model: Network) -> Network:
    """A copy in eval mode whose pairs are single convolutions."""
    folded = copy.deepcopy(model).eval()
    for _, block, convolution, norm in list(norm_pairs(folded)):
        block[0] = torch.nn.utils.fuse_conv_bn_eval(convolution, norm)
        block[1] = nn.Identity()
    return folded
