"""JSON lines: a header, then one object per frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from fkp_live.measured import ShapeMeasures
from fkp_live.recorded import PIXEL_DECIMALS, SCHEMA, SHARE_DECIMALS
from fkp_live.sinks.text import TextSink
from fkp_live.types import Face, FrameResult


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
    frame = {
        "frame": result.index,
        "time": round(float(result.time), 6),
        "detected": bool(result.detected),
        "faces": [_face_object(face, raw) for face in result.faces],
    }
    return orjson.dumps(frame, option=orjson.OPT_SERIALIZE_NUMPY).decode()


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


def _face_object(face: Face, raw: bool) -> dict[str, Any]:
    """What `Face.to_dict` gives, in a seventh of its time: orjson writes arrays, and null for what is not finite."""
    m = face.measures
    shape = None if m is None else m.shape
    # Rounded together: each operation of numpy costs more than its numbers do.
    pixels = [face.box, face.points] if face.raw is None or not raw else [face.box, face.points, face.raw]
    shares = [face.confidence] if shape is None else [face.confidence, shape.numbers]
    points_end, pixels_end = 4 + face.points.size, sum(part.size for part in pixels)
    rounded = np.concatenate([*pixels, *shares], axis=None, dtype=np.float64)
    factors = _factors(pixels_end, len(rounded) - pixels_end)
    rounded *= factors
    np.rint(rounded, out=rounded)
    rounded /= factors
    shares_end = pixels_end + face.confidence.size
    made: dict[str, Any] = {
        "id": face.id,
        "box": rounded[:4],
        "score": round(float(face.score), SHARE_DECIMALS),
        "points": rounded[4:points_end].reshape(-1, 2),
        "confidence": rounded[pixels_end:shares_end],
    }
    if pixels_end > points_end:
        made["raw"] = rounded[points_end:pixels_end].reshape(-1, 2)
    if (pose := face.pose) is not None:
        made["pose"] = pose.rounded(4)
    if m is not None:
        openness = {"right_eye_open": m.right_eye_open, "left_eye_open": m.left_eye_open}
        openness["mouth_open"] = m.mouth_open
        made["measures"] = {name: round(float(value), 3) for name, value in openness.items()}
        made["measures"] |= {"blink": bool(m.blink), "eyes_open": round(float(m.eyes_open), 3)}
        if shape is not None:
            # + 0.0 turns the -0.0 of a rounded number into 0.0
            shape = ShapeMeasures.known(rounded[shares_end:] + 0.0)
            made["measures"] |= {**shape.values, "relative": shape.relative, "arkit": shape.arkit}
    if face.expression is not None:
        made["expression"] = face.expression.to_dict()
    return made


@lru_cache(maxsize=16)
def _factors(pixels: int, shares: int) -> NDArray[np.float64]:
    """What numbers are multiplied by before they are rounded: first pixels, then shares."""
    return np.repeat([10.0**PIXEL_DECIMALS, 10.0**SHARE_DECIMALS], [pixels, shares])
