"""CSV with OpenFace's columns: one row per face and frame, one row for a frame without a face."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fkp_live import measured
from fkp_live.choices import CSV_COLUMN_SETS
from fkp_live.recorded import (
    CSV_COLUMNS,
    OPENFACE_COLUMNS,
    SHARE_DECIMALS,
    expression_cells,
    is_success,
)
from fkp_live.sinks.text import TextSink
from fkp_live.topology import N_POINTS
from fkp_live.types import EXPRESSIONS, Face, FloatArray, FrameResult

_POINTS_FORMAT = ",".join(["%.2f"] * (2 * N_POINTS))
_NO_EXPRESSION = "," * (1 + len(EXPRESSIONS))
_NO_POINTS = "," * (2 * N_POINTS - 1)
_NO_SHAPE = "," * len(measured.COLUMNS)
_SHAPE_FORMAT = f",%.{SHARE_DECIMALS}f" * len(measured.COLUMNS)


class CsvFormat:
    """The rows of `CsvSink`, for any stream; see there.

    Raises
    ------
    ValueError : ``columns`` is not one of `choices.CSV_COLUMN_SETS`
    """

    def __init__(self, columns: str = "all", files: Sequence[str] = ()) -> None:
        if columns not in CSV_COLUMN_SETS:
            raise ValueError(f"columns is {columns!r}, expected one of {', '.join(CSV_COLUMN_SETS)}")
        self._all = columns == "all"
        self._files = files
        names = CSV_COLUMNS if self._all else OPENFACE_COLUMNS
        self._no_face = "," * (len(names) - 5)
        self.header = ",".join([*(["file"] if files else []), *names]) + "\n"

    def lines(self, result: FrameResult) -> Iterator[str]:
        """A row for each face, or the row of a frame without one."""
        begin = ""
        if self._files:
            begin = f"{_cell(self._files[result.index] if result.index < len(self._files) else '')},"
        if not result.faces:
            yield f"{begin}{result.index + 1},-1,{result.time:.6f},,0{self._no_face}\n"
        for place, face in enumerate(result.faces):
            number = place if face.id is None else face.id
            confidence = float(np.mean(face.confidence))
            success = int(is_success(face.confidence))
            head = f"{begin}{result.index + 1},{number},{result.time:.6f},{confidence:.3f},{success}"
            own = self._own(face) if self._all else ""
            yield f"{head},{_pose(face)},{_points(face.points)}{own}\n"

    def _own(self, face: Face) -> str:
        """Our columns, after OpenFace's."""
        measured = ",,,"
        if (m := face.measures) is not None:
            measured = f"{m.right_eye_open:.3f},{m.left_eye_open:.3f},{m.mouth_open:.3f},{int(m.blink)}"
        box = ",".join(f"{v:.2f}" for v in face.box.tolist())
        return f",{face.score:.3f},{box},{measured},{_points(face.raw)}{_expression(face)}{_measures(face)}"


def _pose(face: Face) -> str:
    if face.pose is None:
        return ",,"
    return f"{-face.pose.pitch + 0.0:.4f},{-face.pose.yaw + 0.0:.4f},{face.pose.roll:.4f}"


def _points(points: FloatArray | None) -> str:
    return _NO_POINTS if points is None else _POINTS_FORMAT % tuple(points.T.ravel().tolist())


def _expression(face: Face) -> str:
    """Number of the label, and the probabilities."""
    if face.expression is None:
        return _NO_EXPRESSION
    label, *shares = expression_cells(face.expression)
    return f",{label}," + ",".join(f"{share:.{SHARE_DECIMALS}f}" for share in shares)


def _measures(face: Face) -> str:
    """The last columns: openness of both eyes together, and `measured.COLUMNS`."""
    if (m := face.measures) is None:
        return "," + _NO_SHAPE
    shape = _NO_SHAPE
    if m.shape is not None:
        numbers = m.shape.rounded(SHARE_DECIMALS).numbers.tolist()
        shape = (_SHAPE_FORMAT % tuple(numbers)).replace("nan", "")
    return f",{'' if math.isnan(m.eyes_open) else f'{m.eyes_open:.{SHARE_DECIMALS}f}'}{shape}"


def _cell(text: str) -> str:
    """A text as a cell, in quotes where it needs them."""
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in '",\r\n') else text


class CsvSink(TextSink):
    """One row per face and frame: OpenFace's columns, then our own.

    ``frame`` starts at 1. ``face_id`` is the track's number, or the place in the frame where nothing is
    tracked. ``timestamp`` is in seconds. ``confidence`` is the mean of the points' confidence; ``success``
    is 1, or 0 in profiles, see `recorded.is_success`. What was not computed is left empty. A
    frame without a face has one row: ``face_id`` -1, ``success`` 0, and nothing but its number and time beside them.

    ``pose_Rx, pose_Ry, pose_Rz`` are radians with OpenFace's signs: axes x to the right, y down and z away
    from the camera, so Rx > 0 looks down, Ry > 0 turns to the left edge of the picture (the person's own
    right), Rz > 0 tilts clockwise in the picture. Hence Rx = -pitch, Ry = -yaw, Rz = roll of `types.Pose`.
    See https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format and its issues 66 and 966.

    Parameters
    ----------
    columns : "openface": OpenFace's columns alone; "all": then score, box and openness, the points before smoothing,
        ``raw_x_0`` to ``raw_y_67``, then ``expression``, the number of the label in `types.EXPRESSIONS`, and the
        probabilities, ``expression_neutral`` to ``expression_afraid``, and last ``eyes_open`` and `measured.COLUMNS`;
        each of them in words: docs/measures.md
    files : names of the pictures of the source, by frame (`SourceInfo.pictures`): they make a first column ``file``

    >>> with CsvSink("points.csv") as sink:
    ...     sink.write(pipeline.process(frame))
    """

    def __init__(
        self, path: str | Path, *, overwrite: bool = False, columns: str = "all", files: Sequence[str] = ()
    ) -> None:
        super().__init__(path, CsvFormat(columns, files), overwrite)
