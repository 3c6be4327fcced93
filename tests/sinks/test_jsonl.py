"""JSON lines: the header, and one valid object per frame."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written import face, names, result_of, shape_measures

from fkp_live.sinks import JsonlSink
from fkp_live.types import Measures, Pose


def lines_of(path: Path) -> list[Any]:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text(encoding="utf-8").splitlines()]


def test_jsonl_reads_back(tmp_path: Path) -> None:
    full = face(
        id=7,
        raw=face(1).points,
        pose=Pose(0.1, -0.2, 0.3),
        measures=Measures(0.1, 0.2, 0.3, False, 0.15, shape_measures()),
    )
    with JsonlSink(tmp_path / "o.jsonl", {"source": Path("clip.mp4"), "provider": "cpu"}) as sink:
        assert not sink.wants_picture
        sink.write(result_of(0))
        sink.write(result_of(1, full, seconds=1 / 30))
    header, empty, written = lines_of(tmp_path / "o.jsonl")
    assert header == {"schema": "fkp-live/1", "source": "clip.mp4", "provider": "cpu"}
    assert empty == {"frame": 0, "time": 0.0, "detected": True, "faces": []}
    assert (written["frame"], written["time"]) == (1, pytest.approx(1 / 30, abs=1e-6))
    read = written["faces"][0]
    assert list(read) == ["id", "box", "score", "points", "confidence", "raw", "pose", "measures"]
    assert (read["id"], read["score"]) == (7, 0.988)
    assert np.allclose(read["box"], full.box, atol=0.0051)
    assert read["box"][0] < read["box"][2]
    assert read["box"][1] < read["box"][3]
    assert np.allclose(read["points"], full.points, atol=0.0051)
    assert np.allclose(read["raw"], full.points + 1, atol=0.0051)
    assert np.allclose(read["confidence"], full.confidence, atol=0.00051)
    assert read["pose"] == {"pitch": 0.1, "yaw": -0.2, "roll": 0.3}
    openness = {"right_eye_open": 0.1, "left_eye_open": 0.2, "mouth_open": 0.3}
    shape = shape_measures()
    assert read["measures"] == {
        **openness,
        **{"blink": False, "eyes_open": 0.15},
        **shape.values,
        **{"relative": shape.relative, "arkit": shape.arkit},
    }
    assert (read["measures"]["ear_left"], read["measures"]["arkit"]["EyeBlinkLeft"]) == (-0.001, 0.023)
    assert max(len(str(v)) for p in read["points"] for v in p) <= 6  # rounded, not 12.34000015258789


def test_what_was_not_computed_is_absent(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "o.jsonl", {}) as sink:
        sink.write(result_of(0, face()))
    _, frame = lines_of(tmp_path / "o.jsonl")
    assert list(frame["faces"][0]) == ["id", "box", "score", "points", "confidence"]
    assert frame["faces"][0]["id"] is None


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    broken = face()
    broken.points[3, 1] = math.nan
    broken.points[4, 0] = math.inf
    with JsonlSink(tmp_path / "o.jsonl", {}) as sink:
        sink.write(result_of(0, broken))
    points = lines_of(tmp_path / "o.jsonl")[1]["faces"][0]["points"]
    assert points[3] == [pytest.approx(broken.points[3, 0], abs=0.0051), None]
    assert points[4] == [None, pytest.approx(broken.points[4, 1], abs=0.0051)]


def test_the_header_holds_what_was_given(tmp_path: Path) -> None:
    given = {
        "source": {"width": 640, "height": 480, "fps": 29.97, "origin": 0.0},
        "options": {"smooth": None},
    }
    JsonlSink(tmp_path / "o.jsonl", given).close()
    assert lines_of(tmp_path / "o.jsonl") == [{"schema": "fkp-live/1", **given}]


def test_a_header_that_is_not_json_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        JsonlSink(tmp_path / "o.jsonl", {"fps": math.nan})
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_undecodable_names_are_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"b\xff.mp4")
    JsonlSink(tmp_path / "o.jsonl", {"source": name, "other": "\u00fc"}).close()
    assert lines_of(tmp_path / "o.jsonl")[0]["source"] == name
    assert "\u00fc" in (tmp_path / "o.jsonl").read_text(encoding="utf-8")


def test_pictures_of_a_folder_have_their_name(tmp_path: Path) -> None:
    files = ('a "b".png', "skipped.png", os.fsdecode(b"\xff.png"))
    with JsonlSink(tmp_path / "o.jsonl", {}, files=files) as sink:
        sink.write(result_of(0))
        sink.write(result_of(2))
    _, first, last = lines_of(tmp_path / "o.jsonl")
    assert (first["file"], first["frame"]) == ('a "b".png', 0)
    assert last["file"] == "\\udcff.png"
    assert next(iter(first)) == "file"
