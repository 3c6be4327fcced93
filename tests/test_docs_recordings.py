"""The lines of docs/recordings.md that answer a question over an archive, run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from written import face, result_of

import fkp_live
from fkp_live.sinks import ParquetSink
from fkp_live.types import Measures

PAGE = (Path(__file__).parents[1] / "docs" / "recordings.md").read_text("utf-8")
# Frames of each film: how wide the mouth is open, None without a face.
FILMS = {"a/one.mp4": [0.2, 0.4, None, None], "b/two.mp4": [0.1, 0.1, 0.4], "three.mp4": [None]}


@pytest.fixture(autouse=True)
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(tmp_path)
    for number, (name, mouths) in enumerate(FILMS.items()):
        key = f"{number}f{number}0"
        for kind in ("points", "records"):
            Path("archive", kind, key[:2]).mkdir(parents=True)
        Path("archive", "records", key[:2], f"{key}.json").write_text(
            json.dumps({"key": key, "source": name, "status": "ok"}, indent=1)
        )
        with ParquetSink(f"archive/points/{key[:2]}/{key}.parquet", {"source": {"name": name}}) as sink:
            for i, mouth in enumerate(mouths):
                open_ = Measures(0.3, 0.3, mouth or 0.0, False, 0.3)
                faces = [] if mouth is None else [face(id=n, measures=open_) for n in (1, 2)]
                sink.write(result_of(i, *faces))


def line(language: str, begin: str) -> str:
    """The line of a block of code that begins so."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return next(line for block in blocks for line in block.splitlines() if line.startswith(begin))


def test_the_line_of_pandas() -> None:
    pytest.importorskip("pandas")
    found = eval(line("python", 'fkp_live.read("archive").groupby'), {"fkp_live": fkp_live})
    assert found.seen.to_dict() == {"b/two.mp4": 1.0, "a/one.mp4": 0.5, "three.mp4": 0.0}
    assert list(found.index) == ["b/two.mp4", "a/one.mp4", "three.mp4"]
    assert found.mouth["a/one.mp4"] == pytest.approx(0.3)
    assert found.mouth["b/two.mp4"] == pytest.approx(0.2)


def test_the_line_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(line("sql", "SELECT")).fetchall()
    assert [(name, seen) for name, seen, _ in found] == [
        ("b/two.mp4", 1.0),
        ("a/one.mp4", 0.5),
        ("three.mp4", 0.0),
    ]
    assert found[0][2] == pytest.approx(0.2)
    assert found[2][2] is None
