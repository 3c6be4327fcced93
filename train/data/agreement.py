"""Labels compared with the points that the shipped network puts on the same pictures, before a training.

Numbers alone do not show that labels belong to pictures of another size, to other rows, or that single points are in
another order. Of labels of another convention the median distance is 0.018 to 0.025 of the face's side (five sets of
photographs, profiles and covered faces among them).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.console import say
from fkp_live.errors import InputError
from fkp_live.pipeline import FaceLandmarker
from fkp_live.types import Face, Image
from train.data.faces import FaceSet

Find = Callable[[Image], Sequence[Face]]

# Faces of a set that are looked at, evenly spread: about a second.
SAMPLE = 24
# With fewer faces detected, nothing is concluded.
_LEAST_FACES = 3
# Median distances, in shares of the longer side of the detected face's box: of all points, and of one point.
_FARTHEST, _FARTHEST_POINT = 0.1, 0.15
# A mean distance of 0.7 to 1.3 px in x and y, as pixels counted from 1 have. In larger faces the network's own
# habits are as large.
_ONE, _ABOUT_ONE, _LARGEST_SIDE = 1.0, 0.3, 150.0


def check_labels(sets: list[FaceSet], find: Find | None = None) -> None:
    """Refuse sets whose labels lie elsewhere than the faces on their pictures; note where pixels may count from 1.

    Parameters
    ----------
    find : faces of a picture; by default the shipped network

    Raises
    ------
    InputError
        It names the set, the face that is farthest off, and for a single point its number.
    """
    find = find or FaceLandmarker(provider="cpu", model="fkp68")
    for faces in sets:
        paths, offsets, sides = _compared(faces, find)
        if len(paths) < _LEAST_FACES:
            continue
        distances = np.linalg.norm(offsets, axis=2) / sides[:, None]
        _refuse_far(faces, paths, distances)
        _note_of_one(faces.name, np.median(np.nanmean(offsets, axis=1), axis=0), float(np.median(sides)))


def _compared(faces: FaceSet, find: Find) -> tuple[list[Path], NDArray[np.float32], NDArray[np.float32]]:
    """Of the sampled faces that are detected: the picture, label minus network (N, 68, 2) and the face's side (N,).

    NaN where a point has no label.
    """
    paths, offsets, sides = list[Path](), [], []
    for index in np.unique(np.linspace(0, len(faces) - 1, SAMPLE).astype(int)).tolist():
        found = find(faces.image(index))
        if found:
            differences = [faces.points[index] - face.points for face in found]
            nearest = int(np.argmin([np.nanmean(np.linalg.norm(one, axis=1)) for one in differences]))
            paths.append(faces.paths[index])
            offsets.append(differences[nearest])
            sides.append((found[nearest].box[2:] - found[nearest].box[:2]).max())
    return paths, np.array(offsets, np.float32), np.array(sides, np.float32)


def _refuse_far(faces: FaceSet, paths: list[Path], distances: NDArray[np.float32]) -> None:
    per_face = np.nanmean(distances, axis=1)
    worst = paths[int(per_face.argmax())].name
    if np.median(per_face) > _FARTHEST:
        raise InputError(
            f"the labels of {faces.name} lie {100 * np.median(per_face):.0f} % of a face's side away from the faces on "
            f"their pictures ({len(paths)} faces compared; the farthest is '{worst}')",
            "Are they pixels of these very pictures, in the rows of these very names? "
            "See them with `python -m train view`. Of drawn faces or animals: --no-check-labels.",
        )
    # A point without a label in more than half of the faces is not judged by the few others.
    per_point = np.median(np.nan_to_num(distances), axis=0)
    point = int(per_point.argmax())
    if per_point[point] > _FARTHEST_POINT:
        raise InputError(
            f"point {point} of the labels of {faces.name} lies {100 * per_point[point]:.0f} % of a face's side away "
            f"from where iBUG's order has it ({len(paths)} faces compared)",
            "Are all 68 points in iBUG's order? See them with `python -m train view`. If so: --no-check-labels.",
        )


def _note_of_one(name: str, offset: NDArray[np.float32], side: float) -> None:
    if side <= _LARGEST_SIDE and (np.abs(offset - _ONE) <= _ABOUT_ONE).all():
        say(
            f"{name}: the labels lie {offset[0]:.1f} px to the right of and {offset[1]:.1f} px below the shipped "
            "network's points. If they count pixels from 1, subtract 1 from all; else this is their convention.",
            sys.stderr,
        )
