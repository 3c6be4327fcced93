"""Labelled faces for the expression network: crops and points as the product makes them, split, and kept in a file.

A folder holds `faces/labels.csv` (image, label, annotator, person) and `rafdb/labels.csv` (image, label), each beside
`images/`. Faces of known persons are split by person. Persons of `rafdb` are not known: it is split at random, so the
same person may be on both sides.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fkp_live import FaceLandmarker
from fkp_live.errors import InputError
from fkp_live.faces.expression import aligned, similarity
from fkp_live.images.picture import BgrPicture
from fkp_live.types import EXPRESSIONS
from train.cutouts.kept import kept_arrays
from train.data.splits import person_of, unseen_persons

SOURCES = ("faces", "rafdb")
_LABELS = {name: number for number, name in enumerate(EXPRESSIONS)} | {
    "happiness": 1, "surprise": 2, "sadness": 3, "anger": 4, "disgust": 5, "fear": 6,
}  # fmt: skip
# Labels of an annotator that others would not give: judged by looking at them.
_POOR = ("jhamski", (3, 5))
# The crop that is kept is wider than the network's, so that augmentation has room: eye distances across it.
KEPT_SIZE, KEPT_SIDE, NETWORK_SIDE = 88, 2.35, 1.95
# Unlabelled pictures of the same collection as `faces`, so maybe of its held-out persons: never used.
_MAY_SHOW_HELD_OUT = "muxgrey_"
_KEPT = ("crops", "points", "labels", "source", "annotator", "person", "template")
_PICTURES = "*.[jp][pn]g"
# Of the crop's side: how far the template's middle lies above the crop's.
_RAISED = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces without labels: ``crops`` (N, 88, 88, 3) and ``points`` (N, 68, 2) as those of `Labelled`."""

    crops: NDArray[np.uint8]
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Faces without labels, several of each person before one camera: as `Faces`, and ``person`` (N,) text."""

    crops: NDArray[np.uint8]
    points: NDArray[np.float32]
    person: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Faces with labels.

    Attributes
    ----------
    crops : (N, 88, 88, 3) uint8 BGR, aligned
    points : (N, 68, 2) float32, aligned to the template, in eye distances
    labels : (N,) int64, of `EXPRESSIONS`
    source, person : (N,) text; ``person`` is empty where it is not known
    training, held : (N,) bool; faces with poor labels are in neither
    template : (68, 2) float64, in eye distances, mean 0
    """

    crops: NDArray[np.uint8]
    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    source: NDArray[np.str_]
    person: NDArray[np.str_]
    training: NDArray[np.bool_]
    held: NDArray[np.bool_]
    template: NDArray[np.float64]


def template_pixels(template: NDArray[np.float64], size: int, side: float) -> NDArray[np.float64]:
    """The template in pixels of a crop of ``size`` pixels and ``side`` eye distances."""
    middle = (size - 1) / 2.0
    return template * (size / side) + (middle, middle - _RAISED * KEPT_SIDE / side * size)


def load(folder: Path, kept: Path) -> Labelled:
    """The faces of a folder; ``kept`` holds them from one run to the next, since finding the points takes minutes.

    Raises
    ------
    InputError : a file is missing or damaged
    """
    return _split(dict(zip(_KEPT, kept_arrays(kept, _KEPT, lambda: _prepare(folder)), strict=True)))


def load_unlabelled(folder: Path, kept: Path, template: NDArray[np.float64]) -> Faces:
    """Faces without labels of a folder of pictures with one face each; ``kept`` holds them for the next time.

    Raises
    ------
    InputError : there is no picture, or a file is damaged
    """

    def make() -> dict[str, NDArray]:
        names = sorted(folder.glob(_PICTURES))
        names = [name for name in names if not name.name.startswith(_MAY_SHOW_HELD_OUT)]
        return _without_labels(folder, names, template)

    return Faces(*kept_arrays(kept, Faces.__slots__, make))


def load_clips(root: Path, kept: Path, template: NDArray[np.float64]) -> Clips:
    """The training pictures of `udacity/` below the data's root, without the persons held out of training.

    Raises
    ------
    InputError : there is no picture, or a file is damaged
    """

    def make() -> dict[str, NDArray]:
        folder, held = root / "udacity" / "training", unseen_persons(root)
        names = [name for name in sorted(folder.glob(_PICTURES)) if person_of(name.name) not in held]
        faces = _without_labels(folder, names, template)
        return faces | {"person": np.array([person_of(name.name) for name in names])}

    return Clips(*kept_arrays(kept, Clips.__slots__, make))


