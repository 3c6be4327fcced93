"""The clinical measures of both sides of a face over a recording: medians for rows, and curves for the plot.

Of each face its raw points count, before smoothing, in frames that look at the camera: how much of an asymmetry the
points show was only measured there (docs/symmetry.md), and a turned head looks uneven whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.symmetry import FAI, FOUND, NAMES, symmetry
from fkp_live.plots.columns import Curves
from fkp_live.plots.readings import numbered, timed
from fkp_live.plots.summary import Cell, FilmSummary
from fkp_live.sources.recordings import Recording
from fkp_live.types import Face, FrameResult

# The columns of `fkp-live summary --clinical`, after the others.
COLUMNS: tuple[str, ...] = (
    *("clinical_frames", "clinical_points", "clinical_unit"),
    *(f"{name}_{what}" for name in NAMES for what in ("right", "left", "deviation", "ratio", "found")),
    "fai",
)

# Degrees of yaw up to which a head looks at the camera.
FRONTAL_DEG = 10.0
# Frames that medians are of at most, evenly spread; and columns of time of the curves.
_KEPT, _TIMES = 1024, 4096
# Channels of the curves: right and left of each measure in turn.
_CHANNELS = 2 * len(NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """The clinical measures of one face over a recording, each a median over its frames.

    Attributes
    ----------
    frames : how many looked at the camera
    raw : whether all points were those before smoothing
    sides : (11, 2) right and left of each of `symmetry.MEASURES`; NaN where there is none
    deviation, ratio : (11,) left minus right, left over right: medians of each frame's own
    spread : (11, 2) quartiles of the deviation
    fai : facial asymmetry index
    """

    frames: int
    raw: bool
    sides: NDArray[np.float64]
    deviation: NDArray[np.float64]
    ratio: NDArray[np.float64]
    spread: NDArray[np.float64]
    fai: float


class RunningSides:
    """The clinical measures of one face, frame by frame, in memory that does not grow.

    Parameters
    ----------
    eyes_mm : distance of the person's outer eye corners, for lengths in millimetres; None: in eye distances

    Attributes
    ----------
    frames : how many looked at the camera
    raw : whether all points were those before smoothing
    """

    def __init__(self, eyes_mm: float | None = None) -> None:
        self._eyes_mm = eyes_mm
        self.frames, self.raw = 0, True
        self._kept: list[NDArray[np.float32]] = []
        self._stride = 1

    def add(self, face: Face) -> NDArray[np.float64] | None:
        """(11, 2) right and left of each measure in one more frame; None where the head is turned or points broken."""
        points = face.points if face.raw is None else face.raw
        if not np.isfinite(points).all():
            return None
        yaw = head_pose(points).yaw if face.pose is None else face.pose.yaw
        if not abs(math.degrees(yaw)) <= FRONTAL_DEG:
            return None
        sides = symmetry(points, eyes_mm=self._eyes_mm).sides
        if np.isnan(sides).all():
            return None
        self.raw = self.raw and face.raw is not None
        if self.frames % self._stride == 0:
            self._kept.append(sides.astype(np.float32))
            if len(self._kept) > _KEPT:
                del self._kept[1::2]
                self._stride *= 2
        self.frames += 1
        return sides

    def result(self) -> Sides:
        """The medians; NaN where no frame has a measure."""
        every = np.array(self._kept, np.float64).reshape(-1, len(NAMES), 2)
        right, left = every[..., 0], every[..., 1]
        deviation = left - right
        ratio = np.where(right > 1e-6, left / np.where(right > 1e-6, right, 1.0), np.nan)
        low, middle, high = (_quantiles(deviation, share) for share in (0.25, 0.5, 0.75))
        sides = np.stack([_quantiles(right, 0.5), _quantiles(left, 0.5)], 1)
        fai = float(_quantiles(np.abs(deviation[:, [FAI]]), 0.5)[0])
        ratios = _quantiles(ratio, 0.5)
        return Sides(self.frames, self.raw, sides, middle, ratios, np.stack([low, high], 1), fai)


def unit_of(eyes_mm: float | None) -> str:
    """Of lengths."""
    return "eye distances" if eyes_mm is None else "mm"


class FilmSides:
    """The clinical measures of every face of a recording, for `fkp-live summary --clinical`.

    Parameters
    ----------
    eyes_mm : see `RunningSides`; it holds for every face
    """

    def __init__(self, eyes_mm: float | None = None) -> None:
        self._eyes_mm = eyes_mm
        self._faces: dict[int, RunningSides] = {}

    def add(self, faces: Iterable[Face]) -> None:
        """The faces of one more frame."""
        for number, face in numbered(faces):
            self._faces.setdefault(number, RunningSides(self._eyes_mm)).add(face)

    def cells(self, number: int) -> dict[str, Cell]:
        """`COLUMNS` of a face; what is not known is None."""
        row: dict[str, Cell] = dict.fromkeys(COLUMNS)
        running = self._faces.get(number)
        if running is None:
            return row
        seen, digits = running.result(), 4 if self._eyes_mm is None else 2
        row |= {"clinical_frames": seen.frames, "clinical_unit": unit_of(self._eyes_mm)}
        if not seen.frames:
            return row
        row["clinical_points"] = "raw" if seen.raw else "recorded"
        for place, name in enumerate(NAMES):
            right, left = seen.sides[place].tolist()
            known = {"right": right, "left": left, "deviation": float(seen.deviation[place])}
            row |= {f"{name}_{what}": _text(value, digits) for what, value in known.items()}
            row[f"{name}_ratio"] = _text(float(seen.ratio[place]), 3)
            row[f"{name}_found"] = found_share(name) if math.isfinite(known["deviation"]) else None
        row["fai"] = _text(seen.fai, digits)
        return row


def found_share(name: str) -> str:
    """How much of a true asymmetry the network finds, such as "65-70 %"; empty where that was not measured."""
    if name not in FOUND:
        return ""
    low, high = (round(100 * share) for share in FOUND[name])
    return f"{low}-{high} %"


class ClinicalObserved:
    """One film as the clinical plot needs it.

    Attributes
    ----------
    name : of the film, for people
    eyes_mm : see `RunningSides`
    summary, curves : of every face; channels are right and left of each measure in turn
    end : seconds at which the film ends
    """

    def __init__(self, name: str, eyes_mm: float | None) -> None:
        self.name, self.eyes_mm = name, eyes_mm
        self.summary, self.end = FilmSummary(), 0.0
        self.curves = Curves(_CHANNELS, _TIMES)
        self._faces: dict[int, RunningSides] = {}

    def add(self, result: FrameResult, seconds: float) -> None:
        """One more result, which stands for this many seconds, see `readings.timed`."""
        faces = self.summary.add(result, seconds)
        self.end = result.time + seconds
        self.curves.frame(result.time)
        for number, face, _ in faces:
            sides = self._faces.setdefault(number, RunningSides(self.eyes_mm)).add(face)
            values = np.full(_CHANNELS, np.nan) if sides is None else sides.ravel()
            self.curves.add(number, values, shut=False)

    def sides(self, number: int) -> Sides:
        """The medians of a face."""
        return self._faces[number].result()


def observe_sides(
    recording: Recording, name: str, eyes_mm: float | None, *, advance: Callable[[int], object] = int
) -> ClinicalObserved:
    """Read a recording once. ``advance`` is called after each frame, with its number of faces.

    Raises
    ------
    InputError : the recording is damaged
    """
    seen = ClinicalObserved(name, eyes_mm)
    for result, seconds in timed(recording, recording.info.fps):
        seen.add(result, seconds)
        advance(len(result.faces))
    return seen


def _quantiles(values: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """(K,) quantiles of each column of (N, K), without NaN; NaN where there is nothing else."""
    found = np.full(values.shape[1], np.nan)
    for place, column in enumerate(values.T):
        if (known := column[np.isfinite(column)]).size:
            found[place] = np.quantile(known, share)
    return found


def _text(value: float, digits: int) -> str | None:
    return f"{round(value, digits) + 0.0:.{digits}f}" if math.isfinite(value) else None
