"""Initial weights of a training: from a checkpoint or a shipped ONNX file of the same shape or a smaller one.

A shipped file has its batch norms folded into the convolutions; they are set up again so that the network computes the
same as the file. A smaller network is grown: what it has learnt stays, what is new starts without effect (after T. Chen
et al., "Net2Net", ICLR 2016).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fkp_live.errors import UsageError
from fkp_live.inference.session import open_session
from fkp_live.topology import N_POINTS
from train.network import lite
from train.network.checkpoint import network_of, read_checkpoint, read_file
from train.network.model import LandmarkNet
from train.network.norms import fold_batch_norms, norm_pairs
from train.options import LITE, ModelOptions

State = dict[str, Tensor]

_BETTER = "Start from fkp68.onnx, fkp68-tiny.onnx or a checkpoint (.pt)."


def initial_network(path: Path, crops: Tensor) -> LandmarkNet:
    """The network of a checkpoint (its averaged weights) or of an ONNX file that `python -m export` wrote.

    Parameters
    ----------
    crops : (N, 3, S, S) float 0..255, training crops of any size; the batch norms of a folded network take their
        statistics

    Raises
    ------
    ModelError
        The file is missing, or is neither.
    """
    if path.suffix != ".onnx":
        return network_of(read_checkpoint(path), path)
    options, state = _read_onnx(path)
    network = LandmarkNet(options)
    _unfold(network, state, crops)
    return network


def folded_network(path: Path) -> tuple[ModelOptions, State]:
    """Options and weights, batch norms folded, of a checkpoint (its averaged weights) or of a shipped ONNX file.

    Raises as `initial_network` does.
    """
    if path.suffix == ".onnx":
        return _read_onnx(path)
    network = fold_batch_norms(initial_network(path, torch.empty(0)))
    return network.options, network.state_dict()


def start_from(model: LandmarkNet, donor: LandmarkNet) -> None:
    """Give ``model`` the weights of ``donor``, whose every layer must be at most as wide and every stage as deep.

    Raises
    ------
    UsageError
        The donor is larger somewhere, or its crop has another margin.
    """
    mine, theirs = model.options, donor.options
    if mine.trunk != theirs.trunk:
        raise UsageError(
            f"the first weights are of a network with the trunk {theirs.trunk}, the recipe's [model] says {mine.trunk}",
            "Begin with a network of the recipe's trunk, or change trunk in [model].",
        )
    # The weights of convolutions do not depend on the size of the crop.
    fits = mine.margin == theirs.margin and all(
        a >= b
        for a, b in zip(
            mine.channels + mine.blocks + mine.decoder,
            theirs.channels + theirs.blocks + theirs.decoder,
            strict=True,
        )
    )
    if not fits:
        raise UsageError(
            "the first weights are of another shape than the recipe's [model]: a network may grow, not shrink",
            f"They have {theirs}.",
        )
    grown, given = model.state_dict(), donor.state_dict()
    for name, value in given.items():
        _place(grown[name], value, name)
    # A block that the donor does not have adds nothing at first.
    for name, module in model.named_modules():
        if name.endswith(".second") and f"{name}.0.weight" not in given:
            nn.init.zeros_(module[1].weight)


def is_trunk(path: Path) -> bool:
    """Whether a file of first weights (.pth) holds a published trunk, and not a checkpoint by another name.

    ModelError where it cannot be read.
    """
    if path.suffix != ".pth":
        return False
    content = read_file(path, lite.EXPECTED)
    return not (isinstance(content, dict) and "options" in content)


def start_trunk(model: LandmarkNet, path: Path) -> None:
    """Give the trunk of ``model`` the published weights of EfficientNet-Lite0; all else stays random.

    Raises
    ------
    UsageError
        The network has another trunk.
    ModelError
        The file holds something else.
    """
    if model.stage32 is None:
        raise UsageError(
            f"{path}: a .pth file holds weights of the trunk {LITE}, the recipe's [model] says {model.options.trunk}",
            "A checkpoint of this program ends in .pt.",
        )
    stages = [model.stage4, model.stage8, model.stage16, model.stage32]
    lite.load_published(model.stem, stages, read_file(path, lite.EXPECTED), path)


def _place(target: Tensor, value: Tensor, name: str) -> None:
    """Copy a tensor into the first channels of a larger one; the old channels do not read the new ones."""
    if target.dim() < 2 or target.shape == value.shape:
        target[tuple(slice(n) for n in value.shape)] = value
        return
    target[: value.shape[0]] = 0.0
    if name == "trust.0.weight":
        # Its inputs are the deepest channels, then one spread a point.
        deepest = value.shape[1] - N_POINTS
        target[: value.shape[0], :deepest] = value[:, :deepest]
        target[: value.shape[0], -N_POINTS:] = value[:, deepest:]
    else:
        target[: value.shape[0], : value.shape[1]] = value


def _read_onnx(path: Path) -> tuple[ModelOptions, State]:
    import onnx

    metadata = open_session(path, "cpu").metadata  # raises ModelError for a file of another kind
    graph = onnx.load(str(path)).graph
    state = {
        # Large weights may be stored in 16 bits (`python -m export --half`).
        tensor.name.removeprefix("model.").removesuffix(".half"): torch.from_numpy(
            onnx.numpy_helper.to_array(tensor).astype(np.float32)
        )
        for tensor in graph.initializer
        if tensor.name.startswith("model.")
    }
    try:
        options = _options(metadata["input"]["size"], metadata["crop"]["margin"], state)
    except KeyError as missing:
        raise UsageError(
            f"{path} holds no float weights called {missing}: it cannot be trained further", _BETTER
        ) from missing
    # What a file lacks would stay random unnoticed; another head has weights of other names or shapes.
    expected = fold_batch_norms(LandmarkNet(options)).state_dict()
    for name, value in expected.items():
        if name not in state or state[name].shape != value.shape:
            raise UsageError(
                f"{path} holds no weights called '{name}' of shape {tuple(value.shape)}: it cannot be trained further",
                _BETTER,
            )
    if more := [name for name in state if name.endswith((".weight", ".bias")) and name not in expected]:
        raise UsageError(f"{path} holds weights that have no place, '{more[0]}' among them", _BETTER)
    return options, state


def _options(size: int, margin: float, state: State) -> ModelOptions:
    """The shape of the network that has these weights; KeyError names one that it lacks."""
    stem, d8, d4 = (state[f"{name}.0.weight"].shape[0] for name in ("stem", "merge8", "merge4"))
    if "lateral32.0.weight" in state:
        return ModelOptions(size, margin, decoder=(d8, d4), trunk=LITE)
    stages = [f"stage{stride}" for stride in (4, 8, 16)]
    c4, c8, c16 = (state[f"{stage}.0.0.weight"].shape[0] for stage in stages)
    n4, n8, n16 = (
        sum(name.startswith(f"{stage}.") and name.endswith(".first.0.weight") for name in state)
        for stage in stages
    )
    return ModelOptions(size, margin, (stem, c4, c8, c16), (n4, n8, n16), (d8, d4))


@torch.no_grad()
def _unfold(network: LandmarkNet, state: State, crops: Tensor) -> None:
    """Load folded weights; each batch norm takes the statistics of its input and undoes them."""
    network.eval()
    own = network.state_dict()
    hooks = []
    for name, _, _, norm in norm_pairs(network):
        bias = state[f"{name}.0.bias"]

        def settle(norm: nn.BatchNorm2d, inputs: tuple[Tensor], bias: Tensor = bias) -> None:
            mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3), unbiased=False)
            norm.running_mean.copy_(mean)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean + bias)

        hooks.append(norm.register_forward_pre_hook(settle))
    for name, value in state.items():
        if name in own:
            own[name].copy_(value)
    size = network.options.size
    network(functional.interpolate(crops, (size, size), mode="bilinear", antialias=True, align_corners=False))
    for hook in hooks:
        hook.remove()
