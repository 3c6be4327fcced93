"""What a run does around its frames; its outputs and exit codes are in test_cli."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from fkp_live.commands.cli import main
from fkp_live.inference import session
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import audio as sound
from fkp_live.sinks import video as sinks
from fkp_live.sources import open_source
from fkp_live.sources import video as sources
from fkp_live.types import Frame, FrameResult


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux only")
@pytest.mark.parametrize(("option", "more"), [("--out", 10), ("--csv", 0)])
def test_inference_steps_back_behind_an_encoder_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, more: int
) -> None:
    seen: list[tuple[int, list[int]]] = []
    process = Pipeline.process

    def observed(self: Pipeline, frame: Frame) -> FrameResult:
        others = [
            int(name) for name in os.listdir("/proc/self/task") if int(name) != threading.get_native_id()
        ]
        niceness = [os.getpriority(os.PRIO_PROCESS, thread) for thread in others]
        seen.append((os.getpriority(os.PRIO_PROCESS, 0), niceness))
        return process(self, frame)

    monkeypatch.setattr(Pipeline, "process", observed)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    out = tmp_path / ("out.mp4" if option == "--out" else "out.csv")
    # A thread of its own, because without the rights of root nobody may go back.
    codes: list[int] = []
    words = ["--demo", option, str(out), "--max-frames", "3", "--headless", "--quiet"]
    monkeypatch.setattr(
        "fkp_live.commands.run._Stops.__enter__", lambda self: self
    )  # signals are the main thread's
    worker = threading.Thread(target=lambda: codes.append(main(words)))
    worker.start()
    worker.join()
    assert codes == [0]
    assert [own for own, _ in seen] == [min(before + more, 19)] * 3
    assert all(min(others) == before for _, others in seen)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def cursed(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception, times: int) -> None:
    """Let a method work so many times and then fail for ever."""
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
        "reader": (sources._Video, "_frame"),
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
    cursed(monkeypatch, sinks.VideoSink, "_finish", OSError(28, "No space left on device"), 0)
    out, table = tmp_path / "out.mp4", tmp_path / "out.csv"
    words = ["--demo", "--max-frames", "5", "--out", str(out), "--csv", str(table), "--headless", "--quiet"]
    assert main(words) == 6
    err = capsys.readouterr().err
    assert "Make room on the disk" in err
    assert f"What was written until then is in {tmp_path / 'out.partial.mp4'}" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.partial.mp4"]
