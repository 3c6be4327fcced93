"""docs/measures.md is a dictionary of every number: each column and key that is written stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from written import face, result_of, shape_measures

from fkp_live.measured import ARKIT, MEASURES
from fkp_live.recorded import CSV_COLUMNS
from fkp_live.types import EXPRESSIONS, Expression, Measures, Pose

PAGE = (Path(__file__).parents[1] / "docs" / "measures.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`]+)`", PAGE))


def test_every_column_is_on_the_page() -> None:
    for column in CSV_COLUMNS:
        names = {column}
        if numbered := re.fullmatch(r"((?:raw_)?[xy]_)\d+", column):
            names = {f"{numbered[1]}0", f"{numbered[1]}67"}
        elif column.startswith("arkit_"):
            names = {"arkit_", column.removeprefix("arkit_")}
        assert names <= NAMED, column


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def test_every_key_is_on_the_page() -> None:
    shown = Expression(np.full(7, 1 / 7, np.float32), "neutral")
    seen = Measures(0.3, 0.3, 0.1, False, 0.3, shape_measures())
    full = face(id=1, raw=face(1).points, pose=Pose(0.1, 0.2, 0.3), measures=seen, expression=shown)
    keys = set(keys_of(result_of(0, full).to_dict()))
    # Of the seven expressions the page has the columns.
    assert {*MEASURES, *ARKIT, *EXPRESSIONS} < keys
    words = {name for named in NAMED for name in named.split(".")} | {"faces", "pose", "measures"}
    assert {key for key in keys if key not in words} == set(EXPRESSIONS)
    assert set(EXPRESSIONS) <= set(re.findall(r"\w+", PAGE))
