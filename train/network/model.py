"""The landmark network: a trunk, a small decoder and a soft-argmax inside the graph.

The trunk is a plain residual one, of 3x3 convolutions: on CPUs they run and train faster than depthwise ones of fewer
multiplications. Another one can begin with weights that have seen ImageNet, see `train.network.lite`.
Each point is the mean of a probability map over the crop, so positions are kept to a fraction of a pixel and the output
is differentiable. Heads, strides and losses that were tried beside these are in train/EXPERIMENTS.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from fkp_live.geometry import CropSpec
from fkp_live.topology import N_POINTS
from train.network import lite
from train.options import LITE, ModelOptions

# Crop pixels per cell of the maps.
STRIDE = 4


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, by default, ReLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)), inplace=True)


def cell_centres(cells: int, stride: int) -> Tensor:
    """(cells * cells, 2) x, y in crop pixels: cell u covers pixels u * stride … u * stride + stride - 1."""
    y, x = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2).float() * stride + (stride - 1) / 2.0


class SoftArgmax(nn.Module):
    """Maps of logits (N, K, h, w) -> mean position (N, K, 2) and spread (N, K) in crop pixels.

    Integral regression: X. Sun et al., "Integral Human Pose Regression", ECCV 2018.
    """

    def __init__(self, cells: int, stride: int) -> None:
        super().__init__()
        self.centre = (cells * stride - 1) / 2.0
        centred = cell_centres(cells, stride) - self.centre
        self.columns: Tensor
        columns = torch.cat([centred, centred.square().sum(-1, keepdim=True)], -1)
        self.register_buffer("columns", columns, persistent=False)

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        probability = logits.flatten(2).softmax(-1)
        moments = probability @ self.columns
        centred, square = moments[..., :2], moments[..., 2]
        variance = (square - centred.square().sum(-1)).clamp_min(1e-4)
        return centred + self.centre, variance.sqrt()


@dataclass(slots=True)
class Prediction:
    """The network's output for N crops, as the loss needs it.

    ``points`` (N, 68, 2) crop pixels, ``confidence`` (N, 68) logits, ``maps`` (N, 68, h, w) logits.
    """

    points: Tensor
    confidence: Tensor
    maps: Tensor


class LandmarkNet(nn.Module):
    """Crops (N, 3, S, S) float 0..255 BGR -> points (N, 68, 2) in crop pixels and confidence (N, 68) in [0, 1]."""

    def __init__(self, options: ModelOptions) -> None:
        super().__init__()
        self.options = options
        d8, d4 = options.decoder
        self.stage32: nn.Sequential | None = None
        if options.trunk == LITE:
            _, c4, c8, c16, deepest = lite.CHANNELS
            self.stem = lite.stem()
            self.stage4, self.stage8, self.stage16 = (lite.stage(stride) for stride in (4, 8, 16))
            self.stage32 = lite.stage(32)
            self.lateral32 = conv(deepest, d8, 1, relu=False)
            self.merge16 = conv(d8, d8)
        else:
            c2, c4, c8, c16 = options.channels
            n4, n8, n16 = options.blocks
            deepest = c16
            self.stem = conv(3, c2, stride=2)
            self.stage4 = nn.Sequential(conv(c2, c4, stride=2), *(Residual(c4) for _ in range(n4)))
            self.stage8 = nn.Sequential(conv(c4, c8, stride=2), *(Residual(c8) for _ in range(n8)))
            self.stage16 = nn.Sequential(conv(c8, c16, stride=2), *(Residual(c16) for _ in range(n16)))
        self.lateral16 = conv(c16, d8, 1, relu=False)
        self.lateral8 = conv(c8, d8, 1, relu=False)
        self.merge8 = conv(d8, d8)
        self.narrow8 = conv(d8, d4, 1, relu=False)
        self.lateral4 = conv(c4, d4, 1, relu=False)
        self.merge4 = conv(d4, d4)
        self.heads = nn.Conv2d(d4, N_POINTS, 1)
        self.soft_argmax = SoftArgmax(options.size // STRIDE, STRIDE)
        # The confidence. Checkpoints and shipped files have its weights under this name.
        self.trust = nn.Sequential(
            nn.Linear(deepest + N_POINTS, 64), nn.ReLU(inplace=True), nn.Linear(64, N_POINTS)
        )

    @property
    def crop_spec(self) -> CropSpec:
        """The crop that the network is fed."""
        return self.options.crop_spec

    def features(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Maps of logits (N, 68, h, w), and the means (N, C) of the deepest channels, which the confidence reads."""
        x4 = self.stage4(self.stem((crops - 127.5) / 64.0))
        x8 = self.stage8(x4)
        x16 = self.stage16(x8)
        y16, deepest = self.lateral16(x16), x16
        if self.stage32 is not None:
            deepest = self.stage32(x16)
            y16 = self.merge16(functional.relu(y16 + _double(self.lateral32(deepest))))
        y8 = self.merge8(functional.relu(self.lateral8(x8) + _double(y16)))
        y4 = self.merge4(functional.relu(self.lateral4(x4) + _double(self.narrow8(y8))))
        return self.heads(y4), deepest.mean((2, 3))

    def read(self, maps: Tensor, context: Tensor) -> Prediction:
        """Points and confidence from the features; in full precision, positions need it."""
        points, spread = self.soft_argmax(maps)
        # Detached: the confidence reads the spread and does not train it.
        confidence = self.trust(torch.cat([context, spread.detach().log()], -1))
        return Prediction(points, confidence, maps)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        prediction = self.read(*self.features(crops))
        return prediction.points, prediction.confidence.sigmoid()


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def count_macs(net: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates in convolutions and linear layers; of one crop where a landmark network gets no inputs."""
    if isinstance(net, LandmarkNet) and not inputs:
        inputs = (torch.zeros(1, 3, net.options.size, net.options.size),)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(*inputs)
    flops = counter.get_flop_counts()["Global"]
    # The matrix product of the soft-argmax, a quarter of a per cent, is omitted, as in all cards.
    return sum(flops[op] for op in (torch.ops.aten.convolution, torch.ops.aten.addmm)) // 2


def fast_bf16(device: torch.device) -> bool:
    """Whether convolutions are faster in bfloat16 on this device.

    Among processors on those with instructions for it, AMX or AVX512_BF16 (half the time of float32 on an AMD EPYC):
    AVX-512 alone takes 1.3 to 1.7 times as long as with float32, and without it bfloat16 is emulated, ten times slower.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # Older torch cannot report it: float32 is never slow.
    capabilities: Callable[[], dict[str, Any]] = getattr(torch.cpu, "get_capabilities", dict)
    known = capabilities()
    return any(known.get(instructions, False) for instructions in ("amx_bf16", "avx512_bf16"))
