"""Recordings as tables of pandas and polars."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written import face, result_of, shape_measures

import fkp_live
from fkp_live.errors import InputError, UsageError
from fkp_live.recorded import CSV_COLUMNS
from fkp_live.sinks import CsvSink, JsonlSink, ParquetSink
from fkp_live.types import Measures, Pose

HEADER = {"version": "0", "source": {"name": "films/a b.mp4"}}


@pytest.fixture(params=["pandas", "polars"])
def engine(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    return str(request.param)


def write(folder: Path, *, files: tuple[str, ...] = ()) -> None:
    """The same four frames as r.csv, r.jsonl and r.parquet: no face, one, two, one without measures."""
    pytest.importorskip("pyarrow")
    measures = Measures(0.12345, 0.3, 0.05, True, 0.2, shape_measures())
    full = face(0.111, id=7, pose=Pose(0.1, -0.2, 0.3), measures=measures, raw=face(1.234).points)
    results = [
        result_of(0),
        result_of(1, full),
        result_of(2, full, face(5, id=8)),
        result_of(4, face(1, id=7)),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for sink in (
        CsvSink(folder / "r.csv", files=files),
        JsonlSink(folder / "r.jsonl", HEADER),
        ParquetSink(folder / "r.parquet", HEADER, files=files),
    ):
        with sink:
            for result in results:
                sink.write(result)


def lists(table: Any) -> dict[str, list[Any]]:
    """Columns as lists, None for what is missing."""
    columns = {name: table[name].to_list() for name in table.columns}
    return {name: [None if v is None or v != v else v for v in map(_plain, c)] for name, c in columns.items()}


def _plain(value: Any) -> Any:
    return None if type(value).__name__ == "NAType" else value


def test_every_format_gives_the_same_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path)
    tables = [fkp_live.read(tmp_path / f"r.{end}", engine=engine) for end in ("csv", "jsonl", "parquet")]
    first, *others = map(lists, tables)
    assert tuple(first) == CSV_COLUMNS
    assert others == [first, first]
    assert first["frame"] == [1, 2, 3, 3, 5]
    assert first["face_id"] == [-1, 7, 7, 8, 7]
    assert first["success"] == [0, 1, 1, 1, 1]
    assert first["blink"] == [None, 1, 1, None, None]
    assert first["pose_Rx"] == [None, pytest.approx(-0.1), pytest.approx(-0.1), None, None]
    assert first["x_0"][0] is None
    assert first["x_0"][1] == float(np.float32(round(float(face(0.111).points[0, 0]), 2)))
    kinds = [[str(kind) for kind in table.dtypes] for table in tables]
    assert kinds[0] == kinds[1] == kinds[2]


def test_the_header_is_in_attrs_of_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    write(tmp_path)
    for end in ("jsonl", "parquet"):
        assert fkp_live.read(tmp_path / f"r.{end}").attrs == {"schema": "fkp-live/1", **HEADER}
    assert fkp_live.read(tmp_path / "r.csv").attrs == {}


def test_an_empty_recording_is_an_empty_table(tmp_path: Path, engine: str) -> None:
    pytest.importorskip("pyarrow")
    for sink in (
        CsvSink(tmp_path / "r.csv"),
        JsonlSink(tmp_path / "r.jsonl", HEADER),
        ParquetSink(tmp_path / "r.parquet", HEADER),
    ):
        sink.close()
        table = fkp_live.read(
            tmp_path / f"r.{type(sink).__name__.removesuffix('Sink').lower()}", engine=engine
        )
        assert len(table) == 0
        assert tuple(table.columns) == CSV_COLUMNS


def test_openface_s_own_file_keeps_its_columns_without_spaces(tmp_path: Path, engine: str) -> None:
    points = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    names = ["frame", "face_id", "timestamp", "confidence", "success", "gaze_0_x", *points, "AU45_c"]
    numbers = [str(i) for i in range(136)]
    rows = [["1", "0", "0.040", "0.98", "1", "-nan(ind)", *numbers, "0.00"]]
    rows.append(["2", "0", "0.080", "0.02", "0", "0.1", *numbers, "1.00"])
    (tmp_path / "o.csv").write_text("".join(", ".join(row) + "\n" for row in (names, *rows)))
    table = fkp_live.read(tmp_path / "o.csv", engine=engine)
    assert list(table.columns) == names
    read = lists(table)
    assert read["gaze_0_x"] == [None, 0.1]
    assert read["AU45_c"] == [0, 1]
    assert read["y_67"] == [135, 135]
    assert read["frame"] == [1, 2]


def test_the_folder_of_a_batch_is_one_table(tmp_path: Path, engine: str) -> None:
    write(tmp_path / "made")
    for key, end, name in (
        ("aa11", "parquet", "."),
        ("ab22", "jsonl", "."),
        ("ab33", "csv", "Ünder wëg\n.mov"),
    ):
        place = tmp_path / "out" / "points" / key[:2] / f"{key}.{end}"
        place.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made" / f"r.{end}").rename(place)
        record = tmp_path / "out" / "records" / key[:2] / f"{key}.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"source": name}))
    (tmp_path / "out" / "points" / "aa" / "x.partial.parquet").write_bytes(b"not finished")
    (tmp_path / "out" / "points" / "aa" / "notes.txt").write_text("something else")
    table = fkp_live.read(tmp_path / "out", engine=engine)
    assert tuple(table.columns) == ("file", *CSV_COLUMNS)
    read = lists(table)
    assert read["file"] == ["films/a b.mp4"] * 10 + ["Ünder wëg\n.mov"] * 5
    assert read["frame"] == [1, 2, 3, 3, 5] * 3


def test_names_of_pictures_stay(tmp_path: Path, engine: str) -> None:
    write(tmp_path, files=("a.png", "b.png", "c.png", "d.png", "e.png"))
    for end in ("csv", "parquet"):
        read = lists(fkp_live.read(tmp_path / f"r.{end}", engine=engine))
        assert read["file"] == ["a.png", "b.png", "c.png", "c.png", "e.png"]


def test_a_last_line_that_is_cut_off_is_left_out(tmp_path: Path, engine: str) -> None:
    write(tmp_path)
    for end in ("csv", "jsonl"):
        content = (tmp_path / f"r.{end}").read_bytes()
        for cut in (2, 900):
            (tmp_path / f"r.{end}").write_bytes(content[:-cut])
            assert lists(fkp_live.read(tmp_path / f"r.{end}", engine=engine))["frame"] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\n3,7,", b"\nthree,7,"), (b"\n2,7,", b"\n2,7,1,1,1,"), (b"\n3,8,0.080000,", b"\n3,8,")],
)
def test_a_damaged_table_is_refused(tmp_path: Path, engine: str, old: bytes, new: bytes) -> None:
    write(tmp_path)
    content = (tmp_path / "r.csv").read_bytes()
    assert old in content
    (tmp_path / "r.csv").write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match=r"r\.csv is damaged"):
        fkp_live.read(tmp_path / "r.csv", engine=engine)


def test_what_cannot_be_read_is_refused(tmp_path: Path, engine: str) -> None:
    with pytest.raises(InputError, match="There is no recording"):
        fkp_live.read(tmp_path / "nothing.csv", engine=engine)
    with pytest.raises(InputError, match="There is no recording in the folder"):
        fkp_live.read(tmp_path, engine=engine)
    with pytest.raises(UsageError, match="expected one of pandas, polars"):
        fkp_live.read(tmp_path, engine="excel")


def test_a_missing_package_is_named_with_its_cure(
    tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(InputError, match=f"needs the package {engine}") as caught:
        fkp_live.read(tmp_path / "x.csv", engine=engine)
    assert caught.value.hint.startswith("Install it: pip install")
