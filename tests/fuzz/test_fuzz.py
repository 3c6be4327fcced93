"""A minute of fuzzing with a fixed seed, and what fuzzing itself must do. Hours: ``make fuzz SEED=7 COUNT=3000``."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.mutator import STEPS, damaged
from tests.fuzz.session import Session, replay
from tests.fuzz.signals import send_signals
from tests.fuzz.worker import MOST_MEMORY, Outcome, Worker

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="workers are watched through pipes"),
    pytest.mark.timeout(600),  # on a machine that is busy with other things
    pytest.mark.filterwarnings("ignore:Generating overly large repr"),
]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Worker(tmp_path / "work") as worker:
        yield Session(worker, tmp_path / "found", 0, print)


def test_damaged_files_are_refused_or_read_to_their_end(session: Session, tmp_path: Path) -> None:
    session.files(75, tmp_path / "files")
    print(*session.table(), sep="\n")
    assert not session.findings
    assert {"exit 0", "exit 0 with a note", "exit 3"} <= set(session.counts["video"])
    assert session.worker.started == 1


def test_odd_values_are_refused_or_taken(session: Session) -> None:
    session.values(1500)
    print(*session.table(), sep="\n")
    assert not session.findings
    assert session.counts["words"]["Options"]
    assert session.counts["recipe"]["read"]
    assert session.counts["frames"]["with faces"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the handlers in /proc")
def test_runs_that_get_a_signal_end_in_130(tmp_path: Path) -> None:
    """More moments: tests/commands/test_signals.py."""
    assert send_signals(0, 2, tmp_path / "run", print) == 0


# ----- the fuzzing itself


@pytest.mark.parametrize(
    ("check", "kind"),
    [("crash", "crash SIGSEGV"), ("hang", "hang"), ("end", "crash exit 3"), ("memory", "memory")],
)
def test_a_worker_that_is_lost_is_a_finding_and_is_replaced(tmp_path: Path, check: str, kind: str) -> None:
    deadline = 1.0 if check == "hang" else 60.0
    with Worker(tmp_path / "work", deadline, checks="tests.fuzz.broken_checks") as worker:
        outcome = worker.run(check, MOST_MEMORY + 100)
        assert outcome.kind == kind
        assert outcome.finding
        assert worker.run("nothing", None).kind == "whole"
        assert worker.started == 2
    if check == "hang":
        assert "broken_checks.py" in outcome.finding  # where it hung


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_every_kind_of_damage_changes_a_file_and_can_be_repeated(step: object) -> None:
    whole = bytes(range(256)) * 20 + b"moovtrakmdat"
    results = []
    for _ in range(2):
        changed = [bytearray(whole) for _ in range(20)]
        for seed, data in enumerate(changed):
            step(data, random.Random(seed), [b"other" * 100])  # type: ignore[operator]
        results.append(changed)
    assert results[0] == results[1]
    assert sum(data != whole for data in results[0]) >= 15


@pytest.mark.parametrize("length", [1, 2, 9, 5000])
def test_no_file_is_too_short_to_be_damaged(length: int) -> None:
    for seed in range(300):
        content, steps = damaged(bytes(length), random.Random(seed), [b"other" * 100, b"x"])
        assert content
        assert steps


def test_a_finding_is_saved_and_can_be_replayed(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"\0" * 100)
    value = {"path": str(path), "out": "a.mp4", "words": [], "whole": 12}
    session.found("video", value, Outcome("finding", "something", "video: a / b"))
    path.unlink()
    (folder,) = session.keep.iterdir()
    assert folder.name == "0-001-video-a-b"
    assert json.loads((folder / "case.json").read_text())["finding"] == "something"
    outcome = replay(folder, session.worker)
    assert outcome.signature == "video: refused .mp4"
    assert "a whole file ends in 3" in outcome.finding
