"""Processes that carry out checks and survive them: one more is started only after a crash, a hang or a leak.

Parent and worker exchange lines of JSON through two pipes: ``{"check": name, "value": any}`` there, an `Outcome`
back. The worker's own stdout and stderr are files, because libraries print to them.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0  # seconds for one check on a machine that is busy with other things
START = 120.0  # seconds for the imports
# The largest memory in MB that a small damaged file or odd value may take; an idle worker has about 300.
MOST_MEMORY = 1500
_NICENESS = 10


@dataclass(frozen=True)
class Outcome:
    """What came of one check.

    Attributes
    ----------
    kind : in a word or two, to be counted
    finding : what is wrong, on several lines; empty: nothing
    signature : the same for findings of one cause
    memory : the worker's largest resident size so far, in MB
    """

    kind: str
    finding: str = ""
    signature: str = ""
    memory: int = 0


class Worker:
    """A process that carries out checks, a context manager.

    Parameters
    ----------
    folder : where it works; its files there are removed between checks
    deadline : seconds for one check
    checks : module with the function ``carry_out``
    """

    def __init__(self, folder: Path, deadline: float = DEADLINE, checks: str = "tests.fuzz.checks") -> None:
        self.folder, self.deadline, self.checks = folder, deadline, checks
        self.started = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def run(self, check: str, value: Any) -> Outcome:
        """Carry out one check in the worker, and see that it survives."""
        if self._process is None:
            self._start()
        assert self._process is not None
        task = json.dumps({"check": check, "value": value}) + "\n"
        with suppress(BrokenPipeError):
            self._to.write(task.encode())
            self._to.flush()
        answer = self._answer(self.deadline)
        if answer is None:
            self._process.send_signal(signal.SIGABRT)  # faulthandler prints where every thread is
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            return self._lost("hang", f"no end after {self.deadline:.0f} s")
        if not answer:
            code = self._process.wait()
            name = signal.Signals(-code).name if code < 0 else f"exit {code}"
            return self._lost(f"crash {name}", f"the process ended by {name}")
        outcome = Outcome(**json.loads(answer))
        if outcome.memory > MOST_MEMORY:
            self._end()
            if not outcome.finding:
                text = f"{outcome.memory} MB were taken, {MOST_MEMORY} are allowed"
                return Outcome("memory", text, f"memory {check}", outcome.memory)
        return outcome

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started += 1
        task_read, task_write = os.pipe()
        answer_read, answer_write = os.pipe()
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        environment = {
            name: value for name, value in os.environ.items() if name not in ("DISPLAY", "FKP_DEBUG")
        }
        self._log = self.folder.with_name(f"{self.folder.name}.err")
        self._log.unlink(missing_ok=True)
        # Appended to, because every check empties them; readable, because every check looks into them.
        with self._log.open("a+b") as err, self._log.with_suffix(".out").open("a+b") as out:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "tests.fuzz.worker",
                    str(task_read),
                    str(answer_write),
                    str(self.folder),
                    self.checks,
                ],
                cwd=ROOT,
                env={**environment, "PYTHONPATH": paths, "OPENCV_LOG_LEVEL": "SILENT"},
                pass_fds=(task_read, answer_write),
                stdout=out,
                stderr=err,
            )
        os.close(task_read)
        os.close(answer_write)
        self._to, self._from = os.fdopen(task_write, "wb"), os.fdopen(answer_read, "rb")
        if self._answer(START) != b"ready\n":
            raise RuntimeError(f"the worker did not start: {self._last_words()}")

    def _answer(self, seconds: float) -> bytes | None:
        """The next line; empty if the process is gone, None after ``seconds`` without one."""
        return self._from.readline() if select.select([self._from], [], [], seconds)[0] else None

    def _lost(self, kind: str, reason: str) -> Outcome:
        text = f"{reason}\n{self._last_words()}"
        lines = [line for line in self._last_words().splitlines() if "fkp_live" in line]
        self._end()
        return Outcome(kind, text, f"{kind} {lines[0].strip() if lines else ''}".strip())

    def _last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-6000:]

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._to.close()
            self._from.close()
            self._process = None


def serve(tasks: int, answers: int, folder: Path, module: str) -> None:
    """Carry out tasks from one pipe and write outcomes to another, until the parent is gone."""
    faulthandler.enable()
    os.nice(_NICENESS)
    from fkp_live.commands.bench.trial import peak_memory_mb

    checks = importlib.import_module(module)
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    with os.fdopen(tasks, "rb") as read, os.fdopen(answers, "wb") as write:
        write.write(b"ready\n")
        write.flush()
        for line in read:
            task = json.loads(line)
            outcome = checks.carry_out(task["check"], task["value"])
            # Not getrusage: it begins with what the parent held, and that may be a whole test run.
            memory = round(peak_memory_mb() or 0)
            answer = {**asdict(outcome), "memory": memory}
            write.write(json.dumps(answer).encode() + b"\n")
            write.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
