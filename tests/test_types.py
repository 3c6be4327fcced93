"""Records: how they print, what they turn into as JSON, and what their types promise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from docs.blocks.pages import blocks
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sinks import JsonlSink
from fkp_live.types import Face, Frame, FrameResult, Image, Landmarks

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def result(astronaut: Image) -> FrameResult:
    return Pipeline().process(Frame(BgrPicture(astronaut), 7, 0.123456789, 0.0))


def _through_a_file(result: FrameResult, path: Path) -> dict[str, Any]:
    with JsonlSink(path, {}) as sink:
        sink.write(result)
    _, line = path.read_text().splitlines()
    return dict(json.loads(line))


def test_they_print_in_one_short_line(result: FrameResult, astronaut: Image) -> None:
    (face,) = result.faces
    assert re.fullmatch(r"TrackedFace\(id 1, box 1\d\d, \d+, 2\d\d, 1\d\d, confidence 0\.9\d\)", repr(face))
    assert repr(result) == "TrackedResult(7, 0.123 s, 1 face)"
    assert repr(Frame(BgrPicture(astronaut), 7, 0.5, 0.0)) == "Frame(7, 0.500 s, 512x512)"
    assert (
        repr(Landmarks(np.zeros((2, 68, 2), np.float32), np.zeros((2, 68), np.float32)))
        == "Landmarks(of 2 faces)"
    )


def test_a_dict_is_what_jsonl_holds(result: FrameResult, tmp_path: Path) -> None:
    line = _through_a_file(result, tmp_path / "a.jsonl")
    assert result.to_dict() == line
    assert result.faces[0].to_dict() == line["faces"][0]


def test_a_dict_of_bare_or_broken_numbers_is_json_too(tmp_path: Path) -> None:
    points = np.full((68, 2), np.nan, np.float32)
    points[1] = 0.125, np.inf
    face = Face(points, np.ones(68, np.float32), np.zeros(4, np.float32), np.nan)
    result = FrameResult(0, 0.0, (9, 9), (face,))
    line = _through_a_file(result, tmp_path / "a.jsonl")
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == line
    assert line["faces"][0]["points"][:2] == [[None, None], [0.12, None]]
    assert "pose" not in line["faces"][0]


def test_faces_of_pictures_and_streams_carry_all_that_is_measured(
    result: FrameResult, astronaut: Image
) -> None:
    (alone,) = FaceLandmarker(provider="cpu")(astronaut)
    assert (alone.id, result.faces[0].id) == (None, 1)
    for face in (alone, *result.faces):
        assert face.raw is not None
        assert face.pose is not None
        assert face.measures is not None


def test_the_programs_of_the_readme_are_typed(tmp_path: Path) -> None:
    """`mypy --strict` finds nothing in them: what the README reads off a face is always there."""
    pytest.importorskip("mypy")
    programs = blocks("README.md", "python")
    assert len(programs) >= 3
    for number, program in enumerate(programs):
        (tmp_path / f"block_{number}.py").write_text(program.text)
    words = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path / "cache"),
        *tmp_path.glob("*.py"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout
