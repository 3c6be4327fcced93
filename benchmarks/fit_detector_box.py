"""From YuNet's box to the box of the 68 points: the constants of fkp_live/faces/detector.py, and what error is left.

``python -m benchmarks.fit_detector_box ../shared/data`` runs the detector on labelled faces, each shown at
one or several sizes, fits fixed ratios and a ridge regression (box and five key points) on the training
faces, and prints for both the error that is left on the hold-outs: shift and log scale in per cent of the
longer side of the true box. Also: recall by size and threshold, whether the key points tell the roll, and
recall and false boxes on whole pictures. Udacity's labels lie one pixel to the right of and below 300-W's;
that is taken off first.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.script import run
from fkp_live.errors import InputError
from fkp_live.faces.detector import FACE_SIDE, YuNet
from fkp_live.geometry import box_of, iou
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
from fkp_live.types import Image

Array = NDArray[np.float64]
TRAIN_SIDES = (16, 20, 24, 32, 48, 80, 140, 220)
VAL_SIDES = (16, 20, 24, 32, 40, 80, 160)
THRESHOLDS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
# Ratios come from faces that are large enough to be measured well.
FIT_FROM = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """A labelled face in its picture."""

    source: str
    held_out: bool
    image: Image
    points: Array


@dataclass(frozen=True, slots=True)
class Find:
    """One face shown at one size: its truth and what YuNet made of it (score 0 if nothing)."""

    source: str
    held_out: bool
    side: int
    score: float
    points: Array
    box: Array
    keypoints: Array


def read(path: Path) -> Image:
    """A picture as (H, W, 3) uint8 BGR."""
    image = cv2.imread(str(path))
    if image is None:
        raise InputError(f"{path} is missing, or no picture that can be read.")
    return image.astype(np.uint8, copy=False)


def samples(root: Path) -> Iterator[Sample]:
    """Wild and Udacity training faces, padded in black so that none touches the border."""
    val = set((root / "wild" / "val.txt").read_text().splitlines())
    unseen = tuple(f"{name}_" for name in (root / "udacity" / "unseen_persons.txt").read_text().splitlines())
    for source, table, folder, offset in (
        ("wild", "wild/keypoints.csv", "wild/images", 0.0),
        ("udacity", "udacity/training_frames_keypoints.csv", "udacity/training", 1.0),
    ):
        with (root / table).open(newline="") as file:
            rows = list(csv.reader(file))[1:]
        for name, *values in rows:
            image = read(root / folder / name)
            points = np.array(values, np.float64).reshape(68, 2) - offset
            pad = int(0.6 * np.ptp(points, axis=0).max())
            image = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
            yield Sample(source, name in val or name.startswith(unseen), image, points + pad)


def find(sample: Sample, side: int, detector: YuNet) -> Find:
    """Show the face with a box of ``side`` pixels and take the find nearest to it."""
    truth = box_of(sample.points)
    scale = side / float((truth[2:] - truth[:2]).max())
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image: Image = cv2.resize(sample.image, None, fx=scale, fy=scale, interpolation=method).astype(np.uint8)
    ratio = np.array([image.shape[1] / sample.image.shape[1], image.shape[0] / sample.image.shape[0]])
    points = (sample.points + 0.5) * ratio - 0.5
    found = detector.detect(image)
    nothing = Find(sample.source, sample.held_out, side, 0.0, points, np.zeros(4), np.zeros((5, 2)))
    if not len(found.scores):
        return nothing
    truth = box_of(points)
    distance = np.linalg.norm((found.boxes[:, :2] + found.boxes[:, 2:] - truth[:2] - truth[2:]) / 2, axis=1)
    best = int(distance.argmin())
    if distance[best] > 0.5 * side:
        return nothing
    score, box = float(found.scores[best]), found.boxes[best].astype(np.float64)
    return Find(
        sample.source, sample.held_out, side, score, points, box, found.keypoints[best].astype(np.float64)
    )


def centre_and_size(boxes: Array) -> tuple[Array, Array]:
    """(N, 4) -> (N, 2) and (N, 2)."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]


def ridge(features: Array, targets: Array, strength: float = 0.1) -> Array:
    """Weights of a ridge regression."""
    gram = features.T @ features + strength * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(gram, features.T @ targets))


