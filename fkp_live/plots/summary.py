"""Summaries: one row of numbers for each face of a recording, and one for a recording without any face.

Memory grows with the number of faces and not with the length of the film: moments run along, and quantiles come from
histograms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fkp_live.plots.moments import Histogram, Moments
from fkp_live.plots.motion import Motion
from fkp_live.plots.readings import MOUTH_WIDTH, N_READINGS, YAW, is_frontal, numbered, reading, timed
from fkp_live.sources.recordings import Recording
from fkp_live.types import EXPRESSIONS, Face, FrameResult

if TYPE_CHECKING:
    from fkp_live.plots.clinical import FilmSides

Cell = str | int | float | None

_ANGLES = ("yaw", "pitch", "roll")
_OPENINGS = ("right_eye_open", "left_eye_open", "mouth_open")
# The columns of a summary, in order. What a recording does not hold, as the pose of a table without it, stays empty.
COLUMNS: tuple[str, ...] = (
    *("film", "face_id", "main", "frames", "seconds", "with_face_seconds", "with_face_share"),
    *("tracked_frames", "tracked_seconds", "tracked_share", "first_second", "last_second"),
    *("confidence_mean", "box_side_mean_px", "blinks", "blinks_per_minute"),
    *(f"{angle}_{what}_deg" for angle in _ANGLES for what in ("mean", "sd", "min", "max")),
    *(f"{opening}_{what}" for opening in _OPENINGS for what in ("mean", "sd")),
    *("mouth_width_median_eye_distances", "smile_share", "smile_p95_ratio"),
    *(f"{part}movement_eye_distances_per_second" for part in ("", "head_", "expression_")),
    "recording",
    *(f"expression_{name}_share" for name in EXPRESSIONS),
)
# The columns that stay empty for a recording without expressions.
EXPRESSION_COLUMNS = COLUMNS[-len(EXPRESSIONS) :]

# A mouth this much wider than usual for its face is a smile.
SMILE_RATIO = 1.1
# The mouth width's histogram, in eye distances.
_WIDEST, _BINS = 1.5, 600
# A gap in a face's frames that ends a blink, in seconds.
_BLINK_GAP = 0.5
# Numbers after the point, by the end of a column's name.
_DIGITS = {"per_second": 4, "second": 3, "seconds": 3, "_deg": 2, "_px": 1, "_minute": 2}


class BlinkCount:
    """Counts blinks: runs of frames with shut eyes. A single frame with open eyes inside a run does not end it.

    Attributes
    ----------
    count : how many have begun
    """

    def __init__(self) -> None:
        self.count = 0
        self._open_frames = 2
        self._time = -math.inf

    def add(self, shut: bool, time: float) -> None:
        """The next frame of the face."""
        if time - self._time > _BLINK_GAP:
            self._open_frames = 2
        self._time = time
        if not shut:
            self._open_frames += 1
            return
        if self._open_frames > 1:
            self.count += 1
        self._open_frames = 0


class FaceSummary:
    """The running numbers of one face."""

    def __init__(self, number: int, first: float) -> None:
        self.number = number
        self.frames, self.seconds = 0, 0.0
        self.first, self.last = first, first
        self.blinks = BlinkCount()
        # confidence, box side
        self.sizes = Moments(2)
        self.readings = Moments(N_READINGS)
        self.widths = Histogram(_WIDEST, _BINS)
        self.movement = Moments(3)
        # Frames and seconds of each label.
        self.labels = np.zeros((2, len(EXPRESSIONS)))
        self._motion = Motion()

    def add(self, face: Face, values: NDArray[np.float64], time: float, seconds: float) -> None:
        """One more frame of the face, with its `readings.reading`; it stands for this many seconds."""
        self.frames += 1
        self.seconds += seconds
        self.last = max(self.last, time + seconds)
        x0, y0, x1, y1 = face.box.tolist()
        self.sizes.add([float(face.confidence.mean()), math.sqrt(max((x1 - x0) * (y1 - y0), 0.0))])
        self.readings.add(values)
        if is_frontal(float(values[YAW])):
            self.widths.add(float(values[MOUTH_WIDTH]))
        if (speeds := self._motion(face.points, time)) is not None:
            self.movement.add(speeds)
        if face.measures is not None:
            self.blinks.add(face.measures.blink, time)
        if face.expression is not None:
            self.labels[:, EXPRESSIONS.index(face.expression.label)] += (1.0, seconds)

    @property
    def importance(self) -> tuple[float, int, float, float, int]:
        """Sorts the main face last: most time, then frames, larger boxes, higher confidence, lower number."""
        confidence, side = np.nan_to_num(self.sizes.mean).tolist()
        return round(self.seconds, 6), self.frames, side, confidence, -self.number


class FilmSummary:
    """The running numbers of one recording.

    >>> film = FilmSummary()
    >>> for result, seconds in timed(recording):
    ...     film.add(result, seconds)
    >>> film.rows("clip.mp4", "clip.jsonl")
    """

    def __init__(self) -> None:
        self.frames, self.seconds = 0, 0.0
        self.with_face_frames, self.with_face_seconds = 0, 0.0
        self.faces: dict[int, FaceSummary] = {}

    def add(self, result: FrameResult, seconds: float) -> list[tuple[int, Face, NDArray[np.float64]]]:
        """One more result, which stands for this many seconds, see `readings.timed`.

        Returns its faces, each with its number and its `readings.reading`.
        """
        self.frames += 1
        self.seconds += seconds
        if result.faces:
            self.with_face_frames += 1
            self.with_face_seconds += seconds
        found = [(number, face, reading(face)) for number, face in numbered(result.faces)]
        for number, face, values in found:
            if number not in self.faces:
                self.faces[number] = FaceSummary(number, result.time)
            self.faces[number].add(face, values, result.time, seconds)
        return found

    @property
    def by_importance(self) -> list[FaceSummary]:
        """The faces, the main one first."""
        return sorted(self.faces.values(), key=lambda face: face.importance, reverse=True)

    def rows(self, film: str, recording: str) -> list[dict[str, Cell]]:
        """A row for each face by number, or the one row of a film without a face; keys are `COLUMNS`."""
        own: dict[str, Cell] = {
            **{"film": film, "recording": recording, "frames": self.frames, "seconds": self.seconds},
            "with_face_seconds": self.with_face_seconds,
            "with_face_share": self._share(self.with_face_seconds, self.with_face_frames),
        }
        if not self.faces:
            none: dict[str, Cell] = {"face_id": -1, "main": 0, "tracked_frames": 0}
            return [_row({**own, **none, "tracked_seconds": 0.0, "tracked_share": 0.0})]
        main = self.by_importance[0].number
        return [
            _row({**own, **self._face(self.faces[number], main=number == main)})
            for number in sorted(self.faces)
        ]

    def _face(self, face: FaceSummary, *, main: bool) -> dict[str, Cell]:
        mean, sd = face.readings.mean, face.readings.sd
        median = face.widths.quantile(0.5)
        angles: dict[str, Cell] = {}
        for place, angle in enumerate(_ANGLES, start=YAW):
            parts = (mean, sd, face.readings.low, face.readings.high)
            for what, part in zip(("mean", "sd", "min", "max"), parts, strict=True):
                angles[f"{angle}_{what}_deg"] = float(part[place])
        openings: dict[str, Cell] = {}
        for place, opening in enumerate(_OPENINGS):
            openings |= {f"{opening}_mean": float(mean[place]), f"{opening}_sd": float(sd[place])}
        confidence, side = face.sizes.mean.tolist()
        total, head, expression = face.movement.mean.tolist()
        return {
            **{"face_id": face.number, "main": int(main), "tracked_frames": face.frames},
            **{"tracked_seconds": face.seconds, "tracked_share": self._share(face.seconds, face.frames)},
            **{"first_second": face.first, "last_second": face.last},
            **{"confidence_mean": confidence, "box_side_mean_px": side, "blinks": face.blinks.count},
            "blinks_per_minute": 60.0 * face.blinks.count / face.seconds if face.seconds else None,
            **angles,
            **openings,
            "mouth_width_median_eye_distances": median,
            "smile_share": face.widths.share_from(SMILE_RATIO * median) if median > 0 else None,
            "smile_p95_ratio": face.widths.quantile(0.95) / median if median > 0 else None,
            "movement_eye_distances_per_second": total,
            "head_movement_eye_distances_per_second": head,
            "expression_movement_eye_distances_per_second": expression,
            **_label_shares(face.labels),
        }

    def _share(self, seconds: float, frames: int) -> float:
        """Of the film's time; of its frames where it has none, as pictures."""
        if self.seconds:
            return seconds / self.seconds
        return frames / self.frames if self.frames else 0.0


