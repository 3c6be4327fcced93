"""Recordings made for tests: faces whose readings are known, over any time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from drawn import mean_shape

from fkp_live.geometry import box_of
from fkp_live.sinks.jsonl import JsonlSink
from fkp_live.types import EXPRESSIONS, Expression, Face, FrameResult, Measures, Pose

OPEN = Measures(0.3, 0.3, 0.1, False, 0.3)
SHUT = replace(OPEN, right_eye_open=0.1, left_eye_open=0.1, blink=True)


def face(
    number: int | None = 1,
    *,
    scale: float = 100.0,
    at: Sequence[float] = (320.0, 240.0),
    measures: Measures | None = OPEN,
    pose: Pose | None = Pose(0.0, 0.0, 0.0),  # noqa: B008
    points: np.ndarray | None = None,
    confidence: float = 0.9,
) -> Face:
    """A drawn face: the mean shape of `drawn`, or ``points`` in its place, ``scale`` times as large, at a place."""
    shape = ((mean_shape() if points is None else points) * scale + np.asarray(at)).astype(np.float32)
    return Face(shape, np.full(68, confidence, np.float32), box_of(shape), 0.9, number, None, pose, measures)


def shown(label: str) -> Face:
    """Face 1 with this expression, of probability 0.7."""
    place = EXPRESSIONS.index(label)
    shares = np.full(len(EXPRESSIONS), 0.3 / (len(EXPRESSIONS) - 1), np.float32)
    shares[place] = 0.7
    return replace(face(), expression=Expression(shares, label))


def result(index: int, time: float, *faces: Face) -> FrameResult:
    """What was found in one frame of 640x480 pixels."""
    return FrameResult(index, time, (640, 480), faces)


def film(frames: Iterable[Sequence[Face]], rate: float = 30.0) -> list[FrameResult]:
    """Results at an even rate."""
    return [result(index, index / rate, *faces) for index, faces in enumerate(frames)]


def write(path: Path, results: Iterable[FrameResult], name: str = "film.mp4", **header: Any) -> Path:
    """A JSONL recording."""
    source = {"name": name, "width": 640, "height": 480, "fps": 30.0}
    with JsonlSink(path, {"version": "0.0", "source": source, **header}) as sink:
        for one in results:
            sink.write(one)
    return path
