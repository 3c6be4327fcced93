"""CSV that the page makes in the browser beside CSV of Python, from the same results; its JavaScript runs in node."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from fkp_live import Pipeline, open_source
from fkp_live.recorded import CSV_COLUMNS, LEAST_SUCCESS
from fkp_live.server import site as module
from fkp_live.sinks.csv import CsvFormat
from fkp_live.sinks.jsonl import frame_object
from fkp_live.types import EXPRESSIONS, Expression, Face, FrameResult

TABLE = Path(module.__file__).parent / "static" / "web" / "table.js"
DEMO = Path(module.__file__).parents[1] / "assets" / "demo.mp4"
SCRIPT = """
import { readFileSync } from "node:fs";
const { table, columns, least, results } = JSON.parse(readFileSync(0, "utf8"));
const { rows } = await import(`data:text/javascript,${encodeURIComponent(table)}`);
process.stdout.write(results.map((result) => rows(result, columns, least)).join(""));
"""
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def rows_of_the_page(results: Iterable[FrameResult]) -> list[dict[str, str]]:
    given = {
        "table": TABLE.read_text("utf-8"),
        "columns": CSV_COLUMNS,
        "least": LEAST_SUCCESS,
        "results": [json.loads(frame_object(result)) for result in results],
    }
    node = ["node", "--input-type=module", "--eval", SCRIPT]
    ran = subprocess.run(
        node, input=json.dumps(given), capture_output=True, text=True, timeout=120, check=True
    )
    return list(csv.DictReader(io.StringIO(ran.stdout), fieldnames=CSV_COLUMNS))


def rows_of_python(results: Iterable[FrameResult]) -> list[dict[str, str]]:
    made = CsvFormat()
    text = made.header + "".join(line for result in results for line in made.lines(result))
    return list(csv.DictReader(io.StringIO(text)))


def test_cells_are_those_of_python() -> None:
    pipeline = Pipeline()
    with open_source(DEMO) as frames:
        results: list[FrameResult] = [pipeline.process(frame) for frame in islice(frames, 12)]
    nobody = FrameResult(7, 0.25, results[0].size, ())
    shares = np.linspace(0.02, 0.3, len(EXPRESSIONS), dtype=np.float32)
    face = results[0].faces[0]
    shown = Expression(shares, EXPRESSIONS[2])
    doubtful = face.confidence * np.float32(0.55)
    showing = Face(
        face.points, doubtful, face.box, face.score, None, face.raw, face.pose, face.measures, shown
    )
    # An id of None means its place; a low confidence, an expression and no face are in none of the others.
    results = [*results, nobody, FrameResult(8, 1 / 3, results[0].size, (face, showing))]
    here, there = rows_of_python(results), rows_of_the_page(results)
    assert len(here) == len(there) > 10
    for ours, page in zip(here, there, strict=True):
        assert {name for name in CSV_COLUMNS if (ours[name] == "") != (page[name] == "")} == set()
        # The page rounds what is rounded in JSON lines already: a last decimal may differ.
        filled = [name for name in CSV_COLUMNS if ours[name]]
        np.testing.assert_allclose(
            [float(page[name]) for name in filled], [float(ours[name]) for name in filled], atol=0.0101
        )
        assert [len(page[name]) for name in CSV_COLUMNS[:3]] == [len(ours[name]) for name in CSV_COLUMNS[:3]]
    same = sum(ours == page for ours, page in zip(here, there, strict=True))
    assert same >= 0.8 * len(here), "rows that differ by a last decimal are rare"
