"""Labelled faces from CSV files of the Udacity facial-keypoints format.

Column 0 holds the file name, then x0, y0 … x67, y67 in pixels of that image, pixel centres at integers. Images are
read by content (the original archive holds PNG under .jpg names) and lose their alpha channel.

Where labels are partial, both cells of a point may be empty. Such points are NaN.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.errors import InputError
from fkp_live.geometry import box_of
from fkp_live.topology import N_POINTS
from train.data.labels import check_end, check_places, check_points
from train.data.pictures import exists, read_image
from train.data.table import Table, is_number, numbers, read_table, refuse_duplicates, shortened

# How a point was seen when it was labelled: visible, covered by something and estimated, hidden behind the face itself.
VISIBLE, COVERED, HIDDEN = 0, 1, 2

# x0, x_0, landmark_x_0, 0x, point0_x and so on, in lower case.
_NAMES = (
    re.compile(r"(?:[a-z]+_)?(?P<axis>[xy])_?(?P<number>\d{1,3})"),
    re.compile(r"(?:[a-z]+_?)?(?P<number>\d{1,3})_?(?P<axis>[xy])"),
)


@dataclass(frozen=True, slots=True, eq=False)
class FaceSet:
    """N labelled faces, usually one to an image.

    Attributes
    ----------
    name : what reports call the set
    paths : N image files
    points : (N, 68, 2) float32, image pixels; NaN where a point has no label
    visibility : (N, 68) uint8, `VISIBLE`, `COVERED` or `HIDDEN`; None where it is not known and every point has a label
    """

    name: str
    paths: tuple[Path, ...]
    points: NDArray[np.float32]
    visibility: NDArray[np.uint8] | None = None

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
        visibility = None if self.visibility is None else self.visibility[indices]
        paths = tuple(self.paths[i] for i in indices)
        return FaceSet(name or self.name, paths, self.points[indices], visibility)

    def shifted(self, offset: ArrayLike) -> FaceSet:
        """The same faces with ``offset`` (x, y in pixels) added to every point."""
        return replace(self, points=self.points + np.asarray(offset, np.float32))


def read_csv(
    csv: Path,
    images: Path | None = None,
    name: str | None = None,
    *,
    inside: bool = False,
    partial: bool = False,
) -> FaceSet:
    """Faces of one CSV file.

    Parameters
    ----------
    csv : the file; where its header row names the coordinates (x0, y0 … or x_0 …, from 0 or from 1) they may stand in
        any order, else they are x0, y0, … x67, y67, whatever the header calls them
    images : folder of the images; by default the folder beside the CSV that the layouts in use name: ``training``
        for ``training_frames_keypoints.csv``, else ``images``, else the CSV's own folder
    inside : refuse names that lead out of that folder; for files from elsewhere
    partial : whether both cells of a point may be empty: the point is NaN then, and `HIDDEN`

    Raises
    ------
    InputError
        The file cannot be read, has no header or a contradictory one, a row is short or holds text or NaN among its
        numbers, the points of a row are not a face in pixels, a name stands twice, an image is missing or the points
        lie off it. The message names file, row (the line number in the file) and column.
    """
    table = read_table(Path(csv), partial=partial)
    order = _order([cell.strip() for cell in table.header[1:]], table.csv)
    refuse_duplicates(table, [os.path.normpath(name) for name in table.names])
    if inside:
        _refuse_ways_out(table)
    points = numbers(table, partial=partial)[:, order].reshape(-1, N_POINTS, 2).astype(np.float32)
    check_points(table, points)
    check_end(table, points[-1])
    folder = Path(images) if images is not None else image_folder(table.csv)
    paths = tuple(folder / file_name for file_name in table.names)
    for row, path in enumerate(paths):
        if not exists(path):
            raise InputError(
                f"{table.csv}, row {table.lines[row]}, column 0: image {shortened(str(path), 200)} does not exist",
                "Where the pictures lie elsewhere, name their folder: --images DIR.",
            )
    check_places(table, paths, points)
    hidden = np.where(np.isnan(points[..., 0]), HIDDEN, VISIBLE).astype(np.uint8) if partial else None
    return FaceSet(name or table.csv.stem, paths, points, hidden)


def _refuse_ways_out(table: Table) -> None:
    for name, line in zip(table.names, table.lines, strict=True):
        if leads_out(name):
            raise InputError(
                f"{table.csv}, row {line}, column 0: '{shortened(name)}' leads out of the folder of the images",
                "Expected the name of a file in it.",
            )


def leads_out(name: str) -> bool:
    """Whether a name from elsewhere leads out of the folder that it is put below, on any system."""
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or any(character in name for character in "\\:\0")


def _order(header: list[str], csv: Path) -> NDArray[np.int64]:
    """Which column (after the name) holds x0, y0, … x67, y67, by the header's cells."""
    usual = np.arange(2 * N_POINTS)
    if header in ([str(k + first) for k in usual] for first in (0, 1)):
        return usual
    found = [_NAMES[0].fullmatch(cell.lower()) or _NAMES[1].fullmatch(cell.lower()) for cell in header]
    places = [2 * int(cell["number"]) + (cell["axis"] == "y") for cell in found if cell]
    for first in (0, 1):
        if sorted(places) == (usual + 2 * first).tolist():
            return np.argsort(places)
    if places or any(map(is_number, header)):
        raise InputError(
            f"{csv}: its first line does not name the columns: '{shortened(f'{header[0]},{header[1]}')},…'",
            "Expected after the name's: 0, 1, … 135, which are x0, y0, … x67, y67; or x0 … x67 and y0 … y67 by name.",
        )
    return usual


def box_of_labelled(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Tight box (4,) around those of the points (68, 2) that are not NaN."""
    return box_of(points[np.isfinite(points[:, 0])])


def image_folder(csv: Path) -> Path:
    """Where the images of a CSV file are, see `read_csv`."""
    candidates = [csv.parent / csv.stem.split("_")[0], csv.parent / "images"]
    return next((folder for folder in candidates if folder.is_dir()), csv.parent)
