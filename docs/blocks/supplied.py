"""Films, pictures, recordings and data sets that the pages name and leave to their reader.

All are made out of the clip in the package and of the photographs of the tests.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

from fkp_live import FaceLandmarker
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult, Image

from .pages import ROOT

FRAMES = 48
FILMS = ("film.mp4", "input.mp4", "in.mp4", "interview.mp4", "class.mp4")


class Supplies:
    """The files, made once in a folder, and copied into that of each page as docs/blocks.toml has it."""

    NAMES = (
        *FILMS,
        *("films", "more", "list.csv", "people.jpg", "photos", "recordings", "anna.jsonl", "archive"),
        *("points.jsonl", "points.csv", "points.parquet", "udacity.zip", "video.mjpg"),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        film = folder / "film.mp4"
        clip, jpegs = demo_clip(), b""
        with (
            open_source(clip, max_frames=FRAMES) as source,
            VideoSink(film, source.info, audio_from=clip) as sink,
        ):
            for frame in source:
                sink.write(FrameResult.of(frame, []), frame.picture)
                jpegs += cv2.imencode(".jpg", frame.image)[1].tobytes()
        (folder / "video.mjpg").write_bytes(jpegs)
        for name in FILMS[1:]:
            shutil.copy(film, folder / name)
        portrait = _astronaut()
        cv2.imwrite(str(folder / "people.jpg"), portrait)
        for name in ("films", "more", "photos", "recordings"):
            (folder / name).mkdir()
        for name in ("films/one.mp4", "films/two.mp4", "more/three.mp4"):
            shutil.copy(film, folder / name)
        (folder / "list.csv").write_text("file\nfilms/one.mp4\nfilm.mp4\n")
        cv2.imwrite(str(folder / "photos" / "astronaut.jpg"), portrait)
        shutil.copy(ROOT / "tests" / "photos" / "hopper.jpg", folder / "photos")
        self._fkp("film.mp4", "--jsonl", "points.jsonl", "--csv", "points.csv", "--expression", "--headless")
        self._fkp("convert", "points.jsonl", "points.parquet")
        for name in ("recordings/anna.jsonl", "recordings/bo.jsonl", "anna.jsonl"):
            shutil.copy(folder / "points.jsonl", folder / name)
        self._fkp("batch", "films", "--out", "archive")
        _udacity(folder / "udacity.zip", folder / "film.mp4")

    def put(self, name: str, into: Path) -> None:
        """Copy a file or folder to a page's folder."""
        here, there = self._folder / name, into / name
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        else:
            shutil.copy(here, there)

    def _fkp(self, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "fkp_live", *words, "--quiet"],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _astronaut() -> Image:
    from skimage import data

    return np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)


def _udacity(archive: Path, film: Path) -> None:
    """An archive in the layout of Udacity's, with real faces: frames of a film, labelled by the shipped network."""
    landmarker = FaceLandmarker("cpu", max_faces=1)
    rows: dict[str, list[list[object]]] = {"training": [], "test": []}
    with zipfile.ZipFile(archive, "w") as zipped, open_source(film) as source:
        for number, frame in enumerate(source):
            (face,) = landmarker(frame.image)
            part = "test" if number % 4 == 3 else "training"
            # The second one is a person of train/data/unseen_persons.txt.
            name = f"{('Ann_Bee', 'Bill_Frist')[number % 2]}_{number:02}.jpg"
            x0, y0, x1, y1 = face.box
            side = int(max(x1 - x0, y1 - y0) * 0.4)
            left, top = max(int(x0) - side, 0), max(int(y0) - side, 0)
            cut = frame.image[top : int(y1) + side, left : int(x1) + side]
            zipped.writestr(f"{part}/{name}", cv2.imencode(".jpg", cut)[1].tobytes())
            rows[part].append([name, *np.round(face.points - (left, top), 2).ravel()])
        for part, labelled in rows.items():
            table = archive.with_name(f"{part}_frames_keypoints.csv")
            with table.open("w", newline="") as file:
                csv.writer(file).writerows([["", *range(136)], *labelled])
            zipped.write(table, table.name)
            table.unlink()
