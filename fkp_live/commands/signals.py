"""Ctrl-C, SIGTERM and a terminal that closes: exit code 130, at once or after the files are finished."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, Protocol

from fkp_live.errors import ExitCode

INTERRUPTED = int(ExitCode.INTERRUPTED)


class Interruptible(Protocol):
    """An iteration that a signal can end; `sources.Source` is one."""

    def interrupt(self) -> None:
        """End the iteration soon; safe in a signal handler."""


class Stops:
    """Notes the signals that end a command, a context manager. Off the main thread it does nothing.

    What a signal does depends on what could be torn:

    - at the beginning, while libraries load and the source opens: nothing, so the process ends at once;
    - after `finish_files`: the source is interrupted and `asked` becomes true, so that the loop ends between two
      frames and every file is closed. More signals change nothing;
    - after `raise_interrupt`, or where `main` is called by another program: KeyboardInterrupt in the main thread;
    - at the end of the command's own process: nothing any more.

    Parameters
    ----------
    own_process : whether this process is the command and nothing else, so that it may be ended from here

    Attributes
    ----------
    asked : whether a signal came
    """

    def __init__(self, *, own_process: bool) -> None:
        self.asked = False
        self.own_process = own_process
        self._at_once = own_process
        self._source: Interruptible | None = None
        self._before: dict[int, Any] = {}
        # Held to end the process and to leave the first phase, so that the watcher never does it too late. The
        # handler needs no lock: it runs in the thread that changes the phase.
        self._phase = threading.Lock()
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Stops:
        if threading.current_thread() is not threading.main_thread():
            return self
        numbers = [signal.SIGINT, signal.SIGTERM]
        # Windows has none, and under nohup it stays ignored.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        if self.own_process:
            self._watch()
        for number in numbers:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            # Of the command's own process nothing is left but the interpreter's end, where Ctrl-C means a traceback.
            signal.signal(number, signal.SIG_IGN if self.own_process else handler)
        if self._pipe is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._pipe[1])

    @property
    def finishing(self) -> bool:
        """Whether files are being written, which signals may not tear."""
        return self._source is not None

    def finish_files(self, source: Interruptible) -> None:
        """From now on there are files to finish: end the run by ending the iteration over ``source``."""
        with self._phase:
            self._source = source
            self._at_once = False

    def raise_interrupt(self) -> None:
        """From now on a signal raises KeyboardInterrupt in the main thread."""
        with self._phase:
            self._at_once = False

    def renew(self) -> None:
        """Take the signals back from a library that has set handlers of its own, as Ray does."""
        for number in self._before:
            signal.signal(number, self._handle)

    def _watch(self) -> None:
        """Act on signals in a thread as well: Python runs handlers only once the main thread is back from C.

        Opening a stream whose server is silent stays there for seconds.
        """
        reading, writing = self._pipe = os.pipe()
        if os.name == "posix":
            os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._watcher, args=(reading,), name="fkp-live signals", daemon=True).start()

    def _watcher(self, reading: int) -> None:
        while number := os.read(reading, 1):
            if number[0] in self._before:
                self.asked = True
                with self._phase:
                    if self._at_once:
                        self._leave()
                if self._source is not None:
                    self._source.interrupt()
        os.close(reading)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._source is not None:
            self._source.interrupt()
        elif self._at_once:
            self._leave()
        else:
            raise KeyboardInterrupt

    def _leave(self) -> NoReturn:
        # Not through sys.stderr, which the main thread may be using at this moment.
        with suppress(OSError):
            os.write(2, b"fkp-live: interrupted.\n")
        os._exit(INTERRUPTED)