def _without_labels(folder: Path, names: list[Path], template: NDArray[np.float64]) -> dict[str, NDArray]:
    """``crops`` and ``points`` of `Faces`."""
    if not names:
        raise InputError(f"no picture in {folder}", "Expected .jpg or .png files.")
    landmarker = FaceLandmarker(provider="cpu", model="fkp68")
    pictures = [_picture(name) for name in names]
    shapes = [points_of(landmarker, picture) for picture in tqdm(pictures, desc=folder.name, disable=None)]
    crops, points = _aligned(pictures, np.array(shapes, np.float64), template)
    return {"crops": crops, "points": points}


def _split(data: dict[str, NDArray]) -> Labelled:
    """Training and held-out faces, by the seed of the project: a fifth of the persons, a fifth of rafdb."""
    source, person = data["source"], data["person"]
    rng = np.random.default_rng(5)
    known = np.unique(person[source == "faces"])
    chosen = set(rng.choice(known, len(known) // 5, replace=False).tolist())
    held = np.array(
        [
            who in chosen if of == "faces" else rng.random() < 0.2
            for of, who in zip(source, person, strict=True)
        ]
    )
    poor = (data["annotator"] == _POOR[0]) & np.isin(data["labels"], _POOR[1])
    fields = (data["crops"], data["points"], data["labels"], source, person)
    return Labelled(*fields, ~held & ~poor, held & ~poor, data["template"])


def _prepare(folder: Path) -> dict[str, NDArray]:
    landmarker = FaceLandmarker(provider="cpu", model="fkp68")
    pictures, points, rows = [], [], []
    for source in SOURCES:
        for row in tqdm(_rows(folder / source / "labels.csv"), desc=source, disable=None):
            image = _picture(folder / source / "images" / row["image"])
            pictures.append(image)
            points.append(points_of(landmarker, image))
            rows.append((source, row.get("annotator", ""), row.get("person", ""), _LABELS[row["label"]]))
    shapes = np.array(points, np.float64)
    template = mean_shape(shapes)
    crops, aligned_points = _aligned(pictures, shapes, template)
    sources, annotators, persons, labels = zip(*rows, strict=True)
    return {
        "crops": crops,
        "points": aligned_points,
        "labels": np.array(labels, np.int64),
        "source": np.array(sources),
        "annotator": np.array(annotators),
        "person": np.array(persons),
        "template": template,
    }


def _picture(path: Path) -> NDArray[np.uint8]:
    read = cv2.imread(str(path))
    if read is None:
        raise InputError(
            f"{path} is missing or not a picture", "Expected the picture that the table names: copy it again."
        )
    return np.asarray(read, np.uint8)


def _aligned(
    pictures: list[NDArray[np.uint8]], shapes: NDArray[np.float64], template: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Crops (N, 88, 88, 3) and aligned points (N, 68, 2) of pictures with these points."""
    pixels = template_pixels(template, KEPT_SIZE, KEPT_SIDE)
    crops = [
        aligned(BgrPicture(i), similarity(p, pixels), KEPT_SIZE)
        for i, p in zip(pictures, shapes, strict=True)
    ]
    return np.array(crops), np.array([onto(similarity(p, template), p) for p in shapes], np.float32)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if row["label"] in _LABELS]
    except (OSError, KeyError) as error:
        raise InputError(
            f"cannot read {path}: {error}", "Expected a CSV with columns image, label."
        ) from error


def points_of(landmarker: FaceLandmarker, image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(68, 2) points of the face in the middle of a small picture; where none is found, in a box of the usual place."""
    height, width = image.shape[:2]
    longer = max(height, width)
    edge, scale = longer // 2, max(1.0, 160 / longer)
    wide = np.asarray(cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE), np.uint8)
    if scale > 1:
        wide = np.asarray(cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    middle = np.array([wide.shape[1] / 2, wide.shape[0] / 2])
    found = landmarker(wide)
    near = [f for f in found if np.linalg.norm((f.box[:2] + f.box[2:]) / 2 - middle) < 0.3 * longer * scale]
    if near:
        points = near[0].points
    else:
        x, y = middle
        box = [x - 0.36 * width * scale, y - 0.2 * height * scale, x + 0.36 * width * scale]
        points = landmarker.landmarks(wide, [[*box, y + 0.46 * height * scale]])[0]
    return np.asarray(points / scale - edge, np.float32)


def onto(matrix: NDArray[np.float64], points: NDArray) -> NDArray[np.float64]:
    """Points (68, 2) through an affine (2, 3)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def mean_shape(shapes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of shapes (N, 68, 2) after place, turn and size: mean 0, level eyes, outer eye corners 1 apart.

    Generalised Procrustes analysis: J. C. Gower, Psychometrika 40, 1975.
    """
    mean = shapes[0]
    for _ in range(4):
        mean = np.mean([onto(similarity(shape, mean), shape) for shape in shapes], 0)
        along = mean[45] - mean[36]
        cos, sin = along / np.linalg.norm(along)
        mean = (mean - mean.mean(0)) @ np.array([[cos, -sin], [sin, cos]]) / np.linalg.norm(along)
    return mean
