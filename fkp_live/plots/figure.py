"""What all plots have in common: size, colours, title, and how they get into a file."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_live.choices import PLOT_SUFFIXES
from fkp_live.errors import UsageError
from fkp_live.sinks.files import PartialFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# M. Okabe and K. Ito, "Color Universal Design", 2008: colours that people with any colour vision tell apart.
BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#56B4E9",
    "#CC79A7",
)
LINE, MARK, FAINT, GRID = "#222222", BLUE, "#999999", "#dddddd"

_WIDTH, _DPI = 1200, 100
# Ticks of a long film, in seconds, and how many of them at most.
_STEPS, _TICKS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600), 12
_STYLE: Any = {
    "font.size": 11,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GRID,
    "axes.axisbelow": True,
    "legend.frameon": False,
    # Text stays text in SVG, and the file holds no date, so that the same recording gives the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "fkp-live",
}


def check_matplotlib() -> None:
    """Raises UsageError with the cure where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "fkp-live plot draws with matplotlib, which is not installed.", "pip install 'fkp-live[plots]'"
        ) from error


@contextmanager
def style() -> Iterator[None]:
    """Figures that are made, drawn and saved inside have the common style."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Of letters that the font lacks, drawn as boxes, and of plots so odd that they cannot be laid out well.
        warnings.simplefilter("ignore", UserWarning)
        yield


def new_figure(height: int) -> Figure:
    """An empty figure, 1200 pixels wide and ``height`` high. Without pyplot: no window, and no state beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def titled(figure: Figure, title: str, note: str) -> None:
    """A title, and over the first axes a line on how to read the plot. Nothing in them is taken for a formula."""
    head = figure.suptitle(_short(title), x=0.01, ha="left", fontsize=14, fontweight="bold")
    head.set_parse_math(False)
    figure.axes[0].set_title(note, loc="left", fontsize=10, color="#555555")


def _short(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-most // 2 :]}"


def clock(seconds: float) -> str:
    """A time as m:ss, from an hour on as h:mm:ss."""
    whole = round(seconds)
    minutes, hours = abs(whole) // 60 % 60, abs(whole) // 3600
    text = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{'-' if whole < 0 else ''}{text}:{abs(whole) % 60:02}"


def time_axis(axes: Axes, start: float, end: float) -> None:
    """Make x the film's time: seconds for short films, else minutes and hours as m:ss and h:mm:ss."""
    end = max(end, start + 1e-3)
    axes.set_xlim(start, end)
    axes.set_xlabel(clock_ticks(axes.xaxis, start, end))


def clock_ticks(axis: Axis, start: float, end: float) -> str:
    """Ticks of a time axis from ``start`` to ``end`` seconds; returns its name with the unit."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    span = end - start
    if span < 120:
        return "time (s)"
    hour = 3600
    step = next((step for step in _STEPS if span / step <= _TICKS), math.ceil(span / _TICKS / hour) * hour)
    axis.set_major_locator(MultipleLocator(step))
    axis.set_major_formatter(FuncFormatter(lambda value, _: clock(value)))
    return "time (h:mm:ss)" if end >= hour else "time (m:ss)"


def save(figure: Figure, path: Path, *, overwrite: bool) -> None:
    """Write a figure in the form of its extension, one of `choices.PLOT_SUFFIXES`.

    Raises
    ------
    OutputError : it cannot be written
    """
    drawn = io.BytesIO()
    form = path.suffix.lower()[1:]
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
    figure.savefig(drawn, format=form, metadata=metadata)
    file = PartialFile(path, overwrite=overwrite, suffixes=PLOT_SUFFIXES)
    with file.discarded_on_failure(), os.fdopen(file.descriptor, "wb", closefd=False) as stream:
        stream.write(drawn.getvalue())
    file.commit()
