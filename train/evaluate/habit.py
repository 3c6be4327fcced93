"""`python -m train habit MODEL`: how the labels of the hard faces differ from 300-W's, point by point.

A network that was not trained on them says where 300-W's annotators would have put the points. Of faces that look into
the camera, the median distance of the hard sets' labels from that, less the same of 300-W's own training faces, is the
habit of their labellers. Chance and what the network does not know spread about it and cancel out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.engine import Network
from fkp_live.errors import ExitCode, InputError
from fkp_live.faces.head_pose import head_pose
from fkp_live.geometry import box_of
from fkp_live.topology import REGIONS
from fkp_live.wording import counted
from train.arguments import prepare_output
from train.data.faces import FaceSet
from train.data.habit import axes
from train.data.hard import HARD
from train.data.splits import splits
from train.network.opening import open_network

_FRONTAL = np.deg2rad(20.0)


def differences(network: Network, faces: FaceSet) -> NDArray[np.float64]:
    """(N, 68, 2): label less network in eye distances across and down the face, of the complete frontal faces.

    Raises
    ------
    InputError
        There is none.
    """
    found = []
    for number in np.flatnonzero(np.isfinite(faces.points).all((1, 2))):
        points = faces.points[number]
        if abs(head_pose(points).yaw) > _FRONTAL:
            continue
        off = points - network(faces.image(int(number)), [box_of(points)]).points[0]
        found.append(np.linalg.solve(axes(points[None])[0].T, off.T.astype(np.float64)).T)
    if not found:
        raise InputError(
            f"{faces.name} has no complete face that looks into the camera",
            "Expected faces with all of their points, as in the data sets of the recipes.",
        )
    return np.stack(found)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train habit`."""
    parser.add_argument("model", type=Path, help="network that was not trained on the hard faces")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder that holds wild/ and hard/"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train habit`."""
    prepare_output(args.out, overwrite=args.overwrite)
    network, _ = open_network(args.model)
    available = splits(args.data)
    off = {name: differences(network, available[name]) for name in ("wild_train", *HARD)}
    own = np.median(off["wild_train"], 0)
    habit = np.median(np.concatenate([off[name] for name in HARD]), 0) - own
    for name in HARD:
        alone = np.median(off[name], 0) - own
        left = np.linalg.norm(alone - habit, axis=1).mean()
        print(f"{name}: {counted(len(off[name]), 'face')}, {100 * left:.2f} % from the mean of both sets")
    print("region, mean size in % of the eye distance")
    for region, points in REGIONS.items():
        print(f"  {region:<12} {100 * np.linalg.norm(habit[points], axis=1).mean():.2f}")
    rows = (f"{point},{x:.4f},{y:.4f}" for point, (x, y) in enumerate(habit))
    args.out.write_text("\n".join(["point,across,down", *rows, ""]), encoding="utf-8")
    return ExitCode.OK
