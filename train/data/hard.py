"""Hard faces: turned, tilted and covered ones, with hand-made labels that are partly missing.

Each folder of ``hard`` below the data folder holds ``keypoints.csv`` (complete), ``keypoints_partial.csv`` (cells are
empty where a point hides behind the face itself), ``visibility.csv`` and ``images``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.topology import N_POINTS
from train.data.faces import COVERED, HIDDEN, VISIBLE, FaceSet, read_csv

# Sets of hard faces, by their folder. Nothing of them is held out.
HARD = {"hard_aflw": "merl_aflw", "hard_mtfl": "merl_mtfl"}

_EXPECTED = (
    "Expected a header row, then a row a face: name, then a point 0 (visible), 1 (covered) or 2 (hidden)."
)


def read_hard(folder: Path, name: str) -> FaceSet:
    """Hard faces of one folder.

    Raises
    ------
    InputError
        As `read_csv`; or visibility.csv lacks a face, or holds anything but 0, 1 and 2.
    """
    parts = [
        read_csv(folder / f"{stem}.csv", folder / "images", partial=True)
        for stem in ("keypoints", "keypoints_partial")
    ]
    points = np.concatenate([part.points for part in parts])
    paths = tuple(path for part in parts for path in part.paths)
    noted = _visibility(folder / "visibility.csv", [path.name for path in paths])
    # A label may have been removed after the visibility was noted.
    visibility = np.where(np.isnan(points[..., 0]), HIDDEN, noted).astype(np.uint8)
    return FaceSet(name, paths, points, visibility)


def _visibility(csv: Path, names: list[str]) -> NDArray[np.int64]:
    """Visibility (N, 68) of the named faces."""
    try:
        table = pd.read_csv(csv, index_col=0).loc[names].to_numpy()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"cannot read the visibility of points from {csv}: {error}", _EXPECTED) from error
    if table.shape != (len(names), N_POINTS) or not np.isin(table, (VISIBLE, COVERED, HIDDEN)).all():
        raise InputError(
            f"{csv}: expected 0, 1 or 2 for each of {N_POINTS} points of {len(names)} faces, got other values",
            _EXPECTED,
        )
    return np.asarray(table, np.int64)
