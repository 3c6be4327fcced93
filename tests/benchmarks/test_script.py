"""What the benchmark scripts do with nonsense: a sentence and the right exit code, before anything is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("cost --rounds 0", 2, "--rounds"),
        ("cost --batches 2,", 2, "--batches"),
        ("cost --json nowhere/a.json", 2, "nowhere"),
        ("cost nosuch", 4, "nosuch"),
        ("ceiling --videos nowhere", 3, "nowhere"),
        ("ceiling --videos nowhere --pairs 0", 2, "--pairs"),
        ("stability --data nowhere", 3, "nowhere"),
        ("fit_pose --data nowhere", 3, "nowhere"),
        ("fit_detector_box nowhere", 3, "nowhere"),
        ("clips nowhere.mp4", 3, "nowhere.mp4"),
        ("ablation nowhere --data nowhere", 3, "base.toml"),
        ("peers --data nowhere --limit 0", 2, "--limit"),
        ("streaming nosuch", 2, "nosuch"),
    ],
)
def test_nonsense_is_refused(words: str, code: int, says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *f"benchmarks.{words}".split(" ")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
