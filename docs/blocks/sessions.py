"""A terminal and a Python prompt that go on from one block of a page to the next."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

# Seconds for a command that a page shows; those that set up an environment take minutes on a busy machine.
LONGEST = 1800.0
_STEP = 0.1
# Seconds that a command has to end after Ctrl-C.
_ENDING = 60.0

_COMMAND = """\
set -o pipefail
trap : INT
source {state} 2>/dev/null
cd "$(cat {where})"
{command}
code=$?
pwd > {where}
{{ declare -p | grep -v '^declare -[a-zA-Z]*r'; declare -f; }} > {state}
exit $code
"""

# What runs the programs of a page: reads one a line, answers one a line on descriptor 3.
_PROMPT = """\
import json, os, sys, traceback
answers = os.fdopen(3, "w", buffering=1)
names = {"__name__": "__main__"}
for line in sys.stdin:
    text, place = json.loads(line)
    try:
        exec(compile(text, place, "exec"), names)
        said = ""
    except KeyboardInterrupt:
        said = "Ctrl-C"
    except BaseException:
        said = traceback.format_exc()
    sys.stdout.flush()
    answers.write(json.dumps(said) + "\\n")
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command or program ended: what went wrong, empty where nothing did; its output; seconds."""

    wrong: str
    output: str
    seconds: float


class Terminal:
    """bash in a folder; the folder, variables, functions and the environment last from command to command.

    Parameters
    ----------
    folder : where it begins
    environment : of its first command
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._own = Path(tempfile.mkdtemp(prefix="terminal-", dir=folder.parent))
        self._state, self._where, self._log = (self._own / name for name in ("state", "where", "log"))
        self._where.write_text(f"{folder}\n")

    def run(self, command: str, *, until: str | None = None, longest: float = LONGEST) -> Ended:
        """Run a command to its end, or end it with Ctrl-C as soon as ``until`` is found in what it printed."""
        begun = time.monotonic()
        process = self._start(command, self._log)
        interrupted = False
        try:
            while process.poll() is None and time.monotonic() - begun < longest:
                if until and not interrupted and re.search(until, _printed(self._log)):
                    interrupted, longest = True, time.monotonic() - begun + _ENDING
                    os.killpg(process.pid, signal.SIGINT)
                time.sleep(_STEP)
        finally:
            timed_out = process.poll() is None
            _end(process)
        output, seconds = _printed(self._log), time.monotonic() - begun
        if timed_out:
            return Ended(f"did not end within {longest:.0f} s", output, seconds)
        if until and not interrupted and not re.search(until, output):
            return Ended(f"ended with {process.returncode} before it printed {until!r}", output, seconds)
        # 130: ended by Ctrl-C, as shells have it.
        good = (0, 130) if interrupted else (0,)
        wrong = "" if process.returncode in good else f"exit code {process.returncode}"
        return Ended(wrong, output, seconds)

    @contextmanager
    def beside(self, command: str, ready: str | None) -> Iterator[None]:
        """Run a command in the background meanwhile, from the moment when it has printed ``ready``."""
        log = self._own / "beside"
        process = self._start(command, log)
        deadline = time.monotonic() + _ENDING
        try:
            while ready and not re.search(ready, _printed(log)) and time.monotonic() < deadline:
                time.sleep(_STEP)
            yield
        finally:
            _end(process)

    def prompt(self) -> Prompt:
        """The ``python`` of this terminal."""
        return Prompt(self._popen("exec python -u -c " + _quoted(_PROMPT)), self._own / "prompt")

    def _popen(self, command: str) -> tuple[list[str], dict[str, str]]:
        text = _COMMAND.format(state=self._state, where=self._where, command=command)
        return ["bash", "--noprofile", "--norc", "-c", text], self._environment

    def _start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        words, environment = self._popen(command)
        with log.open("wb") as file:
            return subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


class Prompt:
    """Programs typed one after the other into one Python: names last from one to the next."""

    def __init__(self, started: tuple[list[str], dict[str, str]], log: Path) -> None:
        words, environment = started
        self._log = log
        reading, writing = os.pipe()
        # Descriptor 3 of the program, whatever its number is here.
        words = ["bash", "-c", f'exec 3>&{writing} {writing}>&-; exec "$@"', "prompt", *words]
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        os.set_blocking(reading, False)
        self._answers = reading

    def run(self, text: str, place: str, *, until: str | None = None, longest: float = LONGEST) -> Ended:
        """Execute a program to its end, or interrupt it as soon as ``until`` is found in what it printed."""
        begun, at = time.monotonic(), self._log.stat().st_size
        assert self._process.stdin is not None
        answer, interrupted = b"", False
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([text, place]).encode() + b"\n")
            self._process.stdin.flush()
        while not answer.endswith(b"\n") and time.monotonic() - begun < longest:
            with suppress(BlockingIOError):
                answer += os.read(self._answers, 65536)
            if not answer and self._process.poll() is not None:
                break
            if until and not interrupted and re.search(until, _printed(self._log, at)):
                interrupted = True
                os.killpg(self._process.pid, signal.SIGINT)
            time.sleep(_STEP)
        output, seconds = _printed(self._log, at), time.monotonic() - begun
        if not answer:
            return Ended(f"no answer within {longest:.0f} s, or Python has ended", output, seconds)
        said = json.loads(answer)
        if said == "Ctrl-C" and interrupted:
            said = ""
        elif until and not interrupted:
            said = said or f"ended before it printed {until!r}"
        return Ended(said, output, seconds)

    def close(self) -> None:
        """End the program."""
        _end(self._process)
        os.close(self._answers)


def _printed(log: Path, at: int = 0) -> str:
    return log.read_bytes()[at:].decode("utf-8", errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that may be running, with all that it started."""
    for number, seconds in ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def screen() -> tuple[subprocess.Popen[bytes] | None, str]:
    """A virtual screen for windows, and its name; neither where there is no Xvfb."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x960x24", "-nolisten", "tcp"],
            pass_fds=(writing,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        print("no Xvfb: commands that open a window will fail", file=sys.stderr)
        os.close(writing)
        os.close(reading)
        return None, ""
    os.close(writing)
    with os.fdopen(reading) as said:
        return process, f":{said.readline().strip()}"
