"""Path of a head over the picture: the centre of the face's box, coloured by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fkp_live.plots.figure import LINE, clock_ticks, new_figure, titled
from fkp_live.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 8192
# Seconds without the face after which its path is broken.
_GAP = 1.0


class RunningPath:
    """Centres of a face's boxes over time. Of a long film every second, fourth, eighth … one is kept, 8192 at most."""

    def __init__(self) -> None:
        self._every, self._seen = 1, 0
        self._kept: list[tuple[float, float, float]] = []

    def add(self, box: FloatArray, time: float) -> None:
        """One more frame, ``box`` (4,) x0, y0, x1, y1 in pixels; one that is not finite is omitted."""
        if not np.isfinite(box).all():
            return
        if self._seen % self._every == 0:
            x0, y0, x1, y1 = box.tolist()
            self._kept.append((time, (x0 + x1) / 2, (y0 + y1) / 2))
            if len(self._kept) == _MOST:
                del self._kept[1::2]
                self._every *= 2
        self._seen += 1

    @property
    def kept(self) -> NDArray[np.float64]:
        """(n, 3): time in seconds, x and y in pixels."""
        return np.array(self._kept).reshape(-1, 3)


def draw_path(path: RunningPath, size: tuple[int, int], film: str, number: int) -> Figure:
    """The path over the picture's frame, ``size`` in pixels (0: not known), from its dark begin to its bright end."""
    from matplotlib.collections import LineCollection

    kept = path.kept
    times, at = kept[:, 0], kept[:, 1:]
    width, height = size if all(size) else tuple(np.ceil(at.max(0, initial=1.0)).tolist())
    # The picture's form, with room for the title and for the colours' bar.
    figure = new_figure(height=round(min(max(120 + 980 * height / width, 400), 1800)))
    axes = figure.add_subplot()
    steps = np.stack([at[:-1], at[1:]], 1)
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    joined = np.diff(times) <= max(_GAP, 3 * usual)
    lines = LineCollection(list(steps[joined]), cmap="cividis", linewidths=1.6)
    lines.set_array(times[:-1][joined])
    begin = float(times[0]) if len(times) else 0.0
    end = max(float(times.max(initial=begin)), begin + 1e-3)
    lines.set_clim(begin, end)
    axes.add_collection(lines)
    for place, marker, word in ((0, "o", "begin"), (-1, "s", "end")):
        if len(at):
            axes.plot(*at[place], marker, color=LINE, markersize=8, markerfacecolor="white", label=word)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_aspect("equal")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    axes.set_xlabel("x (pixels)")
    axes.set_ylabel("y (pixels)")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
    bar = figure.colorbar(lines, ax=axes)
    bar.set_label(clock_ticks(bar.ax.yaxis, begin, end))
    titled(figure, f"{film} · face {number} · path of the head", "centre of the face's box in the picture")
    return figure
