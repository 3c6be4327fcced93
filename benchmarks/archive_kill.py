"""An archive killed again and again and resumed, against a run that nobody disturbed.

    python -m benchmarks.archive_kill [--films 140] [--pictures 60] [--kills 3] [--workers 2] [--seed 0] [--format csv]

The batch is killed with SIGKILL at random moments. After each kill: its worker processes end too, every file under a
final name is whole, and every record has its files. In the end all results and records equal those of the other run,
and every broken item is a failure with its name. Exit code 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.make_archive import make_archive
from fkp_live.errors import FkpError
from fkp_live.sources.recordings import open_recording

ROOT = Path(__file__).resolve().parents[1]
# What differs from run to run.
_VARYING = ("seconds", "finished", "attempts", "host")


@dataclass(slots=True)
class Findings:
    """What the script found: steps that were taken, and everything that is wrong."""

    steps: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def killed_and_resumed(
    archive: Path, work: Path, kills: int, words: Sequence[str], seed: int = 0
) -> Findings:
    """Run a batch undisturbed and another one with kills; compare them.

    Parameters
    ----------
    archive : the folder of films and pictures
    work : an empty folder for both results
    words : more options of ``fkp-live batch``
    """
    found, draw = Findings(), random.Random(seed)
    whole, killed = work / "whole", work / "killed"
    began = time.monotonic()
    code, said = _finished(_start(archive, whole, words))
    found.steps.append(f"undisturbed: code {code}, {time.monotonic() - began:.0f} s; {_figures(said)}")
    items = len(list((whole / "records").rglob("*.json")))
    for number in range(kills):
        process = _start(archive, killed, words)
        # After a share of the items, and then a little more, so that the moment within an item is any.
        wanted = items * (number + draw.random()) / (kills + 1)
        while len(list((killed / "records").rglob("*.json"))) < wanted and process.poll() is None:
            time.sleep(0.02)
        time.sleep(draw.random() * 0.3)
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found.wrong += _workers_left(workers)
        found.wrong += half_written(killed)
        recorded = len(list((killed / "records").rglob("*.json")))
        claims = sum(1 for _ in (killed / "claims").glob("*/*"))
        found.steps.append(f"kill {number + 1}: {recorded} of {items} recorded, {claims} in hand")
    code_again, said = _finished(_start(archive, killed, words))
    found.steps.append(f"resumed: code {code_again}; {_figures(said)}")
    if code != code_again:
        found.wrong.append(f"exit codes differ: {code}, {code_again}")
    found.wrong += differences(whole, killed)
    found.wrong += [f"left over: {path}" for path in (killed / "claims").glob("*/*")]
    return found


def differences(one: Path, other: Path) -> list[str]:
    """How two folders of results differ: names, contents, records."""
    wrong = []
    files, others = _files(one), _files(other)
    wrong += [f"only in one: {name}" for name in sorted(files.keys() ^ others.keys())]
    for name in sorted(files.keys() & others.keys()):
        a, b = files[name].read_bytes(), others[name].read_bytes()
        if name.startswith("records/"):
            if _stable(json.loads(a), one) != _stable(json.loads(b), other):
                wrong.append(f"records differ: {name}")
        elif a != b:
            wrong.append(f"contents differ: {name}")
    return wrong


def half_written(out: Path) -> list[str]:
    """Files under a final name that are not whole, and records that lack a file."""
    wrong = []
    for path in [*out.glob("points/*/*"), *out.glob("pictures.*")]:
        try:
            with open_recording(path) as recording:
                for _ in recording:
                    pass
                if note := getattr(recording, "note", ""):
                    wrong.append(f"{path}: {note}")
        except FkpError as error:
            wrong.append(str(error))
    for path in out.glob("records/*/*"):
        record = json.loads(path.read_bytes())
        names = [
            name
            for value in record["files"].values()
            for name in ([value] if isinstance(value, str) else value)
        ]
        wrong += [f"{path} names {name}, which is not there" for name in names if not (out / name).exists()]
    return wrong


def children(number: int) -> list[int]:
    """Processes below one, by the system's table."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == number:
            child = int(stat.parent.name)
            found += [child, *children(child)]
    return found


def _workers_left(numbers: Sequence[int]) -> list[str]:
    deadline = time.monotonic() + 10
    while (left := [n for n in numbers if _lives(n)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"process {number} outlived the batch" for number in left]


def _lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _start(archive: Path, out: Path, words: Sequence[str]) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "fkp_live",
        "batch",
        str(archive),
        "--out",
        str(out),
        "--progress",
        "off",
        *words,
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def _finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate()
    return process.returncode, said


def _figures(said: str) -> str:
    """The line of what was printed that counts the items."""
    return next((line for line in said.splitlines() if line.startswith("done ")), said[-300:])


def _files(out: Path) -> dict[str, Path]:
    return {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}


def _stable(record: dict[str, Any], out: Path) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in _VARYING}
    return kept | {"error": re.sub(re.escape(str(out)), "", record["error"])}


def main(words: Sequence[str] | None = None) -> int:
    """Make an archive, kill and compare; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("films", 140), ("pictures", 60), ("kills", 3), ("workers", 2), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--folder", type=Path, help="keep archive and results there")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        archive = folder / "archive"
        broken = sum(make_archive(archive, options.films, options.pictures, options.seed))
        more = ["--workers", str(options.workers), "--format", options.format]
        found = killed_and_resumed(archive, folder, options.kills, more, options.seed)
        failed = [path for path in (folder / "killed").glob("records/*/*") if '"failed"' in path.read_text()]
    if len(failed) != broken:
        found.wrong.append(f"{broken} items are broken, {len(failed)} failed")
    for step in found.steps:
        print(step)
    print(f"{broken} broken items, {len(failed)} failed; {len(found.wrong)} wrong")
    for wrong in found.wrong:
        print(f"WRONG: {wrong}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
