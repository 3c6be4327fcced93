"""Standard streams that are closed, full or cannot print a name: files are whole, and a lost answer is a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from launched import ROOT, ended, frames_of, launched, lines_of, rows_of

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.commands.cli import main


def test_a_closed_stdout_does_no_harm(here: Path) -> None:
    process = launched("--demo", "--max-frames", 5, "--csv", "a.csv", "--headless")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert (here / "a.csv").exists()


def test_a_closed_stderr_does_no_harm(here: Path) -> None:
    process = launched("--demo", "--max-frames", 5, "--csv", "a.csv", "--headless")
    assert process.stderr is not None
    process.stderr.close()
    out, _ = ended(process)
    assert "written: a.csv" in out
    assert process.returncode == 0


def through_shell(words: str, how: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """``fkp-live`` with its streams redirected as the shell does it."""
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -m fkp_live {words} {how}', sys.executable],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=120,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("how", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
        ("2>/dev/full", 0),
        (">/dev/full", 6),
        (">/dev/full 2>&1", 6),
    ],
)
def test_files_are_whole_whatever_becomes_of_the_streams(here: Path, how: str, code: int) -> None:
    done = through_shell("--demo --max-frames 2 --out a.mp4 --csv a.csv --headless", how)
    assert done.returncode == code, done.stderr
    assert len(rows_of(here / "a.csv")) == 2
    assert frames_of(here / "a.mp4") == 2
    assert sorted(path.name for path in here.iterdir()) == ["a.csv", "a.mp4"]
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    # What belongs on one stream does not turn up on the other.
    assert (b"written: a.csv" in done.stdout) == (">&-" not in how.replace("2>&-", "") and not code)
    assert b"network" not in done.stdout
    if how == ">/dev/full":
        assert b"Standard output does not take the results: No space left" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="closes streams in a shell")
@pytest.mark.parametrize("lines", ["--csv -", "--jsonl -"])
def test_lines_for_a_closed_stdout_are_a_failure(here: Path, lines: str) -> None:
    done = through_shell(f"--demo --max-frames 2 --out a.mp4 --headless {lines}", ">&-")
    assert done.returncode == 6
    assert b"Standard output is closed" in done.stderr
    assert not list(here.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["--version", "--help", "bench --help", "doctor --help", "models --help"])
def test_an_answer_that_cannot_be_delivered_is_a_failure(words: str, unbuffered: str) -> None:
    done = through_shell(words, ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 6
    assert b"No space left" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_names_that_cannot_be_printed_are_written_all_the_same(here: Path, encoding: str) -> None:
    clip = os.fsdecode(b"b\xff.mp4")
    shutil.copy(demo_clip(), here / clip)
    (here / "日本").mkdir()
    words = ("--video", clip, "--jsonl", "日本/n.jsonl", "--max-frames", 2, "--headless")
    process = launched(*words, env={"PYTHONIOENCODING": encoding})
    out, err = ended(process, 120)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert ("written: 日本/n.jsonl" if encoding == "utf-8" else "written: \\u65e5\\u672c/n.jsonl") in out
    header, *frames = lines_of(here / "日本" / "n.jsonl")
    assert len(frames) == 2
    assert header["source"]["name"] == clip


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--video", "red\x1b[31m.mp4", "--csv", "a.csv", "--headless"]) == 3
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert r"red\x1b[31m.mp4" in err
