"""What recordings have in common: the name of their schema, the columns of tables, and how numbers are rounded."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fkp_live import measured
from fkp_live.measured import ShapeMeasures
from fkp_live.topology import N_POINTS
from fkp_live.types import EXPRESSIONS, Expression, Face, FloatArray, FrameResult, Measures, Pose

SCHEMA = "fkp-live/1"
# Key of the header in the metadata of a Parquet file: the JSON of a JSONL file's first line.
METADATA_KEY = b"fkp"

# Columns of CSV and Parquet: OpenFace's, and all of them. ``file`` stands before them where pictures have names.
OPENFACE_COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *("pose_Rx", "pose_Ry", "pose_Rz"),
    *(f"x_{i}" for i in range(N_POINTS)),
    *(f"y_{i}" for i in range(N_POINTS)),
)
CSV_COLUMNS: tuple[str, ...] = (
    *OPENFACE_COLUMNS,
    *("score", "box_x0", "box_y0", "box_x1", "box_y1"),
    *("right_eye_open", "left_eye_open", "mouth_open", "blink"),
    *(f"raw_x_{i}" for i in range(N_POINTS)),
    *(f"raw_y_{i}" for i in range(N_POINTS)),
    *("expression", *(f"expression_{name}" for name in EXPRESSIONS)),
    "eyes_open",
    *measured.COLUMNS,
)

# Whole numbers among the columns; ``timestamp`` is float64, all others float32.
WHOLE_COLUMNS = {
    "frame": "int32",
    "face_id": "int32",
    "success": "int8",
    "blink": "int8",
    "expression": "int8",
}
# Where in a row of `CSV_COLUMNS` what belongs together is.
_PLACE = {name: place for place, name in enumerate(CSV_COLUMNS)}
HEAD = slice(0, 5)
POSE = slice(_PLACE["pose_Rx"], _PLACE["pose_Rz"] + 1)
POINTS = slice(_PLACE["x_0"], _PLACE["x_0"] + 2 * N_POINTS)
SCORE = _PLACE["score"]
BOX = slice(_PLACE["box_x0"], _PLACE["box_x0"] + 4)
MEASURES = slice(_PLACE["right_eye_open"], _PLACE["blink"] + 1)
RAW = slice(_PLACE["raw_x_0"], _PLACE["raw_x_0"] + 2 * N_POINTS)
EXPRESSION = slice(_PLACE["expression"], _PLACE["expression"] + 1 + len(EXPRESSIONS))
EYES_OPEN = _PLACE["eyes_open"]
SHAPE = slice(_PLACE[measured.COLUMNS[0]], _PLACE[measured.COLUMNS[-1]] + 1)

# Decimals that recordings keep: of pixels, of confidence, openness and measures, of angles, of seconds.
PIXEL_DECIMALS, SHARE_DECIMALS, ANGLE_DECIMALS, TIME_DECIMALS = 2, 3, 4, 6


# Mean confidence of the surest points, two thirds of all, below which ``success`` is 0 although a row has a face. A
# half profile hides a third of its points, and is followed well all the same.
LEAST_SUCCESS, SUREST = 0.6, 45


def is_success(confidence: FloatArray) -> bool:
    """Whether ``success`` is 1 in the row of a face with this confidence (68,) of its points."""
    return round(float(np.sort(confidence)[-SUREST:].mean()), SHARE_DECIMALS) >= LEAST_SUCCESS


def is_own_table(names: Sequence[str]) -> bool:
    """Whether a table of these columns is ours, so that a row with ``success`` 0 may have a face.

    OpenFace leaves old points in such rows. Where it has angles of the head it has its place too; we have no place.
    """
    return "pose_Rx" in names and "pose_Tx" not in names


def rounded(values: FloatArray, decimals: int) -> FloatArray:
    """float32 numbers rounded exactly as their text has them, of the same shape."""
    # In float64 the product of a float32 and a power of ten is exact, so ties are those of the number itself.
    factor = 10.0**decimals
    whole = np.multiply(values, factor, dtype=np.float64)
    np.rint(whole, out=whole)
    whole /= factor
    return whole.astype(np.float32)


def as_recorded(face: Face) -> Face:
    """The face with points, confidence, box, pose and measures as they are when they were recorded and read back.

    What is painted depends on these alone, so that a recording painted again gives the same picture.
    """
    pose, m = face.pose, face.measures
    if pose is not None:
        pose = Pose(**pose.rounded(ANGLE_DECIMALS))
    if m is not None:
        right, left, mouth = (
            round(float(value), SHARE_DECIMALS) for value in (m.right_eye_open, m.left_eye_open, m.mouth_open)
        )
        m = Measures(right, left, mouth, m.blink, m.eyes_open, m.shape, m.eyes_by_points)
    # Not with dataclasses.replace, which takes longer than the rounding.
    return Face(
        rounded(face.points, PIXEL_DECIMALS),
        rounded(face.confidence, SHARE_DECIMALS),
        rounded(face.box, PIXEL_DECIMALS),
        face.score,
        face.id,
        face.raw,
        pose,
        m,
        face.expression,
    )


def table_rows(result: FrameResult) -> NDArray[np.float64]:
    """(K, 349) float64: a row for each face, or the row of a frame without one, in the order of `CSV_COLUMNS`.

    Numbers are those that CSV has, rounded as it has them; NaN stands for an empty cell.
    """
    rows = np.full((max(len(result.faces), 1), len(CSV_COLUMNS)), np.nan)
    time = round(float(result.time), TIME_DECIMALS)
    if not result.faces:
        rows[0, HEAD] = result.index + 1, -1, time, np.nan, 0
    for place, (row, face) in enumerate(zip(rows, result.faces, strict=False)):
        number = place if face.id is None else face.id
        confidence = round(float(np.mean(face.confidence)), SHARE_DECIMALS)
        row[HEAD] = result.index + 1, number, time, confidence, is_success(face.confidence)
        _fill(row, face)
    return rows


def _fill(row: NDArray[np.float64], face: Face) -> None:
    """Everything of a face but the first five columns."""
    row[POINTS] = rounded(face.points, PIXEL_DECIMALS).T.ravel()
    row[SCORE] = round(float(face.score), SHARE_DECIMALS)
    row[BOX] = rounded(face.box, PIXEL_DECIMALS)
    if (pose := face.pose) is not None:
        angles = (-pose.pitch + 0.0, -pose.yaw + 0.0, pose.roll)
        row[POSE] = [round(float(angle), ANGLE_DECIMALS) for angle in angles]
    if (m := face.measures) is not None:
        openness = (m.right_eye_open, m.left_eye_open, m.mouth_open)
        row[MEASURES] = [*(round(float(value), SHARE_DECIMALS) for value in openness), m.blink]
        row[EYES_OPEN] = round(float(m.eyes_open), SHARE_DECIMALS)
        if m.shape is not None:
            row[SHAPE] = [round(value, SHARE_DECIMALS) + 0.0 for value in m.shape.numbers.tolist()]
    if face.raw is not None:
        row[RAW] = rounded(face.raw, PIXEL_DECIMALS).T.ravel()
    if face.expression is not None:
        row[EXPRESSION] = expression_cells(face.expression)


def expression_cells(shown: Expression) -> list[float]:
    """Number of the label in `EXPRESSIONS`, and the probabilities, as tables have them."""
    shares = rounded(shown.probabilities, SHARE_DECIMALS).tolist()
    return [EXPRESSIONS.index(shown.label), *(round(share, SHARE_DECIMALS) for share in shares)]


def expression_of_cells(cells: NDArray[np.float64]) -> Expression | None:
    """What `expression_cells` gave; None of empty cells. ValueError where they are no expression."""
    if np.isnan(cells).all():
        return None
    label = float(cells[0])
    if not (label.is_integer() and 0 <= label < len(EXPRESSIONS)):
        raise ValueError(f"expression is {label:g}, expected a whole number from 0 to {len(EXPRESSIONS) - 1}")
    return Expression(cells[1:].astype(np.float32), EXPRESSIONS[int(label)])


def eyes_by_points(right: float, left: float, shape: ShapeMeasures | None) -> bool:
    """Whether recorded openness of the eyes is that of the points, as it was before eyes were looked at.

    It is then the eye aspect ratio once more, to the decimals that a recording has.
    """
    if shape is None:
        return True
    values = shape.values
    apart = max(abs(values.get("ear_right", math.nan) - right), abs(values.get("ear_left", math.nan) - left))
    return not apart > 1.5 * 10.0**-SHARE_DECIMALS


def shape_of_cells(cells: NDArray[np.float64]) -> ShapeMeasures | None:
    """The measures in the cells `SHAPE` of a row; None where all are empty, as in recordings of old versions."""
    return None if np.isnan(cells).all() else ShapeMeasures.known(cells.copy())
