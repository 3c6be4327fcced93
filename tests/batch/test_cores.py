"""Cores that a batch takes by default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fkp_live.batch.cores import usable_cores


@pytest.mark.parametrize(
    ("text", "most"), [("150000 100000\n", 2), ("50000 100000\n", 1), ("max 100000\n", None), ("?", None)]
)
def test_the_share_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, most: int | None
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path / "cpu.max") == (8 if most is None else most)
    assert usable_cores(tmp_path / "none") == 8
