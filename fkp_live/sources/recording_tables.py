"""Recordings in tables, a row for each face and frame: from rows of numbers to results, for CSV and Parquet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.geometry import box_of
from fkp_live.recorded import (
    BOX,
    CSV_COLUMNS,
    EXPRESSION,
    EYES_OPEN,
    MEASURES,
    POINTS,
    POSE,
    RAW,
    SCORE,
    SHAPE,
    expression_of_cells,
    eyes_by_points,
    is_own_table,
    shape_of_cells,
)
from fkp_live.sources.recording import CURE_RECORDING, Recording
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FloatArray, FrameResult, Measures, Pose

_FRAME, _ID, _TIME, _CONFIDENCE, _SUCCESS = range(5)

_NEEDED = ("frame", "timestamp", *CSV_COLUMNS[POINTS])
_MOST_FRAMES = 1 << 53

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One row.

    Attributes
    ----------
    file : name of the picture, empty where the table has no such column
    values : (349,) float64, one for each of `CSV_COLUMNS`, NaN where there is none
    where : for messages, such as "line 7"
    """

    file: str
    values: Rows
    where: str


class TableRecording(Recording):
    """A recording of rows.

    A table lacks some of what JSONL has, and what stands in for it is: for the confidence of each point the mean of
    all; for ``detected`` True; for a missing box the one around the points, for a missing score the confidence.
    Tables of old versions lack ``eyes_open``, NaN then, and the measures of the shape. Rows with ``success`` 0 have no
    face, whatever else they hold (OpenFace leaves old points there), but those of our own tables that have a
    ``face_id``: their faces are seen badly. An ``id`` is the ``face_id``; in OpenFace's own files it counts from 0.

    Parameters
    ----------
    path : the file
    header : of the run, empty where the table has none
    names : of its columns

    Raises
    ------
    InputError : it lacks a column that is needed
    """

    def __init__(self, path: Path, header: dict[str, Any], names: Sequence[str]) -> None:
        super().__init__(path, header)
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise InputError(
                f"{path} is not a recording of 68 points: it has no column {missing[0]}"
                f"{f' and {len(missing) - 1} more are missing' if len(missing) > 1 else ''}.",
                "Give a file of --jsonl, --csv or fkp-live batch, or a CSV of OpenFace.",
            )
        # Version 0.1 wrote its own columns too, but neither raw points nor rows of frames without a face.
        self._own = is_own_table(names)
        self.whole = "score" not in names or "raw_x_0" in names

    def named(self) -> Iterator[tuple[str, FrameResult]]:
        """Each result with the file name of its picture, see `Recording`."""
        self.note = ""
        now: tuple[str, int] | None = None
        time, faces = 0.0, list[Face]()
        for row in self._rows():
            try:
                of = row.file, _index(row.values)
                if now is not None and of[0] == now[0] and of[1] < now[1]:
                    raise ValueError(f"frame {of[1] + 1} comes after frame {now[1] + 1}")
                if of != now:
                    if now is not None:
                        yield now[0], self._result(now[1], time, faces)
                    now, time, faces = of, _time(row.values), []
                if (face := _face(row.values, self._own)) is not None:
                    faces.append(face)
            except ValueError as error:
                raise InputError(
                    f"{self.path} is damaged: {row.where} is not a result ({error}).", CURE_RECORDING
                ) from error
        if now is not None:
            yield now[0], self._result(now[1], time, faces)

    def _rows(self) -> Iterator[Row]:
        """The rows in order. Raises InputError where the file is damaged."""
        raise NotImplementedError

    def _result(self, index: int, time: float, faces: Sequence[Face]) -> FrameResult:
        return FrameResult(index, time, (self.info.width, self.info.height), tuple(faces))


def _index(values: Rows) -> int:
    frame = float(values[_FRAME])
    if not (1 <= frame < _MOST_FRAMES and frame.is_integer()):
        raise ValueError(f"frame is {frame:g}, expected a whole number from 1 up")
    return int(frame) - 1


def _time(values: Rows) -> float:
    time = float(values[_TIME])
    if not math.isfinite(time):
        raise ValueError(f"timestamp is {time:g}, expected seconds")
    return time


def _face(values: Rows, own: bool) -> Face | None:
    """The face of a row, None where it has none; ``own``: the table is one of ours."""
    if values[_SUCCESS] == 0 and not (own and values[_ID] >= 0):
        return None
    number = float(values[_ID])
    if not (math.isnan(number) or number.is_integer()):
        raise ValueError(f"face_id is {number:g}, expected a whole number")
    # What is beyond float32 becomes infinite.
    with np.errstate(over="ignore"):
        return _found(values, number)


def _found(values: Rows, number: float) -> Face:
    points = _pairs(values[POINTS])
    confidence = float(values[_CONFIDENCE])
    score = float(values[SCORE])
    box = values[BOX].astype(np.float32)
    rx, ry, rz = values[POSE].tolist()
    measured = None
    if not math.isnan(values[MEASURES][0]):
        right, left, mouth, blink = values[MEASURES].tolist()
        shape = shape_of_cells(values[SHAPE])
        both, by_points = float(values[EYES_OPEN]), eyes_by_points(right, left, shape)
        measured = Measures(right, left, mouth, blink == 1, both, shape, by_points)
    raw = values[RAW]
    return Face(
        points,
        np.full(N_POINTS, confidence, np.float32),
        box_of(points) if np.isnan(box).any() else box,
        confidence if math.isnan(score) else score,
        0 if math.isnan(number) else int(number),
        None if np.isnan(raw).all() else _pairs(raw),
        None if math.isnan(rx) else Pose(0.0 - rx, 0.0 - ry, rz),
        measured,
        expression_of_cells(values[EXPRESSION]),
    )


def _pairs(columns: Rows) -> FloatArray:
    """All x, then all y -> (68, 2)."""
    return np.ascontiguousarray(columns.reshape(2, N_POINTS).T, np.float32)
