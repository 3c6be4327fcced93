"""The lines of docs/recordings.md that answer a question over an archive, run as they stand there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written import face, result_of

import fkp_live
from docs.blocks.pages import blocks
from fkp_live.sinks import ParquetSink

# How many faces there are in the frames of each film.
FILMS = {"a/one.mp4": [2, 1, 0, 0], "b/two.mp4": [1, 1, 3], "three.mp4": [0]}
SHARES = [("three.mp4", 0.0), ("a/one.mp4", 0.5), ("b/two.mp4", 1.0)]


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    for number, (name, counts) in enumerate(FILMS.items()):
        key = f"{number}f{number}0"
        for kind in ("points", "records"):
            Path("archive", kind, key[:2]).mkdir(parents=True)
        Path("archive", "records", key[:2], f"{key}.json").write_text(
            json.dumps({"key": key, "source": name, "status": "ok"}, indent=1)
        )
        with ParquetSink(f"archive/points/{key[:2]}/{key}.parquet", {"source": {"name": name}}) as sink:
            for i, count in enumerate(counts):
                sink.write(result_of(i, *(face(id=n + 1) for n in range(count))))


def line(language: str, begin: str) -> str:
    """The line of a block of code that begins so."""
    lines = (line for block in blocks("docs/recordings.md", language) for line in block.text.splitlines())
    return next(line for line in lines if line.startswith(begin))


def test_the_line_of_pandas() -> None:
    pytest.importorskip("pandas")
    found = eval(line("python", 'fkp_live.read("archive").groupby'), {"fkp_live": fkp_live})
    assert list(found.items()) == SHARES


def test_the_line_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    assert duckdb.sql(line("sql", "SELECT")).fetchall() == SHARES
