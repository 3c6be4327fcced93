"""`python -m train label MODEL IMAGES --out faces.csv`: a trained network's points as a CSV data set of pseudo-labels.

For self-training and distillation: a network labels faces without labels, or gives the training faces a second label
beside the annotators' (`--training DIR`), and `python -m train fit … --more faces.csv` learns from them. Every face is
seen in several views, straight and mirrored, in boxes that differ as a detector's do. The labels are the mean, and a
face whose views disagree is omitted. With ``--also MODEL`` they are the mean over several networks.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.engine import Network
from fkp_live.errors import ExitCode, FkpError, InputError
from fkp_live.faces.detector import YuNet
from fkp_live.geometry import apply, box_of, compose, crop_matrix, invert
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from fkp_live.sinks.files import write_text
from fkp_live.topology import LEFT_EYE_OUTER, MIRROR, N_POINTS, RIGHT_EYE_OUTER
from fkp_live.types import Image
from fkp_live.wording import counted
from train.arguments import finite_number, prepare_output
from train.data.augment import detector_jitter
from train.data.labels import is_face
from train.data.pictures import read_image
from train.data.splits import training_sets
from train.network.model import fast_bf16
from train.network.opening import TorchNetwork, open_network
from train.options import LABELS_RIGHT, Recipe

_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class PseudoLabel:
    """Mean over several views of one face.

    ``points`` (68, 2) image pixels; ``confidence`` mean over points and views; ``spread`` mean distance of a view's
    points from the mean in per cent of the distance of the outer eye corners.
    """

    points: NDArray[np.float32]
    confidence: float
    spread: float


def label_face(
    networks: Sequence[Network], image: Image, box: NDArray[np.float32], views: int, seed: int
) -> PseudoLabel:
    """The mean over 2 x ``views`` crops of each network: boxes with a detector's jitter, each straight and mirrored."""
    rng = np.random.default_rng(seed)
    boxes = [box, *(detector_jitter(box, rng) for _ in range(views - 1))]
    answers = [_views(network, image, boxes) for network in networks]
    points = np.concatenate([seen for seen, _ in answers])
    mean = points.mean(0)
    eyes = float(np.linalg.norm(mean[LEFT_EYE_OUTER] - mean[RIGHT_EYE_OUTER]))
    spread = 100.0 * float(np.linalg.norm(points - mean, axis=-1).mean()) / max(eyes, 1e-3)
    return PseudoLabel(mean, float(np.mean([confidence for _, confidence in answers])), spread)


def _views(
    network: Network, image: Image, boxes: Sequence[NDArray[np.float32]]
) -> tuple[NDArray[np.float32], float]:
    """Points (2 x boxes, 68, 2) of one network in image pixels, straight views first, and the mean confidence."""
    spec, views = network.spec, len(boxes)
    straight = [crop_matrix(b, spec) for b in boxes]
    flip = np.array([[-1.0, 0.0, spec.size - 1.0], [0.0, 1.0, 0.0]])
    found = network.run_matrices(image, [*straight, *(compose(flip, matrix) for matrix in straight)])
    # Mirrored points are off the labels' convention, see `train.data.augment.mirror`.
    to_crop = np.stack(straight)
    in_crop = apply(to_crop, found.points[views:, MIRROR])
    in_crop[..., 0] += 2.0 * LABELS_RIGHT * spec.face_side
    points = np.concatenate([found.points[:views], apply(invert(to_crop), in_crop)])
    return points, float(found.confidence.mean())


def label(
    networks: Sequence[Network],
    images: Sequence[Path],
    boxes: NDArray[np.float32] | None,
    views: int,
    seed: int,
) -> list[PseudoLabel | None]:
    """Pseudo-labels of one face of each image: in ``boxes`` (N, 4), or the largest, None where none is detected.

    The first prediction only places the box; the label comes from a second one, in the box around its points.
    """
    detector = YuNet(open_session(resolve_model("yunet"), "cpu")) if boxes is None else None
    labels: list[PseudoLabel | None] = []
    for number, path in enumerate(tqdm(images, unit="image", file=sys.stderr, disable=None)):
        image = read_image(path)
        if detector is None:
            box = boxes[number]  # type: ignore[index]
        elif detections := detector(image):
            box = max(detections, key=lambda face: float((face.box[2:] - face.box[:2]).prod())).box
        else:
            labels.append(None)
            continue
        first = label_face(networks, image, box, 1, seed + number)
        labels.append(label_face(networks, image, box_of(first.points), views, seed + number))
    return labels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train label`."""
    parser.add_argument("model", type=Path, help="checkpoint (.pt), ONNX file or name of a shipped network")
    parser.add_argument(
        "--also",
        type=Path,
        action="append",
        default=[],
        metavar="MODEL",
        help="another network: the labels are the mean over all (repeatable)",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("images", type=Path, nargs="?", help="folder of images, one face each")
    what.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        help="give the training faces of DIR pseudo-labels, hold-outs omitted",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV file to write")
    parser.add_argument(
        "--views",
        type=whole_number(1),
        default=4,
        metavar="N",
        help="boxes of a face, each also mirrored (default: %(default)s)",
    )
    parser.add_argument(
        "--confidence",
        type=finite_number,
        default=0.6,
        metavar="X",
        help="least mean confidence (default: %(default)s)",
    )
    parser.add_argument(
        "--spread",
        type=finite_number,
        default=3.0,
        metavar="X",
        help="most spread, %% of eye distance (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, metavar="N", help="of the boxes that are tried"
    )
    parser.add_argument(
        "--threads", type=whole_number(1, MOST_THREADS), default=2, metavar="N", help="torch threads"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a CSV that exists")


def _open(model: Path) -> Network:
    network = open_network(model)[0]
    if isinstance(network, TorchNetwork):
        return TorchNetwork(network.model, bf16=fast_bf16(torch.device("cpu")))
    return network


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train label`."""
    prepare_output(args.out, overwrite=args.overwrite)
    boxes = None
    if args.training:
        sets = training_sets(Recipe(), args.training)
        images = [path.resolve() for faces in sets for path in faces.paths]
        boxes = np.concatenate([box_of(faces.points) for faces in sets])
    else:
        images = sorted(p.resolve() for p in args.images.glob("*") if p.suffix.lower() in _SUFFIXES)
        if not images:
            raise InputError(
                f"{args.images} holds no images", f"Expected a folder of {', '.join(_SUFFIXES)} files."
            )
    torch.set_num_threads(args.threads)
    networks = [_open(model) for model in (args.model, *args.also)]
    labels = label(networks, images, boxes, args.views, args.seed)
    kept = [
        (path, one)
        for path, one in zip(images, labels, strict=True)
        if one and one.confidence >= args.confidence and one.spread <= args.spread and is_face(one.points)
    ]
    missed = sum(one is None for one in labels)
    if not kept:
        raise FkpError(
            f"none of {counted(len(images), 'picture')} labelled: {missed} without a face, the rest uncertain; "
            "nothing was written",
            "Lower --confidence, raise --spread, or take another network.",
        )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["", *range(2 * N_POINTS)])
    writer.writerows([path, *(f"{v:.2f}" for v in o.points.ravel())] for path, o in kept)
    write_text(args.out, table.getvalue(), overwrite=args.overwrite)
    print(
        f"{len(kept)} of {counted(len(images), 'picture')} labelled; {missed} without a face, the rest uncertain"
    )
    print(args.out)
    return int(ExitCode.OK)
