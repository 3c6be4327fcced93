"""The .pts folder: counted from 1, a picture beside each file, and where each is from."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from shapes import face_at
from written import face, info, names, numbered_picture, result_of

from fkp_live.images.picture import BgrPicture
from fkp_live.sinks.pts import PtsSink, pts_text
from fkp_live.types import Face, SourceInfo


def made(points: np.ndarray, number: int | None = 1) -> Face:
    return replace(face(id=number), points=points.astype(np.float32))


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "faces.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_text_is_that_of_300_w_and_counts_from_1() -> None:
    points = np.zeros((68, 2))
    points[0], points[67] = (10.25, 0.5), (-3.0, 7.125)
    lines = pts_text(points).split("\n")
    assert lines[:4] == ["version: 1", "n_points:  68", "{", "11.250 1.500"]
    assert lines[4:70] == ["1.000 1.000"] * 66
    assert lines[70:] == ["-2.000 8.125", "}", ""]


def test_whole_frames_keep_the_points(tmp_path: Path) -> None:
    with PtsSink(tmp_path / "o", info(), crop=False) as sink:
        sink.write(result_of(5, made(face_at(80, 40, 20))), numbered_picture(5))
    assert names(tmp_path) == ["o"]
    assert names(tmp_path / "o") == ["faces.csv", "x_000006_1.png", "x_000006_1.pts"]
    assert (tmp_path / "o" / "x_000006_1.pts").read_text() == pts_text(face_at(80, 40, 20))
    picture = cv2.imread(str(tmp_path / "o" / "x_000006_1.png"))
    assert np.array_equal(picture, numbered_picture(5).bgr())
    assert rows(tmp_path / "o") == [
        {
            **{"file": "x_000006_1", "frame": "6", "timestamp": "0.200000", "face_id": "1"},
            **{"confidence": "0.750", "left": "0", "top": "0"},
        }
    ]


def test_cut_outs_show_the_face_with_a_margin(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    points = face_at(200, 120, 60)
    with PtsSink(tmp_path / "o", info()) as sink:
        sink.write(result_of(0, made(points)), BgrPicture(image))
    (row,) = rows(tmp_path / "o")
    left, top = int(row["left"]), int(row["top"])
    cut = cv2.imread(str(tmp_path / "o" / "x_000001_1.png"))
    assert np.array_equal(cut, image[top : top + cut.shape[0], left : left + cut.shape[1]])
    written = np.loadtxt(tmp_path / "o" / "x_000001_1.pts", skiprows=3, comments="}") - 1
    assert np.abs(written + np.array([left, top]) - points).max() < 0.001
    longer = np.ptp(points, axis=0).max()
    assert written.min() > 0.45 * longer
    assert (cut.shape[1::-1] - written.max(0)).min() > 0.45 * longer


def test_a_face_at_the_edge_is_cut_off_there(tmp_path: Path) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    with PtsSink(tmp_path / "o", info()) as sink:
        sink.write(result_of(0, made(face_at(5, 90, 40)), made(face_at(500, 20, 40), 2)), BgrPicture(image))
    assert [row["face_id"] for row in rows(tmp_path / "o")] == ["1"]
    assert cv2.imread(str(tmp_path / "o" / "x_000001_1.png")).shape[0] <= 100
    assert "1 face" in sink.note


def test_several_faces_and_pictures_of_a_folder(tmp_path: Path) -> None:
    pictures = replace(info(), pictures=("a.jpg", "b.jpg", "sub/a.jpg"))
    one, two = made(face_at(40, 40, 20)), made(face_at(110, 40, 20), 2)
    with PtsSink(tmp_path / "o", pictures, pictures=False) as sink:
        sink.write(result_of(0, one))
        sink.write(result_of(1, one, two))
        sink.write(result_of(1, made(face_at(40, 40, 20), None)))
    assert names(tmp_path / "o") == ["a.pts", "b.pts", "b_1.pts", "b_2.pts", "faces.csv"]
    assert sink.note == ""


def test_points_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    points = face_at(80, 40, 20)
    points[3, 1] = np.nan
    with PtsSink(tmp_path / "o", info(), pictures=False) as sink:
        sink.write(result_of(0, made(points), made(face_at(80, 40, 20), 2)))
    assert names(tmp_path / "o") == ["faces.csv", "x_000001_2.pts"]
    assert "1 face" in sink.note


def test_after_a_failure_nothing_is_left(tmp_path: Path) -> None:
    sink = PtsSink(tmp_path / "o", info(), pictures=False)
    sink.write(result_of(0, made(face_at(80, 40, 20))))
    sink.abort()
    sink.close()
    assert names(tmp_path) == []
    with pytest.raises(ValueError, match="closed"):
        sink.write(result_of(1))


def test_a_missing_picture_is_an_error_of_the_caller(tmp_path: Path) -> None:
    sink = PtsSink(tmp_path / "o", info())
    assert sink.wants_picture
    with pytest.raises(ValueError, match="picture"):
        sink.write(result_of(0, made(face_at(80, 40, 20))))
    sink.abort()


def test_names_are_plain_and_keep_letters_of_any_language(tmp_path: Path) -> None:
    of = SourceInfo("日本\n.mp4", 160, 96)
    with PtsSink(tmp_path / "o", of, pictures=False) as sink:
        sink.write(result_of(0, made(face_at(80, 40, 20))))
    assert "日本__000001_1.pts" in names(tmp_path / "o")
