"""Labelled faces from a folder of .pts files, the format of 300-W, each with its picture of the same name beside it.

Coordinates in a .pts file count from 1: 1 is taken off each.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.sources.spec import PICTURE_SUFFIXES
from fkp_live.topology import N_POINTS
from train.data.faces import FaceSet
from train.data.labels import check_places, check_points
from train.data.table import shortened

SUFFIX = ".pts"
_EXPECTED = (
    f"Expected: version: 1, n_points: {N_POINTS}, {{, a line x y for each point in pixels counted from 1, }}."
)
_PICTURE = (
    "Each .pts file needs its picture beside it: face.pts and face.jpg or face.png. "
    "Where the pictures lie elsewhere, name their folder: --images DIR."
)
# A .pts file of 68 points has 1 to 3 kB.
_MOST_BYTES = 1 << 20
# No picture is this large: a coordinate beyond it, in pixels, is a mistake.
_FARTHEST = 1e6


@dataclass(frozen=True, slots=True)
class _Files:
    """Where the faces of a folder are from."""

    files: list[Path]
    pictures: list[Path]

    @property
    def names(self) -> list[str]:
        return [path.name for path in self.pictures]

    def place(self, row: int) -> str:
        return str(self.files[row])


def read_pts_folder(folder: Path, images: Path | None = None, name: str | None = None) -> FaceSet:
    """The faces of a folder: a .pts file each, sorted by name. Other files, and folders in it, are not read.

    ``images``: folder of the pictures, by default the same one.

    Raises
    ------
    InputError
        There is no .pts file, one cannot be read or lacks its picture, or its points are not a face in pixels on it.
        The message names the file.
    """
    folder = Path(folder)
    found = _listed(folder)
    files = [path for path in found if path.suffix.lower() == SUFFIX]
    if not files:
        raise InputError(f"{folder} holds no .pts file", _PICTURE)
    pictures: dict[str, list[Path]] = {}
    for path in found if images is None else _listed(Path(images)):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            pictures.setdefault(path.stem, []).append(path)
    beside = [_picture(path, pictures.get(path.stem, []), images) for path in files]
    points = np.stack([read_pts(path) for path in files])
    labels = _Files(files, beside)
    check_points(labels, points)
    check_places(labels, beside, points)
    return FaceSet(name or folder.stem, tuple(beside), points)


def read_pts(path: Path) -> NDArray[np.float32]:
    """The points (68, 2) of one .pts file, in pixels from 0.

    Raises
    ------
    InputError
        It cannot be read, or is not 68 points; the message names file and line.
    """
    lines = [
        (number, line.strip()) for number, line in enumerate(_text(path).splitlines(), 1) if line.strip()
    ]
    head = [re.sub(r"\s+", "", line).lower() for _, line in lines[:3]]
    if len(head) < 3 or not head[0].startswith("version:") or head[2] != "{":
        raise InputError(
            f"{path} is not a .pts file: its first lines are not version, n_points and {{", _EXPECTED
        )
    if head[1] != f"n_points:{N_POINTS}":
        raise InputError(
            f"{path}, line {lines[1][0]}: '{shortened(lines[1][1])}', but the network has {N_POINTS} points",
            _EXPECTED,
        )
    if lines[-1][1] != "}":
        raise InputError(f"{path} ends without }}: was it cut off?", _EXPECTED)
    body = lines[3:-1]
    if len(body) != N_POINTS:
        raise InputError(f"{path} holds {len(body)} points, expected {N_POINTS}", _EXPECTED)
    points = [_point(path, number, line) for number, line in body]
    # 300-W counts pixels from 1.
    return (np.array(points, np.float64) - 1.0).astype(np.float32)


def _point(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        x, y = (float(word) if "_" not in word else math.nan for word in line.split())
    except ValueError:
        x = y = math.nan
    if not (abs(x) <= _FARTHEST and abs(y) <= _FARTHEST):
        raise InputError(
            f"{path}, line {number}: expected x and y in pixels, got '{shortened(line)}'", _EXPECTED
        )
    return x, y


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", _EXPECTED) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text", _EXPECTED) from error


def _listed(folder: Path) -> list[Path]:
    """What a folder holds, by name; hidden files are omitted."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", _PICTURE) from error


def _picture(path: Path, found: list[Path], images: Path | None) -> Path:
    where = "beside it" if images is None else f"in {images}"
    if not found:
        raise InputError(f"there is no picture of {path} {where}", _PICTURE)
    if len(found) > 1:
        raise InputError(
            f"{path} has several pictures {where}: {', '.join(one.name for one in found)}",
            "Keep one of them, and move the others away.",
        )
    return found[0]
