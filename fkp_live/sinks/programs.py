"""Programs that events start."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

from fkp_live.event_options import ANY, Command
from fkp_live.sinks.events import Finder
from fkp_live.types import Event, FrameResult, Picture

# Starts of a command by events of one name, and the seconds within which they count; and programs that run at a time.
_MOST_STARTS, _WITHIN, _MOST_RUNNING = 5, 10.0, 8
_POLL, _LAST_SECONDS = 0.1, 1.0


class ProgramsSink:
    """Starts programs at events, from a thread of its own, without a shell.

    A program never makes a run fail: its first failure (it cannot be started, or its exit code is not 0) is reported,
    and all are counted. At most 5 are started within 10 seconds by one command and name of event, and 8 run at a time;
    what is beyond that is left out and counted. What programs print goes to standard error. Ctrl-C does not reach them,
    and at the end they are waited for a second and not ended.

    Parameters
    ----------
    commands : what to run at which event
    report : called with what the user should know, perhaps from the thread; None: it is in `note`
    """

    wants_picture = False
    kept: Path | None = None

    def __init__(
        self, commands: Sequence[Command], finder: Finder, report: Callable[[str], object] | None = None
    ) -> None:
        self._commands, self._finder, self._report = tuple(commands), finder, report
        self._said: list[str] = []
        self._failed = self._too_fast = self._too_many = 0
        self._closed = False
        self._starts: dict[tuple[int, str], deque[float]] = {}
        self._running: list[tuple[Command, subprocess.Popen[bytes]]] = []
        self._queue: SimpleQueue[tuple[Command, Event] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="fkp-live programs", daemon=True)
        self._thread.start()

    @property
    def note(self) -> str:
        """What the user should know and was not reported yet; usually empty, final after `close`."""
        said = [] if self._report is not None else [*self._said]
        if self._failed > 1:
            said.append(f"{self._failed} programs of --on failed")
        if left_out := self._too_fast + self._too_many:
            said.append(f"{left_out} programs of --on were left out: they came too fast")
        return "; ".join(said)

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Start what the events of one result ask for. ValueError after `close` or `abort`."""
        if self._closed:
            raise ValueError(f"write to a closed {type(self).__name__}")
        self._take(self._finder(result))

    def close(self) -> None:
        """Start what the ends of all that goes on ask for, and wait a second for what runs."""
        if not self._closed:
            self._take(self._finder.finish())
            self._end()

    def abort(self) -> None:
        """Take no more results. Does not raise."""
        if not self._closed:
            self._end()

    def _end(self) -> None:
        self._closed = True
        self._queue.put(None)
        self._thread.join(2 * _LAST_SECONDS)

    def _take(self, events: Sequence[Event]) -> None:
        now = time.monotonic()
        for event in events:
            for place, command in enumerate(self._commands):
                if command.event not in (event.name, ANY):
                    continue
                starts = self._starts.setdefault((place, event.name), deque(maxlen=_MOST_STARTS))
                if len(starts) == _MOST_STARTS and now - starts[0] < _WITHIN:
                    self._too_fast += 1
                else:
                    starts.append(now)
                    self._queue.put((command, event))

    def _work(self) -> None:
        while True:
            try:
                # Woken while programs run, so that none that has ended stays a zombie.
                item = self._queue.get(timeout=_POLL if self._running else None)
            except Empty:
                self._reap()
                continue
            if item is None:
                break
            self._reap()
            if len(self._running) < _MOST_RUNNING:
                self._start(*item)
            else:
                self._too_many += 1
        end = time.monotonic() + _LAST_SECONDS
        while self._running and time.monotonic() < end:
            time.sleep(_POLL / 10)
            self._reap()

    def _start(self, command: Command, event: Event) -> None:
        try:
            process = subprocess.Popen(
                [command.program, *filled(command.arguments, event)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # standard output may carry the results
                **_apart(),
            )
        except (OSError, ValueError) as error:
            self._count_failure(command, str(getattr(error, "strerror", None) or error))
        else:
            self._running.append((command, process))

    def _reap(self) -> None:
        for command, process in self._running:
            if process.poll():
                self._count_failure(command, f"exit code {process.returncode}")
        self._running = [one for one in self._running if one[1].returncode is None]

    def _count_failure(self, command: Command, reason: str) -> None:
        self._failed += 1
        if self._failed == 1:
            text = (
                f"--on {command.event}: {command.program}: {reason}. The run goes on; failures are counted."
            )
            self._said.append(text)
            if self._report is not None:
                self._report(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.close()
        else:
            self.abort()


def filled(arguments: Sequence[str], event: Event) -> list[str]:
    """The arguments with the event's fields in place of {event}, {face} and so on; a number that is NaN is empty."""
    numbers = {"start": event.start, "end": event.end, "seconds": event.seconds, "time": event.time}
    fields = {"event": event.name, "face": str(event.face_id)}
    fields |= {name: "" if math.isnan(number) else f"{number:.3f}" for name, number in numbers.items()}
    fields["value"] = "" if math.isnan(event.value) else f"{event.value:.3f}"
    made = []
    for argument in arguments:
        for name, text in fields.items():
            argument = argument.replace(f"{{{name}}}", text)
        made.append(argument)
    return made


def _apart() -> dict[str, Any]:
    """For Popen: a process that the Ctrl-C of our terminal does not reach."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
