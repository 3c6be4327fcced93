"""`python -m train own-neutral CHECKPOINT`: how much the person's own neutral face helps, on held-out persons.

Of each held-out person with a neutral picture and another one: every picture is judged against the mean of the person's
other neutral pictures, as `fkp_live.faces.expression` does it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import ExitCode, InputError
from fkp_live.types import EXPRESSIONS
from train.expression.data import Labelled, load, load_clips
from train.expression.difference import Difference, fit_difference, pixels_a_distance
from train.expression.evaluation import JUDGED, answers, judged
from train.expression.network import ExpressionNet, network_of, read_expression_checkpoint

SHARES, WEIGHTS = (0.0, 0.5, 0.75), (0.0, 0.5, 1.0)
_NEUTRAL = EXPRESSIONS.index("neutral")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train own-neutral`."""
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train expression`")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds faces/ and rafdb/")
    parser.add_argument("--clips", type=Path, required=True, help="root of the data that holds udacity/")
    parser.add_argument("--kept", type=Path, help="folder of faces.npz and clips.npz (default: the checkpoint's)")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train own-neutral`."""
    net = network_of(read_expression_checkpoint(args.checkpoint))
    kept = args.kept or args.checkpoint.parent
    data = load(args.data, kept / "faces.npz")
    difference = fit_difference(net, data, load_clips(args.clips, kept / "clips.npz", data.template))
    print("\n".join(compare(net, data, difference)))
    return ExitCode.OK


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pictures with others of the same person: logits (N, 7) of both, differences (N, 68, 2) of points, labels."""

    logits: NDArray[np.float32]
    own: NDArray[np.float32]
    differences: NDArray[np.float32]
    labels: NDArray[np.int64]
    persons: int


def compare(net: ExpressionNet, data: Labelled, difference: Difference) -> list[str]:
    """A Markdown table: share of the neutral's logits taken off, weight of the difference, accuracy, macro-F1.

    Raises
    ------
    InputError : no held-out person has a neutral picture and another one
    """
    neutral = np.flatnonzero(data.training & (data.labels == _NEUTRAL))
    average = answers(net, data, neutral)[0].mean(0)
    pairs = _pairs(net, data)
    moved = difference.logits(pairs.differences)
    rows = [
        f"{len(pairs.labels)} pictures of {pairs.persons} persons",
        "",
        "| share of the neutral face's logits taken off | weight of the points' difference | accuracy % | macro-F1 % |",
        "|---:|---:|---:|---:|",
    ]
    for share in SHARES:
        for weight in WEIGHTS:
            seen = pairs.logits - share * (pairs.own - average) + weight * moved
            found = judged(seen, pairs.labels, JUDGED["faces"])
            rows.append(f"| {share} | {weight} | {found['accuracy']} | {found['macro_f1']} |")
    return rows


def _pairs(net: ExpressionNet, data: Labelled) -> _Pairs:
    chosen = np.flatnonzero(data.held & (data.source == "faces") & np.isin(data.labels, JUDGED["faces"]))
    persons, labels = data.person[chosen], data.labels[chosen]
    logits = answers(net, data, chosen)[0] if len(chosen) else np.empty((0, len(EXPRESSIONS)), np.float32)
    points = data.points[chosen] * np.float32(pixels_a_distance(net))
    kept, own, differences = [], [], []
    for place, person in enumerate(persons):
        others = (persons == person) & (labels == _NEUTRAL)
        others[place] = False
        if others.any():
            kept.append(place)
            own.append(logits[others].mean(0))
            differences.append(points[place] - points[others].mean(0))
    if not kept:
        raise InputError("no held-out person has a neutral picture and another one")
    people = len(set(persons[kept].tolist()))
    return _Pairs(logits[kept], np.array(own), np.array(differences), labels[kept], people)
