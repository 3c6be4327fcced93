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
from fkp_live.metrics import inter_ocular
from fkp_live.topology import N_POINTS

_COLUMNS = 1 + 2 * N_POINTS
_EXPECTED = "Expected a header row, then one row per face: name, x0, y0, … x67, y67."
# A coordinate beyond it, in pixels, is a mistake: no picture is this large.
_FARTHEST = 1e6


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
    """An image file as (H, W, 3) uint8 BGR, whatever its extension.

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
    csv : the file; where its header row names the coordinates (x0, y0 … or x_0 …) they may stand in any order, else
        they are x0, y0, … x67, y67, whatever their names in the header
    images : folder of the images; by default the folder beside the CSV that the layouts in use name: ``training``
        for ``training_frames_keypoints.csv``, else ``images``, else the CSV's own folder

    Raises
    ------
    InputError
        The file cannot be read, has no header or a contradictory one, a row is short or holds text or NaN among its
        numbers, a face has no eye distance, a name is there twice, an image is missing. The message names file, row
        (the line number in the file) and column.
    """
    csv = Path(csv)
    try:
        table = pd.read_csv(csv, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except FileNotFoundError as error:
        raise InputError(f"no such data set: {csv}", _EXPECTED) from error
    except (OSError, ValueError, UnicodeDecodeError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise InputError(f"{csv} cannot be read as CSV: {first_line}", _EXPECTED) from error
    if table.shape[1] != _COLUMNS:
        raise InputError(f"{csv} has {table.shape[1]} columns, expected {_COLUMNS}", _EXPECTED)
    order = _order([cell.strip() for cell in table.iloc[0, 1:]], csv)
    filled = np.flatnonzero((table != "").any(axis=1))
    table = table.iloc[1 : filled[-1] + 1]  # blank lines at the end are not faces
    if table.empty:
        raise InputError(f"{csv} holds no faces, only a header", _EXPECTED)
    names = table.iloc[:, 0].tolist()
    _refuse_duplicates(names, csv)
    points = _numbers(table, csv)[:, order].reshape(-1, N_POINTS, 2)
    flat = np.flatnonzero(inter_ocular(points) < 1e-3)
    if len(flat):
        row = int(flat[0])
        raise InputError(
            f"{csv}, row {row + 2}: the outer eye corners of '{names[row]}' (points 36 and 45) are the same point",
            "Correct the labels or remove the row.",
        )
    folder = Path(images) if images is not None else image_folder(csv)
    paths = tuple(folder / file_name for file_name in names)
    for row, path in enumerate(paths):
        if not path.is_file():
            raise InputError(
                f"{csv}, row {row + 2}, column 0: image {path} does not exist",
                "Name the folder of the images if it is another one.",
            )
    return FaceSet(name or csv.stem, paths, points)


def _order(header: list[str], csv: Path) -> NDArray[np.int64]:
    """Which column (after the name) holds x0, y0, … x67, y67, by the header's cells."""
    usual = np.arange(2 * N_POINTS)
    if header in ([str(k + first) for k in usual] for first in (0, 1)):
        return usual
    found = [re.fullmatch(r"([xy])_?(\d+)", cell) for cell in header]
    places = [2 * int(cell[2]) + (cell[1] == "y") for cell in found if cell]
    if sorted(places) == usual.tolist():
        return np.argsort(places)
    if places or any(re.fullmatch(r"-?\d+(\.\d*)?", cell) for cell in header):
        raise InputError(
            f"{csv}: its first line does not name the columns: '{header[0]},{header[1]},…'",
            "Expected after the name's: 0, 1, … 135, which are x0, y0, … x67, y67; or x0 … x67 and y0 … y67 by name.",
        )
    return usual


def _numbers(table: pd.DataFrame, csv: Path) -> NDArray[np.float32]:
    text = table.iloc[:, 1:]
    values = text.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = np.argwhere(~(np.abs(values) <= _FARTHEST))
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
                f"{csv}, row {row + 2}, column 0: '{name}' is in row {first_row[name] + 2} already",
                "One row per image: remove one of the two.",
            )
        first_row[name] = row


def image_folder(csv: Path) -> Path:
    """Where the images of a CSV file are, see `read_csv`."""
    candidates = [csv.parent / csv.stem.split("_")[0], csv.parent / "images"]
    return next((folder for folder in candidates if folder.is_dir()), csv.parent)
