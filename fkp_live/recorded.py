"""What recordings have in common: the name of their schema, the columns of tables, and how numbers are rounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FloatArray, Measures, Pose

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
)

# Decimals that recordings keep: of pixels, of confidence and openness, of angles, of seconds.
PIXEL_DECIMALS, SHARE_DECIMALS, ANGLE_DECIMALS, TIME_DECIMALS = 2, 3, 4, 6


def rounded(values: NDArray[Any], decimals: int) -> FloatArray:
    """float32 numbers rounded exactly as their text has them, of the same shape."""
    # In float64 the product of a float32 and a power of ten is exact, so ties are those of the number itself.
    factor = 10.0**decimals
    return np.asarray(np.rint(values.astype(np.float64) * factor) / factor, np.float32)


def as_recorded(face: Face) -> Face:
    """The face with points, confidence, box, pose and measures as they are when they were recorded and read back.

    What is painted depends on these alone, so that a recording painted again gives the same picture.
    """
    pose, m = face.pose, face.measures
    if pose is not None:
        pose = Pose(*(round(float(angle), ANGLE_DECIMALS) for angle in (pose.pitch, pose.yaw, pose.roll)))
    if m is not None:
        right, left, mouth = (
            round(float(value), SHARE_DECIMALS) for value in (m.right_eye_open, m.left_eye_open, m.mouth_open)
        )
        m = Measures(right, left, mouth, m.blink, m.eyes_open)
    return replace(
        face,
        points=rounded(face.points, PIXEL_DECIMALS),
        confidence=rounded(face.confidence, SHARE_DECIMALS),
        box=rounded(face.box, PIXEL_DECIMALS),
        pose=pose,
        measures=m,
    )
