"""Commands and programs on the pages for newcomers run as they stand there."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import FRAMES, make_files

import fkp_live
from docs.blocks.pages import blocks, commands
from fkp_live.commands.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    make_files(made)
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DISPLAY", raising=False)


def run(page: str) -> None:
    """Run every command of a page's sh blocks, the clip in the package only as far as the film here."""
    for line in chain.from_iterable(map(commands, blocks(f"docs/{page}", "sh"))):
        name, *words = shlex.split(line)
        assert name == "fkp-live"
        shortened = ["--max-frames", str(FRAMES)] if "--demo" in words else []
        assert main([*words, *shortened]) == 0, line


def executed(page: str, only: Callable[[str], bool] = bool) -> dict[str, Any]:
    """The names that a page's python blocks leave, executed one after the other: the first, and those to choose."""
    names: dict[str, Any] = {}
    first, *others = (block.text for block in blocks(f"docs/{page}", "python"))
    for block in (first, *filter(only, others)):
        exec(compile(block, page, "exec"), names)
    return names


def test_the_first_hour(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("first_hour.md")
    written = (
        "demo.mp4",
        "demo.csv",
        "demo.jsonl",
        "annotated.mp4",
        "points.csv",
        "hidden.mp4",
        "events.csv",
    )
    assert all((folder / name).stat().st_size for name in written)
    assert list((folder / "results").rglob("*.csv"))
    capsys.readouterr()
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("the last block needs pandas")
    names = executed("first_hour.md")
    printed = capsys.readouterr().out
    assert (folder / "painted.png").is_file()
    assert printed.count("face 1: yaw") == FRAMES
    assert len(names["result"].faces) == 1
    assert list(names["table"].frame) == list(range(1, FRAMES + 1))


def test_the_python_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    executed("python.md")
    assert len(capsys.readouterr().out.splitlines()) == FRAMES
    assert (folder / "painted.mp4").is_file()
    assert len((folder / "loop.csv").read_text().splitlines()) == 1 + FRAMES


def test_what_laboratories_compute() -> None:
    pytest.importorskip("pandas")
    assert main(["film.mp4", "--csv", "points.csv", "--headless", "--overwrite"]) == 0
    names = executed("files.md")
    assert dict(names["on_screen"]) == {1: 1.0}
    assert dict(names["away"]) == {1: 0.0}
    assert dict(names["blinks"]) == {1: 0.0}
    assert 0.05 < names["mouth"][1] < 0.4
    assert abs(names["pose"].loc[1, ("pose_Rz", "mean")]) < 0.2


def test_coming_from_other_libraries(folder: Path) -> None:
    assert main(["film.mp4", "--expression", "--jsonl", "points.jsonl", "--headless", "--overwrite"]) == 0
    run("coming_from.md")
    header = (folder / "processed.csv").read_text().splitlines()[0].split(",")
    assert header[:8] == [
        "frame",
        "face_id",
        "timestamp",
        "confidence",
        "success",
        "pose_Rx",
        "pose_Ry",
        "pose_Rz",
    ]
    assert header[8:] == [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("the block of tables needs pandas")
    names = executed("coming_from.md", lambda block: "sv." not in block)
    # dlib: the same points by the detector's box and by one of somebody else.
    assert np.abs(names["points"][0] - names["shape"]).max() < 4
    assert 0.2 < names["ear"] < 0.45
    # MediaPipe's last block: the tip of the nose in the film. py-feat's: the astronaut smiles.
    with fkp_live.open_source("film.mp4") as source:
        frames = [frame.image for frame in source]
    (face,) = fkp_live.FaceLandmarker("cpu")(frames[-1])
    assert np.hypot(*(face.points[30] - (names["x"], names["y"]))) < 3
    assert names["face"].expression.label == "happy"
    assert names["table"].expression_happy.mean() > 0.5


def test_coming_from_supervision() -> None:
    sv = pytest.importorskip("supervision")
    names = executed("coming_from.md", lambda block: "sv." in block)
    (face,) = names["faces"]
    assert np.array_equal(names["key_points"].xy, [face.points])
    assert np.array_equal(names["detections"].xyxy, [face.box])
    assert isinstance(names["key_points"], sv.KeyPoints)
    nose = tuple(face.points[30].astype(int)[::-1])
    assert np.abs(names["painted"][nose].astype(int) - names["image"][nose]).max() > 20
