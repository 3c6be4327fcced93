"""Shared by the tests of sinks: results to write, and what is in the files afterwards."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2  # noqa: F401 before av: see docs/architecture.md
import numpy as np
from conftest import numbered

from fkp_live.images.picture import BgrPicture
from fkp_live.measured import COLUMNS, ShapeMeasures
from fkp_live.sinks import Sink, VideoSink
from fkp_live.sources import open_source
from fkp_live.types import Face, Frame, FrameResult, Image, Picture, Pose, SourceInfo


def info(width: int = 160, height: int = 96, **more: Any) -> SourceInfo:
    """Of a source of pictures like those of `numbered`, 25 a second."""
    return SourceInfo("x", width, height, **{"fps": 25.0, **more})


def face(offset: float = 0.0, **more: Any) -> Face:
    """A face of random points, moved by ``offset`` pixels, with mean confidence 0.75."""
    points = np.random.default_rng(0).uniform(10, 90, (68, 2)).astype(np.float32) + np.float32(offset)
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    return Face(points, np.linspace(0.5, 1.0, 68).astype(np.float32), box, 0.98765, **more)


def shape_measures() -> ShapeMeasures:
    """Measures that are different numbers, one of them below 0."""
    return ShapeMeasures.known(np.arange(-1, len(COLUMNS) - 1) / 1000)


def result_of(
    index: int,
    *faces: Face,
    seconds: float | None = None,
    pts: int | None = None,
    base: Fraction | None = None,
) -> FrameResult:
    """The result of frame ``index`` of a 160x96 source of 25 frames a second."""
    seconds = index / 25 if seconds is None else seconds
    return FrameResult(index, seconds, (160, 96), faces, pts=pts, time_base=base)


def result_with_face(index: int) -> FrameResult:
    """The result of frame ``index``, with one tracked face."""
    return result_of(index, face(index, id=3, raw=face(index + 0.5).points, pose=Pose(0.1, -0.2, 0.3)))


def write_picture(sink: Sink, image: Image, index: int = 0, seconds: float | None = None) -> None:
    sink.write(result_of(index, seconds=seconds), BgrPicture(image))


def write_numbered(sink: Sink, count: int) -> None:
    """Results with a face and pictures that carry their number, from 0 on."""
    for index in range(count):
        sink.write(result_with_face(index), numbered_picture(index))


def numbered_picture(index: int) -> Picture:
    return BgrPicture(numbered(index % 256))


def copied(path: str | Path, out: Path, *, sound: bool = True, **options: Any) -> tuple[list[Frame], str]:
    """Source to video sink with nothing between: the frames that were read, and the sink's note."""
    with open_source(path, **options) as source:
        audio = source.info.path if sound and source.info.has_audio else None
        frames = []
        with VideoSink(out, source.info, audio_from=audio) as sink:
            for frame in source:
                sink.write(FrameResult.of(frame, ()), frame.picture)
                frames.append(frame)
    return frames, sink.note


def frames_in(path: Path) -> list[Frame]:
    with open_source(path) as source:
        return list(source)


def sound_packets(path: Path) -> list[tuple[bytes, float]]:
    """Bytes and seconds of every packet of the first sound track; empty without one."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        packets: Any = container.demux(container.streams.audio[0])
        return [(bytes(p), float(p.pts * p.time_base)) for p in packets if p.size]


def partial(path: Path) -> Path:
    """The name that ``path`` has while it is being written."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
