"""The plot of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fkp_live.plots.observed import DIFFERENCES, SHARES, Observed
from fkp_live.plots.path import draw_path
from fkp_live.plots.raster import draw_raster
from fkp_live.plots.shape import draw_shape
from fkp_live.plots.timeline import draw_symmetry, draw_timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(kind: str, seen: Observed, number: int) -> Figure:
    """A plot of a face, ``kind`` being one of `choices.PLOT_KINDS`; inside of `figure.style`."""
    if kind == "timeline":
        return draw_timeline(seen.curves, number, seen.name, seen.end, SHARES)
    if kind == "raster":
        return draw_raster(seen.curves, seen.summary, seen.name, seen.end)
    if kind == "shape":
        shape, frontal = seen.shape(number)
        return draw_shape(shape, seen.name, number, frontal=frontal)
    if kind == "path":
        return draw_path(seen.path(number), seen.size, seen.name, number)
    return draw_symmetry(seen.curves, number, seen.name, seen.end, DIFFERENCES)
