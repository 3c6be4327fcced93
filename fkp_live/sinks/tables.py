"""Results as text: CSV with OpenFace's columns, and JSON lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.sinks.files import FileSink
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FrameResult, Picture

SCHEMA = "fkp-live/1"


class _TextSink(FileSink):
    wants_picture = False

    def __init__(self, path: str | Path, header: str, overwrite: bool) -> None:
        super().__init__(path, overwrite)
        self._written = 0
        try:
            # UTF-8 has no place for the undecodable bytes of a file's name. Written as \udcff they are JSON.
            self._file = self._partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
            self._file.write(header)
        except BaseException as exc:
            self._discard()
            if isinstance(exc, OSError):
                raise self._failed(exc) from exc
            raise

    def _lines(self, result: FrameResult) -> Iterator[str]:
        raise NotImplementedError

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Write one result; the picture is not needed."""
        try:
            for line in self._lines(result):
                self._file.write(line)
                self._written += 1
        except OSError as exc:
            raise self._failed(exc) from exc

    def close(self) -> None:
        """Finish the file and give it its name; a file without a face is a result, too."""
        if self._file.closed:
            return
        try:
            self._file.close()
        except OSError as exc:
            raise self._failed(exc) from exc
        self._commit()

    def abort(self) -> None:
        """Close the file under its partial name, or remove it if it holds no result. Does not raise."""
        if self._file.closed:
            return
        try:
            self._file.close()
        except OSError:
            return  # the failure that led here is the one to report
        if not self._written:
            self._discard()


_ROW_HEAD = "{},{},{:.6f},{:.3f},1,"
_POINTS_FORMAT = ",".join(["%.2f"] * (2 * N_POINTS))
_PAIRS_FORMAT = f"[{', '.join(['[%.2f, %.2f]'] * N_POINTS)}]"
_CONFIDENCE_FORMAT = f"[{', '.join(['%.3f'] * N_POINTS)}]"
_BOX_FORMAT = "[%.2f, %.2f, %.2f, %.2f]"
_POSE_FORMAT = '{"pitch": %.4f, "yaw": %.4f, "roll": %.4f}'
_MEASURES_FORMAT = '{"right_eye_open": %.3f, "left_eye_open": %.3f, "mouth_open": %.3f}'
_NUMBER = re.compile(r"%\.\df")
CSV_COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *("pose_Rx", "pose_Ry", "pose_Rz"),
    *(f"x_{i}" for i in range(N_POINTS)),
    *(f"y_{i}" for i in range(N_POINTS)),
    *("score", "box_x0", "box_y0", "box_x1", "box_y1"),
    *("right_eye_open", "left_eye_open", "mouth_open", "blink"),
)


class CsvSink(_TextSink):
    """One row per face and frame: OpenFace's columns, then our own. Frames without a face have no row.

    ``frame`` starts at 1. ``face_id`` is the track's number, or the place in the frame where nothing is
    tracked. ``timestamp`` is in seconds. ``confidence`` is the mean of the points' confidence; ``success``
    is always 1. What was not computed is left empty.

    ``pose_Rx, pose_Ry, pose_Rz`` are radians with OpenFace's signs: axes x to the right, y down and z away
    from the camera, so Rx > 0 looks down, Ry > 0 turns to the left edge of the picture (the person's own
    right), Rz > 0 tilts clockwise in the picture. Hence Rx = -pitch, Ry = -yaw, Rz = roll of `types.Pose`.
    See https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format and its issues 66 and 966.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        super().__init__(path, ",".join(CSV_COLUMNS) + "\n", overwrite)

    def __enter__(self) -> CsvSink:
        return self

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


class JsonlSink(_TextSink):
    """A header line, then one object per frame, also for frames without a face.

    Parameters
    ----------
    header : source, model hash, provider, options …; the schema is put in front

    Points are frame pixels to two decimals, ``confidence`` one number per point, ``pose`` radians with the
    signs of `types.Pose`. ``frame`` starts at 0. Numbers that are not finite are written as null.
    """

    def __init__(self, path: str | Path, header: dict[str, Any], *, overwrite: bool = False) -> None:
        first = json.dumps({"schema": SCHEMA, **header}, ensure_ascii=False, allow_nan=False, default=str)
        super().__init__(path, first + "\n", overwrite)

    def __enter__(self) -> JsonlSink:
        return self

    def _lines(self, result: FrameResult) -> Iterator[str]:
        frame = f'"frame": {result.index}, "time": {result.time:.6f}'
        faces = ", ".join(map(_face_object, result.faces))
        yield f'{{{frame}, "detected": {json.dumps(result.detected)}, "faces": [{faces}]}}\n'


def _face_object(face: Face) -> str:
    parts = [
        f'"id": {json.dumps(face.id)}',
        f'"box": {_numbers(_BOX_FORMAT, face.box)}',
        f'"score": {_numbers("%.3f", face.score)}',
        f'"points": {_numbers(_PAIRS_FORMAT, face.points)}',
        f'"confidence": {_numbers(_CONFIDENCE_FORMAT, face.confidence)}',
    ]
    if face.raw is not None:
        parts.append(f'"raw": {_numbers(_PAIRS_FORMAT, face.raw)}')
    if (pose := face.pose) is not None:
        parts.append(f'"pose": {_numbers(_POSE_FORMAT, (pose.pitch, pose.yaw, pose.roll))}')
    if (m := face.measures) is not None:
        openness = (m.right_eye_open, m.left_eye_open, m.mouth_open)
        parts.append(
            f'"measures": {_numbers(_MEASURES_FORMAT, openness)[:-1]}, "blink": {json.dumps(bool(m.blink))}}}'
        )
    return f"{{{', '.join(parts)}}}"


def _numbers(form: str, values: ArrayLike) -> str:
    """``form`` filled with ``values``: several times as fast as json.dumps. JSON has no NaN, so that is null."""
    flat = np.asarray(values, np.float64).ravel()
    if np.isfinite(flat).all():
        return form % tuple(flat.tolist())
    return _NUMBER.sub("%s", form) % tuple(f"{v:.3f}" if np.isfinite(v) else "null" for v in flat)