def report(finds: list[Find]) -> None:
    """Fit on the training faces and print what is left on the held-out ones."""
    for source in ("wild", "udacity"):
        for side in VAL_SIDES:
            scores = np.array(
                [f.score for f in finds if f.held_out and f.source == source and f.side == side]
            )
            shares = "  ".join(f"{limit}: {100 * (scores >= limit).mean():5.1f}" for limit in THRESHOLDS)
            print(f"recall, {source:7s} held out, face of {side:3d} px, {len(scores)} faces: {shares}")
    finds = [f for f in finds if f.score >= 0.6]
    truth = np.stack([box_of(f.points) for f in finds]).astype(np.float64)
    centre, size = centre_and_size(np.stack([f.box for f in finds]))
    true_centre, true_size = centre_and_size(truth)
    sides = np.array([f.side for f in finds])
    held_out = np.array([f.held_out for f in finds])
    wild = np.array([f.source == "wild" for f in finds])
    train = ~held_out
    fit = train & (sides >= FIT_FROM)
    targets = np.concatenate([(true_centre - centre) / size, np.log(true_size / size)], 1)
    right, drop, log_width, log_height = np.median(targets[fit], axis=0)
    print(
        f"fixed ratios from {fit.sum()} faces: width {np.exp(log_width):.3f}, "
        f"height {np.exp(log_height):.3f}, centre {drop:.3f} heights lower "
        f"(and {right:.3f} widths to the right, taken as 0)"
    )
    keypoints = (np.stack([f.keypoints for f in finds]) - centre[:, None]) / size[:, None]
    ones, aspect = np.ones((len(finds), 1)), np.log(size[:, 1:] / size[:, :1])
    features = np.concatenate([ones, aspect, keypoints.reshape(-1, 10)], 1)
    fixed = np.tile([0.0, drop, log_width, log_height], (len(finds), 1))
    for name, guess in (("fixed", fixed), ("ridge", features @ ridge(features[fit], targets[fit]))):
        shift = 100 * (centre + guess[:, :2] * size - true_centre) / true_size.max(1)[:, None]
        scale = 100 * np.log((np.exp(guess[:, 2:]) * size).max(1) / true_size.max(1))
        for what, mask in (
            ("wild val, 16 to 24 px", held_out & wild & (sides <= 24)),
            ("wild val, from 32 px", held_out & wild & (sides >= 32)),
            ("unseen persons, from 32 px", held_out & ~wild & (sides >= 32)),
        ):
            mean, sd = shift[mask].mean(0), shift[mask].std(0)
            print(
                f"{name}, {what:27s} {mask.sum():5d} faces: shift x {mean[0]:5.2f} sd {sd[0]:.2f}, "
                f"y {mean[1]:5.2f} sd {sd[1]:.2f}, "
                f"scale {scale[mask].mean():5.2f} sd {scale[mask].std():.2f} (%)"
            )
    eyes = np.stack([f.points[42:48].mean(0) - f.points[36:42].mean(0) for f in finds])
    roll = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0]))
    seen = np.stack([f.keypoints[1] - f.keypoints[0] for f in finds])
    estimated = np.degrees(np.arctan2(seen[:, 1], seen[:, 0]))
    judged = held_out & wild & (sides >= 32)
    slope = np.polyfit(roll[judged], estimated[judged], 1)[0]
    print(
        f"roll by YuNet's eyes, wild val: slope {slope:.2f} (1 would be right), error sd "
        f"{(estimated - roll)[judged].std():.1f} degrees where the roll itself has {roll[judged].std():.1f}"
    )


def whole_pictures(root: Path) -> None:
    """Recall on the wild hold-out pictures as they are, by threshold; and the boxes beside the face."""
    session = open_session(models_dir() / "yunet.onnx", "cpu")
    names = set((root / "wild" / "val.txt").read_text().splitlines())
    with (root / "wild" / "keypoints.csv").open(newline="") as file:
        rows = [row for row in list(csv.reader(file))[1:] if row[0] in names]
    for limit in THRESHOLDS:
        detector, hits, others = YuNet(session, score=limit), 0, 0
        for name, *values in rows:
            boxes = detector(read(root / "wild" / "images" / name))
            overlap = iou([found.box for found in boxes], box_of(np.array(values, np.float64).reshape(68, 2)))
            hit = bool(len(boxes)) and float(overlap.max()) > 0.5
            hits, others = hits + hit, others + len(boxes) - hit
        print(f"whole pictures of wild val, score {limit}: {hits} of {len(rows)} found, {others} other boxes")


def videos(root: Path) -> None:
    """Boxes on the clips without a face: all of no_face.mp4, and the cartoon after the face."""
    session = open_session(models_dir() / "yunet.onnx", "cpu")
    for name in ("no_face.mp4", "vfr_face_then_none.mov"):
        for limit in (0.3, 0.5, 0.6):
            for detector, what in (
                (YuNet(session, score=limit), "default"),
                (YuNet(session, score=limit, min_face=FACE_SIDE), "full size"),
            ):
                capture = cv2.VideoCapture(str(root / "videos" / name))
                counts: list[int] = []
                while capture.grab():
                    if len(counts) % 2 == 0:
                        counts.append(len(detector(capture.retrieve()[1].astype(np.uint8))))
                    else:
                        counts.append(0)
                last = max((number for number, count in enumerate(counts) if count), default=None)
                print(
                    f"{name}, score {limit}, {what}: {sum(counts)} boxes in {len(counts[::2])} frames; "
                    f"the last in frame {last}"
                )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fit_detector_box")
    parser.add_argument("root", type=Path, help="folder with udacity/, wild/ and videos/")
    root = parser.parse_args().root
    random = np.random.default_rng(0)
    detector = YuNet(open_session(models_dir() / "yunet.onnx", "cpu"), score=0.3, min_face=FACE_SIDE)
    finds = []
    for sample in samples(root):
        largest = 1.5 * np.ptp(sample.points, axis=0).max()  # no enlarging beyond that
        for side in VAL_SIDES if sample.held_out else (int(random.choice(TRAIN_SIDES)),):
            if side <= largest:
                finds.append(find(sample, side, detector))
    report(finds)
    whole_pictures(root)
    videos(root)


if __name__ == "__main__":
    run(main)
