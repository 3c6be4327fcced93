"""CSV: OpenFace's columns, units and signs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from written import face, result_of, shape_measures

from fkp_live.sinks import CsvSink
from fkp_live.sinks.csv import CSV_COLUMNS
from fkp_live.types import Measures, Pose


def test_csv_reads_back(tmp_path: Path) -> None:
    blinking = Measures(0.1234, 0.3, 0.05, True, 0.2, shape_measures())
    raw = face(1).points
    full = face(id=7, pose=Pose(pitch=0.1, yaw=-0.2, roll=0.3), measures=blinking, raw=raw)
    bare = face(5)
    with CsvSink(tmp_path / "o.csv") as sink:
        assert not sink.wants_picture
        sink.write(result_of(0))
        sink.write(result_of(1, full, bare, seconds=1001 / 30000))
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Frames count from 1; the first has no face. Without a track the id is the place in the frame.
    nobody, *rows = rows
    assert [(r["frame"], r["face_id"], r["success"]) for r in rows] == [("2", "7", "1"), ("2", "1", "1")]
    seen = {name: value for name, value in nobody.items() if value}
    assert seen == {"frame": "1", "face_id": "-1", "timestamp": "0.000000", "success": "0"}
    assert float(rows[0]["timestamp"]) == pytest.approx(1001 / 30000, abs=1e-6)
    assert float(rows[0]["confidence"]) == pytest.approx(0.75, abs=1e-3)
    assert rows[0]["score"] == "0.988"
    for row, written in zip(rows, (full, bare), strict=True):
        for i in range(68):
            assert float(row[f"x_{i}"]) == pytest.approx(written.points[i, 0], abs=0.0051)
            assert float(row[f"y_{i}"]) == pytest.approx(written.points[i, 1], abs=0.0051)
        box = [float(row[f"box_{side}"]) for side in ("x0", "y0", "x1", "y1")]
        assert box == pytest.approx(written.box.tolist(), abs=0.0051)
        assert box[0] < box[2]
        assert box[1] < box[3]
    # OpenFace: looking up is a negative Rx, turning to the person's own right (picture's left) a positive Ry.
    assert [float(rows[0][f"pose_R{a}"]) for a in "xyz"] == [-0.1, 0.2, 0.3]
    measured = [rows[0][k] for k in ("right_eye_open", "left_eye_open", "mouth_open", "blink")]
    assert measured == ["0.123", "0.300", "0.050", "1"]
    shape = [
        rows[0][k] for k in ("eyes_open", "ear_left", "ear_right", "ear_left_rel", "arkit_BrowOuterUpRight")
    ]
    assert shape == ["0.200", "-0.001", "0.000", "0.011", "0.049"]
    absent = [rows[1][k] for k in ("pose_Rx", "mouth_open", "blink", "raw_x_0", "eyes_open", "arkit_JawOpen")]
    assert absent == [""] * 6
    for i in range(68):
        assert float(rows[0][f"raw_x_{i}"]) == pytest.approx(raw[i, 0], abs=0.0051)
        assert float(rows[0][f"raw_y_{i}"]) == pytest.approx(raw[i, 1], abs=0.0051)


def test_a_head_that_looks_straight_ahead_has_zeros_without_a_sign(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "o.csv") as sink:
        sink.write(result_of(0, face(pose=Pose(0.0, 0.0, 0.0))))
    assert ",0.0000,0.0000,0.0000," in (tmp_path / "o.csv").read_text()


def test_csv_columns_are_openface_s_first() -> None:
    xs, ys = [f"x_{i}" for i in range(68)], [f"y_{i}" for i in range(68)]
    openface = ["frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"]
    assert list(CSV_COLUMNS[:144]) == openface + xs + ys
    assert list(CSV_COLUMNS[153:289]) == [f"raw_{name}" for name in xs + ys]
    assert CSV_COLUMNS[289] == "expression"
    assert CSV_COLUMNS[297:301] == ("eyes_open", "ear_left", "ear_right", "mar")
    assert len(set(CSV_COLUMNS)) == len(CSV_COLUMNS)


def test_openface_s_columns_alone(tmp_path: Path) -> None:
    for columns in ("openface", "all"):
        with CsvSink(tmp_path / f"{columns}.csv", columns=columns) as sink:
            sink.write(result_of(0))
            sink.write(result_of(1, face(id=7, raw=face(1).points, pose=Pose(0.1, 0.2, 0.3))))
    short, whole = (list(csv.reader((tmp_path / f"{c}.csv").open(newline=""))) for c in ("openface", "all"))
    assert short == [row[:144] for row in whole]
    assert {len(row) for row in whole} == {len(CSV_COLUMNS)}
    with pytest.raises(ValueError, match="expected one of all, openface"):
        CsvSink(tmp_path / "other.csv", columns="other")


def test_names_of_pictures_are_the_first_column(tmp_path: Path) -> None:
    files = ("a.png", 'odd, "quoted".png', "line\nfeed.png")
    with CsvSink(tmp_path / "o.csv", files=files) as sink:
        sink.write(result_of(0, face(), face(5)))
        sink.write(result_of(1))
        sink.write(result_of(2, face()))
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert next(iter(rows[0])) == "file"
    assert [row["file"] for row in rows] == [files[0], files[0], files[1], files[2]]
    assert [row["frame"] for row in rows] == ["1", "1", "2", "3"]
