"""Plot of the clinical measures of a face: right and left over time, and how far the sides differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.faces.symmetry import ANGLE, FAI, MEASURES, NAMES
from fkp_live.plots.clinical import FRONTAL_DEG, ClinicalObserved, Sides, found_share, unit_of
from fkp_live.plots.figure import BLUE, FAINT, LINE, ORANGE, VERMILLION, new_figure, time_axis, titled
from fkp_live.plots.timeline import draw_channels
from fkp_live.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_clinical(seen: ClinicalObserved, number: int) -> Figure:
    """A row a measure: right and left over time, median and quartiles of the deviation, and the numbers in words.

    Raises
    ------
    InputError : the face never looks at the camera
    """
    sides = seen.sides(number)
    if not sides.frames:
        raise InputError(
            f"Face {number} of {seen.name} never looks within {FRONTAL_DEG:.0f} degrees of the camera: "
            "the sides of turned heads cannot be compared.",
            "Choose another face with --face, or record the person from the front.",
        )
    figure = new_figure(height=180 + 136 * len(NAMES))
    grid = figure.add_gridspec(
        1 + len(NAMES), 3, width_ratios=[5, 2.2, 2.6], height_ratios=[0.15, *[1] * len(NAMES)]
    )
    head = figure.add_subplot(grid[0, :])
    head.axis("off")
    curve = seen.curves.curve(number)
    unit = unit_of(seen.eyes_mm)
    lengths = np.arange(len(NAMES)) != ANGLE
    reach, last = _reach(sides, lengths), len(NAMES) - 1
    rows: list[Axes] = []
    for place, name in enumerate(NAMES):
        lines = figure.add_subplot(grid[1 + place, 0], sharex=rows[0] if rows else None)
        bars, words = (figure.add_subplot(grid[1 + place, column]) for column in (1, 2))
        rows.append(lines)
        channels = {2 * place: ("right", BLUE), 2 * place + 1: ("left", ORANGE)}
        draw_channels(lines, seen.curves, curve, channels)
        lines.tick_params(labelbottom=place == last)
        if (legend := lines.get_legend()) is not None:
            legend.remove()
        own = "degrees" if place == ANGLE else unit
        lines.set_ylabel(own, fontsize=9)
        lines.set_title(f"{name}: {MEASURES[name]}", loc="left", fontsize=9)
        _draw_deviation(bars, sides, place, _reach(sides, ~lengths) if place == ANGLE else reach)
        bars.tick_params(labelbottom=place in (ANGLE, last))
        _write(words, sides, place, own)
    bars.set_xlabel(f"left minus right ({unit}):\nmedian and quartiles")
    head.legend(*rows[0].get_legend_handles_labels(), loc="lower right", ncols=2)
    time_axis(rows[-1], float(seen.curves.times[0]), seen.end)
    points = (
        "points before smoothing"
        if sides.raw
        else "points as recorded, maybe smoothed: there are no raw ones"
    )
    note = f"{points}; {counted(sides.frames, 'frame')} with the head turned by at most {FRONTAL_DEG:.0f}°"
    if seen.eyes_mm is not None:
        note += f"; outer eye corners {seen.eyes_mm:g} mm apart"
    titled(figure, f"{seen.name} · face {number} · clinical measures", note)
    figure.align_ylabels(rows)
    return figure


def _reach(sides: Sides, chosen: NDArray[np.bool_]) -> float:
    """Half the width of the deviations' axis, for some of the measures."""
    both = np.abs(np.concatenate([sides.spread[chosen].ravel(), sides.deviation[chosen]]))
    return 1.15 * float(np.nanmax(both, initial=1e-3))


def _draw_deviation(axes: Axes, sides: Sides, place: int, reach: float) -> None:
    """A bar to the median of left minus right, and a line over its quartiles."""
    value = float(sides.deviation[place])
    low, high = sides.spread[place].tolist()
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.axvline(0, color=FAINT, linewidth=1)
    if math.isfinite(value):
        axes.barh(0, value, height=0.8, color=VERMILLION, alpha=0.7)
        axes.plot([low, high], [0, 0], color=LINE, linewidth=2, solid_capstyle="butt")


def _write(axes: Axes, sides: Sides, place: int, unit: str) -> None:
    """The medians in words, and how much of a true difference they show."""
    digits = 1 if unit in ("degrees", "mm") else 3
    right, left = sides.sides[place].tolist()
    deviation, ratio = float(sides.deviation[place]), float(sides.ratio[place])
    share = found_share(NAMES[place])
    text = (
        f"right {_number(right, digits)}   left {_number(left, digits)}\n"
        f"deviation {_number(deviation, digits, sign=True)}   ratio {_number(ratio, 2)}\n"
        + (f"shows {share} of a true difference" if share else "share of a true difference: unknown")
    )
    if place == FAI:
        text += f"\nfai {_number(sides.fai, digits)}"
    axes.axis("off")
    axes.text(0.0, 0.5, text, transform=axes.transAxes, va="center", fontsize=10)


def _number(value: float, digits: int, *, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}"
