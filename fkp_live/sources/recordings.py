"""Recordings: the numbers of a run, read back from its file as the results they were."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import numpy as np

from fkp_live.errors import InputError
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FloatArray, FrameResult, Measures, Pose, SourceInfo

_SCHEMA = "fkp-live/1"


class Recording(Protocol):
    """A recording that is open: its results in order, read as they are asked for, so that memory stays flat.

    Attributes
    ----------
    path : the file
    header : what the run wrote of itself: version, source, model, provider, options; empty where the form has none
    info : of the source that was recorded: its name, size, frames per second
    """

    path: Path
    header: dict[str, Any]
    info: SourceInfo

    def __iter__(self) -> Iterator[FrameResult]:
        """The results, from the first one on. Raises InputError where the file is damaged."""

    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_recording(path: str | Path) -> Recording:
    """Open what ``--jsonl`` wrote.

    Raises
    ------
    InputError : there is no such file, or it is no recording

    Example
    -------
    >>> with open_recording("points.jsonl") as recording:
    ...     for result in recording:
    ...         print(result.time, [face.id for face in result.faces])
    """
    return JsonlRecording(Path(path))


class JsonlRecording:
    """The recording of a JSONL file, see `Recording`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: TextIO = path.open(encoding="utf-8")
        except OSError as error:
            raise InputError(f"{path} cannot be opened: {error.strerror}.") from error
        try:
            self.header = self._read_header()
        except BaseException:
            self._file.close()
            raise
        source = self.header.get("source") or {}
        self.info = SourceInfo(
            str(source.get("name", path.name)),
            int(source.get("width", 0)),
            int(source.get("height", 0)),
            fps=source.get("fps"),
            origin=float(source.get("origin", 0.0)),
        )

    def _read_header(self) -> dict[str, Any]:
        try:
            header = json.loads(self._file.readline())
        except ValueError:
            header = None
        if not isinstance(header, dict) or header.get("schema") != _SCHEMA:
            raise InputError(
                f"{self.path} is no recording of fkp-live: its first line is not a header of {_SCHEMA}.",
                "Give a file that --jsonl wrote.",
            )
        return header

    def __iter__(self) -> Iterator[FrameResult]:
        self._file.seek(0)
        self._file.readline()
        for number, line in enumerate(self._file, start=2):
            try:
                yield self._result(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(f"{self.path} is damaged: line {number} is no result.") from error

    def _result(self, line: dict[str, Any]) -> FrameResult:
        faces = tuple(_face(one) for one in line["faces"])
        size = (self.info.width, self.info.height)
        return FrameResult(line["frame"], line["time"], size, faces, line.get("detected", True))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _face(one: dict[str, Any]) -> Face:
    pose, measures = one.get("pose"), one.get("measures")
    raw = one.get("raw")
    return Face(
        _array(one["points"], (N_POINTS, 2)),
        _array(one["confidence"], (N_POINTS,)),
        _array(one["box"], (4,)),
        _number(one["score"]),
        one["id"],
        None if raw is None else _array(raw, (N_POINTS, 2)),
        None if pose is None else Pose(*(_number(pose[angle]) for angle in ("pitch", "yaw", "roll"))),
        None if measures is None else _measures(measures),
    )


def _measures(one: dict[str, Any]) -> Measures:
    right, left, mouth = (_number(one[name]) for name in ("right_eye_open", "left_eye_open", "mouth_open"))
    # How far both eyes together are open is not recorded.
    return Measures(right, left, mouth, bool(one["blink"]), math.nan)


def _array(values: Any, shape: tuple[int, ...]) -> FloatArray:
    # null, for a number that was not finite, becomes NaN
    array = np.array(values, np.float64).astype(np.float32)
    if array.shape != shape:
        raise ValueError(f"{array.shape} numbers, expected {shape}")
    return array


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
