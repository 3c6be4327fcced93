"""COCO keypoints: read back by pycocotools, and as plain JSON."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapes import face_at
from written import face, info, names, numbered_picture, result_of

from fkp_live.errors import OutputError
from fkp_live.sinks.coco import CocoSink, category
from fkp_live.types import Face


def made(points: np.ndarray, **more: Any) -> Face:
    return replace(face(id=4), points=points.astype(np.float32), **more)


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_the_category_names_68_points_and_the_lines_between_them() -> None:
    made = category()
    points = made["keypoints"]
    assert len(points) == len(set(points)) == 68
    assert (points[0], points[8], points[36], points[48], points[67]) == (
        *("jaw_0", "jaw_8", "right_eye_36", "mouth_48", "mouth_67"),
    )
    edges = {tuple(edge) for edge in made["skeleton"]}
    assert {number for edge in edges for number in edge} == set(range(1, 69))
    # An eye closes, the jaw does not; from 1.
    assert (42, 37) in edges
    assert (17, 1) not in edges


def test_pycocotools_reads_what_was_written(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    first, second = face_at(50, 40, 20), face_at(110, 40, 20)
    confidence = np.full(68, 0.9, np.float32)
    confidence[10] = 0.2
    with CocoSink(tmp_path / "o.json", info()) as sink:
        sink.write(result_of(0, made(first, confidence=confidence), made(second, id=None)))
        sink.write(result_of(1))
        sink.write(result_of(2, made(first + 0.004)))
    assert names(tmp_path) == ["o.json"]
    with contextlib.redirect_stdout(io.StringIO()):
        read = coco.COCO(str(tmp_path / "o.json"))
    assert read.getImgIds() == [1, 2, 3]
    assert read.getAnnIds(imgIds=[2]) == []
    assert [one["name"] for one in read.loadCats(read.getCatIds())] == ["face"]
    one, two = read.loadAnns(read.getAnnIds(imgIds=[1]))
    for annotation, points in ((one, first), (two, second)):
        keypoints = np.array(annotation["keypoints"]).reshape(68, 3)
        assert np.abs(keypoints[:, :2] - points).max() <= 0.00501
        low, high = points.min(0), points.max(0)
        assert np.abs(np.array(annotation["bbox"]) - [*low, *(high - low)]).max() < 0.011
        assert annotation["area"] == pytest.approx(np.prod(high - low), abs=0.01)
        assert (annotation["iscrowd"], annotation["num_keypoints"]) == (0, 68)
    seen = np.array(one["keypoints"]).reshape(68, 3)[:, 2]
    assert seen[10] == 1
    assert np.delete(seen, 10).min() == 2
    assert (one["track_id"], two["track_id"]) == (4, None)
    image = read.loadImgs([3])[0]
    assert (image["file_name"], image["width"], image["height"]) == ("x_000003.png", 160, 96)
    assert (image["frame"], image["time"]) == (3, 0.08)


def test_points_that_are_no_numbers_are_not_labelled(tmp_path: Path) -> None:
    points = face_at(50, 40, 20).astype(np.float32)
    points[5] = np.nan, 3.0
    score = {"score": float("nan"), "confidence": np.full(68, np.nan, np.float32)}
    with CocoSink(tmp_path / "o.json", info()) as sink:
        sink.write(result_of(0, made(points, **score), made(np.full((68, 2), np.inf))))
    (annotation,) = content(tmp_path / "o.json")["annotations"]
    assert annotation["keypoints"][15:18] == [0, 0, 0]
    assert annotation["num_keypoints"] == 67
    assert annotation["score"] is None


def test_pictures_lie_in_a_folder_beside_the_file(tmp_path: Path) -> None:
    with CocoSink(tmp_path / "o.json", info(), pictures=True) as sink:
        sink.write(result_of(3, made(face_at(50, 40, 20))), numbered_picture(3))
        assert names(tmp_path) == ["o.partial", "o.partial.json"]
    assert names(tmp_path) == ["o", "o.json"]
    (image,) = content(tmp_path / "o.json")["images"]
    picture = cv2.imread(str(tmp_path / "o" / image["file_name"]))
    assert np.array_equal(picture, numbered_picture(3).bgr())
    assert (image["width"], image["height"]) == (160, 96)


def test_pictures_of_a_folder_keep_their_names_and_have_their_own_size(tmp_path: Path) -> None:
    of = replace(info(), pictures=("a.jpg", "sub/ü.png"))
    with CocoSink(tmp_path / "o.json", of) as sink:
        sink.write(replace(result_of(0), size=(7, 5)))
        sink.write(replace(result_of(1), size=(0, 0)), numbered_picture(1))
    first, second = content(tmp_path / "o.json")["images"]
    assert (first["file_name"], first["width"], first["height"]) == ("a.jpg", 7, 5)
    assert (second["file_name"], second["width"], second["height"]) == ("sub/ü.png", 160, 96)


def test_a_failure_leaves_no_pictures_and_a_whole_partial_file(tmp_path: Path) -> None:
    sink = CocoSink(tmp_path / "o.json", info(), pictures=True)
    sink.write(result_of(0, made(face_at(50, 40, 20))), numbered_picture(0))
    sink.abort()
    assert names(tmp_path) == ["o.partial.json"]
    assert sink.kept == tmp_path / "o.partial.json"
    assert len(content(tmp_path / "o.partial.json")["annotations"]) == 1


def test_a_folder_that_is_in_the_way_is_found_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "mine.txt").write_text("")
    with pytest.raises(OutputError, match="1 file in it"):
        CocoSink(tmp_path / "o.json", info(), pictures=True)
    assert names(tmp_path) == ["o"]


def test_no_frame_is_a_file_too(tmp_path: Path) -> None:
    CocoSink(tmp_path / "o.json", info()).close()
    found = content(tmp_path / "o.json")
    assert (found["images"], found["annotations"]) == ([], [])


def test_a_name_with_undecodable_bytes_is_written(tmp_path: Path) -> None:
    with CocoSink(
        tmp_path / "o.json", replace(info(), name="a\udcff.mp4", pictures=("b\udcff.png",))
    ) as sink:
        sink.write(result_of(0))
    assert content(tmp_path / "o.json")["images"][0]["file_name"] == "b\\udcff.png"
