"""Labelled faces from a COCO keypoints file: a JSON of images, annotations and a category of 68 points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.topology import N_POINTS
from train.data.faces import COVERED, HIDDEN, VISIBLE, FaceSet
from train.data.labels import check_places, check_points
from train.data.pictures import exists
from train.data.table import shortened

_EXPECTED = (
    f"Expected COCO keypoints: images (id, file_name), and annotations (image_id, keypoints: x, y, v of {N_POINTS} "
    "points in iBUG's order, v being 0, 1 or 2)."
)
# What a point is, by its v: not labelled, labelled but covered, visible.
_SEEN = np.array([HIDDEN, COVERED, VISIBLE], np.uint8)
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True)
class _Annotations:
    """Where the faces of a file are from."""

    file: Path
    ids: list[Any]
    names: list[str]

    def place(self, row: int) -> str:
        return f"{self.file}, annotation {self.ids[row]}"


def read_coco(path: Path, images: Path | None = None, name: str | None = None) -> FaceSet:
    """The faces of one file, several to an image where there are several.

    Points with v = 0 have no label (NaN), those with v = 1 count as covered. Annotations without a labelled point,
    those of crowds, and those of other categories are skipped.

    Parameters
    ----------
    images : folder of the images; by default the folder beside the file with its name less ``.json``, else
        ``images``, else the file's own folder

    Raises
    ------
    InputError
        The file cannot be read or is not COCO keypoints of 68 points, the points of an annotation are not a face in
        pixels, an image is missing or the points lie off it. The message names file and annotation.
    """
    path = Path(path)
    content = _content(path)
    file_names = {one["id"]: one["file_name"] for one in _list(path, content, "images", ("id", "file_name"))}
    others = _other_categories(path, content)
    ids, names, values = [], list[str](), list[NDArray[np.float64]]()
    for one in _list(path, content, "annotations", ("id", "image_id")):
        if one.get("category_id") in others or one.get("iscrowd") or one.get("num_keypoints") == 0:
            continue
        place = f"{path}, annotation {one['id']}"
        if one["image_id"] not in file_names:
            raise InputError(f"{place}: there is no image {shortened(str(one['image_id']))}", _EXPECTED)
        keypoints = _keypoints(place, one.get("keypoints"))
        if not keypoints[:, 2].any():
            continue
        ids.append(one["id"])
        names.append(str(file_names[one["image_id"]]))
        values.append(keypoints)
    if not values:
        raise InputError(f"{path} holds no face with labels", _EXPECTED)
    seen = np.stack(values)
    labelled = seen[..., 2] > 0
    points = np.where(labelled[..., None], seen[..., :2], np.nan).astype(np.float32)
    labels = _Annotations(path, ids, names)
    check_points(labels, points)
    folder = Path(images) if images is not None else _image_folder(path)
    paths = tuple(folder / file_name for file_name in names)
    for row, picture in enumerate(paths):
        if not exists(picture):
            raise InputError(
                f"{labels.place(row)}: image {shortened(str(picture), 200)} does not exist",
                "Put the images into a folder beside the file, with its name or called images; or give --images DIR.",
            )
    check_places(labels, paths, points)
    visibility = _SEEN[seen[..., 2].astype(int)]
    # As of every set with complete labels.
    all_seen = bool((visibility == VISIBLE).all())
    return FaceSet(name or path.stem, paths, points, None if all_seen else visibility)


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"no such data set: {path}", _EXPECTED) from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", _EXPECTED) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", _EXPECTED) from error
    if not isinstance(content, Mapping):
        raise InputError(f"{path} is not COCO keypoints: it has no keys", _EXPECTED)
    return content


def _list(path: Path, content: Mapping[str, Any], key: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    """The objects under a key, each with the keys ``needed``, whose values can be looked up."""
    found = content.get(key)
    if not isinstance(found, list):
        raise InputError(f"{path} has no list '{key}'", _EXPECTED)
    for number, one in enumerate(found):
        for inner in needed:
            if not isinstance(one, dict) or not isinstance(one.get(inner), (int, str)):
                raise InputError(f"{path}: {inner} is missing in number {number} of '{key}'", _EXPECTED)
    return found


def _other_categories(path: Path, content: Mapping[str, Any]) -> set[Any]:
    """Ids of categories that do not have 68 points. InputError where no category has."""
    categories = [one for one in content.get("categories", ()) if isinstance(one, dict)]
    counts = {
        one["id"]: len(one["keypoints"]) if isinstance(one.get("keypoints"), list) else 0
        for one in categories
        if isinstance(one.get("id"), (int, str))
    }
    if counts and N_POINTS not in counts.values():
        raise InputError(
            f"{path} has categories of {', '.join(str(count) for count in sorted(set(counts.values())))} points, "
            f"expected one of {N_POINTS}",
            _EXPECTED,
        )
    return {number for number, count in counts.items() if count != N_POINTS}


def _keypoints(place: str, given: Any) -> NDArray[np.float64]:
    """(68, 3): x, y, v."""
    count = len(given) if isinstance(given, list) else 0
    if count != 3 * N_POINTS:
        raise InputError(f"{place}: {count} numbers under 'keypoints', expected {3 * N_POINTS}", _EXPECTED)
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in given)
    try:
        values = np.array(given if numeric else np.nan, np.float64) * np.ones(count)
    except OverflowError:  # a whole number of hundreds of digits
        values = np.full(count, np.nan)
    values = values.reshape(N_POINTS, 3)
    if not ((np.abs(values[:, :2]) <= _FARTHEST).all() and np.isin(values[:, 2], (0, 1, 2)).all()):
        raise InputError(f"{place}: 'keypoints' are not x, y in pixels and v of 0, 1 or 2", _EXPECTED)
    return values


def _image_folder(path: Path) -> Path:
    candidates = (path.with_suffix(""), path.parent / "images")
    return next((folder for folder in candidates if folder.is_dir()), path.parent)
