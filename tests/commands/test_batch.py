"""``fkp-live batch`` from outside: whole runs, kills, signals, options."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from batch_archives import face_film, face_picture
from conftest import until

from benchmarks.archive_kill import children, killed_and_resumed
from benchmarks.make_archive import make_archive
from fkp_live.commands.batch_options import LOCAL, parse
from fkp_live.commands.batch_progress import BatchLines, BatchProgress, one_line
from fkp_live.commands.cli import main
from fkp_live.errors import UsageError
from fkp_live.types import Image

ROOT = Path(__file__).parents[2]
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="finds processes in /proc")


@pytest.fixture
def archive(tmp_path: Path, astronaut: Image) -> Path:
    """Two films, two pictures, and a broken one of each."""
    folder = tmp_path / "archive"
    face_film(folder / "day 1" / "対話\n1.mp4", astronaut, 5)
    face_film(folder / "b.mkv", astronaut, 3)
    face_picture(folder / "p2.png", astronaut)
    face_picture(folder / "p10.jpg", astronaut)
    (folder / "broken.mp4").write_text("no film")
    (folder / "broken.png").write_bytes(b"")
    (folder / "notes.txt").write_text("b.mkv\n")
    return folder


def start(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fkp_live", "batch", *map(str, words)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes | options)


def run(*words: str | Path) -> tuple[int, list[str], str]:
    process = start(*words)
    said, noted = process.communicate(timeout=120)
    return process.returncode, said.splitlines(), noted


def records(out: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in out.glob("records/*/*.json")]
    return {record["source"]: record for record in found}


def test_an_archive_from_its_folder_to_its_failures_and_again(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = (archive, "--out", out, "--format", "csv", "--workers", "1", "--crops", "64", "--annotate")
    code, said, noted = run(*words, "--progress", "jsonl")
    assert code == 1
    failed = [line for line in said if line.startswith("failed:")]
    assert [line.split(":")[1].strip() for line in failed] == ["broken.mp4", "broken.png"]
    assert "What failed is tried again with --retry-failed." in said
    assert "done 4, failed 2, skipped 0; 10 frames, 10 faces" in said
    assert said[-2:] == [f"written: {out / 'pictures.csv'}", f"written: {out}"]
    assert "neither film nor picture: 1 file (" in noted
    last = json.loads(noted.splitlines()[-1])
    assert (last["items"], last["total"], last["failed"], last["done"], last["working"]) == (
        6,
        6,
        2,
        True,
        [],
    )
    kept = records(out)
    assert set(kept) == {"day 1/対話\n1.mp4", "b.mkv", "p2.png", "p10.jpg", "broken.mp4", "broken.png"}
    film = kept["day 1/対話\n1.mp4"]
    assert (film["frames"], film["faces"], film["status"]) == (5, 5, "ok")
    with (out / film["files"]["points"]).open(newline="") as file:
        assert [row["face_id"] for row in csv.DictReader(file)] == ["1"] * 5
    with (out / "pictures.csv").open(newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["p2.png", "p10.jpg"]
    for record in kept.values():
        for name in [
            *record["files"].get("crops", []),
            record["files"].get("annotated", record["files"].get("x")),
        ]:
            assert name is None or (out / name).stat().st_size > 0

    code, said, _ = run(*words)
    assert code == 1
    assert "done 0, failed 2, skipped 4; 0 frames, 0 faces" in said
    (archive / "broken.png").write_bytes((archive / "p2.png").read_bytes())
    (archive / "broken.mp4").unlink()
    code, said, _ = run(*words)
    assert code == 0
    assert "done 1, failed 0, skipped 4; 1 frame, 1 face" in said
    code, said, noted = run(*words, "--quiet")
    assert (code, *said, *noted) == (0,)


@needs_proc
def test_killed_and_resumed_it_equals_an_undisturbed_run(tmp_path: Path) -> None:
    make_archive(tmp_path / "archive", films=6, pictures=3, seed=3)
    (tmp_path / "archive" / "broken.avi").write_bytes(bytes(100))
    found = killed_and_resumed(
        tmp_path / "archive", tmp_path, 2, ["--workers", "2", "--format", "jsonl"], seed=1
    )
    assert found.wrong == []
    assert any(" in hand" in step for step in found.steps)


@needs_proc
def test_ctrl_c_ends_it_with_130_and_nothing_is_lost(tmp_path: Path, astronaut: Image) -> None:
    face_film(tmp_path / "archive" / "long.mp4", astronaut, 600)
    out = tmp_path / "out"
    words = (tmp_path / "archive", "--out", out, "--format", "jsonl", "--workers", "1")
    process = start(*words, start_new_session=True)
    until(lambda: any(out.glob("claims/*/*/points*")), 60)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    said, noted = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in noted
    assert "run the same command again to go on" in noted
    assert "done 0, failed 0, skipped 0" in said
    assert list(out.glob("claims/*/*")) == list(out.glob("points/*/*")) == list(out.glob("records/*/*")) == []
    assert not {child for worker in workers for child in children(worker)}


def test_a_dry_run_writes_nothing(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["batch", str(archive), "--out", str(tmp_path / "out"), "--format", "csv", "--dry-run"])
    said = capsys.readouterr()
    assert code == 0
    assert not (tmp_path / "out").exists()
    assert set(said.out.splitlines()) == {
        *("day 1/対話\\n1.mp4", "b.mkv", "p2.png", "p10.jpg", "broken.mp4", "broken.png"),
    }
    assert "to do: 6 items" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--out", "o", "--shard", "2/2"], "expected I/N"),
        (["a", "--out", "o", "--shard", "1"], "expected I/N"),
        (["a", "--out", "o", "--workers", "0"], "whole number from 1"),
        (["a", "--out", "o", "--crops", "3"], "whole number from 16"),
        (["a", "--out", "o", "--segment", "0"], "above 0"),
        (["a", "--out", "o", "--ray", "films"], "not the address of a Ray cluster"),
        (["a", "--out", "o", "--format", "xml"], "invalid choice"),
        (["a"], "--out"),
        (["--out", "o"], "SOURCE"),
    ],
)
def test_options_that_make_no_sense(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(words)


def test_options() -> None:
    options = parse(["films", "--out", "o", "--smooth", "off", "--shard", "3/16", "--ray"])
    assert (options.form, options.pipeline.smooth, options.shard, options.ray) == (
        "parquet",
        "off",
        (3, 16),
        LOCAL,
    )
    assert parse(["films", "--ray", "auto", "--out", "o"]).ray == "auto"
    assert parse(["films", "--out", "o", "--ray", "10.0.0.1:6379"]).ray == "10.0.0.1:6379"


def test_help_is_light() -> None:
    code = (
        "import sys, contextlib, io\nfrom fkp_live.commands.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): assert main(['batch', '--help']) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert {"numpy", "cv2", "pyarrow", "ray", "onnxruntime", "av", "tqdm"}.isdisjoint(loaded.split())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["gone", "--out", "o", "--format", "csv"], 3, "There is no file gone"),
        (["0", "--out", "o", "--format", "csv"], 2, "is a camera"),
        ([".", "--out", "a file/o", "--format", "csv"], 6, "cannot be made or written to"),
        ([".", "--out", "o", "--format", "csv", "--model", "none"], 4, "model"),
    ],
)
def test_what_ends_a_batch_before_it_begins(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"x")
    (tmp_path / "a file").write_bytes(b"x")
    assert main(["batch", *words]) == code
    assert message in capsys.readouterr().err


@pytest.fixture
def no_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)


@pytest.mark.usefixtures("no_pyarrow")
def test_without_pyarrow_the_default_names_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "o")]) == 6
    said = capsys.readouterr().err
    assert "pip install 'fkp-live[parquet]'" in said
    assert "--format jsonl" in said
    assert not (tmp_path / "o").exists()


class Named:
    def __init__(self, key: str, name: str) -> None:
        self.key, self.name = key, name


def test_progress_counts_items_and_frames(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = Named("1", "a\nb.mp4"), Named("2", "c.mp4")
    with BatchLines(3, 1) as progress:
        progress.begun(one)
        progress.begun(two)
        progress.moved(one, 10, 20)
        progress.moved(one, 20, 20)
        progress.ended(one, None)
        progress.ended(two, "")  # its worker died, and it will be tried again
        progress.begun(two)
        progress.ended(two, "broken")
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    seconds = last.pop("seconds")
    assert seconds >= 0
    assert last == {"items": 3, "total": 3, "failed": 1, "frames": 20, "working": [], "done": True}


def test_a_worker_that_is_free_gives_its_line_to_the_next_item() -> None:
    progress = BatchProgress(4, 0)
    for key in "12":
        progress.begun(Named(key, f"{key}.mp4"))
    progress.ended(Named("1", "1.mp4"), None)
    progress.begun(Named("3", "3.mp4"))
    working = progress._state()["working"]
    assert [(each["worker"], each["source"]) for each in working] == [(1, "3.mp4"), (2, "2.mp4")]


def test_names_stay_on_one_line() -> None:
    assert one_line("a\nb\tc\\n.mp4") == "a\\nb\\tc\\\\n.mp4"
