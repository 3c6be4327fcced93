"""`python -m train own-neutral CHECKPOINT`: how much the person's own neutral face helps, on held-out persons.

Of each held-out person with a neutral picture and another one: every picture is judged against the mean of the person's
other neutral pictures, with more and more of it taken off.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import ExitCode, InputError
from fkp_live.types import EXPRESSIONS
from train.expression.data import Labelled, load
from train.expression.evaluation import JUDGED, answers, judged
from train.expression.network import ExpressionNet, network_of, read_expression_checkpoint

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_NEUTRAL = EXPRESSIONS.index("neutral")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train own-neutral`."""
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train expression`")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds faces/ and rafdb/")
    parser.add_argument("--kept", type=Path, help="faces.npz of the run (default: beside the checkpoint)")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train own-neutral`."""
    net = network_of(read_expression_checkpoint(args.checkpoint))
    data = load(args.data, args.kept or args.checkpoint.parent / "faces.npz")
    chosen = np.flatnonzero(data.held & (data.source == "faces") & np.isin(data.labels, JUDGED["faces"]))
    if not len(chosen):
        raise InputError(f"{args.data} has no held-out faces of known persons")
    for line in compare(net, data, chosen):
        print(line)
    return ExitCode.OK


def compare(net: ExpressionNet, data: Labelled, chosen: NDArray[np.int64]) -> list[str]:
    """A Markdown table: share taken off, accuracy, macro-F1."""
    neutral = np.flatnonzero(data.training & (data.labels == _NEUTRAL))
    average = answers(net, data, neutral)[0].mean(0)
    logits, labels, persons = answers(net, data, chosen)[0], data.labels[chosen], data.person[chosen]
    kept, own = [], []
    for place, person in enumerate(persons):
        others = (persons == person) & (labels == _NEUTRAL)
        others[place] = False
        if others.any():
            kept.append(place)
            own.append(logits[others].mean(0))
    people = len(set(persons[kept].tolist()))
    rows = [
        f"{len(kept)} pictures of {people} persons",
        "",
        "| share of the own neutral taken off | accuracy % | macro-F1 % |",
        "|---:|---:|---:|",
    ]
    for share in SHARES:
        seen = logits[kept] - share * (np.array(own) - average)
        found = judged(seen, labels[kept], JUDGED["faces"])
        rows.append(f"| {share} | {found['accuracy']} | {found['macro_f1']} |")
    return rows
