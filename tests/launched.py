"""``fkp-live`` in a process of its own, and what it leaves behind."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from fkp_live.sources import open_source

ROOT = Path(__file__).parents[1]


def launched(*words: object, **more: Any) -> subprocess.Popen[str]:
    """``python -m fkp_live`` with these words, wherever it is started from."""
    environment = {**os.environ, **more.pop("env", {}), "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
    line = [sys.executable, "-m", "fkp_live", *map(str, words)]
    return subprocess.Popen(
        line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def ended(process: subprocess.Popen[str], seconds: float = 60.0) -> tuple[str, str]:
    """What a process wrote when it has ended; where its threads are if it does not."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        _, err = process.communicate(timeout=30)
        raise AssertionError(f"still running after {seconds} s:\n{err}") from None


def frames_of(path: Path) -> int:
    with open_source(path) as source:
        return sum(1 for _ in source)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
