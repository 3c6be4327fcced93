"""The landmark network: a plain residual trunk, a small decoder and a soft-argmax inside the graph.

Plain 3x3 convolutions throughout: on CPUs they run and train faster than depthwise ones of fewer multiplications.
Each point is the mean of a probability map over the crop, so positions are kept to a fraction of a pixel and the answer
is differentiable. Heads, strides and losses that were tried beside these are in train/EXPERIMENTS.md.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fkp_live.errors import ModelError, OutputError, UsageError
from fkp_live.geometry import CropSpec
from fkp_live.topology import N_POINTS
from train.values import section

# Crop pixels per cell of the maps.
STRIDE = 4
# Options that older checkpoints store, with the only values that are left.
_FORMER_OPTIONS = {"stride": 4, "head": "soft-argmax"}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Shape of the network.

    Attributes
    ----------
    size, margin : the crop, see `CropSpec`
    channels : of the stem (stride 2) and the stages at strides 4, 8, 16
    blocks : residual blocks of the stages at strides 4, 8, 16
    decoder : channels of the decoder at strides 8 and 4
    """

    size: int = 112
    margin: float = 0.125
    channels: tuple[int, int, int, int] = (16, 24, 64, 128)
    blocks: tuple[int, int, int] = (1, 1, 1)
    decoder: tuple[int, int] = (64, 32)

    @property
    def crop_spec(self) -> CropSpec:
        """The crop that the network is fed."""
        return CropSpec(self.size, self.margin)


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> nn.Sequential:
    """Convolution, batch norm and, unless told otherwise, ReLU."""
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
class Answer:
    """What the network says of N crops, as training needs it.

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
        c2, c4, c8, c16 = options.channels
        n4, n8, n16 = options.blocks
        d8, d4 = options.decoder
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
        self.trust = nn.Sequential(
            nn.Linear(c16 + N_POINTS, 64), nn.ReLU(inplace=True), nn.Linear(64, N_POINTS)
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
        y8 = self.merge8(functional.relu(self.lateral8(x8) + _double(self.lateral16(x16))))
        y4 = self.merge4(functional.relu(self.lateral4(x4) + _double(self.narrow8(y8))))
        return self.heads(y4), x16.mean((2, 3))

    def read(self, maps: Tensor, context: Tensor) -> Answer:
        """Points and confidence from the features; in full precision, positions need it."""
        points, spread = self.soft_argmax(maps)
        # The spread is read, not shaped, by the confidence.
        confidence = self.trust(torch.cat([context, spread.detach().log()], -1))
        return Answer(points, confidence, maps)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        answer = self.read(*self.features(crops))
        return answer.points, answer.confidence.sigmoid()


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def fold_batch_norms(model: LandmarkNet) -> LandmarkNet:
    """A copy in eval mode whose Conv-BatchNorm pairs are single convolutions."""
    folded = copy.deepcopy(model).eval()
    for block in folded.modules():
        if isinstance(block, nn.Sequential) and len(block) >= 2 and isinstance(block[1], nn.BatchNorm2d):
            convolution = block[0]
            assert isinstance(convolution, nn.Conv2d)
            block[0] = torch.nn.utils.fuse_conv_bn_eval(convolution, block[1])
            block[1] = nn.Identity()
    return folded


def save_checkpoint(path: Path, model: LandmarkNet, **extra: Any) -> None:
    """Write a checkpoint: model options, ``model`` weights and whatever else is given.

    It replaces an older one only when it is whole.

    Raises
    ------
    OutputError
        It cannot be written; an older one is as it was.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        torch.save({"options": asdict(model.options), "model": model.state_dict(), **extra}, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch has a RuntimeError for a full disk
        reason = error.strerror if isinstance(error, OSError) else "it could not be written whole"
        raise OutputError(
            f"cannot write {path}: {reason}", "Is there room on the disk, and does the folder exist?"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


_WRITTEN_BY_FIT = "Expected a .pt file written by `python -m train fit`."


def read_checkpoint(path: Path, needs: Sequence[str] = ()) -> dict[str, Any]:
    """Content of a checkpoint.

    Parameters
    ----------
    needs : what it must hold besides ``options`` and ``model``; a bare network holds nothing else

    Raises
    ------
    ModelError
        The file is missing, is not a checkpoint of this program or does not hold what is needed.
    """
    if not Path(path).is_file():
        raise ModelError(f"no checkpoint at {path}", _WRITTEN_BY_FIT)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same to the user
        raise ModelError(f"{path} is damaged or is not a checkpoint", _WRITTEN_BY_FIT) from error
    if not isinstance(content, dict) or not {"options", "model"} <= content.keys():
        raise ModelError(f"{path} holds no model of this program", _WRITTEN_BY_FIT)
    missing = [key for key in needs if key not in content]
    if missing:
        raise ModelError(
            f"{path} holds no {missing[0]}: it is not the checkpoint of a training run",
            f"{_WRITTEN_BY_FIT} `fit --init` takes any network.",
        )
    if "recipe" in content:
        _check_recipe(content, path)
    return content


def _check_recipe(content: dict[str, Any], path: Path) -> None:
    recipe = content["recipe"]
    for key in ("data", "model", "training"):
        if not isinstance(recipe, dict) or not isinstance(recipe.get(key), dict):
            raise ModelError(f"{path} holds a damaged recipe, without {key}", _WRITTEN_BY_FIT)
    if _options(recipe["model"], path) != _options(content["options"], path):
        raise ModelError(f"{path} holds another network than its recipe describes", _WRITTEN_BY_FIT)


def _options(values: Any, path: Path) -> ModelOptions:
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if _FORMER_OPTIONS.get(key) != value}
    try:
        return section(ModelOptions, values, "options")
    except UsageError as error:
        raise ModelError(
            f"{path} holds a network that cannot be built: {error.message}", error.hint
        ) from error


def network_of(content: dict[str, Any], path: Path) -> LandmarkNet:
    """The network of a checkpoint's content, with its averaged (EMA) weights where it has them.

    Raises
    ------
    ModelError
        The options make no network, or the weights are not its.
    """
    model = LandmarkNet(_options(content["options"], path))
    load_weights(model, content.get("ema") or content["model"], path)
    return model


def load_weights(model: nn.Module | torch.optim.Optimizer, state: Any, path: Path) -> None:
    """Give a network, or its optimiser, the state that a checkpoint holds; ModelError where that is another's."""
    try:
        model.load_state_dict(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        kind = "weights" if isinstance(model, nn.Module) else "a state of the optimiser"
        raise ModelError(
            f"{path} holds {kind} of another network than its options say", _WRITTEN_BY_FIT
        ) from error


def load_checkpoint(path: Path) -> LandmarkNet:
    """The network of a checkpoint in eval mode, with its averaged (EMA) weights where it has them.

    Raises as `read_checkpoint` and `network_of` do.
    """
    return network_of(read_checkpoint(path), path).eval()


def count_macs(model: LandmarkNet) -> int:
    """Multiply-accumulates of one crop in convolutions and linear layers."""
    total = 0

    def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        weight: Tensor = module.weight  # type: ignore[assignment]
        total += weight.numel() * (output.shape[2] * output.shape[3] if output.dim() == 4 else 1)

    hooks = [m.register_forward_hook(add) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, model.options.size, model.options.size))
    for hook in hooks:
        hook.remove()
    return total
