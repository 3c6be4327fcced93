"""Labelled eyes: patches cut by fkp68's own corners, with the openness that the labelled lids give, and their split.

Faces are found as the product finds them, so the corners err as they do there. Held out are `wild_val`, without the
twins of training faces, Udacity's unseen persons, and a fifth of the hard faces, chosen by a seed: fkp68 was
trained on none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fkp_live import FaceLandmarker, geometry
from fkp_live.engine import Engine
from fkp_live.faces.eyes import eye_affines, eye_patches
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import measures
from fkp_live.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_LIDS,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LIDS,
    RIGHT_EYE_OUTER,
)
from train.cutouts.kept import kept_arrays
from train.data.faces import VISIBLE, FaceSet
from train.data.splits import splits, twins_in_validation

TRAINING, HELD_OUT = ("wild_train", "hard_aflw", "hard_mtfl", "udacity_train"), ("wild_val", "unseen")
HARD = ("hard_aflw", "hard_mtfl")
# The network's patch, and the one that is kept, wider so that augmentation has room: width and height in pixels, and
# width of the eye in it.
SIZE, EYE = (32, 24), 20.0
KEPT_SIZE, KEPT_EYE = (64, 64), 24.0
# A face found is the labelled one if its points lie within this of the labels, in the mean, in sides of the box.
_SAME_FACE = 0.12
# Below this openness an eye is labelled as shut, above the second one as open; between them people would not agree.
SHUT, OPEN = 0.12, 0.18

_CORNERS = [RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_OUTER, LEFT_EYE_INNER]
_EYES = ([36, 37, 38, 39, 40, 41], [45, 44, 43, 42, 47, 46])


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """Labelled faces with the patches of their eyes, the right one first.

    Attributes
    ----------
    patches : (N, 2, 64, 64) uint8, grey, the left eye mirrored
    lids : (N, 2, 6, 2) float32, the labelled points of each eye in pixels of its patch, from the outer corner over the
        upper lid to the inner corner, and back over the lower lid; NaN without a label
    openness : (N, 2) float32, distance of the labelled lids over the width of the eye; NaN without a label
    visible : (N, 2) bool, whether all six labelled points of the eye were seen
    width : (N, 2) float32, of the eye in pixels of the picture, by the labels
    by_points : (N, 2) float32, openness by fkp68's points
    yaw : (N,) float32, radians, by fkp68's points
    name : (N,) text, of the set
    held : (N,) bool, never trained on
    """

    patches: NDArray[np.uint8]
    lids: NDArray[np.float32]
    openness: NDArray[np.float32]
    visible: NDArray[np.bool_]
    width: NDArray[np.float32]
    by_points: NDArray[np.float32]
    yaw: NDArray[np.float32]
    name: NDArray[np.str_]
    held: NDArray[np.bool_]

    def select(self, chosen: NDArray) -> Eyes:
        """The faces at the given indices, or where a mask is true."""
        return Eyes(*(getattr(self, field)[chosen] for field in self.__slots__))


def load(root: Path, kept: Path) -> Eyes:
    """The labelled eyes of the data folder; ``kept`` holds them for the next time, as finding them takes minutes.

    Raises
    ------
    InputError : a file is missing or damaged
    """
    return Eyes(*kept_arrays(kept, Eyes.__slots__, lambda: _prepare(root)))


def labelled_openness(points: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Openness and width (N, 2) of the right and the left eye of labelled points (N, 68, 2)."""

    def apart(pair: tuple[int, int]) -> NDArray:
        return np.asarray(np.linalg.norm(points[:, pair[0]] - points[:, pair[1]], axis=-1))

    lids = np.stack([sum(map(apart, pairs)) / 2 for pairs in (RIGHT_EYE_LIDS, LEFT_EYE_LIDS)], -1)
    sides = (RIGHT_EYE_OUTER, RIGHT_EYE_INNER), (LEFT_EYE_OUTER, LEFT_EYE_INNER)
    width = np.stack([apart(pair) for pair in sides], -1)
    return (lids / np.maximum(width, 1e-6)).astype(np.float32), width.astype(np.float32)


def _prepare(root: Path) -> dict[str, NDArray[Any]]:
    landmarker = FaceLandmarker(engine=Engine("cpu", "fkp68"))
    available, rows = splits(root), []
    for name in (*TRAINING, *HELD_OUT):
        faces, held = _with_split(available[name])
        openness, width = labelled_openness(faces.points)
        for index in tqdm(range(len(faces)), desc=name, disable=None):
            if np.isnan(openness[index]).all():
                continue
            image = faces.image(index)
            points = points_of(landmarker, image, faces.points[index])
            if points is None:
                continue
            patches, found = eye_patches(image[..., 1], points, KEPT_SIZE, KEPT_EYE), measures(points)
            row = (
                np.stack(patches),
                _lids(faces.points[index], points),
                openness[index],
                _visible(faces, index),
            )
            by_points = np.array([found.right_eye_open, found.left_eye_open], np.float32)
            rows.append((*row, width[index], by_points, head_pose(points).yaw, name, held[index]))
    fields = zip(Eyes.__slots__, zip(*rows, strict=True), strict=True)
    return {field: np.array(values) for field, values in fields}


def held_out(root: Path, name: str) -> FaceSet:
    """The faces of a set that the eye network is never trained on, nor fkp68.

    Raises
    ------
    InputError : a file cannot be read
    """
    faces, held = _with_split(splits(root)[name])
    return faces.select(held)


def _with_split(faces: FaceSet) -> tuple[FaceSet, NDArray[np.bool_]]:
    """The faces of a set that may be used, and which of them are held out."""
    if faces.name in HARD:
        return faces, np.random.default_rng(13).random(len(faces)) < 0.2
    if faces.name == "wild_val":
        twins = twins_in_validation()
        faces = faces.select([each not in twins for each in faces.names])
    return faces, np.full(len(faces), faces.name in HELD_OUT)


def same_face(points: NDArray, truth: NDArray) -> bool:
    """Whether found points (68, 2) are of the face with these labels, some of which may be NaN."""
    known = np.isfinite(truth[:, 0])
    side = float(np.ptp(truth[known], axis=0).max())
    return bool(np.linalg.norm(points[known] - truth[known], axis=1).mean() < _SAME_FACE * side)


def _lids(truth: NDArray, points: NDArray) -> NDArray[np.float32]:
    affines = np.array(eye_affines(points, KEPT_SIZE, KEPT_EYE)).reshape(2, 2, 3)
    return geometry.apply(geometry.invert(affines), np.stack([truth[eye] for eye in _EYES]))


def _visible(faces: FaceSet, index: int) -> NDArray[np.bool_]:
    if faces.visibility is None:
        return np.ones(2, np.bool_)
    return np.array([(faces.visibility[index][eye] == VISIBLE).all() for eye in _EYES])


def points_of(landmarker: FaceLandmarker, image: NDArray, truth: NDArray) -> NDArray[np.float32] | None:
    """The product's points of the face that is labelled; where it is not found, those in the box of the labels.

    None where that box is not known, as labels are missing.
    """
    for face in landmarker(image):
        if same_face(face.points, truth):
            return np.asarray(face.points, np.float32)
    if np.isnan(truth).any():
        return None
    return np.asarray(landmarker.landmarks(image, geometry.box_of(truth)[None])[0], np.float32)
