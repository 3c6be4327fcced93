"""Views of a picture that the face detector runs on: reduced copies, cut into tiles where they are large.

No copy shows every size of face, and no run may take memory without bound: YuNet needs about 26 bytes a pixel, 1.2 GB
for a 4K picture in which faces of 10 pixels are to be found. So each view is given the sizes and places of the faces
that it sees whole, and only those of its detections are used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fkp_live.types import FloatArray

# Pixels. From this size of a copy on faces can be too large for the anchors, which reach about 500 pixels, so a coarser
# copy is added.
FINE_SIZE = 640
# Largest box, on its longer side, that is used from such a copy; the coarser one shows such a face with 50 pixels or
# more. Large boxes of a fine copy are often parts of a larger face, which they overlap too little to be dropped for it:
# with them 27 of 60 faces of 1,500 pixels were reported twice, and 34 of 60 of 2,000.
LARGEST = 200
# Longest side of a run. A run of 1280 x 1280 takes 54 MB and no more time per pixel than any other.
TILE_SIZE = 1280
# By how much tiles overlap, and the largest box that is used from one: every face up to this size is whole in the tile
# that its centre belongs to.
TILE_OVERLAP = 128
# The next coarser copy of one in tiles: faces of TILE_OVERLAP are 32 pixels large there, of which YuNet finds 97 %.
TILE_REDUCTION = 4.0
# Tiles also answer for centres this far beyond their share, so that none is lost between two.
_SLACK = 16.0


@dataclass(frozen=True, slots=True)
class View:
    """One run of the detector.

    Attributes
    ----------
    region : x0, y0, x1, y1 in whole pixels of the picture, x1 and y1 excluded
    size : width and height to which the region is resized, in pixels
    centres : x0, y0, x1, y1 in pixels of the picture: where the centres of the boxes lie that are used from this view
    largest : longer side of the largest box that is used, in pixels of the resized region
    """

    region: tuple[int, int, int, int]
    size: tuple[int, int]
    centres: tuple[float, float, float, float]
    largest: float

    def factor(self) -> FloatArray:
        """(2,): pixels of the picture per pixel of the resized region, along x and y."""
        x0, y0, x1, y1 = self.region
        return np.array([(x1 - x0) / self.size[0], (y1 - y0) / self.size[1]], np.float32)

    def uses(self, boxes: FloatArray) -> np.ndarray:
        """(N,) bool: which of the boxes (N, 4), in pixels of the picture, are used from this view."""
        x0, y0, x1, y1 = self.centres
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).T
        inside = (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
        return inside & (((boxes[:, 2:] - boxes[:, :2]) / self.factor()).max(1, initial=0.0) <= self.largest)


def views_of(width: int, height: int, fine: float, coarse: float) -> list[View]:
    """Views of a picture of this size, the finest first.

    Parameters
    ----------
    fine : scale of the copy that shows the smallest faces
    coarse : scale of the one that shows the largest faces, where the fine one cannot
    """
    longer = max(width, height)
    scales = [fine]
    while scales[-1] * longer > TILE_SIZE:
        scales.append(scales[-1] / TILE_REDUCTION)
    if scales[-1] * longer > FINE_SIZE and scales[-1] > coarse:
        scales.append(coarse)
    views = []
    for scale in scales:
        is_last = scale == scales[-1]
        columns, rows = _spans(width, scale), _spans(height, scale)
        is_tiled = len(columns) * len(rows) > 1
        largest = math.inf if is_last else TILE_OVERLAP if is_tiled else LARGEST
        for y0, y1, top, bottom in rows:
            for x0, x1, left, right in columns:
                size = (max(round((x1 - x0) * scale), 1), max(round((y1 - y0) * scale), 1))
                views.append(View((x0, y0, x1, y1), size, (left, top, right, bottom), largest))
    return views


def _spans(side: int, scale: float) -> list[tuple[int, int, float, float]]:
    """Tiles along one side: start, end, and the first and last centre that each answers for, in picture pixels."""
    if side * scale <= TILE_SIZE:
        return [(0, side, -math.inf, math.inf)]
    overlap = TILE_OVERLAP / scale
    count = math.ceil((side - overlap) / (TILE_SIZE / scale - overlap))
    length = (side + (count - 1) * overlap) / count
    starts = [round(i * (length - overlap)) for i in range(count)]
    ends = [min(start + math.ceil(length), side) for start in starts]
    # Neighbours share the middle of their overlap as limit.
    limits = [-math.inf, *((ends[i] + starts[i + 1]) / 2 for i in range(count - 1)), math.inf]
    slack = _SLACK / scale
    return [(starts[i], ends[i], limits[i] - slack, limits[i + 1] + slack) for i in range(count)]
