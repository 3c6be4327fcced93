"""What a run does around its frames; its outputs and exit codes are in test_cli."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from fkp_live.cli import main
from fkp_live.pipeline import Pipeline
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
    monkeypatch.setattr("fkp_live.run._Stops.__enter__", lambda self: self)  # signals are the main thread's
    worker = threading.Thread(target=lambda: codes.append(main(words)))
    worker.start()
    worker.join()
    assert codes == [0]
    assert [own for own, _ in seen] == [min(before + more, 19)] * 3
    assert all(min(others) == before for _, others in seen)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
