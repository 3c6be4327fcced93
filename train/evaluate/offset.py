"""`python -m train offset CHECKPOINT`: how far the Udacity labels are from 300-W's convention.

A network that was not trained on the Udacity labels (train/recipes/history/wild_only.toml) predicts where 300-W's
annotators would have put the points of the Udacity training faces. The labels' mean distance from that, in pixels of
the images, is the offset.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.errors import ExitCode
from fkp_live.geometry import apply, box_of, crop_matrix, invert
from fkp_live.images.warping import warp
from fkp_live.topology import REGIONS
from fkp_live.wording import counted
from train.data.faces import FaceSet
from train.data.splits import splits
from train.network.model import LandmarkNet
from train.network.opening import sound_network


@torch.no_grad()
def predict(model: LandmarkNet, faces: FaceSet, batch: int = 64) -> NDArray[np.float32]:
    """Points (N, 68, 2) of all faces in image pixels, true boxes given."""
    spec, points = model.crop_spec, []
    for start in range(0, len(faces), batch):
        chosen = range(start, min(start + batch, len(faces)))
        matrices = np.stack([crop_matrix(box_of(faces.points[i]), spec) for i in chosen])
        crops = np.stack([warp(faces.image(i), m, spec.size) for i, m in zip(chosen, matrices, strict=True)])
        in_crop = model(torch.from_numpy(crops).permute(0, 3, 1, 2).float())[0].numpy()
        points.append(apply(invert(matrices), in_crop))
    return np.concatenate(points)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train offset`."""
    parser.add_argument("checkpoint", type=Path, help="network that was trained without the Udacity labels")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder that holds udacity/ and wild/"
    )
    parser.add_argument(
        "--threads", type=whole_number(1, MOST_THREADS), default=2, metavar="N", help="torch threads"
    )


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train offset`."""
    torch.set_num_threads(args.threads)
    model = sound_network(args.checkpoint)
    available = splits(args.data)
    for name in ("udacity_train", "wild_val"):
        faces = available[name]
        difference = faces.points - predict(model, faces)
        sides = (box_of(faces.points)[:, 2:] - box_of(faces.points)[:, :2]).max(1)
        per_face = np.median(difference, 1)
        print(f"{name}: {counted(len(faces), 'face')}, label minus network, pixels of the images (x, y)")
        print("  median of the faces' medians   {:+.2f} {:+.2f}".format(*np.median(per_face, 0)))
        print("  mean of all points             {:+.2f} {:+.2f}".format(*difference.mean((0, 1))))
        for low, high in zip((0, 33, 67), (33, 67, 100), strict=True):
            a, b = np.percentile(sides, [low, high])
            chosen = (sides >= a) & (sides <= b)
            print(
                "  faces of {:3.0f} to {:3.0f} px           {:+.2f} {:+.2f}".format(
                    a, b, *np.median(per_face[chosen], 0)
                )
            )
        for region, points in REGIONS.items():
            print("  {:<30} {:+.2f} {:+.2f}".format(region, *difference[:, points].mean((0, 1))))
    return ExitCode.OK
