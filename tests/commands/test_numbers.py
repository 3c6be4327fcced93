"""Numbers on standard output and progress for programs, through the command."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fkp_live.commands.cli import main
from fkp_live.commands.pace import Pace
from fkp_live.sinks import VideoSink
from fkp_live.sinks.csv import CSV_COLUMNS, OPENFACE_COLUMNS
from fkp_live.types import Image

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "fkp_live"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

pytestmark = pytest.mark.usefixtures("here", "no_thread_left")


def test_lines_on_stdout_are_those_of_a_file_and_nothing_else_is_there(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--demo", "--max-frames", "4", "--csv", "a.csv", "--jsonl"]
    assert main([*words, "a.jsonl"]) == 0
    capsys.readouterr()
    assert main([*words, "-", "--overwrite"]) == 0
    out, err = capsys.readouterr()
    # Options as where the lines are written are not in the header.
    assert out == (here / "a.jsonl").read_text()
    for said in ("4 frames in", "written: a.csv", "network"):
        assert said in err
    assert sorted(path.name for path in here.iterdir()) == ["a.csv", "a.jsonl"]
    assert main(["--demo", "--max-frames", "4", "--csv", "-", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == (here / "a.csv").read_text()
    assert err == ""


def test_a_reader_that_leaves_ends_the_run_well(here: Path) -> None:
    """`head` takes three lines and goes; the run ends then, not at the end of the clip, and its files are whole."""
    line = f'"{sys.executable}" -m fkp_live --demo --jsonl - --csv a.csv --headless; echo "code $?" >&2'
    run = subprocess.Popen(
        ["sh", "-c", line], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with subprocess.Popen(["head", "-3"], stdin=run.stdout, stdout=subprocess.PIPE, text=True) as head:
        assert run.stdout is not None
        run.stdout.close()
        lines = [json.loads(line) for line in head.communicate(timeout=60)[0].splitlines()]
    assert run.stderr is not None
    err = run.stderr.read()
    run.wait(60)
    assert "schema" in lines[0]
    assert [line["frame"] for line in lines[1:]] == [0, 1]
    assert err.endswith("code 0\n")
    assert "Traceback" not in err
    assert "Broken" not in err
    rows = list(csv.DictReader((here / "a.csv").open(newline="")))
    assert 2 <= len(rows) < 180
    assert f"{len(rows)} frames in" in err
    assert not list(here.glob("*.partial*"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_exit_code_6() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--demo", "--jsonl", "-", "--headless", "--max-frames", "3"],
            env=ENVIRONMENT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert done.returncode == 6
    assert "Standard output does not take the results" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="there is no poll on Windows")
def test_a_reader_that_stalls_does_not_keep_the_run_from_being_stopped(here: Path) -> None:
    words = ["--demo", "--jsonl", "-", "--csv", "a.csv", "--headless", "--quiet"]
    with subprocess.Popen(
        [*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        # The pipe is full once nothing is added to what waits in it, which is far less than the clip gives.
        waiting, before = 0, -1
        while waiting == 0 or waiting != before:
            before, waiting = waiting, _waiting(run.stdout.fileno())
            assert run.poll() is None
            time.sleep(0.5)
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err == b""
    rows = list(csv.DictReader((here / "a.csv").open(newline="")))
    assert 0 < len(rows) < 180
    assert not list(here.glob("*.partial*"))


def _waiting(pipe: int) -> int:
    """Bytes that lie in a pipe."""
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


def test_columns_can_be_openface_s_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for columns, names in (("openface", OPENFACE_COLUMNS), ("all", CSV_COLUMNS)):
        assert main(f"--demo --max-frames 1 --csv - --quiet --csv-columns {columns}".split()) == 0
        header, row = csv.reader(io.StringIO(capsys.readouterr().out))
        assert header == list(names)
        assert len(row) == len(names)


def test_pictures_of_a_folder_have_their_names(
    here: Path, astronaut: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, image in (
        ("a/2.png", astronaut),
        ("a/10.png", np.zeros_like(astronaut)),
        ("b/2.png", astronaut),
    ):
        (here / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(name, image)
    for source, files in (("a", ["2.png", "10.png"]), ("*/2.png", [f"a{os.sep}2.png", f"b{os.sep}2.png"])):
        assert main([source, "--csv", "-", "--quiet"]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["file"] for row in rows] == files
    assert [row["success"] for row in rows] == ["1", "1"]
    assert main(["a/2.png", "--csv", "-", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("frame,")


def test_progress_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--demo", "--max-frames", "5", "--csv", "-", "--progress", "jsonl", "--quiet"]) == 0
    states: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {tuple(state) for state in states} == {("frames", "total", "fps", "seconds", "faces", "done")}
    assert [state["done"] for state in states] == [False] * (len(states) - 1) + [True]
    assert len(states) >= 2
    last = states[-1]
    assert (last["frames"], last["total"], last["faces"]) == (5, 5, 5)
    assert last["fps"] == pytest.approx(5 / last["seconds"], rel=0.05)
    counts = [state["frames"] for state in states]
    assert counts == sorted(counts)


def test_progress_is_done_only_where_the_run_ended_well(
    here: Path, mjpeg_server: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server = mjpeg_server(count=5)
    words = [server.url, "--retry", "0", "--csv", "a.csv", "--headless", "--progress", "jsonl", "--quiet"]
    assert main(words) == 3
    lines = capsys.readouterr().err.splitlines()
    states = [json.loads(line) for line in lines if line.startswith("{")]
    assert states
    assert not any(state["done"] for state in states)
    assert (here / "a.csv").exists()


def test_progress_is_done_when_the_files_are_whole(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    close = VideoSink.close

    def look(sink: VideoSink) -> None:
        assert '"done": true' not in capsys.readouterr().err
        close(sink)

    monkeypatch.setattr(VideoSink, "close", look)
    assert main(["--demo", "--max-frames", "3", "--out", "a.mp4", "--progress", "jsonl", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["done"]


def test_progress_can_be_switched_off_and_insisted_on(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--demo", "--max-frames", "2", "--csv", "-"]
    assert main([*words, "--progress", "off"]) == 0
    err = capsys.readouterr().err
    assert "frame/s" not in err
    assert "network" in err
    assert main([*words, "--progress", "bar", "--quiet"]) == 0
    assert "2/2" in capsys.readouterr().err


def test_ids_from_left_to_right(here: Path, astronaut: Image, capsys: pytest.CaptureFixture[str]) -> None:
    small = cv2.resize(astronaut, None, fx=0.5, fy=0.5)
    picture = np.zeros((512, 1100, 3), np.uint8)
    picture[:512, 588:] = astronaut
    picture[100 : 100 + small.shape[0], 50 : 50 + small.shape[1]] = small
    cv2.imwrite("two.png", picture)
    for order, expected in (("appearance", ["1", "2"]), ("left-right", ["2", "1"])):
        assert main(["two.png", "--csv", "-", "--quiet", "--id-order", order]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        # The largest first: it is the one on the right.
        assert float(rows[0]["x_30"]) > float(rows[1]["x_30"])
        assert [row["face_id"] for row in rows] == expected


class Clock:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_pace_is_the_file_s_own() -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep)
    for frame in range(5):
        clock.now += 0.01  # what processing takes
        pace.wait(frame * 0.04, lambda: False)
        assert clock.now == pytest.approx(100.01 + frame * 0.04)
    clock.now += 10.0
    pace.wait(0.2, lambda: False)  # far too late: no rush to catch up
    late = clock.now
    pace.wait(0.24, lambda: False)
    assert clock.now == pytest.approx(late + 0.04)
    pace.wait(1e9, lambda: True)
    assert clock.now == pytest.approx(late + 0.04)


def test_a_standard_output_of_text_alone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a notebook has one."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert main(["--demo", "--max-frames", "2", "--csv", "-", "--headless"]) == 6
