"""``--events``, ``--event-limit`` and ``--on`` through the command."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

from fkp_live.commands import event_arguments
from fkp_live.commands.cli import main
from fkp_live.commands.options import parse
from fkp_live.event_options import EventOptions

pytestmark = [pytest.mark.usefixtures("here", "no_thread_left"), pytest.mark.timeout(120)]
RUN = ["--demo", "--max-frames", "3", "--headless"]


def _rows(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_writes_events_and_runs_programs(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # In one piece: the bar of progress is written to the same file meanwhile.
    code = f'"{sys.executable}" -S -c "import os, sys; os.write(1, chr(32).join(sys.argv[1:]).encode())"'
    words = [*RUN, "--events", "e v.csv", "--on", "appear", f"{code} {{event}} {{face}} 'a b;|$HOME'"]
    assert main(words) == 0
    assert [(row["event"], row["face_id"], row["start"]) for row in _rows("e v.csv")] == [
        ("appear", "1", "0.000000")
    ]
    out, err = capfd.readouterr()
    assert "written: e v.csv" in out
    assert "appear 1 a b;|$HOME" in err  # no shell, and not on standard output


def test_a_replay_writes_events_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main([*RUN, "--jsonl", "points.jsonl", "--quiet"]) == 0
    capfdbinary.readouterr()
    words = ["replay", "points.jsonl", "--events", "-", "--quiet", "--headless"]
    assert main([*words, "--event-limit", "smile-seconds=0.05"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0].startswith("event,face_id,")
    assert [line.split(",")[0] for line in lines[1:]] == ["appear", "smile", "smile_end"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--on", "blnk", "true"], "--on blnk: no such event"),
        (["--on", "blink", "no-such-program-here {face}"], "no-such-program-here is not a program"),
        (["--on", "blink", " "], "the command is empty"),
        (["--on", "blink", "python 'x"], "No closing quotation"),
        (["--on", "blink", "python {faces}"], "{faces} is not a field of an event"),
        (["--events", "e.csv", "--event-limit", "nod=-1"], "nod is -1.0, expected a number above 0"),
        (["--events", "e.csv", "--event-limit", "nod=wide"], "expected a number for nod, got 'wide'"),
        (["--events", "e.csv", "--event-limit", "nods=3"], "got 'nods=3'"),
        (["--event-limit", "nod=3", "--csv", "p.csv"], "--event-limit without --events and --on"),
        (["--events", "-", "--csv", "-"], "--csv - and --events - cannot both have the standard output"),
        (["--events", ""], "--events"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_opened(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main([*RUN, *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(here.iterdir())


def test_a_file_of_events_is_checked_with_the_others(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*RUN, "--events", "same.csv", "--csv", "same.csv"]) == 2
    assert main([*RUN, "--events", "nowhere/e.csv"]) == 6
    assert not list(here.iterdir())


def test_limits_reach_the_finder() -> None:
    options = parse(
        ["--demo", "--events", "e.csv", "--event-limit", "slow_blink=0.4", "--event-limit", "nod=9"]
    )
    assert options.events.limits == EventOptions(slow_blink=0.4, nod=9.0)


def test_paths_of_windows_keep_their_backslashes(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(event_arguments, "_WINDOWS", True)
        assert event_arguments._words(r'"C:\My Tools\bell.exe" -f {face}') == [
            r"C:\My Tools\bell.exe",
            "-f",
            "{face}",
        ]
    assert event_arguments._words(r"bell\ one -f 'a b' #x") == ["bell one", "-f", "a b", "#x"]
