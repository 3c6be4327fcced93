"""Ctrl-C, SIGTERM and a closed terminal, sent to real processes: exit code 130 soon, and whole files."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import numbered

from fkp_live import pipeline
from fkp_live.commands import run
from fkp_live.commands.cli import main
from fkp_live.commands.signals import Stops
from fkp_live.sources import open_source

ROOT = Path(__file__).parents[2]
STOPS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
# What a user waits for at most, and time for a machine that is busy with other things. Without the watcher a silent
# server took 8 s.
SOON = 5.0

# The command, which prints a line as soon as its handlers are in place.
COMMAND = """
import sys
from fkp_live.commands import cli

class Stops(cli.Stops):
    def __enter__(self):
        super().__enter__()
        print("ready", flush=True)
        return self

cli.Stops = Stops
sys.exit(cli.main())
"""


class Running:
    """``fkp-live`` in a process of its own, from the moment on that it handles signals."""

    def __init__(self, folder: Path, *words: object) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, words)],
            env={**environment, "PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def wait_for(self, path: Path) -> None:
        """Until the process has made this file."""
        while not path.exists():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def stop(self, number: int) -> tuple[str, str, float]:
        """Send a signal; what was printed, and the seconds until the end."""
        begin = time.monotonic()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return out, err, time.monotonic() - begin


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts commands in an empty folder; none outlives the test."""
    started: list[Running] = []

    def start(*words: object) -> Running:
        started.append(Running(tmp_path, *words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Path]) -> Path:
    """More frames than are processed before a signal comes."""
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", [numbered(i % 256) for i in range(3000)])


@pytest.fixture
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """A server that accepts a connection and sends nothing; the event is set once it did."""
    accepted, ended = threading.Event(), threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            accepted.set()
            ended.wait()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", accepted
        ended.set()


def frames_of(path: Path) -> int:
    with open_source(path) as source:
        return sum(1 for _ in source)


# ----- real processes


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_a_silent_server_can_be_left_while_it_is_opened(
    running: Callable[..., Running],
    tmp_path: Path,
    silent_server: tuple[str, threading.Event],
    scheme: str,
    number: signal.Signals,
) -> None:
    address, accepted = silent_server
    command = running("--video", f"{scheme}://{address}/live", "--csv", "a.csv", "--headless")
    assert accepted.wait(60)
    _, err, took = command.stop(number)
    assert command.process.returncode == 130, err
    assert err.splitlines()[-1] == "fkp-live: interrupted."
    assert took < SOON
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(6))
def test_a_signal_at_any_moment_ends_in_130_and_whole_files(
    running: Callable[..., Running], tmp_path: Path, long_clip: Path, seed: int
) -> None:
    """Also while libraries load: thirty moments over three seconds were tried when this was written."""
    chance = random.Random(seed)
    command = running("--video", long_clip, "--out", "a.mp4", "--csv", "a.csv", "--headless")
    # The moment itself is what is tried; nothing waits for a certain one.
    time.sleep(chance.uniform(0.0, 1.5))
    out, err, took = command.stop(chance.choice(STOPS))
    assert command.process.returncode == 130, err
    assert "Traceback" not in err
    assert "unexpected" not in err
    assert took < SOON
    assert not list(tmp_path.glob("*.partial*"))
    assert (tmp_path / "a.mp4").exists() == ("written: a.mp4" in out)
    if (tmp_path / "a.mp4").exists():
        assert frames_of(tmp_path / "a.mp4") > 0


def test_more_signals_change_nothing(
    running: Callable[..., Running], tmp_path: Path, long_clip: Path
) -> None:
    command = running("--video", long_clip, "--out", "a.mp4", "--jsonl", "a.jsonl", "--headless")
    command.wait_for(tmp_path / "a.partial.jsonl")
    while command.process.poll() is None:
        command.process.send_signal(signal.SIGINT)
        # Until the very end of the process, its files finished and its summary printed.
        time.sleep(0.001)
    out, err = command.process.communicate(timeout=60)
    assert command.process.returncode == 130, err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    frames = len((tmp_path / "a.jsonl").read_text().splitlines()) - 1
    assert frames == (frames_of(tmp_path / "a.mp4") if "written: a.mp4" in out else 0)
    assert not list(tmp_path.glob("*.partial*"))


