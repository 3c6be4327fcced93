"""CSV with OpenFace's columns: one row per face and frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fkp_live.sinks.text import TextSink
from fkp_live.topology import N_POINTS
from fkp_live.types import FrameResult

CSV_COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *("pose_Rx", "pose_Ry", "pose_Rz"),
    *(f"x_{i}" for i in range(N_POINTS)),
    *(f"y_{i}" for i in range(N_POINTS)),
    *("score", "box_x0", "box_y0", "box_x1", "box_y1"),
    *("right_eye_open", "left_eye_open", "mouth_open", "blink"),
)
_ROW_HEAD = "{},{},{:.6f},{:.3f},1,"
_POINTS_FORMAT = ",".join(["%.2f"] * (2 * N_POINTS))


class CsvSink(TextSink):
    """One row per face and frame: OpenFace's columns, then our own. Frames without a face have no row.

    ``frame`` starts at 1. ``face_id`` is the track's number, or the place in the frame where nothing is
    tracked. ``timestamp`` is in seconds. ``confidence`` is the mean of the points' confidence; ``success``
    is always 1. What was not computed is left empty.

    ``pose_Rx, pose_Ry, pose_Rz`` are radians with OpenFace's signs: axes x to the right, y down and z away
    from the camera, so Rx > 0 looks down, Ry > 0 turns to the left edge of the picture (the person's own
    right), Rz > 0 tilts clockwise in the picture. Hence Rx = -pitch, Ry = -yaw, Rz = roll of `types.Pose`.
    See https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format and its issues 66 and 966.

    >>> with CsvSink("points.csv") as sink:
    ...     sink.write(pipeline.process(frame))
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        super().__init__(path, ",".join(CSV_COLUMNS) + "\n", overwrite)

    def _lines(self, result: FrameResult) -> Iterator[str]:
        for place, face in enumerate(result.faces):
            number = place if face.id is None else face.id
            confidence = float(np.mean(face.confidence))
            head = _ROW_HEAD.format(result.index + 1, number, result.time, confidence)
            pose, measured = ",,", ",,,"
            if face.pose is not None:
                # + 0.0 turns the -0.0 of a negated zero into 0.0
                pose = f"{-face.pose.pitch + 0.0:.4f},{-face.pose.yaw + 0.0:.4f},{face.pose.roll:.4f}"
            if (m := face.measures) is not None:
                measured = f"{m.right_eye_open:.3f},{m.left_eye_open:.3f},{m.mouth_open:.3f},{int(m.blink)}"
            points = _POINTS_FORMAT % tuple(face.points.T.ravel().tolist())
            box = ",".join(f"{v:.2f}" for v in face.box.tolist())
            yield f"{head}{pose},{points},{face.score:.3f},{box},{measured}\n"
