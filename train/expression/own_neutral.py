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
from fkp_live.faces.expression import GIVEN_SHARE, difference_weight
from fkp_live.types import EXPRESSIONS
from train.expression.data import Labelled, load, load_clips
from train.expression.difference import Difference, fit_difference, pixels_a_distance
from train.expression.evaluation import JUDGED, answers, judged
from train.expression.network import ExpressionNet, network_of, read_expression_checkpoint

SHARES = (0.0, 0.25, GIVEN_SHARE, 0.75)
_NEUTRAL = EXPRESSIONS.index("neutral")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train own-neutral`."""
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train expression`")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder that holds faces/ and rafdb/"
    )
    parser.add_argument(
        "--clips", type=Path, required=True, metavar="DIR", help="root of the data that holds udacity/"
    )
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="DIR",
        help="folder of faces.npz and clips.npz (default: the checkpoint's)",
    )


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
    """A Markdown table: share of the neutral's logits taken off, with and without the points, accuracy, macro-F1.

    For all pictures, and for those whose head is seen from about the same side as in the neutral ones.

    Raises
    ------
    InputError : no held-out person has a neutral picture and another one
    """
    neutral = np.flatnonzero(data.training & (data.labels == _NEUTRAL))
    average = answers(net, data, neutral)[0].mean(0)
    pairs = _pairs(net, data)
    scale = pixels_a_distance(net)
    weights = np.array([difference_weight(each / scale) for each in pairs.differences], np.float32)
    moved = weights[:, None] * difference.logits(pairs.differences)
    same = weights > 0
    rows = [
        f"{len(same)} pictures of {pairs.persons} persons; {int(same.sum())} of them seen from the same side",
        "",
        "| logits taken off | points | accuracy % | macro-F1 % | same side: accuracy % | macro-F1 % |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for share in SHARES:
        for used, added in (("no", 0.0 * moved), ("yes", moved)):
            seen = pairs.logits - share * (pairs.own - average) + added
            cells = [str(share), used]
            for part in (np.ones_like(same), same):
                found = judged(seen[part], pairs.labels[part], JUDGED["faces"])
                cells += [str(found["accuracy"]), str(found["macro_f1"])]
            rows.append(f"| {' | '.join(cells)} |")
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
        raise InputError(
            "no held-out person has a neutral picture and another one", "Add such pictures to the data."
        )
    people = len(set(persons[kept].tolist()))
    return _Pairs(logits[kept], np.array(own), np.array(differences), labels[kept], people)
