"""JSON lines: a header, then one object per frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.recorded import SCHEMA
from fkp_live.sinks.text import TextSink
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FrameResult

_PAIRS_FORMAT = f"[{', '.join(['[%.2f, %.2f]'] * N_POINTS)}]"
_CONFIDENCE_FORMAT = f"[{', '.join(['%.3f'] * N_POINTS)}]"
_BOX_FORMAT = "[%.2f, %.2f, %.2f, %.2f]"
_POSE_FORMAT = '{"pitch": %.4f, "yaw": %.4f, "roll": %.4f}'
_MEASURES_FORMAT = '{"right_eye_open": %.3f, "left_eye_open": %.3f, "mouth_open": %.3f}'
_NUMBER = re.compile(r"%\.\df")


class JsonlFormat:
    """The lines of `JsonlSink`, for any stream; see there."""

    def __init__(self, header: dict[str, Any], files: Sequence[str] = ()) -> None:
        self._files = files
        first = json.dumps({"schema": SCHEMA, **header}, ensure_ascii=False, allow_nan=False, default=str)
        self.header = first + "\n"

    def lines(self, result: FrameResult) -> Iterator[str]:
        """The one line of a result."""
        line = frame_object(result)
        if self._files:
            name = self._files[result.index] if result.index < len(self._files) else ""
            # As in the other tables; a lone surrogate in JSON is refused by many readers.
            name = name.encode("utf-8", "backslashreplace").decode()
            line = f'{{"file": {json.dumps(name, ensure_ascii=False)}, {line[1:]}'
        yield line + "\n"


def frame_object(result: FrameResult, *, raw: bool = True) -> str:
    """The JSON object of a result, as in a JSONL file; without ``raw`` it lacks the points before smoothing."""
    faces = ", ".join(_face_object(face, raw) for face in result.faces)
    frame = f'"frame": {result.index}, "time": {result.time:.6f}'
    return f'{{{frame}, "detected": {json.dumps(result.detected)}, "faces": [{faces}]}}'


class JsonlSink(TextSink):
    """A header line, then one object per frame, also for frames without a face.

    Parameters
    ----------
    header : source, model hash, provider, options …; the schema is put in front
    files : names of the pictures of the source, by frame (`SourceInfo.pictures`): each object then begins with ``file``

    Points are frame pixels to two decimals, ``confidence`` one number per point, ``pose`` radians with the
    signs of `types.Pose`. ``frame`` starts at 0. Numbers that are not finite are written as null.

    >>> with JsonlSink("points.jsonl", {"source": "clip.mp4"}) as sink:
    ...     sink.write(pipeline.process(frame))
    """

    def __init__(
        self, path: str | Path, header: dict[str, Any], *, overwrite: bool = False, files: Sequence[str] = ()
    ) -> None:
        super().__init__(path, JsonlFormat(header, files), overwrite)


def _face_object(face: Face, raw: bool) -> str:
    parts = [
        f'"id": {json.dumps(face.id)}',
        f'"box": {_numbers(_BOX_FORMAT, face.box)}',
        f'"score": {_numbers("%.3f", face.score)}',
        f'"points": {_numbers(_PAIRS_FORMAT, face.points)}',
        f'"confidence": {_numbers(_CONFIDENCE_FORMAT, face.confidence)}',
    ]
    if raw and face.raw is not None:
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
    forms = zip(_NUMBER.findall(form), flat, strict=True)
    return _NUMBER.sub("%s", form) % tuple(
        one % value if np.isfinite(value) else "null" for one, value in forms
    )
