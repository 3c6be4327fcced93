"""Signals to real runs of the command at random moments: every one must end in exit code 130 and whole files."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.commands import decoded
from tests.fuzz.worker import ROOT

DEMO = ROOT / "fkp_live/assets/demo.mp4"
RUNS = (
    ("--video", str(DEMO), "--headless", "--out", "a.mp4", "--csv", "a.csv"),
    ("--video", str(DEMO), "--headless", "--out", "a.mkv", "--jsonl", "a.jsonl", "--detect-every", "1"),
    ("--demo", "--headless", "--progress", "off", "--csv", "a.csv"),
    ("doctor",),
    ("bench", "--faces", "1", "--repeats", "1"),
)
_LATEST = 2.5  # seconds after the handlers are in place
_SOON = 8.0  # seconds to the end of the process, on a machine that is busy with other things


def send_signals(seed: int, count: int, folder: Path, say: Callable[[str], object]) -> int:
    """Send ``count`` signals, one to each run, and print what came of them; the number of failures.

    Runs that were done before their signal are not counted.
    """
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    slowest, sent = 0.0, 0
    while sent < count:
        words, number = chance.choice(RUNS), chance.choice((signal.SIGINT, signal.SIGTERM))
        delay = chance.uniform(0, _LATEST)
        problem, seconds = _one(words, number, delay, folder)
        if seconds is None:
            outcomes["done before its signal"] += 1
            continue
        sent += 1
        slowest = max(slowest, seconds)
        outcomes[problem or "130"] += 1
        if problem:
            say(f"FOUND {number.name} after {delay:.3f} s to {' '.join(words)}: {problem}")
    say(f"signals     {sent:>8}  {dict(outcomes)}, slowest {slowest:.2f} s")
    return sent - outcomes["130"]


def _one(
    words: tuple[str, ...], number: signal.Signals, delay: float, folder: Path
) -> tuple[str, float | None]:
    """What is wrong (empty: nothing), and seconds from the signal to the end (None: it was done before)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "fkp_live", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not _catches(process.pid, signal.SIGTERM) and process.poll() is None:
            time.sleep(0.002)
        try:
            process.wait(delay)
            return "", None
        except subprocess.TimeoutExpired:
            pass
        begun = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        return "no end within 60 s", 60.0
    finally:
        process.kill()
        process.wait()
    seconds = time.monotonic() - begun
    asked = [word for word in words if word.startswith("a.")]
    if process.returncode == 0 and out and all(f"written: {name}" in out for name in asked):
        return "", None  # everything was done and reported; only the interpreter's own end was left
    return _problem(process.returncode, out, err, seconds, folder), seconds


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
    return bool(caught and int(caught[1], 16) >> number - 1 & 1)


def _problem(code: int, out: str, err: str, seconds: float, folder: Path) -> str:
    if code != 130:
        return f"exit {code}: {err[-300:]}"
    for sign in ("Traceback", "unexpected", "Exception ignored"):
        if sign in err:
            return f"{sign} on stderr: {err[-600:]}"
    if seconds > _SOON:
        return f"the end took {seconds:.1f} s"
    for path in folder.iterdir():
        if ".partial" in path.name:
            return f"{path.name} is left"
        if path.suffix in (".mp4", ".mkv") and not decoded(path, "SLICE"):
            return f"{path.name} does not play"
        if f"written: {path.name}" not in out:
            return f"{path.name} is not reported"
    return ""
