"""Recordings in JSON lines: what ``--jsonl`` wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from fkp_live.errors import InputError
from fkp_live.measured import ARKIT, MEASURES, ShapeMeasures
from fkp_live.recorded import eyes_by_points
from fkp_live.sources.recording import CURE_RECORDING, Recording, check_header
from fkp_live.sources.spec import CHECK_ACCESS
from fkp_live.topology import N_POINTS
from fkp_live.types import EXPRESSIONS, Expression, Face, FloatArray, FrameResult, Measures, Pose

# Bytes of a line; more is no result: a frame of a thousand faces has 7 MB.
_LONGEST_LINE = 1 << 26
# What a line that is no result makes json, orjson and numpy raise.
_BROKEN = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


class JsonlRecording(Recording):
    """A recording of JSON lines. Those of old versions lack ``eyes_open``, NaN then, and the measures of the shape.

    Raises
    ------
    InputError : it cannot be opened, or its first line is no header
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise InputError(f"{path} cannot be opened: {error.strerror}.", CHECK_ACCESS) from error
        try:
            super().__init__(path, self._read_header(path))
        except BaseException:
            self._file.close()
            raise

    def _read_header(self, path: Path) -> dict[str, Any]:
        try:
            header = json.loads(self._file.readline(_LONGEST_LINE))
        except _BROKEN:
            header = None
        if not check_header(header):
            raise InputError(
                f"{path} is not a recording of fkp-live: its first line is not a header of fkp-live/1.",
                "Give a file that --jsonl wrote.",
            )
        return dict(header)

    def named(self) -> Iterator[tuple[str, FrameResult]]:
        """Each result with the file name of its picture, see `Recording`."""
        self._file.seek(0)
        self._file.readline()
        self.note = ""
        number = 1
        while line := self._file.readline(_LONGEST_LINE):
            number += 1
            try:
                read = orjson.loads(line)
                found = str(read.get("file", "")), self._result(read)
            except (*_BROKEN, AttributeError) as error:
                if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
                    self.note = f"the last line of {self.path} is cut off and was left out"
                    return
                raise InputError(
                    f"{self.path} is damaged: line {number} is not a result.", CURE_RECORDING
                ) from error
            yield found

    def _result(self, line: dict[str, Any]) -> FrameResult:
        index, time = line["frame"], line["time"]
        if not isinstance(index, int) or index < 0 or not math.isfinite(time):
            raise ValueError("no frame number, or no time")
        faces = tuple(_face(one) for one in line["faces"])
        size = (self.info.width, self.info.height)
        return FrameResult(index, float(time), size, faces, bool(line.get("detected", True)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _face(one: dict[str, Any]) -> Face:
    pose, measures = one.get("pose"), one.get("measures")
    raw, number = one.get("raw"), one["id"]
    if number is not None and not isinstance(number, int):
        raise ValueError("an id that is not a whole number")
    return Face(
        _array(one["points"], (N_POINTS, 2)),
        _array(one["confidence"], (N_POINTS,)),
        _array(one["box"], (4,)),
        _number(one["score"]),
        number,
        None if raw is None else _array(raw, (N_POINTS, 2)),
        None if pose is None else _pose(pose),
        None if measures is None else _measures(measures),
        _expression(one.get("expression")),
    )


def _pose(one: dict[str, Any]) -> Pose:
    angles = (_number(one[angle]) for angle in ("pitch", "yaw", "roll"))
    # Recordings of old versions have no standard deviations; null is one that was not finite.
    spreads = (_number(one[name]) if name in one else None for name in ("pitch_sd", "yaw_sd", "roll_sd"))
    return Pose(*angles, *spreads)


def _expression(one: dict[str, Any] | None) -> Expression | None:
    if one is None:
        return None
    if one["label"] not in EXPRESSIONS:
        raise ValueError("a label that is no expression")
    shares = [one["probabilities"][name] for name in EXPRESSIONS]
    return Expression(_array(shares, (len(EXPRESSIONS),)), one["label"])


def _measures(one: dict[str, Any]) -> Measures:
    right, left, mouth = (_number(one[name]) for name in ("right_eye_open", "left_eye_open", "mouth_open"))
    eyes_open = _number(one.get("eyes_open"))
    shape = _shape(one)
    by_points = eyes_by_points(right, left, shape)
    return Measures(right, left, mouth, bool(one["blink"]), eyes_open, shape, by_points)


def _shape(one: dict[str, Any]) -> ShapeMeasures | None:
    relative, arkit = one.get("relative") or {}, one.get("arkit") or {}
    numbers = [*map(one.get, MEASURES), *map(relative.get, MEASURES), *map(arkit.get, ARKIT)]
    if all(value is None for value in numbers):
        return None
    return ShapeMeasures.known([_number(value) for value in numbers])


def _array(values: Any, shape: tuple[int, ...]) -> FloatArray:
    # null, for a number that was not finite, becomes NaN
    array = np.array(values, np.float64)
    if array.shape != shape:
        raise ValueError(f"{array.shape} numbers, expected {shape}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
