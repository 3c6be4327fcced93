"""The table of all pictures of a batch."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from fkp_live.batch.items import Item, list_items
from fkp_live.batch.pictures import write_pictures
from fkp_live.batch.records import place
from fkp_live.errors import InputError
from fkp_live.sinks import JsonlSink
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Face, FrameResult

POINTS = np.arange(136, dtype=np.float32).reshape(68, 2)


def face(shift: float) -> Face:
    return Face(POINTS + shift, np.ones(68, np.float32), np.array([0, 1, 134, 135], np.float32), 0.9)


def with_results(folder: Path, out: Path, faces: dict[str, int]) -> tuple[Item, ...]:
    """A folder of pictures, and the result of each: ``faces`` is how many were found."""
    folder.mkdir()
    for name in [*faces, "film.mp4"]:
        (folder / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    items = list_items([str(folder)]).items
    for item in items:
        if item.name in faces:
            path = out / place("points", item.key, ".jsonl")
            path.parent.mkdir(parents=True, exist_ok=True)
            with JsonlSink(path, {"source": {"name": item.name}, "version": "1"}) as sink:
                found = [face(number) for number in range(faces[item.name])]
                sink.write(FrameResult(0, 0.0, (200, 200), tuple(found)), None)
    return items


def test_every_picture_by_name_in_natural_order(tmp_path: Path) -> None:
    faces = {"p10.png": 1, "p2.png": 2, "two\nlines, p1.jpg": 0, "p\udcff.jpg": 1}
    items = with_results(tmp_path / "pictures", tmp_path, faces)
    table = write_pictures(tmp_path, "csv", items, lambda item: True)
    assert table == tmp_path / "pictures.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["frame"], row["face_id"], row["success"]) for row in rows] == [
        ("p2.png", "1", "0", "1"),
        ("p2.png", "1", "1", "1"),
        ("p10.png", "2", "0", "1"),
        ("p\\udcff.jpg", "3", "0", "1"),
        ("two\nlines, p1.jpg", "4", "-1", "0"),
    ]
    assert float(rows[1]["x_3"]) == POINTS[3, 0] + 1
    assert [path.name for path in tmp_path.glob("pictures*.csv")] == ["pictures.csv"]


def test_as_json_lines_it_is_a_recording_with_names(tmp_path: Path) -> None:
    items = with_results(tmp_path / "pictures", tmp_path, {"a.png": 1, "b.png": 0})
    table = write_pictures(tmp_path, "jsonl", items, lambda item: True)
    assert table is not None
    assert [line.partition(",")[0] for line in table.read_text().splitlines()[1:]] == [
        '{"file": "a.png"',
        '{"file": "b.png"',
    ]
    with open_recording(table) as recording:
        assert [len(result.faces) for result in recording] == [1, 0]


def test_what_is_not_done_is_not_in_it_and_without_pictures_there_is_none(tmp_path: Path) -> None:
    items = with_results(tmp_path / "pictures", tmp_path, {"a.png": 1, "b.png": 1})
    table = write_pictures(tmp_path, "csv", items, lambda item: item.name == "b.png")
    assert table is not None
    assert [row.partition(",")[0] for row in table.read_text().splitlines()] == ["file", "b.png"]
    assert write_pictures(tmp_path, "jsonl", items, lambda item: False) is None
    assert not (tmp_path / "pictures.jsonl").exists()


def test_pictures_that_another_machine_finishes_meanwhile_get_in(tmp_path: Path) -> None:
    items = with_results(tmp_path / "pictures", tmp_path, {"a.png": 1, "b.png": 1})
    asked: list[str] = []

    def is_done(item: Item) -> bool:
        asked.append(item.name)
        return item.name == "a.png" or len(asked) > 2

    table = write_pictures(tmp_path, "csv", items, is_done)
    assert table is not None
    assert [row.partition(",")[0] for row in table.read_text().splitlines()] == ["file", "a.png", "b.png"]


@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_result_that_was_spoilt_is_named(tmp_path: Path, content: bytes | None) -> None:
    items = with_results(tmp_path / "pictures", tmp_path, {"a.png": 1})
    for path in tmp_path.glob("points/*/*"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] if content is None else content)
    with pytest.raises(InputError, match=r"the result of a\.png, is damaged.\n.*run the batch again"):
        write_pictures(tmp_path, "csv", items, lambda item: True)
    assert list(tmp_path.glob("pictures*.csv")) == []
