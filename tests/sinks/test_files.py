"""Names of outputs and what becomes of them; what single formats do is in test_sinks."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from fkp_live.errors import OutputError
from fkp_live.sinks.files import check_output
from fkp_live.sinks.tables import CsvSink, JsonlSink


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# partial files


def test_a_partial_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "o.partial.csv").write_text("of a run that broke down")
    (tmp_path / "o.partial-2.csv").symlink_to("nowhere")
    with CsvSink(tmp_path / "o.csv"):
        assert (tmp_path / "o.partial-3.csv").is_file()
    assert (tmp_path / "o.partial.csv").read_text() == "of a run that broke down"
    assert names(tmp_path) == ["o.csv", "o.partial-2.csv", "o.partial.csv"]
    assert not (tmp_path / "nowhere").exists()


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        CsvSink(tmp_path / "o.csv").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "o.csv").stat().st_mode) == 0o640


@pytest.mark.parametrize("hard_links", [True, False])
def test_of_two_runs_that_write_one_file_the_first_to_end_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not hard_links:  # as on FAT
        monkeypatch.setattr(os, "link", link)
    one, two = JsonlSink(tmp_path / "o.jsonl", {"run": 1}), JsonlSink(tmp_path / "o.jsonl", {"run": 2})
    two.close()
    with pytest.raises(OutputError, match="came into being") as caught:
        one.close()
    assert caught.value.exit_code == 6
    assert one.kept == tmp_path / "o.partial.jsonl"
    assert str(one.kept) in str(caught.value)
    assert '"run": 2' in (tmp_path / "o.jsonl").read_text()
    assert '"run": 1' in one.kept.read_text()
    assert names(tmp_path) == ["o.jsonl", "o.partial.jsonl"]


def test_with_overwrite_the_last_of_two_runs_has_the_file(tmp_path: Path) -> None:
    one, two = (JsonlSink(tmp_path / "o.jsonl", {"run": i}, overwrite=True) for i in (1, 2))
    two.close()
    one.close()
    assert '"run": 1' in (tmp_path / "o.jsonl").read_text()
    assert names(tmp_path) == ["o.jsonl"]


def test_what_is_kept_is_named_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.csv").symlink_to("far/real.csv")
    sink = CsvSink(tmp_path / "link.csv")
    assert sink.kept == tmp_path / "far" / "real.partial.csv"
    sink.close()
    assert sink.kept is None


def test_a_failure_at_the_beginning_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ZeroDivisionError):
        CsvSink(tmp_path / "o.csv")
    assert names(tmp_path) == []


# names


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_undecodable_names_are_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"b\xff.mp4")
    JsonlSink(tmp_path / "o.jsonl", {"source": name, "other": "ü"}).close()
    text = (tmp_path / "o.jsonl").read_text(encoding="utf-8")
    assert json.loads(text)["source"] == name
    assert "ü" in text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (".", "is a folder"),
        ("/", "is a folder"),
        ("loop.mp4", "leads back to itself"),
        (f"{'n' * 300}.mp4", "name too long"),
        (f"{'n' * 245}.mp4", "name too long"),  # with .partial
    ],
)
def test_names_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    for suffixes in ((), (".mp4",)):
        with pytest.raises(OutputError, match=says) as caught:
            check_output(name, overwrite=True, suffixes=suffixes)
        assert caught.value.hint
    assert names(tmp_path) == ["loop.mp4"]


def test_a_tilde_is_a_home_only_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    CsvSink("~nobody-of-that-name.csv").close()
    CsvSink("~/o.csv").close()
    assert names(tmp_path) == ["home", "~nobody-of-that-name.csv"]
    assert names(tmp_path / "home") == ["o.csv"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root, to become nobody")
def test_a_folder_that_one_may_not_enter(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            check_output(tmp_path / "private" / "o.csv", overwrite=False)
        except OutputError as error:
            os._exit(6 if "Permission denied" in str(error) else 1)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6


# what is said


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(5, "Input/output error"), False),
        (ValueError("the encoder broke"), False),
    ],
)
def test_a_full_disk_is_named_only_where_it_is_full(tmp_path: Path, error: Exception, cure: bool) -> None:
    sink = CsvSink(tmp_path / "o.csv")
    failure = sink._failed(error)
    sink.abort()
    assert ("Make room on the disk" in str(failure)) == cure
    assert (getattr(error, "strerror", None) or str(error)) in str(failure)
    assert failure.exit_code == 6
