"""Short files for the blocks of code on the pages to work on."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
from photos import photographs

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

FRAMES = 12


def make_files(folder: Path) -> None:
    """What the pages call people.jpg, film.mp4 and films/: a portrait, and the beginning of the demo clip."""
    cv2.imwrite(str(folder / "people.jpg"), photographs.photograph("astronaut"))
    with (
        open_source(demo_clip(), max_frames=FRAMES) as source,
        VideoSink(folder / "film.mp4", source.info) as sink,
    ):
        for frame in source:
            sink.write(FrameResult.of(frame, []), frame.picture)
    (folder / "films").mkdir()
    shutil.copy(folder / "film.mp4", folder / "films" / "one.mp4")
