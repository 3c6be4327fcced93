"""What a run does around its frames; its outputs and exit codes are in test_cli."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import pytest

from fkp_live.commands.cli import main
from fkp_live.inference import session
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import audio as sound
from fkp_live.sinks import encoder as encoders
from fkp_live.sources import decoding, open_source
from fkp_live.types import Frame, FrameResult

# Runs the command in a process of its own, and prints the niceness of this thread and of the others at each frame.
NICENESS = """
import os, sys, threading
from fkp_live.commands.cli import main
from fkp_live.pipeline import Pipeline

process = Pipeline.process

def observed(self, frame):
    others = {int(name) for name in os.listdir("/proc/self/task")} - {threading.get_native_id()}
    niceness = {os.getpriority(os.PRIO_PROCESS, thread) for thread in others}
    print("niceness", os.getpriority(os.PRIO_PROCESS, 0), *niceness)
    return process(self, frame)

Pipeline.process = observed
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")
@pytest.mark.parametrize(("option", "more"), [("--out", 10), ("--csv", 0)])
def test_inference_goes_after_an_encoder_and_nothing_else_does(
    tmp_path: Path, option: str, more: int
) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    out = tmp_path / ("out.mp4" if option == "--out" else "out.csv")
    words = ["--demo", option, str(out), "--max-frames", "3", "--headless", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", NICENESS, *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    seen = [line for line in done.stdout.splitlines() if line.startswith("niceness")]
    assert seen == [f"niceness {min(before + more, 19)} {before}"] * 3


def test_the_command_runs_in_any_thread_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    results: list[tuple[int, bool]] = []

    def work() -> None:
        words = ["--demo", "--out", str(tmp_path / "a.mp4"), "--max-frames", "3", "--headless", "--quiet"]
        before = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
        code = main(words)
        after = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
        results.append((code, before == after))

    worker = threading.Thread(target=work)
    worker.start()
    worker.join(120)
    assert results == [(0, True)]
    with open_source(tmp_path / "a.mp4") as source:
        assert sum(1 for _ in source) == 3


def test_opencv_is_set_up_for_the_run_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    process = Pipeline.process

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        seen.append(cv2.getNumThreads())
        return process(self, frame)

    monkeypatch.setattr(Pipeline, "process", observed)
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        words = ["--demo", "--csv", str(tmp_path / "a.csv"), "--max-frames", "2", "--headless", "--quiet"]
        assert main(words) == 0
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
    assert seen == [1, 1]


@pytest.mark.parametrize(("name", "value"), [("TQDM_MININTERVAL", "x"), ("TQDM_BAR_FORMAT", "{nothing}")])
def test_a_progress_bar_that_fails_costs_nothing_but_itself(tmp_path: Path, name: str, value: str) -> None:
    words = ["--demo", "--csv", "a.csv", "--max-frames", "3", "--headless"]
    done = subprocess.run(
        [sys.executable, "-m", "fkp_live", *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), name: value},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "No progress bar" in done.stderr
    assert "TQDM_" in done.stderr
    assert "written: a.csv" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder in use cannot be removed")
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--demo --csv a.csv --headless", 6),
        ("--video a.mp4 --csv {kept}/a.csv --headless", 3),
        ("--demo --csv {kept}/a.csv --max-frames 2 --headless", 0),
    ],
)
def test_a_working_folder_that_was_deleted(tmp_path: Path, words: str, code: int) -> None:
    here, kept = tmp_path / "here", tmp_path / "kept"
    here.mkdir()
    kept.mkdir()
    line = f'rmdir "{here}"; exec "{sys.executable}" -m fkp_live {words.format(kept=kept)}'
    done = subprocess.run(
        ["sh", "-c", line],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert "unexpected failure" not in done.stderr
    assert (kept / "a.csv").exists() == (code == 0)


def cursed(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception, times: int) -> None:
    """Let a method work ``times`` times and then fail at every call."""
    real, count = getattr(owner, name), itertools.count()

    def method(*arguments: Any) -> Any:
        if next(count) >= times:
            raise error
        return real(*arguments)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize(
    ("who", "error", "code", "said"),
    [
        ("reader", RuntimeError("the decoder burst"), 1, "RuntimeError: the decoder burst"),
        ("writer", OSError(28, "No space left on device"), 6, "No space left on device"),
        ("provider", RuntimeError("device lost"), 1, "RuntimeError: device lost"),
    ],
)
def test_whoever_fails_in_the_middle_ends_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    make_clip: Any,
    no_thread_left: None,
    who: str,
    error: Exception,
    code: int,
    said: str,
) -> None:
    owner, name = {
        "reader": (decoding.Converter, "__call__"),
        "writer": (sound.Sound, "copy_until"),
        "provider": (session.Session, "run"),
    }[who]
    out, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    # With sound, which is copied by the encoder's thread, picture by picture.
    clip = make_clip(tmp_path / "clip.mp4", 60, sound="aac")
    # With nobody in sight the network, here the detector, looks at every third picture.
    cursed(monkeypatch, owner, name, error, 6 if who == "provider" else 20)
    words = ["--video", str(clip), "--out", str(out), "--csv", str(table), "--headless", "--quiet"]
    assert main(words) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert "Traceback" not in printed.err
    assert not out.exists()
    assert not table.exists()
    monkeypatch.undo()
    with open_source(tmp_path / "out.partial.mp4") as rest:
        assert 10 <= sum(1 for _ in rest) <= 21


def test_a_file_that_cannot_be_finished_is_named_and_the_others_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_thread_left: None
) -> None:
    cursed(monkeypatch, encoders, "check_video", OSError(28, "No space left on device"), 0)
    out, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    words = ["--demo", "--max-frames", "5", "--out", str(out), "--csv", str(table), "--headless", "--quiet"]
    assert main(words) == 6
    err = capsys.readouterr().err
    assert "Make room on the disk" in err
    assert f"What was written until then is in {tmp_path / 'out.partial.mp4'}" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.partial.mp4"]


@pytest.mark.parametrize("words", [["--fullscreen"], ["--window-size", "320x240"], []])
def test_options_of_a_window_that_does_not_come_are_not_passed_over(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--demo", "--max-frames", "1", "--csv", str(tmp_path / "a.csv"), *words]) == 0
    assert ("No window" in capsys.readouterr().err) == bool(words)
