"""Recordings of every form, read back as the results that were written."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written import face, result_of, result_with_face, shape_measures

from fkp_live.errors import InputError
from fkp_live.measured import MEASURES, ShapeMeasures
from fkp_live.recorded import CSV_COLUMNS, OPENFACE_COLUMNS, as_recorded
from fkp_live.sinks import CsvSink, JsonlSink, ParquetSink
from fkp_live.sinks.sink import FileSink
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Face, FrameResult, Measures, Pose

HEADER = {"source": {"name": "clip.mp4", "width": 160, "height": 96, "fps": 25.0, "origin": -0.5}}
FORMS: dict[str, Callable[..., FileSink]] = {
    "r.jsonl": lambda path, **more: JsonlSink(path, HEADER, **more),
    "r.csv": CsvSink,
    "short.csv": lambda path, **more: CsvSink(path, columns="openface", **more),
    "r.parquet": lambda path, **more: ParquetSink(path, HEADER, **more),
}
needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")


@pytest.fixture(params=list(FORMS))
def form(request: pytest.FixtureRequest) -> str:
    if request.param == "r.parquet":
        pytest.importorskip("pyarrow")
    return str(request.param)


def full_face(offset: float = 0.0, number: int | None = 7) -> Face:
    measures = Measures(0.12345, 0.3, 0.05, True, 0.2, shape_measures())
    pose = Pose(0.1, -0.2, 0.3)
    return face(offset, id=number, pose=pose, measures=measures, raw=face(offset + 1.234).points)


def results() -> list[FrameResult]:
    """No face, one, two (one of them with nothing but points), a gap of two frames, none."""
    return [
        result_of(0),
        result_of(1, full_face(0.111), seconds=0.0412345678),
        result_of(2, full_face(3), face(5, id=8)),
        result_of(5, full_face(4)),
        result_of(6),
    ]


def written(path: Path, made: list[FrameResult], **more: Any) -> Path:
    with FORMS[path.name](path, **more) as sink:
        for result in made:
            sink.write(result)
    return path


def read(path: Path) -> list[FrameResult]:
    with open_recording(path) as recording:
        found = list(recording)
        assert recording.note == ""
    return found


def same(a: Any, b: Any) -> bool:
    return np.array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64), equal_nan=True)


def test_results_come_back_as_they_were_written(tmp_path: Path, form: str) -> None:
    made = results()
    found = read(written(tmp_path / form, made))
    assert [(r.index, r.time) for r in found] == [(r.index, round(r.time, 6)) for r in made]
    assert [[f.id for f in r.faces] for r in found] == [[f.id for f in r.faces] for r in made]
    pairs = zip((f for r in found for f in r.faces), (f for r in made for f in r.faces), strict=True)
    for got, was in pairs:
        kept = as_recorded(was)
        assert same(got.points, kept.points)
        if form == "r.jsonl":
            assert same(got.confidence, kept.confidence)
        else:
            assert same(got.confidence, np.full(68, np.float32(0.75)))
        if was.pose is None:
            assert got.pose is None
        else:
            assert got.pose is not None
            angles = (got.pose.pitch, got.pose.yaw, got.pose.roll)
            assert angles == pytest.approx((0.1, -0.2, 0.3), abs=1e-7)
        if form == "short.csv":
            # OpenFace's columns alone: the box around the points, the mean confidence for the score.
            assert same(got.box, [*got.points.min(0), *got.points.max(0)])
            assert got.score == pytest.approx(0.75)
            assert got.raw is None
            assert got.measures is None
            continue
        assert same(got.box, kept.box)
        assert got.score == pytest.approx(0.988, abs=1e-6)
        assert (got.raw is None) == (was.raw is None)
        assert (got.measures is None) == (was.measures is None)
        if was.raw is not None and got.raw is not None and got.measures is not None:
            assert same(got.raw, np.round(was.raw.astype(np.float64), 2).astype(np.float32))
            m = got.measures
            assert (m.right_eye_open, m.left_eye_open, m.mouth_open, m.blink) == (
                *map(pytest.approx, (0.123, 0.3, 0.05)),
                True,
            )
            assert m.eyes_open == pytest.approx(0.2)
            assert m.shape is not None
            assert m.shape.numbers == pytest.approx(shape_measures().numbers, abs=1e-6)


def test_a_written_recording_read_and_written_again_is_the_same_file(tmp_path: Path, form: str) -> None:
    """Of text every byte; whoever rewrites a recording loses nothing more."""
    first = written(tmp_path / form, results())
    (tmp_path / "again").mkdir()
    second = written(tmp_path / "again" / form, read(first))
    if form == "r.parquet":
        from pyarrow import parquet

        assert parquet.read_table(first).equals(parquet.read_table(second))
    else:
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("right", [0.2684, 0.1])
def test_eyes_are_those_of_the_points_where_both_openings_are_the_aspect_ratios(
    tmp_path: Path, form: str, right: float
) -> None:
    """So it was before eyes were looked at; and of a recording without shapes."""
    ears = shape_measures().numbers.copy()
    ears[[MEASURES.index("ear_right"), MEASURES.index("ear_left")]] = 0.2684, 0.31
    seen = Measures(right, 0.31, 0.1, False, 0.3, ShapeMeasures.known(ears), eyes_by_points=right != 0.1)
    made = [seen, replace(seen, shape=None, eyes_by_points=True)]
    frames = [result_of(i, face(measures=each)) for i, each in enumerate(made)]
    for measured, result in zip(made, read(written(tmp_path / form, frames)), strict=True):
        (found,) = result.faces
        if form != "short.csv":
            assert found.measures is not None
            assert found.measures.eyes_by_points == measured.eyes_by_points
            assert found.measures.ear_right == pytest.approx(0.2684 if measured.shape else right, abs=0.001)


def test_info_is_that_of_the_source(tmp_path: Path, form: str) -> None:
    with open_recording(written(tmp_path / form, results())) as recording:
        info = recording.info
        assert recording.whole
        assert {result.size for result in recording} == {(info.width, info.height)}
    known = (info.name, info.width, info.height, info.fps, info.origin)
    if form.endswith(".csv"):
        assert recording.header == {}
        assert known == (form, 0, 0, None, 0.0)
    else:
        assert recording.header == {"schema": "fkp-live/1", **HEADER}
        assert known == ("clip.mp4", 160, 96, 25.0, -0.5)


def test_the_content_says_the_format(tmp_path: Path, form: str) -> None:
    odd = tmp_path / "Ärger mit\nNamen .txt"
    written(tmp_path / form, results()).rename(odd)
    assert len(read(odd)) == 5


def test_a_recording_can_be_read_twice(tmp_path: Path, form: str) -> None:
    with open_recording(written(tmp_path / form, results())) as recording:
        half = iter(recording)
        next(half)
        next(half)
        assert [r.index for r in recording] == [r.index for r in recording] == [0, 1, 2, 5, 6]


def test_names_of_pictures_come_with_the_results(tmp_path: Path) -> None:
    files = ("a.png", 'odd, "quoted"\nline.png')
    with CsvSink(tmp_path / "r.csv", files=files) as sink:
        for i in range(3):
            sink.write(result_with_face(i))
    with open_recording(tmp_path / "r.csv") as recording:
        assert [(name, r.index) for name, r in recording.named()] == [(files[0], 0), (files[1], 1), ("", 2)]


@needs_pyarrow
def test_names_of_pictures_in_parquet(tmp_path: Path) -> None:
    with ParquetSink(tmp_path / "r.parquet", {}, files=("a.png", "b.png")) as sink:
        sink.write(result_of(0))
        sink.write(result_with_face(1))
    with open_recording(tmp_path / "r.parquet") as recording:
        assert [(name, r.index) for name, r in recording.named()] == [("a.png", 0), ("b.png", 1)]


def rows_of(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def test_csv_of_version_0_1(tmp_path: Path) -> None:
    """It had neither raw points nor rows of frames without a face."""
    rows = rows_of(written(tmp_path / "r.csv", results()))
    old = [row[: CSV_COLUMNS.index("raw_x_0")] for row in rows if row[1] != "-1"]
    (tmp_path / "old.csv").write_text("".join(",".join(row) + "\n" for row in old))
    with open_recording(tmp_path / "old.csv") as recording:
        assert not recording.whole
        found = list(recording)
    assert [(r.index, len(r.faces)) for r in found] == [(1, 1), (2, 2), (5, 1)]
    seen = found[0].faces[0]
    assert seen.raw is None
    assert seen.pose is not None
    assert seen.measures is not None


def test_jsonl_of_version_0_1(tmp_path: Path) -> None:
    """Its header had no options, its frames no ``detected``, its faces no raw points."""
    lines = written(tmp_path / "r.jsonl", results()).read_text().splitlines()[1:]
    frames = [json.loads(line) for line in lines]
    for frame in frames:
        del frame["detected"]
        for one in frame["faces"]:
            one.pop("raw", None)
    head = {"schema": "fkp-live/1", "source": {"name": "x.mp4", "width": 160, "height": 96, "fps": None}}
    (tmp_path / "old.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (head, *frames)))
    found = read(tmp_path / "old.jsonl")
    assert [r.index for r in found] == [0, 1, 2, 5, 6]
    assert found[1].faces[0].raw is None
    assert found[1].detected


def test_openface_s_own_csv(tmp_path: Path) -> None:
    """Separator ", ", further columns before and after, old points in frames without success, a Windows NaN."""
    eyes = [f"eye_lmk_x_{i}" for i in range(56)]
    names = [
        *OPENFACE_COLUMNS[:5],
        "gaze_0_x",
        *eyes,
        "pose_Tx",
        *OPENFACE_COLUMNS[5:],
        "X_0",
        "p_scale",
        "AU45_c",
    ]

    def row(frame: int, number: int, success: int, x: float, gaze: str) -> str:
        numbers = [str(frame), str(number), f"{frame / 25:.3f}", "0.98" if success else "0.02", str(success)]
        points = [f"{x + i:.1f}" for i in range(68)] + [f"{2 * i:.1f}" for i in range(68)]
        return ", ".join(
            [*numbers, gaze, *["1.0"] * 56, "50.1", "0.1", "0.2", "-0.3", *points, "7", "2.1", " 0.00"]
        )

    lines = [", ".join(names), row(1, 0, 1, 10, "0.1"), row(2, 0, 0, 10, "0"), row(4, 0, 1, 12, "-nan(ind)")]
    lines.append(row(4, 1, 1, 90, "0.2"))
    (tmp_path / "openface.csv").write_text("\n".join(lines) + "\n")
    found = read(tmp_path / "openface.csv")
    assert [(r.index, r.time, [f.id for f in r.faces]) for r in found] == [
        (0, 0.04, [0]),
        (1, 0.08, []),
        (3, 0.16, [0, 1]),
    ]
    seen = found[2].faces[1]
    assert same(seen.points, [(90 + i, 2 * i) for i in range(68)])
    assert same(seen.box, [90, 0, 157, 134])
    assert seen.pose == Pose(-0.1, -0.2, -0.3)
    assert seen.confidence.tolist() == pytest.approx([0.98] * 68)


@needs_pyarrow
def test_parquet_of_another_program(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.read_csv(written(tmp_path / "r.csv", results()))
    table.to_parquet(tmp_path / "pandas.parquet")
    with open_recording(tmp_path / "pandas.parquet") as recording:
        assert recording.header == {}
        assert [(r.index, len(r.faces)) for r in recording] == [(0, 0), (1, 1), (2, 2), (5, 1), (6, 0)]


# damage


@pytest.mark.parametrize("form", ["r.jsonl", "r.csv"])
def test_a_last_line_that_is_cut_off_is_left_out_and_noted(tmp_path: Path, form: str) -> None:
    content = written(tmp_path / form, [result_with_face(i) for i in range(3)]).read_bytes()
    for cut in (1, 2, 700, 1500):
        (tmp_path / form).write_bytes(content[:-cut])
        with open_recording(tmp_path / form) as recording:
            found = list(recording)
            # JSON without its line feed is whole; a number without it may be a part of one.
            whole = form == "r.jsonl" and cut == 1
            assert [r.index for r in found] == [0, 1, 2][: 3 if whole else 2], cut
            assert ("is cut off and was left out" in recording.note) != whole


def test_a_cut_inside_a_quoted_name_is_a_cut_too(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "r.csv", files=("a", "line\nfeed")) as sink:
        sink.write(result_of(0))
        sink.write(result_of(1))
    content = (tmp_path / "r.csv").read_bytes()
    (tmp_path / "r.csv").write_bytes(content[: content.rindex(b"line") + 5])
    with open_recording(tmp_path / "r.csv") as recording:
        assert len(list(recording)) == 1
        assert "cut off" in recording.note


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"\n3,3,", b"\n3,", "line 4 has 348 cells, expected 349"),
        (b"\n3,3,", b"\nthree,3,", "line 4 is not a result (could not convert string to float: 'three')"),
        (b"\n3,3,", b"\n0,3,", "line 4 is not a result (frame is 0, expected a whole number from 1 up)"),
        (b"\n3,3,", b"\n2.5,3,", "frame is 2.5, expected a whole number"),
        (b"\n3,3,", b"\n1,3,", "line 4 is not a result (frame 1 comes after frame 2)"),
        (b"\n3,3,0.080000", b"\n3,3,nan", "line 4 is not a result (timestamp is nan, expected seconds)"),
        (b"\n3,3,", b"\n3,x,", "line 4"),
        (b"\n3,3,", b"\n3,\x00,", "line 4"),
    ],
)
def test_a_damaged_csv_is_refused_by_file_and_line(tmp_path: Path, old: bytes, new: bytes, says: str) -> None:
    path = written(tmp_path / "r.csv", [result_with_face(i) for i in range(5)])
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with open_recording(path) as recording, pytest.raises(InputError) as caught:
        list(recording)
    assert says in caught.value.message
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "line",
    [
        b'{"frame": 2',
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"frame": "2", "time": 0, "faces": []}',
        b'{"frame": -1, "time": 0, "faces": []}',
        b'{"frame": 2, "time": null, "faces": []}',
        b'{"frame": 2, "time": 0, "faces": [{"id": 1}]}',
        b'{"frame": 2, "time": 1e999, "faces": []}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_jsonl_is_refused_by_file_and_line(tmp_path: Path, line: bytes) -> None:
    path = written(tmp_path / "r.jsonl", [result_with_face(i) for i in range(3)])
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:3], line, *lines[3:]]) + b"\n")
    with open_recording(path) as recording, pytest.raises(InputError, match="line 4 is not a result"):
        list(recording)


@needs_pyarrow
def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "r.parquet", [result_with_face(i) for i in range(50)])
    content = path.read_bytes()
    for cut in (1, 100, len(content) // 2):
        path.write_bytes(content[:-cut])
        with pytest.raises(InputError, match="cannot be read as Parquet"):
            open_recording(path)
    path.write_bytes(content[:2000] + bytes(2000) + content[4000:])
    with open_recording(path) as recording, pytest.raises(InputError, match="is damaged after row 0"):
        list(recording)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"{}\n", "first line is not a header"),
        (b'{"schema": "fkp-live/2"}\n', "first line is not a header"),
        (b"a,b\n1,2\n", "has no column frame and 137 more"),
        (b"PAR1", "cannot be read as Parquet"),
        (bytes(range(256)) * 9, "recording"),
        ((",".join(c for c in CSV_COLUMNS if c != "y_3") + "\n").encode(), "it has no column y_3."),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    if content == b"PAR1":
        pytest.importorskip("pyarrow")
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="file") as caught:
        open_recording(tmp_path / "file")
    assert says in caught.value.message
    assert caught.value.exit_code == 3


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        open_recording(tmp_path)
    with pytest.raises(InputError, match="There is no recording"):
        open_recording(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be opened"):
        open_recording("null\0byte")


@pytest.mark.parametrize(
    "header",
    [{}, {"source": "clip.mp4"}, {"source": {"width": "wide", "fps": -1, "height": -3}}, {"source": None}],
)
def test_headers_of_other_programs_are_read_as_far_as_they_go(tmp_path: Path, header: dict[str, Any]) -> None:
    with JsonlSink(tmp_path / "r.jsonl", header) as sink:
        sink.write(result_of(0))
    with open_recording(tmp_path / "r.jsonl") as recording:
        info = recording.info
        assert (info.name, info.width, info.height, info.fps) == (
            "clip.mp4" if header.get("source") == "clip.mp4" else "r.jsonl",
            *(0, 0, None),
        )


# memory


def test_results_are_read_as_they_are_asked_for(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fkp_live.sinks.parquet._GROUP_ROWS", 50)
    monkeypatch.setattr("fkp_live.sources.recording_parquet._BATCH_ROWS", 50)
    one, peaks = full_face(), []
    for count in (100, 600):
        written(tmp_path / form, [result_of(i, one) for i in range(count)], overwrite=True)
        with open_recording(tmp_path / form) as recording:
            next(iter(recording))  # what is loaded at first use
            tracemalloc.start()
            assert sum(1 for _ in recording) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    # 500 results more have 1.7 MB, and their lines 1 MB.
    assert peaks[1] - peaks[0] < 300_000


def test_a_face_of_guesses_is_no_success_but_comes_back(tmp_path: Path, form: str) -> None:
    profile = np.where(np.arange(68) < 23, 0.05, 0.65)
    for name, confidence, success in (
        ("sure", np.full(68, 0.6), 1),
        ("unsure", np.full(68, 0.59), 0),
        ("profile", profile, 1),  # two thirds are seen
        ("hidden", profile[::-1] - 0.06, 0),
    ):
        guessed = replace(full_face(), confidence=confidence.astype(np.float32))
        (tmp_path / name).mkdir()
        path = written(tmp_path / name / form, [result_of(0), result_of(1, guessed), result_of(2)])
        assert [len(found.faces) for found in read(path)] == [0, 1, 0]
        if form.endswith("csv"):
            place = rows_of(path)[0].index("success")
            assert [row[place] for row in rows_of(path)[1:]] == ["0", str(success), "0"]