@pytest.mark.parametrize("number", STOPS)
def test_a_stalled_camera_can_be_stopped(
    running: Callable[..., Running],
    tmp_path: Path,
    mjpeg_server: Callable[..., Any],
    number: signal.Signals,
) -> None:
    server = mjpeg_server(rate=200)
    command = running("--video", server.url, "--out", "a.mp4", "--jsonl", "a.jsonl", "--headless")
    command.wait_for(tmp_path / "a.partial.jsonl")
    # Frames were processed: more than the header has come out of the file's buffer.
    while (tmp_path / "a.partial.jsonl").stat().st_size < 8_000:
        assert command.process.poll() is None, command.process.communicate()
        time.sleep(0.01)
    server.stall.set()
    out, err, took = command.stop(number)
    assert command.process.returncode == 130, err
    assert "Traceback" not in err
    assert "written: a.mp4" in out
    # FFmpeg waits 5 s for a stream that stalls.
    assert took < SOON - 0.5
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert frames_of(tmp_path / "a.mp4") == len(lines) - 1 > 0


@pytest.mark.parametrize("number", STOPS)
def test_the_doctor_can_be_interrupted(running: Callable[..., Running], number: signal.Signals) -> None:
    command = running("doctor")
    _, err, took = command.stop(number)
    assert command.process.returncode == 130, err
    assert "Traceback" not in err
    assert took < SOON


# ----- within this process


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_ends_the_run_at_a_whole_frame(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_thread_left: None,
    number: signal.Signals,
) -> None:
    real = pipeline.Pipeline.process

    def process(self: Any, frame: Any) -> Any:
        if frame.index == 20:
            os.kill(os.getpid(), number)
        return real(self, frame)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline.Pipeline, "process", process)
    before = signal.getsignal(number)
    words = "--demo --out a.mp4 --csv a.csv --jsonl a.jsonl --headless"
    assert main(words.split()) == 130
    assert signal.getsignal(number) is before
    assert "written: a.mp4" in capsys.readouterr().out
    assert frames_of(tmp_path / "a.mp4") == 21
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 22
    assert (tmp_path / "a.csv").read_text().splitlines()[-1].startswith("21,")
    assert not list(tmp_path.glob("*.partial.*"))


def test_a_signal_before_the_first_frame_leaves_no_file_unmentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tables are whole, with no row; a video without a picture is none."""
    real = run.RunStats

    def interrupted() -> Any:
        signal.raise_signal(signal.SIGINT)
        return real()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "RunStats", interrupted)
    assert main(["--demo", "--out", "a.mp4", "--csv", "a.csv", "--jsonl", "a.jsonl", "--headless"]) == 130
    reported = [line for line in capsys.readouterr().out.splitlines() if line.startswith("written: ")]
    assert reported == [f"written: {path.name}" for path in sorted(tmp_path.iterdir())]
    assert len(reported) == 2


class Flag:
    """A source that notes when it is interrupted."""

    interrupted = False

    def interrupt(self) -> None:
        self.interrupted = True


def test_signals_are_noted_while_files_are_finished() -> None:
    source = Flag()
    with Stops(own_process=False) as stops:
        stops.finish_files(source)
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
        assert stops.asked
        assert source.interrupted


def test_signals_raise_where_another_program_calls() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stops(own_process=False) as stops, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stops.asked
    assert signal.getsignal(signal.SIGINT) is before


def test_a_library_that_fails_of_an_interruption_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(words: object) -> object:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("numpy could not be loaded") from None
        return None

    monkeypatch.setattr("fkp_live.commands.options.parse", interrupted)
    assert main(["--demo"]) == 130
    assert capsys.readouterr().err == "fkp-live: interrupted.\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP on Windows")
def test_under_nohup_a_terminal_may_close() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stops(own_process=False) as stops:
            signal.raise_signal(signal.SIGHUP)
            assert not stops.asked
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
