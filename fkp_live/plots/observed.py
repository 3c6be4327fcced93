"""What plots draw, gathered in one walk through a recording, in memory that does not grow with its length."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from fkp_live.plots.columns import Curves
from fkp_live.plots.path import RunningPath
from fkp_live.plots.readings import N_READINGS, N_SHARES, YAW, differences, is_frontal, shares, timed
from fkp_live.plots.shape import RunningShape
from fkp_live.plots.summary import FilmSummary
from fkp_live.sources.recordings import Recording
from fkp_live.types import FrameResult

# Channels of the curves: those of `readings.reading`, then those of `readings.differences` and `readings.shares`.
DIFFERENCES = N_READINGS
SHARES = DIFFERENCES + 3
N_CHANNELS = SHARES + N_SHARES
# Columns of time: at the end more than half of it, and so more than a plot of 1200 pixels shows.
_COLUMNS = 4096
# Frames from the front that a mean shape needs, or it is made of all.
_LEAST_FRONTAL = 10


class Observed:
    """One film as plots need it.

    Attributes
    ----------
    name : of the film, for people
    size : width and height of its pictures, 0 where not known
    summary, curves : of every face
    end : seconds at which the film ends
    """

    def __init__(self, name: str, size: tuple[int, int], kinds: Collection[str]) -> None:
        self.name, self.size, self._kinds = name, size, kinds
        self.summary = FilmSummary()
        self.curves = Curves(N_CHANNELS, _COLUMNS)
        self.end = 0.0
        self._paths: dict[int, RunningPath] = {}
        self._shapes: dict[int, tuple[RunningShape, RunningShape]] = {}

    def add(self, result: FrameResult, seconds: float) -> None:
        """One more result, which stands for this many seconds, see `readings.timed`."""
        faces = self.summary.add(result, seconds)
        self.end = result.time + seconds
        self.curves.frame(result.time)
        for number, face, values in faces:
            channels = np.concatenate([values, differences(face), shares(face)])
            self.curves.add(number, channels, shut=face.measures is not None and face.measures.blink)
            if "path" in self._kinds:
                self._paths.setdefault(number, RunningPath()).add(face.box, result.time)
            if "shape" in self._kinds:
                every, frontal = self._shapes.setdefault(number, (RunningShape(), RunningShape()))
                # Once there are enough from the front, the others are not asked for any more.
                if frontal.frames < _LEAST_FRONTAL:
                    every.add(face.points)
                if is_frontal(float(values[YAW])):
                    frontal.add(face.points)

    def path(self, number: int) -> RunningPath:
        """Where the face was."""
        return self._paths[number]

    def shape(self, number: int) -> tuple[RunningShape, bool]:
        """The shape of the face, and whether it is of frames from the front alone."""
        every, frontal = self._shapes[number]
        return (frontal, True) if frontal.frames >= _LEAST_FRONTAL else (every, False)


def observe(
    recording: Recording, name: str, kinds: Collection[str], *, advance: Callable[[int], object] = int
) -> Observed:
    """Read a recording once, and keep what these of `choices.PLOT_KINDS` need.

    ``advance`` is called after each frame, with its number of faces.

    Raises
    ------
    InputError : the recording is damaged
    """
    seen = Observed(name, (recording.info.width, recording.info.height), kinds)
    for result, seconds in timed(recording, recording.info.fps):
        seen.add(result, seconds)
        advance(len(result.faces))
    return seen
