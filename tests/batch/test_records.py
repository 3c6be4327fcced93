"""Records: whole or not there, small to read, with every name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fkp_live.batch.records import options_hash, read_record, recorded_keys, write_record

KEY = "ab" + "0" * 30
CONTENT = {
    **{"status": "ok", "error": "", "attempts": 2, "options_hash": "0123", "duration": 6.0},
    **{"model": {"sha256": "f" * 64}, "files": {"points": "points/ab/x.csv", "crops": ["a.jpg", "b.jpg"]}},
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = CONTENT | {"source": os.fsdecode(b"\xff \n \xe6\x97\xa5.mp4")}
    write_record(tmp_path, KEY, content, beside=tmp_path)
    path = tmp_path / "records" / "ab" / f"{KEY}.json"
    whole = json.loads(path.read_text("utf-8"))
    assert whole["source"] == "\\udcff \n 日.mp4"
    assert whole["schema"] == "fkp-live-record/1"
    record = read_record(tmp_path, KEY)
    assert record is not None
    assert (record.status, record.attempts, record.duration) == ("ok", 2, 6.0)
    assert record.files == ("points/ab/x.csv", "a.jpg", "b.jpg")
    assert recorded_keys(tmp_path) == {KEY}
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b'{"status": 3}', b"\0" * 400])
def test_a_damaged_record_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    write_record(tmp_path, KEY, CONTENT, beside=tmp_path)
    (tmp_path / "records" / "ab" / f"{KEY}.json").write_bytes(damage)
    assert read_record(tmp_path, KEY) is None


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert recorded_keys(tmp_path) == set()
    assert read_record(tmp_path, KEY) is None


def test_the_hash_knows_every_option_and_no_order() -> None:
    one = options_hash({"smooth": "medium", "crops": None})
    assert one == options_hash({"crops": None, "smooth": "medium"})
    assert one != options_hash({"smooth": "strong", "crops": None})
    assert one != options_hash({"smooth": "medium", "crops": 256})