def summarise(
    recording: Recording,
    film: str = "",
    sides: FilmSides | None = None,
    *,
    advance: Callable[[int], object] = int,
) -> list[dict[str, Cell]]:
    """The rows of a recording, keys `COLUMNS`, then those of `clinical.COLUMNS` where ``sides`` is given.

    Parameters
    ----------
    film : its name there, by default what the recording says
    sides : takes in the clinical measures too
    advance : called after each frame, with its number of faces

    Raises
    ------
    InputError : the recording is damaged

    >>> with open_recording("points.jsonl") as recording:
    ...     rows = summarise(recording)
    """
    found = FilmSummary()
    for result, seconds in timed(recording, recording.info.fps):
        found.add(result, seconds)
        if sides is not None:
            sides.add(result.faces)
        advance(len(result.faces))
    rows = found.rows(film or recording.info.name, str(recording.path))
    return rows if sides is None else [row | sides.cells(int(str(row["face_id"]))) for row in rows]


def cells(row: dict[str, Cell]) -> list[str]:
    """The cells of a row as text, in its order; empty for what is not known."""
    return [_cell(name, value) for name, value in row.items()]


def _label_shares(labels: NDArray[np.float64]) -> dict[str, Cell]:
    """Of the time with an expression; of the frames where they have no time, as pictures."""
    frames, seconds = labels
    part = seconds if seconds.any() else frames
    if not part.any():
        return {}
    return dict(zip(EXPRESSION_COLUMNS, (part / part.sum()).tolist(), strict=True))


def _row(values: dict[str, Cell]) -> dict[str, Cell]:
    return {name: values.get(name) for name in COLUMNS}


def _cell(name: str, value: Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        digits = next((d for end, d in _DIGITS.items() if name.endswith(end)), 4)
        # + 0.0 turns -0.0 into 0.0
        return f"{round(value, digits) + 0.0:.{digits}f}"
    return str(value)
