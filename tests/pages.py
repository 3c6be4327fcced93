"""The blocks of code on the pages of docs/, and short files for them to work on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
from photos import photographs

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

DOCS = Path(__file__).parents[1] / "docs"
FRAMES = 12


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code in a language, in the order of the page."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


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
