"""`python -m train label MODEL IMAGES --out faces.csv`: a trained network's points as a CSV data set.

For self-training and distillation: a network labels faces that nobody labelled, or gives the training faces a second
label beside the annotators' (`--training DIR`), and `python -m train fit … --more faces.csv` learns from them. Every
face is asked several times, straight and mirrored, in boxes that differ as a detector's do; the labels are the mean,
and a face on which the answers disagree is left out.
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
from train.arguments import finite_number, prepare_output
from train.augment import LABELS_RIGHT, detector_jitter
from train.data import read_image
from train.fit import fast_bf16
from train.networks import TorchNetwork, open_network
from train.recipe import Recipe, training_sets

_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Opinion:
    """Mean of several answers for one face.

    ``points`` (68, 2) image pixels; ``confidence`` mean over points and answers; ``spread`` mean distance of an answer
    from the mean in per cent of the distance of the outer eye corners.
    """

    points: NDArray[np.float32]
    confidence: float
    spread: float


def ask(network: Network, image: Image, box: NDArray[np.float32], asks: int, seed: int) -> Opinion:
    """The mean of 2 x ``asks`` answers: boxes with a detector's jitter, each straight and mirrored."""
    spec, rng = network.spec, np.random.default_rng(seed)
    boxes = [box, *(detector_jitter(box, rng) for _ in range(asks - 1))]
    straight = [crop_matrix(b, spec) for b in boxes]
    flip = np.array([[-1.0, 0.0, spec.size - 1.0], [0.0, 1.0, 0.0]])
    found = network.run_matrices(image, [*straight, *(compose(flip, matrix) for matrix in straight)])
    # What is seen in a mirror is not where the labels' convention puts it, see `train.augment.mirror`.
    to_crop = np.stack(straight)
    in_crop = apply(to_crop, found.points[asks:, MIRROR])
    in_crop[..., 0] += 2.0 * LABELS_RIGHT * spec.face_side
    answers = np.concatenate([found.points[:asks], apply(invert(to_crop), in_crop)])
    mean = answers.mean(0)
    eyes = float(np.linalg.norm(mean[LEFT_EYE_OUTER] - mean[RIGHT_EYE_OUTER]))
    spread = 100.0 * float(np.linalg.norm(answers - mean, axis=-1).mean()) / max(eyes, 1e-3)
    return Opinion(mean, float(found.confidence.mean()), spread)


def label(
    network: Network, images: Sequence[Path], boxes: NDArray[np.float32] | None, asks: int, seed: int
) -> list[Opinion | None]:
    """An opinion on one face of each image: in ``boxes`` (N, 4), or on the largest, None where the detector finds none.

    The first opinion only places the box: the second, around its points, is the label.
    """
    detector = YuNet(open_session(resolve_model("yunet"), "cpu")) if boxes is None else None
    opinions: list[Opinion | None] = []
    for number, path in enumerate(tqdm(images, unit="image", file=sys.stderr, disable=None)):
        image = read_image(path)
        if detector is None:
            box = boxes[number]  # type: ignore[index]
        elif finds := detector(image):
            box = max(finds, key=lambda find: float((find.box[2:] - find.box[:2]).prod())).box
        else:
            opinions.append(None)
            continue
        first = ask(network, image, box, 1, seed + number)
        opinions.append(ask(network, image, box_of(first.points), asks, seed + number))
    return opinions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train label`."""
    parser.add_argument("model", type=Path, help="checkpoint (.pt), ONNX file or name of a shipped network")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("images", type=Path, nargs="?", help="folder of images, one face each")
    what.add_argument(
        "--training",
        type=Path,
        metavar="DIR",
        help="label the training faces of DIR anew, hold-outs left out",
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write")
    parser.add_argument(
        "--asks", type=whole_number(1), default=4, help="boxes a face is asked in (default: %(default)s)"
    )
    parser.add_argument(
        "--confidence", type=finite_number, default=0.6, help="least mean confidence (default: %(default)s)"
    )
    parser.add_argument(
        "--spread",
        type=finite_number,
        default=3.0,
        help="most spread, %% of eye distance (default: %(default)s)",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0)
    parser.add_argument("--threads", type=whole_number(1, MOST_THREADS), default=2)
    parser.add_argument("--overwrite", action="store_true")


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
    network = open_network(args.model)[0]
    if isinstance(network, TorchNetwork):
        network = TorchNetwork(network.model, bf16=fast_bf16(torch.device("cpu")))
    opinions = label(network, images, boxes, args.asks, args.seed)
    kept = [
        (path, opinion)
        for path, opinion in zip(images, opinions, strict=True)
        if opinion and opinion.confidence >= args.confidence and opinion.spread <= args.spread
    ]
    missed = sum(opinion is None for opinion in opinions)
    if not kept:
        raise FkpError(
            f"none of {len(images)} faces labelled: {missed} not found, the rest uncertain; nothing was written",
            "Ask less by --confidence and --spread, or take another network.",
        )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["", *range(2 * N_POINTS)])
    writer.writerows([path, *(f"{v:.2f}" for v in o.points.ravel())] for path, o in kept)
    write_text(args.out, table.getvalue(), overwrite=args.overwrite)
    print(f"{len(kept)} of {len(images)} faces labelled; {missed} not found, the rest uncertain")
    print(args.out)
    return int(ExitCode.OK)
