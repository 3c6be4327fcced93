"""``fkp-live convert``: every form read back, pictures of the very frames, and what is refused."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import number_of, numbered
from shapes import face_at
from written import face, names

from fkp_live.commands import conversion
from fkp_live.commands.chosen_frames import Spaced, hardest, main_face
from fkp_live.commands.cli import main
from fkp_live.commands.convert_options import parse
from fkp_live.errors import UsageError
from fkp_live.sinks import CsvSink, JsonlSink, PtsSink
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Face, FrameResult

RATE, COUNT, SIZE = 30, 90, (160, 96)


def made(points: np.ndarray, number: int = 1, confidence: float = 0.9) -> Face:
    points = points.astype(np.float32)
    sure = np.full(68, confidence, np.float32)
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    return replace(face(id=number), points=points, raw=points, box=box, confidence=sure)


def results() -> list[FrameResult]:
    """Three seconds of a face that moves, and of a second one, smaller, from the middle on."""
    found = []
    for index in range(COUNT):
        faces = [made(face_at(50 + index / 10, 35, 22))]
        if index >= COUNT // 2:
            faces.append(made(face_at(120, 40, 16), 2))
        found.append(FrameResult(index, index / RATE, SIZE, tuple(faces)))
    return found


def record(path: Path, content: list[FrameResult], name: str = "film.mp4", **more: Any) -> Path:
    source = {"name": name, "width": SIZE[0], "height": SIZE[1], "fps": float(RATE), "origin": 0.0}
    with JsonlSink(path, {"source": source, **more}) as sink:
        for result in content:
            sink.write(result)
    return path


@pytest.fixture(name="film", scope="module")
def _film(tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Path]) -> Path:
    pictures = [numbered(index) for index in range(COUNT)]
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", pictures, rate=RATE)


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    return record(tmp_path / "points.jsonl", results())


@pytest.fixture(name="beside")
def _beside(recording: Path, film: Path) -> Path:
    """The recording with its film beside it."""
    (recording.parent / "film.mp4").write_bytes(film.read_bytes())
    return recording


def convert(*words: object, code: int = 0) -> None:
    assert main(["convert", *map(str, words), "--progress", "off"]) == code


def pts_in(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.loadtxt(path, skiprows=3, comments="}") - 1 for path in folder.glob("*.pts")}


def index_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "faces.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# tables


def test_a_csv_is_the_one_of_the_run(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with CsvSink(tmp_path / "run.csv") as sink:
        for result in results():
            sink.write(result)
    convert(recording, tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == (tmp_path / "run.csv").read_text()
    assert capsys.readouterr().out == f"90 frames, 135 faces\nwritten: {tmp_path / 'o.csv'}\n"
    convert(recording, tmp_path / "again.csv", "--quiet")
    assert capsys.readouterr().out == ""


def test_openface_columns_as_py_feat_reads_them(recording: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    convert(recording, tmp_path / "o.csv", "--to", "openface")
    table = pandas.read_csv(tmp_path / "o.csv")
    # Its reader strips the names, and takes columns by their place in OpenFace's order.
    columns = [name.strip() for name in table.columns]
    points = [f"{axis}_{number}" for axis in "xy" for number in range(68)]
    assert columns == [
        *("frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"),
        *points,
    ]
    assert np.allclose(table[points].iloc[0], face_at(50, 35, 22).T.ravel(), atol=0.00501)
    assert table["frame"].iloc[0] == 1
    convert(recording, tmp_path / "same.csv", "--csv-columns", "openface")
    assert (tmp_path / "same.csv").read_bytes() == (tmp_path / "o.csv").read_bytes()


def test_json_lines_and_parquet_lead_back(recording: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    convert(recording, tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == recording.read_bytes()
    convert(recording, tmp_path / "b.parquet")
    convert(tmp_path / "b.parquet", tmp_path / "c.csv")
    convert(recording, tmp_path / "d.csv")
    assert (tmp_path / "c.csv").read_bytes() == (tmp_path / "d.csv").read_bytes()
    with open_recording(tmp_path / "b.parquet") as read:
        assert read.info.name == "film.mp4"


def test_one_face_of_a_recording(recording: Path, tmp_path: Path) -> None:
    convert(recording, tmp_path / "o.jsonl", "--face", 2)
    with open_recording(tmp_path / "o.jsonl") as read:
        ids = [[one.id for one in result.faces] for result in read]
    assert ids == [[]] * 45 + [[2]] * 45


def test_names_of_pictures_are_kept(tmp_path: Path) -> None:
    pictures = ("b 1.jpg", "", "ü\n2.png")
    with CsvSink(tmp_path / "in.csv", files=pictures) as sink:
        for index in (0, 2):
            sink.write(FrameResult(index, 0.0, SIZE, (made(face_at(80, 40, 20)),)))
    convert(tmp_path / "in.csv", tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == (tmp_path / "in.csv").read_text()
    convert(tmp_path / "in.csv", tmp_path / "o.jsonl")
    with open_recording(tmp_path / "o.jsonl") as read:
        assert [name for name, _ in read.named()] == ["b 1.jpg", "ü\n2.png"]


# .pts


def test_pts_keep_the_points_and_show_their_frames(beside: Path, tmp_path: Path) -> None:
    convert(beside, tmp_path / "o", "--every", 1, "--no-crop", "--face", 1)
    rows = index_of(tmp_path / "o")
    assert [int(row["frame"]) for row in rows] == [1, 31, 61]
    points = pts_in(tmp_path / "o")
    for row in rows:
        index = int(row["frame"]) - 1
        assert np.abs(points[row["file"]] - face_at(50 + index / 10, 35, 22)).max() <= 0.0055
        assert number_of(cv2.imread(str(tmp_path / "o" / f"{row['file']}.png"))) == index


def test_cut_outs_lie_where_the_index_says(beside: Path, tmp_path: Path) -> None:
    convert(beside, tmp_path / "o")
    rows, points = index_of(tmp_path / "o"), pts_in(tmp_path / "o")
    assert [(row["frame"], row["face_id"]) for row in rows] == [
        *(("1", "1"), ("31", "1"), ("61", "1"), ("61", "2")),
    ]
    for row in rows:
        index = int(row["frame"]) - 1
        true = face_at(50 + index / 10, 35, 22) if row["face_id"] == "1" else face_at(120, 40, 16)
        corner = np.array([int(row["left"]), int(row["top"])])
        assert np.abs(points[row["file"]] + corner - true).max() <= 0.0055
        cut = cv2.imread(str(tmp_path / "o" / f"{row['file']}.png"))
        whole = numbered(index)[corner[1] :, corner[0] :][: cut.shape[0], : cut.shape[1]]
        assert np.abs(cut.astype(int) - whole).mean() < 6


def test_points_alone_need_no_film(recording: Path, tmp_path: Path) -> None:
    convert(recording, tmp_path / "o", "--no-pictures")
    assert len(pts_in(tmp_path / "o")) == 135
    assert names(tmp_path / "o")[-1] == "film_000090_2.pts"
    assert len(names(tmp_path / "o")) == 136


def test_pictures_of_a_folder_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    pictures = ("a.png", "broken.png", "c ü.png")
    for index in (0, 2):
        content = cv2.imencode(".png", numbered(index))[1].tobytes()
        (tmp_path / "photos" / pictures[index]).write_bytes(content)
    (tmp_path / "photos" / "broken.png").write_text("not recorded")
    faces = (made(face_at(80, 40, 20)),)
    with CsvSink(tmp_path / "in.csv", files=pictures) as sink:
        for index in (0, 2):
            sink.write(FrameResult(index, 0.0, SIZE, faces))
    convert(tmp_path / "in.csv", tmp_path / "o", "--video", tmp_path / "photos", "--no-crop")
    assert names(tmp_path / "o") == ["a.png", "a.pts", "c_ü.png", "c_ü.pts", "faces.csv"]
    shown = (tmp_path / "o" / "c_ü.png").read_bytes()
    assert number_of(cv2.imdecode(np.frombuffer(shown, np.uint8), 1)) == 2
    # Without pictures of its own a COCO file has the pictures' names, and their sizes.
    convert(tmp_path / "in.csv", tmp_path / "o.json", "--video", tmp_path / "photos", "--no-pictures")
    images = json.loads((tmp_path / "o.json").read_text())["images"]
    assert [(one["file_name"], one["width"], one["height"]) for one in images] == [
        *(("a.png", 160, 96), ("c ü.png", 160, 96)),
    ]


# hard frames


def test_the_hardest_are_the_least_certain_and_the_most_unsteady_ones(beside: Path, tmp_path: Path) -> None:
    content = results()
    for index in (9, 10, 11, 12):  # neighbours look alike: one of them
        content[index] = replace(
            content[index], faces=(made(face_at(51, 35, 22), confidence=0.2 + index / 100),)
        )
    shaken = face_at(57, 35, 22) + np.random.default_rng(0).normal(0, 2, (68, 2))
    content[70] = replace(content[70], faces=(made(shaken), content[70].faces[1]))
    record(tmp_path / "hard.jsonl", content)
    convert(tmp_path / "hard.jsonl", tmp_path / "two", "--hard", 2)
    assert {row["frame"] for row in index_of(tmp_path / "two")} == {"10", "71"}
    assert len(pts_in(tmp_path / "two")) == 3


def test_no_two_hard_frames_are_within_a_second() -> None:
    rng = np.random.default_rng(0)
    content = [
        FrameResult(k, k / 30, SIZE, (made(face_at(80, 40, 20), confidence=rng.uniform(0, 1)),))
        for k in range(300)
    ]
    chosen = sorted(hardest(content, 8))
    assert len(chosen) == 8
    assert min(np.diff(chosen)) >= 30
    # No more than the film holds, and pictures are no film.
    assert 5 <= len(hardest(content, 1000)) <= 10
    assert len(hardest(content, 100, apart=0.0)) == 100
    least = min(content, key=lambda result: float(result.faces[0].confidence[0]))
    assert least.index in chosen


def test_a_steady_movement_is_no_jitter() -> None:
    content = [FrameResult(k, k / 30, SIZE, (made(face_at(20 + 3 * k, 40, 20)),)) for k in range(61)]
    content[40] = replace(content[40], faces=(made(face_at(140, 40, 20) + np.eye(68, 2)),))
    assert hardest(content, 2) == {0, 40}
    # Nor is a jerk of the whole head.
    content[50] = replace(content[50], faces=(made(face_at(190, 40, 20)),))
    assert hardest(content, 2) == {0, 40}


def test_frames_without_a_face_are_never_hard() -> None:
    content = [FrameResult(k, float(k), SIZE, ()) for k in range(5)]
    assert hardest(content, 3) == set()


@pytest.mark.parametrize(
    ("spacing", "rate", "expected"),
    [
        (0.0, 10, [*range(10)]),
        (0.5, 10, [0, 5]),
        (0.35, 10, [0, 4, 7]),
        (0.1, 10, [*range(10)]),
        (1 / 3, 30, [0]),
        (99.0, 10, [0]),
    ],
)
def test_frames_are_evenly_spaced(spacing: float, rate: int, expected: list[int]) -> None:
    due = Spaced(spacing)
    assert [k for k in range(10) if due(round(k / rate, 6))] == expected


def test_spacing_goes_on_after_a_gap() -> None:
    due = Spaced(1.0)
    assert [time for time in (5.0, 5.9, 6.0, 9.4, 9.9, 10.1, 11.0) if due(time)] == [
        5.0,
        6.0,
        9.4,
        10.1,
        11.0,
    ]


# COCO


def test_pycocotools_reads_it_with_and_without_pictures(beside: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    convert(beside, tmp_path / "all.json")
    convert(beside, tmp_path / "some.json", "--every", 1)
    assert "all" not in names(tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        every, some = (coco.COCO(str(tmp_path / f"{name}.json")) for name in ("all", "some"))
    assert len(every.getImgIds()) == COUNT
    assert len(every.getAnnIds()) == 135
    for number in some.getImgIds():
        (image,) = some.loadImgs([number])
        assert number_of(cv2.imread(str(tmp_path / "some" / image["file_name"]))) == number - 1
        one = some.loadAnns(some.getAnnIds(imgIds=[number]))[0]
        points = np.array(one["keypoints"]).reshape(68, 3)[:, :2]
        assert np.abs(points - face_at(50 + (number - 1) / 10, 35, 22)).max() < 0.0055


# Live Link Face


def test_live_link_is_of_the_main_face_and_pandas_reads_it(recording: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    convert(recording, tmp_path / "o.csv", "--to", "livelink")
    convert(recording, tmp_path / "two.csv", "--to", "livelink", "--face", 2, "--resample", 60)
    one, two = pandas.read_csv(tmp_path / "o.csv"), pandas.read_csv(tmp_path / "two.csv")
    assert one.shape == (COUNT, 63)
    assert two.shape == (2 * COUNT - 1, 63)
    assert (one["BlendShapeCount"] == 61).all()
    assert one["Timecode"].iloc[[0, 29, 30, 89]].tolist() == [
        *("00:00:00:00.000", "00:00:00:29.000", "00:00:01:00.000", "00:00:02:29.000"),
    ]
    shapes = one.iloc[:, 2:54]
    assert shapes.min().min() >= 0.0
    assert shapes.max().max() <= 1.0


def test_the_main_face_is_seen_longest_then_largest() -> None:
    one, two, three = made(face_at(50, 35, 22)), made(face_at(90, 35, 30), 2), made(face_at(90, 35, 60), 3)
    content = [FrameResult(0, 0.0, SIZE, (one, two)), FrameResult(1, 0.1, SIZE, (one, two, three))]
    assert main_face(content) == 2
    assert main_face([FrameResult(0, 0.0, SIZE, (replace(one, id=None),))]) is None


def test_the_demo_clip_smiles_and_its_eyes_stay_open(tmp_path: Path) -> None:
    words = ["--demo", "--jsonl", str(tmp_path / "p.jsonl"), "--headless", "--quiet", "--max-frames", "30"]
    assert main([*words, "--provider", "cpu"]) == 0
    convert(tmp_path / "p.jsonl", tmp_path / "o.csv", "--to", "livelink")
    with open(tmp_path / "o.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    for name, least, most in (
        ("MouthSmileLeft", 0.4, 1.0),
        ("MouthSmileRight", 0.4, 1.0),
        ("EyeBlinkLeft", 0.0, 0.1),
        ("EyeBlinkRight", 0.0, 0.1),
        ("MouthFrownLeft", 0.0, 0.05),
        ("TongueOut", 0.0, 0.0),
    ):
        assert all(least <= float(row[name]) <= most for row in rows), name


# what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["o.txt"], "extension .txt"),
        (["o.csv", "--to", "coco"], "makes a file .json"),
        (["o.csv", "--to", "parquet"], "makes a file .parquet"),
        (["o.csv", "--hard", "3"], "--hard is for coco and pts"),
        (["o.jsonl", "--video", "x"], "--video is for"),
        (["o.csv", "--resample", "30"], "--resample is for livelink"),
        (["o.json", "--crop"], "--crop is for pts"),
        (["o", "--every", "1", "--hard", "3"], "contradict"),
        (["o", "--video", "x", "--no-pictures"], "contradict"),
        (["o", "--crop", "--no-pictures"], "contradict"),
        (["o.csv", "--to", "openface", "--csv-columns", "all"], "--csv-columns is for csv"),
        (["o", "--hard", "0"], "from 1 up"),
        (["o", "--every", "-1"], "from 0 up"),
        (["o.csv", "--to", "livelink", "--resample", "nan"], "rate"),
        (["o.csv", "--to", "livelink", "--resample", "1e9"], "rate"),
        ([], "OUT"),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(["in.jsonl", *words])


def test_the_form_follows_from_the_ending() -> None:
    kinds = {
        name: parse(["in.jsonl", name]).kind
        for name in ("o.CSV", "o.parquet", "o.jsonl", "o.json", "o", "some/folder")
    }
    assert list(kinds.values()) == ["csv", "parquet", "jsonl", "coco", "pts", "pts"]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_a_film_that_is_not_there_is_asked_for(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(recording, tmp_path / "o", code=2)
    text = said(capsys)
    assert "film.mp4" in text
    assert "--video" in text
    assert names(tmp_path) == ["points.jsonl"]


def test_another_film_is_refused(
    recording: Path, tmp_path: Path, make_clip: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    small = make_clip(tmp_path / "small.mp4", [numbered(k, 64, 64) for k in range(5)])
    convert(recording, tmp_path / "o", "--video", small, code=3)
    assert "64x64" in said(capsys)
    short = make_clip(tmp_path / "short.mp4", 40)
    convert(recording, tmp_path / "o", "--video", short, code=3)
    assert "no frame at 2.000 s" in said(capsys)
    slow = make_clip(tmp_path / "slow.mp4", 90, rate=7)
    convert(recording, tmp_path / "o", "--video", slow, "--every", 0, code=3)
    assert names(tmp_path) == ["points.jsonl", "short.mp4", "slow.mp4", "small.mp4"]


def test_a_mirrored_recording_gets_mirrored_pictures(tmp_path: Path, film: Path) -> None:
    recording = record(tmp_path / "p.jsonl", results(), options={"mirror": True})
    convert(recording, tmp_path / "o", "--video", film, "--no-crop", "--every", 2)
    picture = cv2.imread(str(tmp_path / "o" / "film_000061_1.png"))
    assert number_of(picture[:, ::-1]) == 60


def test_outputs_that_exist_are_kept(
    beside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o.csv").write_text("old")
    convert(beside, tmp_path / "o.csv", code=6)
    assert (tmp_path / "o.csv").read_text() == "old"
    convert(beside, tmp_path / "o.csv", "--overwrite")
    convert(beside, tmp_path / "o")
    convert(beside, tmp_path / "o", code=6)
    convert(beside, tmp_path / "o", "--overwrite", "--every", 2)
    assert len(pts_in(tmp_path / "o")) == 3
    convert(beside, beside, "--overwrite", code=6)
    assert "the input itself" in said(capsys)
    convert(beside, tmp_path, "--overwrite", code=6)
    assert beside.exists()
    convert(beside, tmp_path / ("x" * 300), code=6)


@pytest.mark.parametrize("kind", [[], ["--to", "livelink"]])
def test_no_face_at_all(tmp_path: Path, kind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    empty = record(tmp_path / "p.jsonl", [FrameResult(k, k / 30, SIZE, ()) for k in range(3)])
    out = "o.csv" if kind else "o"
    convert(empty, tmp_path / out, *kind, *([] if kind else ["--no-pictures"]), code=3)
    assert "no face" in said(capsys)
    convert(empty, tmp_path / "t.csv")
    convert(empty, tmp_path / "t.json")
    assert names(tmp_path) == ["p.jsonl", "t.csv", "t.json"]
    assert len(json.loads((tmp_path / "t.json").read_text())["images"]) == 3


def test_a_face_that_is_not_there(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(recording, tmp_path / "o.csv", "--to", "livelink", "--face", 9, code=3)
    assert "no face 9" in said(capsys)
    convert(recording, tmp_path / "o", "--no-pictures", "--face", 9, code=3)
    assert names(tmp_path) == ["points.jsonl"]


def test_a_table_without_a_size_is_no_coco_file(
    recording: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    convert(recording, tmp_path / "t.csv")
    convert(tmp_path / "t.csv", tmp_path / "o.json", code=2)
    assert "--video" in said(capsys)
    convert(tmp_path / "t.csv", tmp_path / "o.json", "--video", film, "--no-pictures")
    image = json.loads((tmp_path / "o.json").read_text())["images"][0]
    assert (image["width"], image["height"]) == SIZE
    assert "o" not in names(tmp_path)


def test_numbers_that_are_none(tmp_path: Path) -> None:
    content = results()
    points = content[0].faces[0].points.copy()
    points[0] = np.nan
    content[0] = replace(content[0], faces=(replace(content[0].faces[0], points=points),))
    recording = record(tmp_path / "p.jsonl", content)
    convert(recording, tmp_path / "o", "--no-pictures", "--face", 1)
    assert len(pts_in(tmp_path / "o")) == COUNT - 1
    convert(recording, tmp_path / "o.csv", "--to", "livelink")
    with open(tmp_path / "o.csv") as file:
        assert "nan" not in file.read()
    convert(recording, tmp_path / "hard", "--no-pictures", "--hard", 2)


def test_times_no_film_has_do_not_fill_the_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = results()
    content[50] = replace(content[50], time=1e12)
    convert(record(tmp_path / "p.jsonl", content), tmp_path / "o.csv", "--to", "livelink", code=3)
    assert "time" in said(capsys)
    assert "o.csv" not in names(tmp_path)


def test_a_damaged_recording_keeps_what_came_before(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = recording.read_text().splitlines(keepends=True)
    lines[60] = "{}\n"
    recording.write_text("".join(lines))
    convert(recording, tmp_path / "o.csv", code=3)
    assert "line 61" in (text := said(capsys))
    assert "o.partial.csv" in text
    assert "o.csv" not in names(tmp_path)


@pytest.mark.parametrize("out", ["o.csv", "o.json", "o"])
def test_ctrl_c_leaves_nothing(
    beside: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = names(tmp_path)
    seen = 0

    def interrupted(*_: object) -> int:
        nonlocal seen
        seen += 1
        if seen == 2:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(conversion, "len", interrupted, raising=False)
    assert (
        main(
            ["convert", str(beside), str(tmp_path / out), "--every", "1"]
            if out != "o.csv"
            else ["convert", str(beside), str(tmp_path / out)]
        )
        == 130
    )
    assert seen == 2
    assert names(tmp_path) == before


def test_a_full_disk_is_said_and_leaves_no_folder(
    beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    before = names(tmp_path)
    convert(beside, tmp_path / "o", code=6)
    assert "Make room" in said(capsys)
    assert names(tmp_path) == before


def test_help_is_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom fkp_live.commands.cli import main\nmain(['convert', '--help'])\n"
        "sys.exit(bool({'numpy', 'cv2', 'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--hard" in done.stdout


def test_the_python_way_is_the_same(recording: Path, tmp_path: Path) -> None:
    with open_recording(recording) as read, PtsSink(tmp_path / "o", read.info, pictures=False) as sink:
        for result in read:
            sink.write(result)
    convert(recording, tmp_path / "p", "--no-pictures")
    assert {k: v.tolist() for k, v in pts_in(tmp_path / "o").items()} == {
        k: v.tolist() for k, v in pts_in(tmp_path / "p").items()
    }
