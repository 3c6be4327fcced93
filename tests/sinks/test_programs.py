"""Programs that events start: their arguments, limits and failures. The programs are Python's own."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import until

from fkp_live.event_options import Command
from fkp_live.sinks import ProgramsSink, programs
from fkp_live.sinks.programs import filled
from fkp_live.types import Event, FrameResult

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

BLINK = Event("blink", 3, 1.0, 1.2, 0.45, 1.2, 36)
FRAME = FrameResult(0, 0.0, (640, 480), ())


class _Finder:
    """Finds the same events in every frame."""

    def __init__(self, *events: Event, last: Sequence[Event] = ()) -> None:
        self._events, self._last = events, last

    def __call__(self, result: FrameResult) -> Sequence[Event]:
        return self._events

    def finish(self) -> Sequence[Event]:
        return self._last


def _python(code: str, *arguments: str, event: str = "blink") -> Command:
    return Command(event, sys.executable, ("-S", "-c", code, *arguments))


def _touching(folder: Path, event: str = "blink") -> Command:
    """A program that makes a file with a name of its arguments."""
    code = "import sys; open(sys.argv[1] + '/' + '_'.join(sys.argv[2:]), 'w')"
    return _python(code, str(folder), "{event}", "{face}", "{value}", event=event)


def test_fields_take_the_place_of_their_names() -> None:
    words = ["{event}", "--face={face}", "{start}-{end}", "{seconds}", "{value}", "{time}", '{"a": 1}', "{"]
    assert filled(words, BLINK) == [
        *("blink", "--face=3", "1.000-1.200", "0.200", "0.450", "1.200"),
        *('{"a": 1}', "{"),
    ]
    begun = Event("smile", 1, 1.0, math.nan, math.nan, 1.5, 45)
    assert filled(["{end}", "{seconds}", "{value}"], begun) == ["", "", ""]


def test_a_program_runs_at_its_event_and_at_the_end(tmp_path: Path) -> None:
    shut = Event("eyes_shut_end", 1, 0.0, 3.0, 1.0, 3.0, 90)
    commands = [_touching(tmp_path), _touching(tmp_path, "eyes_shut_end"), _touching(tmp_path, "nod")]
    with ProgramsSink(commands, _Finder(BLINK, last=[shut])) as sink:
        sink.write(FRAME)
        until(lambda: (tmp_path / "blink_3_0.450").exists())
    until(lambda: (tmp_path / "eyes_shut_end_1_1.000").exists())
    assert sink.note == ""
    with pytest.raises(ValueError, match="closed"):
        sink.write(FRAME)


def test_any_is_every_event(tmp_path: Path) -> None:
    nod = Event("nod", 1, 0.0, 1.0, 9.0, 1.0, 30)
    with ProgramsSink([_touching(tmp_path, "any")], _Finder(BLINK, nod)) as sink:
        sink.write(FRAME)
    until(lambda: len(list(tmp_path.iterdir())) == 2)


def test_programs_that_come_too_fast_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MOST_RUNNING", 100)
    nod = Event("nod", 1, 0.0, 1.0, 9.0, 1.0, 30)
    sink = ProgramsSink([_python("", event="any")], _Finder(BLINK, nod))
    for _ in range(7):
        sink.write(FRAME)
    sink.close()
    assert sink.note == "4 programs of --on were left out: they came too fast"


def test_no_more_run_at_a_time_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MOST_RUNNING", 1)
    sink = ProgramsSink([_python("import sys; sys.stdin.read(); input()", event="any")], _Finder(BLINK))
    release = threading.Event()
    started = []
    monkeypatch.setattr(programs.subprocess, "Popen", lambda *_, **__: started.append(1) or _Running(release))
    for _ in range(3):
        sink.write(FRAME)
    until(lambda: sink._too_many == 2)
    release.set()
    sink.close()
    assert len(started) == 1
    assert "2 programs" in sink.note


class _Running:
    """A program that runs until it is released."""

    returncode: int | None = None

    def __init__(self, release: threading.Event) -> None:
        self._release = release

    def poll(self) -> int | None:
        if self._release.is_set():
            self.returncode = 0
        return self.returncode


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (_python("import sys; sys.exit(3)"), "exit code 3"),
        (Command("blink", "/no/such/program", ()), "No such file"),
    ],
)
def test_a_failure_is_said_once_and_counted(command: Command, reason: str) -> None:
    said: list[str] = []
    with ProgramsSink([command], _Finder(BLINK), report=said.append) as sink:
        sink.write(FRAME)
        until(lambda: sink._failed == 1)
        sink.write(FRAME)
        until(lambda: sink._failed == 2)
    assert len(said) == 1
    assert reason in said[0]
    assert sink.note == "2 programs of --on failed"


def test_what_still_runs_at_the_end_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_LAST_SECONDS", 0.05)
    started = []
    start = programs.subprocess.Popen
    monkeypatch.setattr(
        programs.subprocess, "Popen", lambda *a, **k: started.append(start(*a, **k)) or started[-1]
    )
    with ProgramsSink([_python("import time; time.sleep(60)")], _Finder(BLINK)) as sink:
        sink.write(FRAME)
        until(lambda: bool(started))
    assert started[0].poll() is None
    started[0].kill()
    started[0].wait()
