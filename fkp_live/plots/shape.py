"""Mean shape of a face: its points laid on one another, with an ellipse for the spread of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.head_pose import align, shipped_map
from fkp_live.plots.figure import FAINT, LINE, MARK, new_figure, titled
from fkp_live.topology import CONTOURS, LEFT_EYE_OUTER, N_POINTS, RIGHT_EYE_OUTER
from fkp_live.types import FloatArray
from fkp_live.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Ellipses hold about 86 % of the frames where the spread is normal.
_DEVIATIONS = 2.0


class RunningShape:
    """Mean and covariance of the points of one face, each frame shifted, turned and scaled onto the mean face.

    Attributes
    ----------
    frames : how many were taken in
    """

    def __init__(self) -> None:
        self.frames = 0
        self._mean = np.zeros((N_POINTS, 2))
        self._products = np.zeros((N_POINTS, 2, 2))

    def add(self, points: FloatArray) -> None:
        """One more frame, points (68, 2); points that coincide or are not finite are omitted."""
        if not np.isfinite(points).all():
            return
        model = shipped_map().mean
        _, rest = align(points, model)
        if rest is None:
            return
        # In eye distances of the mean face.
        unit = abs(model[LEFT_EYE_OUTER] - model[RIGHT_EYE_OUTER])
        shape = (rest.reshape(-1, 2) + model.view(np.float64).reshape(-1, 2)) / unit
        self.frames += 1
        off = shape - self._mean
        self._mean += off / self.frames
        self._products += off[:, :, None] * (shape - self._mean)[:, None, :]

    @property
    def mean(self) -> NDArray[np.float64]:
        """(68, 2) in eye distances of the mean face, x to the right and y down, around the centre of the points."""
        return self._mean

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(68, 2, 2), of the sample; zero for fewer than two frames."""
        return self._products / max(self.frames - 1, 1)


def draw_shape(shape: RunningShape, film: str, number: int, *, frontal: bool) -> Figure:
    """The mean shape with ellipses of two standard deviations. ``frontal``: whether turned heads were left out."""
    from matplotlib.patches import Ellipse

    figure = new_figure(height=1000)
    axes = figure.add_subplot()
    mean = shape.mean
    for _, numbers, closed in CONTOURS:
        at = [*numbers, numbers[0]] if closed else [*numbers]
        axes.plot(mean[at, 0], mean[at, 1], color=FAINT, linewidth=1.5, zorder=1)
    for centre, covariance in zip(mean, shape.covariance, strict=True):
        spread, directions = np.linalg.eigh(covariance)
        wide, high = 2 * _DEVIATIONS * np.sqrt(np.maximum(spread[::-1], 0.0))
        angle = np.degrees(np.arctan2(directions[1, 1], directions[0, 1]))
        axes.add_patch(
            Ellipse(centre, wide, high, angle=angle, facecolor=MARK, alpha=0.35, edgecolor=MARK, zorder=2)
        )
    axes.plot(mean[:, 0], mean[:, 1], "o", color=LINE, markersize=3, zorder=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.invert_yaxis()
    axes.set_xlabel("eye distances; the person's right side is on the left")
    axes.set_ylabel("eye distances")
    seen = " with the head turned by at most 25°" if frontal else ""
    note = f"mean of {counted(shape.frames, 'frame')}{seen}; ellipses: {_DEVIATIONS:.0f} standard deviations"
    titled(figure, f"{film} · face {number} · shape", note)
    return figure
