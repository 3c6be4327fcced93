"""Photographs of real faces with points checked by hand, and the same faces with their eyes shut."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from fkp_live.topology import (
    LEFT_EYE_INNER,
    LEFT_EYE_LIDS,
    LEFT_EYE_OUTER,
    RIGHT_EYE_INNER,
    RIGHT_EYE_LIDS,
    RIGHT_EYE_OUTER,
)
from fkp_live.types import Image

FOLDER = Path(__file__).parent
NAMES = ("astronaut", "hopper")
_EYES = (
    (RIGHT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_EYE_LIDS),
    (LEFT_EYE_OUTER, LEFT_EYE_INNER, LEFT_EYE_LIDS),
)


def photograph(name: str) -> Image:
    """(H, W, 3) BGR; see CREDITS.md for the origin."""
    if name == "astronaut":
        return np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
    return np.asarray(cv2.imread(str(FOLDER / f"{name}.jpg")), np.uint8)


def checked_points() -> dict[str, np.ndarray]:
    """Name -> (68, 2) points in pixels of the photograph, iBUG order, placed by eye on enlarged crops."""
    with (FOLDER / "points.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: np.array([[row[f"x_{i}"], row[f"y_{i}"]] for i in range(68)], float) for row in rows}


def eyes_shut(image: Image, points: np.ndarray, share: float = 1.0) -> Image:
    """The photograph with the upper lids drawn down to the lower ones, or by a ``share`` of the way.

    The skin between brow and upper lid is stretched down column by column; the lashes come to lie on the lower lid.
    """
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    source = rows.copy()
    for outer, inner, lids in _EYES:
        ends = points[[outer, inner]]
        upper, lower = (
            _arc(points[[outer, *(pair[side] for pair in lids), inner]], columns) for side in (0, 1)
        )
        across = (columns > ends[:, 0].min()) & (columns < ends[:, 0].max())
        opening = np.where(across, np.maximum(lower - upper, 0.0), 0.0) * share
        top = upper - 1.2 * opening.max()
        edge = upper + opening
        stretched = top + (rows - top) * (upper - top) / np.maximum(edge - top, 1e-3)
        source = np.where((opening > 0) & (rows > top) & (rows < edge), stretched, source)
    return np.asarray(cv2.remap(image, columns, source.astype(np.float32), cv2.INTER_CUBIC), np.uint8)


def _arc(points: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Height of the cubic through four points (x, y), in every column."""
    middle = points[:, 0].mean()
    return np.polyval(np.polyfit(points[:, 0] - middle, points[:, 1], 3), columns - middle)
