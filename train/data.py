"""Labelled faces from CSV files of the Udacity facial-keypoints format.

Column 0 holds the file name, then x0, y0 … x67, y67 in pixels of that image, pixel centres at integers. Images are
read by content (the original archive holds PNG under .jpg names) and lose their alpha channel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from fkp_live.errors import InputError
from fkp_live.topology import N_POINTS

_COLUMNS = 1 + 2 * N_POINTS


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """N labelled faces, one to an image.

    Attributes
    ----------
    name : what reports call the set
    paths : N image files
    points : (N, 68, 2) float32, image pixels
    """

    name: str
    paths: tuple[Path, ...]
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def names(self) -> list[str]:
        """File names without folders."""
        return [path.name for path in self.paths]

    def image(self, index: int) -> NDArray[np.uint8]:
        """Face ``index`` as (H, W, 3) uint8 BGR."""
        return read_image(self.paths[index])

    def select(self, chosen: ArrayLike, name: str | None = None) -> FaceSet:
        """The faces at the given indices, or where the given mask is true."""
        chosen = np.asarray(chosen)
        indices = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(int)
        return FaceSet(name or self.name, tuple(self.paths[i] for i in indices), self.points[indices])

    def shifted(self, offset: ArrayLike) -> FaceSet:
        """The same faces with ``offset`` (x, y in pixels) added to every point."""
        return FaceSet(self.name, self.paths, self.points + np.asarray(offset, np.float32))


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as (H, W, 3) uint8 BGR, whatever its extension says.

    Raises
    ------
    InputError
        The file is missing or is not an image.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"cannot read image {path}: {error.strerror}") from error
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise InputError(f"{path} is not an image that can be decoded (JPEG or PNG expected)")
    return np.asarray(image, np.uint8)


def read_csv(csv: Path, images: Path | None = None, name: str | None = None) -> FaceSet:
    """Faces of one CSV file.

    Parameters
    ----------
    csv : the file, with a header row
    images : folder of the images; by default the folder beside the CSV that the layouts in use name: ``training``
        for ``training_frames_keypoints.csv``, else ``images``, else the CSV's own folder

    Raises
    ------
    InputError
        The file cannot be read, a row is short or holds text or NaN among its numbers, a name stands twice, an
        image is missing. The message names file, row (the line number in the file) and column.
    """
    csv = Path(csv)
    try:
        table = pd.read_csv(csv, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except FileNotFoundError as error:
        raise InputError(
            f"no such data set: {csv}", "Expected a CSV file: name, x0, y0, … x67, y67."
        ) from error
    except (OSError, ValueError, UnicodeDecodeError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InputError(
            f"{csv} cannot be read as CSV: {first_line}",
            f"Expected {_COLUMNS} columns: name, x0, y0, … x67, y67.",
        ) from error
    if table.shape[1] != _COLUMNS:
        raise InputError(
            f"{csv} has {table.shape[1]} columns, expected {_COLUMNS}", "Expected: name, x0, y0, … x67, y67."
        )
    if table.empty:
        raise InputError(f"{csv} holds no faces, only a header", "Expected one row a face.")
    points = _numbers(table, csv)
    names = table.iloc[:, 0].tolist()
    _refuse_duplicates(names, csv)
    folder = Path(images) if images is not None else _image_folder(csv)
    paths = tuple(folder / file_name for file_name in names)
    for row, path in enumerate(paths):
        if not path.is_file():
            raise InputError(
                f"{csv}, row {row + 2}, column 0: image {path} does not exist",
                "Name the folder of the images if it is another one.",
            )
    return FaceSet(name or csv.stem, paths, points.reshape(-1, N_POINTS, 2))


def _numbers(table: pd.DataFrame, csv: Path) -> NDArray[np.float32]:
    text = table.iloc[:, 1:]
    values = text.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (int(v) for v in bad[0])
        found = text.iat[row, column]
        what = f"'{found}'" if found else "nothing (a short row?)"
        raise InputError(
            f"{csv}, row {row + 2}, column {column + 1}: {what} where a coordinate in pixels was expected",
            f"Every row needs a file name and {2 * N_POINTS} finite numbers.",
        )
    return values.astype(np.float32)


def _refuse_duplicates(names: Sequence[str], csv: Path) -> None:
    first_row: dict[str, int] = {}
    for row, name in enumerate(names):
        if not name:
            raise InputError(f"{csv}, row {row + 2}, column 0: no file name")
        if name in first_row:
            raise InputError(
                f"{csv}, row {row + 2}, column 0: '{name}' stands in row {first_row[name] + 2} already",
                "One row an image: remove one of the two.",
            )
        first_row[name] = row


def _image_folder(csv: Path) -> Path:
    candidates = [csv.parent / csv.stem.split("_")[0], csv.parent / "images"]
    return next((folder for folder in candidates if folder.is_dir()), csv.parent)


def person_of(name: str) -> str:
    """Person in a file name of YouTube Faces: ``Bill_Frist_21.jpg`` -> ``Bill_Frist``."""
    return re.sub(r"_?\d+\.\w+$", "", name)


def splits(root: Path) -> dict[str, FaceSet]:
    """The data sets under ``root`` (folders ``udacity`` and ``wild``) with the hold-outs taken out of training.

    Returns
    -------
    dict
        ``udacity_train`` (persons of ``unseen_persons.txt`` removed), ``udacity_test`` (all 770 official faces),
        ``unseen`` (the test faces of the held-out persons), ``wild_train`` and ``wild_val`` (``val.txt``).
        Labels are as in the files: no offset is taken off.
    """
    root = Path(root)
    udacity, wild = root / "udacity", root / "wild"
    train = read_csv(udacity / "training_frames_keypoints.csv", name="udacity_train")
    test = read_csv(udacity / "test_frames_keypoints.csv", name="udacity_test")
    unseen = set(_lines(udacity / "unseen_persons.txt"))
    everything_wild = read_csv(wild / "keypoints.csv", name="wild")
    held_out = set(_lines(wild / "val.txt"))
    in_val = np.array([name in held_out for name in everything_wild.names])
    return {
        "udacity_train": train.select([person_of(name) not in unseen for name in train.names]),
        "udacity_test": test,
        "unseen": test.select([person_of(name) in unseen for name in test.names], "unseen"),
        "wild_train": everything_wild.select(~in_val, "wild_train"),
        "wild_val": everything_wild.select(in_val, "wild_val"),
    }


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError as error:
        raise InputError(
            f"cannot read the list of held-out names {path}: {error.strerror}", "One name a line."
        ) from error
