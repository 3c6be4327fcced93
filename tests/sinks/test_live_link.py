"""Live Link Face CSV: header and rows as its readers expect them, at a constant rate."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapes import face_at
from written import face, names, result_of

from fkp_live.errors import OutputError
from fkp_live.sinks.live_link import COLUMNS, LiveLinkSink, _timecode
from fkp_live.types import Face, Pose

HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,"
    "EyeSquintLeft,EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,"
    "EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,"
    "MouthLeft,MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,"
    "MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,"
    "BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,"
    "NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,"
    "RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def at(x: float, number: int = 1, pose: Pose | None = None) -> Face:
    """A face whose JawOpen is ``x``."""
    return replace(face(id=number), points=np.full((68, 2), x, np.float32), pose=pose)


def jaw(one: Face) -> dict[str, float]:
    return {"JawOpen": float(one.points[0, 0])}


def written(path: Path, *results: Any, **options: Any) -> list[dict[str, str]]:
    with LiveLinkSink(path, jaw, **options) as sink:
        for result in results:
            sink.write(result)
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def values(rows: list[dict[str, str]], name: str = "JawOpen") -> list[float]:
    return [round(float(row[name]), 4) for row in rows]


def test_the_header_is_that_of_the_app(tmp_path: Path) -> None:
    written(tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == HEADER + "\n"
    assert len(COLUMNS) == 2 + 52 + 9


def test_pandas_reads_61_values_a_row_at_a_constant_rate(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    # 25 frames a second, made 30.
    results = [result_of(k, at(k / 100)) for k in range(51)]
    written(tmp_path / "o.csv", *results)
    table = pandas.read_csv(tmp_path / "o.csv")
    assert ",".join(table.columns) == HEADER
    assert (table["BlendShapeCount"] == 61).all()
    assert table.shape == (61, 63)
    assert table.notna().all().all()
    seconds = table["Timecode"].map(lambda code: int(code[6:8]) + float(code[9:]) / 30)
    assert np.allclose(np.diff(seconds), 1 / 30)
    # A straight line stays one.
    assert np.allclose(table["JawOpen"], np.arange(61) / 30 * 0.25, atol=1e-6)
    others = table.drop(columns=["Timecode", "BlendShapeCount", "JawOpen"])
    assert (others == 0).all().all()


def test_head_angles_are_radians_with_the_signs_of_the_app(tmp_path: Path) -> None:
    (row,) = written(tmp_path / "o.csv", result_of(0, at(0, pose=Pose(0.1, 0.2, 0.3))))
    assert [float(row[name]) for name in ("HeadYaw", "HeadPitch", "HeadRoll")] == [0.2, 0.1, -0.3]


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (0, 30, "00:00:00:00.000"),
        (31, 30, "00:00:01:01.000"),
        (59, 60, "00:00:00:59.000"),
        (30 * 3661 + 7, 30, "01:01:01:07.000"),
        (30, 29.97, "00:00:01:00.000"),
        (24, 23.976, "00:00:01:00.000"),
        (25 * 86400, 25, "00:00:00:00.000"),
        (3, 0.5, "00:00:03:00.000"),
    ],
)
def test_timecodes(frame: int, rate: float, text: str) -> None:
    assert _timecode(frame, rate) == text


def test_rows_lie_on_whole_frames_of_the_sources_time(tmp_path: Path) -> None:
    results = [result_of(k, at(k), seconds=100.01 + k / 10) for k in range(4)]
    rows = written(tmp_path / "o.csv", *results, rate=10, origin=99.0)
    assert [row["Timecode"] for row in rows] == [f"00:00:01:0{k}.000" for k in (1, 2, 3)]
    assert values(rows) == [0.9, 1.9, 2.9]


def test_a_short_gap_is_bridged_and_a_long_one_holds(tmp_path: Path) -> None:
    def seen(*times: float) -> list[Any]:
        known = {round(time, 1): at(time) for time in times}
        return [
            result_of(k, *([known[k / 10]] if k / 10 in known else []), seconds=k / 10) for k in range(16)
        ]

    short = written(tmp_path / "short.csv", *seen(0.0, 0.4), rate=10)
    assert values(short)[:5] == [0.0, 0.1, 0.2, 0.3, 0.4]
    # After its last frame it stays.
    assert values(short)[5:] == [0.4] * 11
    long = written(tmp_path / "long.csv", *seen(0.2, 0.3, 1.2), rate=10)
    assert values(long) == [0.0, 0.0, 0.2, *[0.3] * 9, *[1.2] * 4]


def test_one_face_is_written_and_how_often_it_is_missing_is_said(tmp_path: Path) -> None:
    results = [result_of(0, at(5, 2), at(1, 1)), result_of(1, at(5, 2))]
    assert values(written(tmp_path / "one.csv", *results, rate=25, face_id=1)) == [1.0, 1.0]
    assert values(written(tmp_path / "largest.csv", *results, rate=25)) == [5.0, 5.0]
    sink = LiveLinkSink(tmp_path / "o.csv", jaw, face_id=1)
    for result in results:
        sink.write(result)
    sink.close()
    assert sink.note == "the face is missing in 1 of 2 frames"


def test_variable_rates_are_made_constant(tmp_path: Path) -> None:
    times = [0.0, 0.05, 0.3, 0.31, 0.6]
    rows = written(
        tmp_path / "o.csv", *(result_of(k, at(t), seconds=t) for k, t in enumerate(times)), rate=20
    )
    assert len(rows) == 13
    assert values(rows) == [round(k / 20, 4) for k in range(13)]


def test_times_that_stand_still_or_go_back_add_no_rows(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.1, 0.05, 0.2]
    rows = written(
        tmp_path / "o.csv", *(result_of(k, at(t), seconds=t) for k, t in enumerate(times)), rate=10
    )
    assert [row["Timecode"][-6:] for row in rows] == ["00.000", "01.000", "02.000"]


@pytest.mark.parametrize("end", ["close", "abort"])
def test_an_existing_file_needs_overwrite_and_a_failure_keeps_it(tmp_path: Path, end: str) -> None:
    path = tmp_path / "o.csv"
    path.write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        LiveLinkSink(path, jaw)
    sink = LiveLinkSink(path, jaw, overwrite=True)
    sink.write(result_of(0, at(0)))
    assert path.read_text() == "old"
    getattr(sink, end)()
    assert (path.read_text() == "old") == (end == "abort")
    assert names(tmp_path) == (["o.csv"] if end == "close" else ["o.csv", "o.partial.csv"])


def test_a_shape_without_a_column_is_an_error_of_the_caller(tmp_path: Path) -> None:
    wrong: Callable[[Face], dict[str, float]] = lambda _: {"Wink": 1.0}  # noqa: E731
    sink = LiveLinkSink(tmp_path / "o.csv", wrong)
    with pytest.raises(KeyError):
        sink.write(result_of(0, replace(face(id=1), points=face_at(80, 40, 20).astype(np.float32))))
    sink.abort()
    assert names(tmp_path) == []
