"""Parquet: the columns and numbers of CSV, the header of JSONL."""

from __future__ import annotations

import csv
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written import face, names, result_of, shape_measures

from fkp_live.errors import OutputError
from fkp_live.sinks import CsvSink, ParquetSink, parquet
from fkp_live.sinks.csv import CSV_COLUMNS
from fkp_live.types import FrameResult, Measures, Pose

needs_pyarrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
HEADER = {"version": "0", "source": {"name": "x \udcff.mp4"}}


def results(count: int) -> list[FrameResult]:
    """Frames with one, two and no faces, some without pose, measures and raw points."""
    blinking = Measures(0.1235, 0.3, 0.05, True, 0.2, shape_measures())
    made = []
    for i in range(count):
        full = face(i / 7, id=7, pose=Pose(0.1, -0.2, 0.3), measures=blinking, raw=face(i / 9).points)
        made.append(result_of(i, *(full, face(i))[: i % 3], seconds=i * 1001 / 30000))
    return made


def table(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.read_table(path)


@needs_pyarrow
def test_every_value_is_that_of_the_csv_as_float32(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "o.csv") as text, ParquetSink(tmp_path / "o.parquet", HEADER) as columns:
        for result in results(9):
            text.write(result)
            columns.write(result)
    read = table(tmp_path / "o.parquet")
    rows = list(csv.reader((tmp_path / "o.csv").open(newline="")))
    assert tuple(read.column_names) == CSV_COLUMNS == tuple(rows.pop(0))
    for name, cells in zip(read.column_names, zip(*rows, strict=True), strict=True):
        kind = str(read.schema.field(name).type)
        if name in ("frame", "face_id", "success", "blink", "expression"):
            assert kind.startswith("int")
            written = [int(cell) if cell else None for cell in cells]
        elif name == "timestamp":
            assert kind == "double"
            written = [float(cell) for cell in cells]
        else:
            assert kind == "float"
            written = [float(np.float32(cell)) if cell else None for cell in cells]
        assert read[name].to_pylist() == written, name


@needs_pyarrow
def test_the_header_is_in_the_metadata_of_the_schema(tmp_path: Path) -> None:
    ParquetSink(tmp_path / "o.parquet", HEADER).close()
    read = table(tmp_path / "o.parquet")
    assert len(read) == 0
    assert json.loads(read.schema.metadata[b"fkp"]) == {"schema": "fkp-live/1", **HEADER}


@needs_pyarrow
def test_names_of_pictures_are_the_first_column(tmp_path: Path) -> None:
    with ParquetSink(tmp_path / "o.parquet", {}, files=("a.png", "line\nfeed \udcff.png")) as sink:
        for result in results(3):
            sink.write(result)
    read = table(tmp_path / "o.parquet")
    assert read.column_names[:2] == ["file", "frame"]
    assert read["file"].to_pylist() == ["a.png", "line\nfeed \\udcff.png", "", ""]


@needs_pyarrow
def test_row_groups_are_bounded_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet as pq

    monkeypatch.setattr(parquet, "_GROUP_ROWS", 8)
    with ParquetSink(tmp_path / "o.parquet", {}) as sink:
        for result in results(30):
            sink.write(result)
    with pq.ParquetFile(tmp_path / "o.parquet") as file:
        sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        frames = file.read(["frame"])["frame"].to_pylist()
    assert sizes == [8, 8, 8, 8, 8]
    assert frames == sorted(frames)
    assert set(frames) == set(range(1, 31))


@needs_pyarrow
def test_other_readers_see_the_same(tmp_path: Path) -> None:
    with ParquetSink(tmp_path / "o.parquet", HEADER) as sink:
        for result in results(9):
            sink.write(result)
    mine = table(tmp_path / "o.parquet")
    polars = pytest.importorskip("polars")
    assert polars.read_parquet(tmp_path / "o.parquet")["raw_y_67"].to_list() == mine["raw_y_67"].to_pylist()
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"SELECT frame, x_0 FROM '{tmp_path / 'o.parquet'}'").fetchall()
    assert found == list(zip(mine["frame"].to_pylist(), mine["x_0"].to_pylist(), strict=True))


def test_without_pyarrow_the_error_names_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(OutputError, match="pyarrow, which is not installed") as caught:
        ParquetSink(tmp_path / "o.parquet", {})
    assert caught.value.hint == "Install it: pip install 'fkp-live[parquet]'"
    assert names(tmp_path) == []
