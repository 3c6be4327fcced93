"""``fkp-live summary``: the table it writes, what it says of recordings it cannot read, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from recorded import face, film, write

from fkp_live.commands.cli import main
from fkp_live.plots import clinical
from fkp_live.plots.summary import COLUMNS
from fkp_live.sinks.files import PartialFile

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two films, one of them without a face, and a table of something else."""
    there = tmp_path / "recordings ü"
    there.mkdir()
    write(there / "a.jsonl", film([[face(1), face(2)]] * 30), name='a "film",\nof two.mp4')
    write(there / "b.jsonl", film([[]] * 30), name="b.mp4")
    (there / "other.csv").write_text("a,b\n1,2\n")
    return there


def table(text: str) -> list[dict[str, str]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(tuple(row) == COLUMNS for row in rows)
    return rows


def test_a_folder_becomes_a_table(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "people.csv"
    assert main(["summary", str(folder), "--out", str(out), "--quiet"]) == 0
    rows = table(out.read_text("utf-8"))
    assert [(row["film"], row["face_id"], row["main"]) for row in rows] == [
        ('a "film",\nof two.mp4', "1", "1"),
        ('a "film",\nof two.mp4', "2", "0"),
        ("b.mp4", "-1", "0"),
    ]
    assert [row["with_face_share"] for row in rows] == ["1.0000", "1.0000", "0.0000"]
    assert capsys.readouterr() == ("", "")


def test_clinical_columns_come_last_and_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(folder), "--clinical", "--scale-mm", "92", "--quiet"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert all(tuple(row) == (*COLUMNS, *clinical.COLUMNS) for row in rows)
    one, _, nobody = rows
    assert (one["clinical_frames"], one["clinical_unit"]) == ("30", "mm")
    assert 5 < float(one["palpebral_fissure_right"]) < 20
    assert {nobody[name] for name in clinical.COLUMNS} == {""}
    assert main(["summary", str(folder), "--scale-mm", "92"]) == 2
    assert "--clinical" in capsys.readouterr().err


def test_without_out_the_table_is_the_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(folder / "a.jsonl"), str(folder / "b.jsonl"), "--quiet"]) == 0
    assert len(table(capsys.readouterr().out)) == 3


def test_a_recording_that_cannot_be_read_is_named_and_the_others_are_there(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "0 empty.jsonl").touch()
    lines = (folder / "a.jsonl").read_text().splitlines()
    (folder / "damaged.jsonl").write_text("\n".join([*lines[:5], "{broken", *lines[6:], ""]))
    out = tmp_path / "people.csv"
    assert main(["summary", str(folder), "--out", str(out), "--quiet"]) == 1
    assert len(table(out.read_text())) == 3, "no row of a film that was read in part"
    said = capsys.readouterr().err
    assert "0 empty.jsonl" in said
    assert "damaged.jsonl" in said
    assert "2 of 4 recordings could not be read" in said


