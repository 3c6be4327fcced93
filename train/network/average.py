"""`python -m train average FIRST SECOND`: the mean of two networks' weights.

For a network and one that was trained further from it with another aim: both are in one basin of the loss, and their
mean keeps nearly all that the first had learnt and much of what the second learnt (M. Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022). Batch norms are folded into their convolutions before, because a shipped
file has them folded.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

import torch

from fkp_live.errors import ExitCode, UsageError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.inference.session import open_session
from train.arguments import prepare_output
from train.data.provenance import KEYS
from train.network.checkpoint import network_of, read_checkpoint, save_checkpoint
from train.network.initial import State, folded_network
from train.network.model import LandmarkNet
from train.network.norms import norm_pairs


@torch.no_grad()
def average(first: State, second: LandmarkNet, share: float) -> None:
    """Turn ``second`` into the mean of both, with the weight ``share`` for itself.

    Parameters
    ----------
    first : weights with batch norms folded, of a network of the same shape
    share : in [0, 1]
    """
    averaged = set()
    for name, block, convolution, norm in norm_pairs(second):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        bias = norm.bias - norm.running_mean * scale
        convolution.weight.mul_(scale[:, None, None, None])
        convolution.weight.lerp_(first[f"{name}.0.weight"], 1.0 - share)
        bias = torch.lerp(bias, first[f"{name}.0.bias"], 1.0 - share)
        # The norm keeps the statistics of its input, which is scaled now, and undoes them: it can be trained on.
        norm.running_mean.mul_(scale)
        norm.running_var.copy_(norm.weight.square())
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(norm.running_mean + bias)
        averaged |= {f"{name}.{key}" for key in block.state_dict()}
    for name, value in second.state_dict().items():
        if name not in averaged and value.is_floating_point():
            value.lerp_(first[name], 1.0 - share)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train average`."""
    parser.add_argument("first", type=Path, help="checkpoint (.pt) or shipped network (.onnx)")
    parser.add_argument("second", type=Path, help="checkpoint (.pt) of a network of the same shape")
    parser.add_argument(
        "--share", type=float, default=0.5, metavar="X", help="weight of SECOND (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="checkpoint to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a checkpoint that exists")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train average`."""
    if not 0.0 <= args.share <= 1.0:
        raise UsageError(f"--share {args.share}: expected a number from 0 to 1")
    prepare_output(args.out, overwrite=args.overwrite)
    content = read_checkpoint(args.second, ("recipe", "epoch", "history"))
    network = network_of(content, args.second).eval()
    options, first = folded_network(args.first)
    if options != network.options:
        raise UsageError(
            f"{args.first} and {args.second} are networks of different shapes",
            f"They are {options} and {network.options}.",
        )
    average(first, network, args.share)
    digest = hashlib.sha256(args.first.read_bytes()).hexdigest()
    averaged = {"with": args.first.name, "sha256": digest, "share": args.share}
    # The faces that the first was trained on are in the mean too.
    averaged |= (
        _shipped(args.first) if args.first.suffix == ".onnx" else _chosen(read_checkpoint(args.first), KEYS)
    )
    save_checkpoint(
        args.out, network, **_chosen(content, ("epoch", "history", "recipe", *KEYS)), averaged=averaged
    )
    print(args.out)
    return int(ExitCode.OK)


def _shipped(path: Path) -> dict[str, Any]:
    """What a shipped network says of its training, by the keys of a checkpoint, and how well it knows turned faces."""
    session = open_session(path, "cpu")
    training = session.metadata.get("training", {})
    noted = {"turned": LandmarkNetwork(session).knows_turned, **_chosen(training, KEYS)}
    if "trained_on" in noted:
        noted["held_out"] = training["held_out_seen"]
    else:
        noted.pop("held_out", None)  # in metadata the names of sets, not numbers of faces
    return noted


def _chosen(content: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: content[key] for key in keys if key in content}
