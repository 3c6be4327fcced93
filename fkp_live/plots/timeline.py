"""Timeline of one face: eyes with blinks, mouth, head pose, and when it was on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fkp_live.plots.columns import Curve, Curves
from fkp_live.plots.figure import (
    BLUE,
    FAINT,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    new_figure,
    time_axis,
    titled,
)
from fkp_live.plots.readings import LEFT_EYE, MOUTH, MOUTH_WIDTH, PITCH, RIGHT_EYE, ROLL, YAW
from fkp_live.types import EXPRESSIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of `EXPRESSIONS`.
_COLOURS = (FAINT, ORANGE, SKY, BLUE, VERMILLION, GREEN, PURPLE)


def draw_timeline(curves: Curves, number: int, film: str, end: float, first_share: int) -> Figure:
    """The curves of one face over the whole film, which ends at ``end`` seconds.

    ``first_share``: channel of the first probability of `EXPRESSIONS`; they are drawn where the recording has them.
    """
    curve = curves.curve(number)
    shown = curve.mean[:, first_share : first_share + len(EXPRESSIONS)]
    heights = [3, 3, 4, 0.8]
    if np.isfinite(shown).any():
        heights.insert(3, 3)
    figure = new_figure(height=900 if len(heights) == 4 else 1100)
    eyes, mouth, pose, *between, presence = figure.subplots(
        len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    shade_blinks(eyes, curves, curve)
    draw_channels(eyes, curves, curve, {RIGHT_EYE: ("right eye", BLUE), LEFT_EYE: ("left eye", ORANGE)})
    eyes.set_ylabel("eyes open\n(height / width)")
    eyes.set_ylim(bottom=0)
    mouth_lines = {
        MOUTH: ("open (height / width)", VERMILLION),
        MOUTH_WIDTH: ("width (eye distances)", GREEN),
    }
    draw_channels(mouth, curves, curve, mouth_lines)
    mouth.set_ylabel("mouth (ratio)")
    mouth.set_ylim(bottom=0)
    draw_channels(
        pose, curves, curve, {YAW: ("yaw", BLUE), PITCH: ("pitch", VERMILLION), ROLL: ("roll", GREEN)}
    )
    pose.set_ylabel("head pose (degrees)")
    times = curves.times[curve.first : curve.first + len(curve.presence)]
    edges = column_edges(times, curves.width)
    for axes in between:
        _draw_expressions(axes, edges, shown)
    presence.fill_between(edges, 0, np.repeat(curve.presence, 2), color=PURPLE, linewidth=0)
    presence.set_ylim(0, 1)
    presence.set_yticks([0, 1], ["0", "1"])
    presence.set_ylabel("on screen")
    time_axis(presence, float(curves.times[0]), end)
    titled(figure, f"{film} · face {number}", _note(curves))
    figure.align_ylabels()
    return figure


def _draw_expressions(axes: Axes, edges: NDArray[np.float64], shown: NDArray[np.float32]) -> None:
    """Stacked probabilities (n, 7), column by column, so that gaps stay gaps."""
    tops = np.repeat(np.cumsum(shown, 1), 2, 0)
    bottoms = tops - np.repeat(shown, 2, 0)
    # Between two columns that do not touch nothing is drawn.
    apart = np.r_[False, np.diff(edges) > 1e-9]
    apart[1::2] = False
    places = np.flatnonzero(apart)
    edges = np.insert(edges, places, edges[places])
    for number, (name, colour) in enumerate(zip(EXPRESSIONS, _COLOURS, strict=True)):
        low, high = (np.insert(part[:, number], places, np.nan) for part in (bottoms, tops))
        axes.fill_between(edges, low, high, color=colour, linewidth=0, label=name)
    axes.set_ylim(0, 1)
    axes.set_ylabel("expression\n(probability)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(EXPRESSIONS), borderaxespad=0)


def draw_channels(axes: Axes, curves: Curves, curve: Curve, channels: dict[int, tuple[str, str]]) -> None:
    """Lines of some channels: number -> name and colour. Of joined columns the mean, in a paler band of the range."""
    x = curves.middles[curve.first : curve.first + len(curve.mean)]
    for channel, (name, colour) in channels.items():
        y = curve.mean[:, channel]
        axes.plot(x, y, color=colour, linewidth=1.1, label=name)
        if curves.joined:
            axes.fill_between(
                x, curve.low[:, channel], curve.high[:, channel], color=colour, alpha=0.3, linewidth=0
            )
        # A dot where a reading stands alone between gaps; a line would not show it.
        alone = np.isfinite(y) & ~np.isfinite(np.r_[np.nan, y[:-1]]) & ~np.isfinite(np.r_[y[1:], np.nan])
        axes.plot(x[alone], y[alone], ".", color=colour, markersize=4)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(channels) + 1, borderaxespad=0)


def shade_blinks(axes: Axes, curves: Curves, curve: Curve) -> None:
    """Shade where eyes are shut, the darker the larger the share of a column's frames."""
    from matplotlib.collections import PolyCollection

    shut = np.flatnonzero(curve.shut > 0)
    if not len(shut):
        return
    edges = column_edges(curves.times[curve.first : curve.first + len(curve.shut)], curves.width)
    boxes = [
        [(a, 0), (b, 0), (b, 1), (a, 1)]
        for a, b in zip(edges[2 * shut].tolist(), edges[2 * shut + 1].tolist(), strict=True)
    ]
    colours = [(0.4, 0.4, 0.4, 0.15 + 0.45 * float(share)) for share in curve.shut[shut]]
    axes.add_collection(
        PolyCollection(
            boxes, facecolors=colours, linewidths=0, transform=axes.get_xaxis_transform(), label="eyes shut"
        ),
        autolim=False,
    )


def column_edges(times: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """(2 n,) begin and end of each column: to the next one's begin, where that is near."""
    steps = np.diff(times)
    usual = float(np.median(steps)) if len(steps) else width
    ends = times + np.minimum(np.r_[steps, usual], max(3 * usual, width))
    return np.stack([times, ends], 1).ravel()


def _note(curves: Curves) -> str:
    if not curves.joined:
        return "every frame; grey: eyes shut"
    return f"mean and range of every {curves.width:.2g} s; grey: eyes shut"


def draw_symmetry(curves: Curves, number: int, film: str, end: float, first_channel: int) -> Figure:
    """Left minus right over time: three channels from ``first_channel`` on, see `readings.differences`."""
    figure = new_figure(height=800)
    every = figure.subplots(3, 1, sharex=True)
    curve = curves.curve(number)
    names = (
        ("eyes open", "height / width", BLUE),
        ("height of brow over eye", "eye distances", VERMILLION),
        ("height of mouth's corner", "eye distances", GREEN),
    )
    for place, (axes, (name, unit, colour)) in enumerate(zip(every, names, strict=True)):
        draw_channels(axes, curves, curve, {first_channel + place: (name, colour)})
        axes.axhline(0, color=FAINT, linewidth=1)
        most = max(
            float(
                np.nanmax(
                    np.abs([part[:, first_channel + place] for part in (curve.low, curve.high)]), initial=0.0
                )
            ),
            0.05,
        )
        axes.set_ylim(-1.15 * most, 1.15 * most)
        axes.set_ylabel(f"left minus right\n({unit})")
    time_axis(every[-1], float(curves.times[0]), end)
    note = "above 0: the person's left side is more open, or higher. A turned head looks uneven, too"
    titled(figure, f"{film} · face {number} · left and right", note)
    return figure