def test_if_none_can_be_read_nothing_is_written(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = folder / "bad.jsonl"
    bad.write_text("{}\n")
    assert main(["summary", str(bad), "--out", str(tmp_path / "people.csv"), "--quiet"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]
    assert main(["summary", str(bad), "--quiet"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "bad.jsonl" in captured.err


def test_a_last_line_that_is_cut_off_is_noted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "a.jsonl"
    path.write_bytes(path.read_bytes()[:-40])
    assert main(["summary", str(path), "--quiet"]) == 0
    captured = capsys.readouterr()
    assert table(captured.out)[0]["frames"] == "29"
    assert "cut off" in captured.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("", 2, "required"),
        ("nothing.jsonl", 3, "nothing.jsonl"),
        ("a.jsonl --out people.txt", 6, ".csv"),
        ("a.jsonl --out there.csv", 6, "exists already"),
        ("a.jsonl --out no/people.csv", 6, "no folder"),
        ("c.csv --out c.csv --overwrite", 6, "the input itself"),
        ("a.jsonl --what", 2, "--what"),
    ],
)
def test_what_is_refused_and_how(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder)
    (folder / "there.csv").write_text("mine")
    (folder / "c.csv").write_bytes((folder / "a.jsonl").read_bytes())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["summary", *words.split()]) == code
    assert message in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_full_disk_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    created = PartialFile.__init__

    def on_a_full_disk(self: PartialFile, *arguments: object, **more: object) -> None:
        created(self, *arguments, **more)  # type: ignore[arg-type]
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, self.descriptor)
        os.close(full)

    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(PartialFile, "__init__", on_a_full_disk)
    monkeypatch.setattr(PartialFile, "_is_in_place", lambda self: True)
    assert main(["summary", str(folder), "--out", str(tmp_path / "people.csv"), "--quiet"]) == 6
    assert "No space" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_ctrl_c_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "signalled"
    code = (
        "import os, signal, sys\n"
        "from fkp_live.plots import summary\n"
        "whole = summary.FilmSummary.add\n"
        "def add(self, result, seconds):\n"
        "    if result.index == 5: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return whole(self, result, seconds)\n"
        "summary.FilmSummary.add = add\n"
        "from fkp_live.commands.cli import main\n"
        "sys.argv[1:] = ['summary', *sys.argv[1:]]\n"
        "sys.exit(main())\n"
    )
    words = [sys.executable, "-c", code, str(folder), "--out", str(fifo.with_suffix(".csv")), "--quiet"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 130, ended.stderr
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name]
    assert signal.SIGINT


def test_the_folder_of_a_batch_is_named_by_its_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("points", "records"):
        (tmp_path / kind / "ab").mkdir(parents=True)
    write(tmp_path / "points" / "ab" / "abcd.jsonl", film([[face()]] * 3), name="clip.mp4")
    (tmp_path / "records" / "ab" / "abcd.json").write_text(json.dumps({"source": "day 1/clip.mp4"}))
    assert main(["summary", str(tmp_path), "--quiet"]) == 0
    (row,) = table(capsys.readouterr().out)
    assert (row["film"], Path(row["recording"]).name) == ("day 1/clip.mp4", "abcd.jsonl")


@pytest.mark.parametrize("command", ["summary", "plot", "report"])
def test_help_loads_nothing_heavy_and_the_core_install_suffices(command: str) -> None:
    code = (
        "import sys\n"
        "from fkp_live.commands.cli import main\n"
        f"main(['{command}', '--help'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "exit" in shown.stdout or "examples" in shown.stdout
    assert {"numpy", "cv2", "pandas", "matplotlib", "onnxruntime"}.isdisjoint(shown.stderr.split())


def test_summary_and_report_need_neither_pandas_nor_matplotlib(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('pandas', 'matplotlib', 'pyarrow', 'ray', 'torch'): sys.modules[name] = None\n"
        "from fkp_live.commands.cli import main\n"
        "codes = [main(['summary', sys.argv[1], '--out', sys.argv[2] + '/people.csv', '--quiet']),\n"
        "         main(['report', sys.argv[1], '--out', sys.argv[2] + '/report.html', '--quiet']),\n"
        "         main(['plot', sys.argv[1] + '/a.jsonl', '--out', sys.argv[2] + '/a.png', '--quiet'])]\n"
        "print(codes)\n"
    )
    words = [sys.executable, "-c", code, str(folder), str(tmp_path)]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert shown.stdout.splitlines()[-1] == "[0, 0, 2]", shown.stderr
    assert "pip install 'fkp-live[plots]'" in shown.stderr


def test_what_failed_in_a_batch_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "points" / "3f").mkdir(parents=True)
    write(tmp_path / "points" / "3f" / "3f01.jsonl", film([[face()]] * 3))
    for key, status in (("3f01", "ok"), ("3f02", "failed"), ("3f03", "ok")):
        record = tmp_path / "records" / "3f" / f"{key}.json"
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"source": f"{key}.mp4", "status": status}))
    assert main(["summary", str(tmp_path), "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert [row["film"] for row in table(out)] == ["3f01.mp4"]
    assert "1 failed in the batch" in err
    assert err.rstrip().endswith("no row: 3f02.mp4.")
