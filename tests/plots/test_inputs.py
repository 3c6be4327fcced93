"""Which recordings are meant by files, folders and the folder of a batch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from recorded import face, film, write

from fkp_live.errors import InputError
from fkp_live.plots.inputs import RecordingFile, find_recordings
from fkp_live.sinks import CsvSink
from fkp_live.sources.recordings import open_recording


def csv(path: Path) -> Path:
    with CsvSink(path) as sink:
        for one in film([[face()]] * 2):
            sink.write(one)
    return path


def test_a_folder_is_searched_to_its_bottom_in_order(tmp_path: Path) -> None:
    (tmp_path / "b" / "ü").mkdir(parents=True)
    paths = [
        write(tmp_path / "a.jsonl", film([[]])),
        csv(tmp_path / "b" / "c d.csv"),
        write(tmp_path / "b" / "ü" / "日本.jsonl", film([[]])),
    ]
    assert [one.path for one in find_recordings([tmp_path])] == paths


def test_what_is_no_recording_is_passed_over(tmp_path: Path) -> None:
    kept = csv(tmp_path / "points.csv")
    (tmp_path / "people.csv").write_text("film,face_id,main\nfilm.mp4,1,1\n")
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "notes.txt").write_text("x")
    for name in ("points.partial.csv", "points.partial-2.csv"):
        (tmp_path / name).write_bytes(kept.read_bytes())
    (tmp_path / ".hidden.csv").write_bytes(kept.read_bytes())
    (tmp_path / ".work").mkdir()
    csv(tmp_path / ".work" / "points.csv")
    assert [one.path for one in find_recordings([tmp_path])] == [kept]


def test_the_same_film_in_two_forms_counts_once(tmp_path: Path) -> None:
    csv(tmp_path / "film.csv")
    jsonl = write(tmp_path / "film.jsonl", film([[face()]]))
    assert [one.path for one in find_recordings([tmp_path])] == [jsonl]
    # Files that are named are all meant.
    assert len(find_recordings([tmp_path / "film.csv", jsonl])) == 2


def test_a_damaged_file_is_found_so_that_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    assert [one.path.name for one in find_recordings([tmp_path])] == ["cut.parquet", "empty.jsonl"]


def batch(folder: Path, items: dict[str, str]) -> None:
    """The folder of ``fkp-live batch``: key -> source."""
    for key, source in items.items():
        for kind in ("points", "records"):
            (folder / kind / key[:2]).mkdir(parents=True, exist_ok=True)
        write(folder / "points" / key[:2] / f"{key}.jsonl", film([[face()]]), name=source)
        record = {"status": "ok", "source": source}
        (folder / "records" / key[:2] / f"{key}.json").write_text(json.dumps(record))


def test_the_folder_of_a_batch_gives_its_sources(tmp_path: Path) -> None:
    batch(tmp_path, {"aa11": "z/last.mp4", "bb22": "a/first film.mp4"})
    write(tmp_path / "pictures.jsonl", film([[]]))
    found = find_recordings([tmp_path])
    assert [one.source for one in found] == ["a/first film.mp4", "z/last.mp4"]
    (tmp_path / "records" / "aa" / "aa11.json").write_text("{broken")
    with open_recording(tmp_path / "points" / "aa" / "aa11.jsonl") as recording:
        assert find_recordings([tmp_path])[0].film(recording) == "z/last.mp4", (
            "then by the recording's own header"
        )


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_nothing_there_is_an_input_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        find_recordings([tmp_path / name])


def test_the_film_is_found_beside_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "points.jsonl", film([[face()]]), name="my film.mp4")
    with open_recording(path) as recording:
        assert RecordingFile(path).find_film(recording) is None
        (tmp_path / "my film.mp4").touch()
        assert RecordingFile(path).find_film(recording) == tmp_path / "my film.mp4"


@pytest.mark.parametrize(
    "name", ["../secret.mp4", "/etc/hostname", "..", "http://a.example/b.mp4", "a\0b", "..\\secret.mp4"]
)
def test_a_header_leads_to_no_other_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.mp4").touch()
    (tmp_path / "here").mkdir()
    path = write(tmp_path / "here" / "points.jsonl", film([[face()]]), name=name)
    with open_recording(path) as recording:
        assert RecordingFile(path).find_film(recording) is None


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jsonl")), film([[face()]]))
    assert [one.path for one in find_recordings([tmp_path])] == [path]
