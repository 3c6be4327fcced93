"""Names of outputs that are refused, and what becomes of them; what all sinks promise is in test_conformance."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from written import info, names

from fkp_live.errors import OutputError
from fkp_live.sinks import CsvSink, VideoSink, check_output
from fkp_live.sinks.files import PartialFile, write_text

# what is refused


def output_like(kind: str, folder: Path) -> Path:
    name = folder / f"{kind}.mp4"
    if kind == "symlink":
        name.symlink_to("in.mp4")
    elif kind == "hardlink":
        os.link(folder / "in.mp4", name)
    elif kind == "detour":
        (folder / "sub").mkdir()
        return folder / "sub" / ".." / "in.mp4"
    elif kind == "becomes the input while it is written":
        (folder / "in.mp4").rename(folder / "x.partial.mp4")
        return folder / "x.mp4"
    else:
        return folder / "in.mp4"
    return name


@pytest.mark.parametrize(
    "kind", ["itself", "symlink", "hardlink", "detour", "becomes the input while it is written"]
)
def test_output_that_is_the_input(tmp_path: Path, kind: str) -> None:
    read = tmp_path / "in.mp4"
    read.write_text("precious")
    out = output_like(kind, tmp_path)
    read = read if read.exists() else tmp_path / "x.partial.mp4"
    with pytest.raises(OutputError, match="input") as caught:
        check_output(out, overwrite=True, inputs=[read])
    assert caught.value.exit_code == 6
    assert read.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"),
        ("no/such/o.mp4", "There is no folder"),
        ("there.mp4", "exists already"),
        ("file.txt/o.mp4", "There is no folder"),
        ("/proc/o.mp4", "No file can be created"),
        ("o.avi", r"must be one of \.mp4, \.mov, \.mkv"),
        ("o", "has no extension"),
        ("pipe.mp4", "not a regular file"),
    ],
)
def test_refused(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "there.mp4").write_text("old")
    (tmp_path / "file.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.mp4")
    name = "folder.mp4" if name == "folder" else name
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=says) as caught:
        VideoSink(tmp_path / name, info())
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.mp4").read_text() == "old"


def test_two_outputs_that_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    for a, b in (
        ("a.csv", "a.csv"),
        ("./a.csv", "a.csv"),
        ("link.csv", "real.csv"),
        ("a.csv", "a.partial.csv"),
    ):
        with pytest.raises(OutputError, match="are the same file"):
            check_output(tmp_path / a, overwrite=True, others=[tmp_path / b])
    check_output(tmp_path / "a.csv", overwrite=False, others=[tmp_path / "a.jsonl"])


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


@pytest.mark.skipif(os.name != "posix", reason="the working folder cannot be removed on Windows")
def test_a_working_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for refused in (
        lambda: CsvSink("o.csv"),
        lambda: VideoSink("sub/o.mp4", info()),
        lambda: check_output("o.csv", overwrite=True, inputs=["in.mp4"]),
        lambda: write_text(Path("o.txt"), "x", overwrite=False),
    ):
        with pytest.raises(OutputError, match="the working folder no longer exists") as caught:
            refused()
        assert "cd" in caught.value.hint
    # A full path is not touched by that, whatever else the run reads.
    check_output(tmp_path / "o.csv", overwrite=False, inputs=["in.mp4"])
    CsvSink(tmp_path / "o.csv").close()
    assert names(tmp_path) == ["o.csv"]


# partial files


def test_a_failure_at_the_beginning_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(os, "fdopen", refuse)
    with pytest.raises(ZeroDivisionError):
        CsvSink(tmp_path / "o.csv")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (OSError(28, "No space left on device"), True),
        (OSError(5, "Input/output error"), False),
        (ValueError("the encoder broke"), False),
    ],
)
def test_a_full_disk_is_named_only_where_it_is_full(tmp_path: Path, error: Exception, cure: bool) -> None:
    file = PartialFile(tmp_path / "o.csv", overwrite=False)
    failure = file.failed(error)
    file.discard()
    assert ("Make room on the disk" in str(failure)) == cure
    assert (getattr(error, "strerror", None) or str(error)) in str(failure)
    assert failure.exit_code == 6


# whole texts


def test_a_text_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "o.txt", "\u00fc\n", overwrite=False)
    assert (tmp_path / "o.txt").read_bytes() == b"\xc3\xbc\n"
    with pytest.raises(OutputError, match="exists already"):
        write_text(tmp_path / "o.txt", "other", overwrite=False)
    write_text(tmp_path / "o.txt", "other", overwrite=True)
    assert (tmp_path / "o.txt").read_text() == "other"
    assert names(tmp_path) == ["o.txt"]


def test_a_text_without_room_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_text(tmp_path / "o.txt", "x" * 5000, overwrite=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []
