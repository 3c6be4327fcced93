"""Scene cuts: a sudden change of the whole picture, seen on a coarse grid of luma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.tracker_options import TrackerOptions


class SceneCut:
    """Compares each picture with the one before.

    A cut is a mean change that is large in itself and compared with the usual change of this stream, so that neither
    sensor noise nor a shaking camera is one. A flash is one.

    Parameters
    ----------
    options : ``cut_levels``, ``cut_ratio``, ``cut_usual_share`` and ``cut_grid`` are used
    """

    def __init__(self, options: TrackerOptions) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """Forget the last picture and the usual change."""
        self._grid: NDArray[np.int16] | None = None
        self._shape: tuple[int, ...] = ()
        self._usual = 0.0

    def __call__(self, luma: NDArray[np.uint8]) -> bool:
        """Whether ``luma`` (H, W) uint8 begins another scene than the picture before; False for the first one."""
        options = self._options
        height, width = luma.shape
        rows, columns = max(height // options.cut_grid, 1), max(width // options.cut_grid, 1)
        grid = luma[rows // 2 :: rows, columns // 2 :: columns].astype(np.int16)
        last, self._grid = self._grid, grid
        last_shape, self._shape = self._shape, luma.shape
        if last is None:
            return False
        if last_shape != luma.shape:
            return True
        change = float(np.abs(grid - last).sum()) / grid.size
        is_cut = change > max(options.cut_levels, options.cut_ratio * self._usual)
        self._usual += options.cut_usual_share * (change - self._usual)
        return is_cut
