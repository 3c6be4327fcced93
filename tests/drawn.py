"""Faces drawn with a few ellipses, each point where it is drawn: a data set that takes no time to read or to learn."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np


def write_drawn(csv_path: Path, images: Path, names: Sequence[str]) -> Path:
    """Draw a face for each name into the folder ``images`` and write their points into a CSV file."""
    images.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    base = mean_shape()
    rows = []
    for name in names:
        points = base * rng.uniform(50, 70) + rng.uniform(55, 70, 2)
        image = np.full((140, 140, 3), rng.integers(40, 90, 3), np.uint8)
        for group, colour in (
            (np.r_[0:17, 26:16:-1], (120, 150, 200)),
            (np.r_[36:42], (255, 255, 255)),
            (np.r_[42:48], (255, 255, 255)),
            (np.r_[48:60], (60, 60, 180)),
        ):
            cv2.fillPoly(image, [np.round(points[group] * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
        cv2.imwrite(str(images / name), image)
        rows.append([name, *np.round(points, 2).ravel()])
    with open(csv_path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(136)])
        writer.writerows(rows)
    return csv_path


def write_data(root: Path) -> Path:
    """The layout of the real data: two persons of whom one is held out, and four photos, one for validation."""
    frames = [f"{person}_{n:02}.png" for person in ("Ann_Bee", "Cy_Dee") for n in range(4)]
    udacity, wild = root / "udacity", root / "wild"
    for part, names in (("training", frames[:3] + frames[4:7]), ("test", frames[3::4])):
        (udacity / part).mkdir(parents=True)
        write_drawn(udacity / f"{part}_frames_keypoints.csv", udacity / part, names)
    (udacity / "unseen_persons.txt").write_text("Ann_Bee\n")
    wild.mkdir()
    write_drawn(wild / "keypoints.csv", wild / "images", ["p 1.png", "q.png", "r.png", "s.png"])
    (wild / "val.txt").write_text("p 1.png\n")
    return root


def mean_shape() -> np.ndarray:
    """68 points of a plain frontal face in a unit box around the origin."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[0:17] = np.c_[0.5 * np.cos(angle), -0.2 + 0.7 * np.sin(angle)]
    for start, side in ((17, -1), (22, 1)):
        points[start : start + 5] = np.c_[
            np.linspace(-0.15, 0.15, 5) + side * 0.25, [-0.38, -0.43, -0.45, -0.43, -0.4]
        ]
    points[27:31] = np.c_[np.zeros(4), np.linspace(-0.25, 0.05, 4)]
    points[31:36] = np.c_[np.linspace(-0.1, 0.1, 5), [0.1, 0.12, 0.13, 0.12, 0.1]]
    ring = np.deg2rad([180, 240, 300, 0, 60, 120])
    for start, side in ((36, -1), (42, 1)):
        points[start : start + 6] = np.c_[0.1 * np.cos(ring) + side * 0.22, 0.05 * np.sin(ring) - 0.25]
    outer, inner = np.deg2rad(np.arange(180, 540, 30)), np.deg2rad(np.arange(180, 540, 45))
    points[48:60] = np.c_[0.2 * np.cos(outer), 0.28 + 0.08 * np.sin(outer)]
    points[60:68] = np.c_[0.14 * np.cos(inner), 0.28 + 0.03 * np.sin(inner)]
    return points
