"""What the benchmarks reach into: they fail here first when it moves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from written import frames_in

from benchmarks import ceiling, streaming


def test_the_first_painted_frame_ends_the_process_that_is_timed(tmp_path: Path) -> None:
    words = ["--demo", "--headless", "--quiet", "--out", "a.mp4"]
    done = subprocess.run(
        [sys.executable, "-c", streaming._FIRST_PICTURE, *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "a.mp4").exists()


def test_source_and_sink_with_nothing_between(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", 5)
    assert ceiling.empty(clip, tmp_path / "out.mp4") > 0
    assert len(frames_in(tmp_path / "out.mp4")) == 5
