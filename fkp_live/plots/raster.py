"""Raster of who is on screen when: a row a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fkp_live.plots.figure import BLUE, VERMILLION, new_figure, time_axis, titled
from fkp_live.plots.summary import FilmSummary
from fkp_live.plots.timeline import column_edges
from fkp_live.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fkp_live.plots.columns import Curves

# Rows that a plot holds; of more faces those with the most time.
_MOST = 40


def draw_raster(curves: Curves, summary: FilmSummary, film: str, end: float) -> Figure:
    """Presence of every face over the film, which ends at ``end`` seconds; the main face is marked."""
    faces = summary.by_importance
    main = faces[0].number
    shown = sorted(face.number for face in faces[:_MOST])
    figure = new_figure(height=200 + 24 * max(len(shown), 5))
    axes = figure.add_subplot()
    for row, number in enumerate(shown):
        curve = curves.curve(number)
        edges = column_edges(curves.times[curve.first : curve.first + len(curve.presence)], curves.width)
        colour = VERMILLION if number == main else BLUE
        heights = np.repeat(0.8 * curve.presence, 2)
        axes.fill_between(edges, row + 0.4, row + 0.4 - heights, color=colour, linewidth=0)
    labels = [f"{number}{' (main)' if number == main else ''}" for number in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_ylabel("face")
    axes.grid(axis="y", visible=False)
    time_axis(axes, float(curves.times[0]), end)
    left = len(faces) - len(shown)
    more = f"; {left} more with less time" if left > 0 else ""
    titled(
        figure,
        f"{film} · who is on screen",
        f"{counted(len(faces), 'face')}{more}; height: share of the frames",
    )
    return figure
