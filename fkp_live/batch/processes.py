"""Workers as processes of this machine: each opens the networks once, and works on one item after another.

They are spawned, not forked, because onnxruntime and FFmpeg have threads. A worker ends with its parent, however that
ends: a thread waits at the pipe between them, which then closes.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from fkp_live.batch.pool import Ended, Finished, Moved
from fkp_live.batch.work import Job, Plan, Worker
from fkp_live.errors import FkpError

# Worker processes that end one after the other before they have opened the networks.
_MOST_FAILED_STARTS = 3
_REPORT = "Run it again with --workers 1 and FKP_DEBUG=1, and please report it."
_PATIENCE = 5.0  # seconds that a worker has to end in


def nothing() -> None:
    """What is done at the start of a worker process if nothing is asked for."""


@dataclass(slots=True)
class _Process:
    """A worker process, and the job that it has."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    job: Job | None = None


class Processes:
    """A pool of worker processes, see `archive.Pool`.

    Parameters
    ----------
    count : of processes
    plan : what they do with each item
    prepare : called first in each of them, a function of a module: for what belongs to the process, such as signals
    starting : a context in which processes are started
    """

    def __init__(
        self,
        count: int,
        plan: Plan,
        prepare: Callable[[], None] = nothing,
        starting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._count, self._plan, self._prepare, self._starting = count, plan, prepare, starting
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Process] = []
        self._failed_starts = 0

    def room(self) -> int:
        """How many jobs could be started now; a process is started for each only when there is one."""
        return self._count - sum(worker.job is not None for worker in self._workers)

    def start(self, job: Job) -> None:
        """Give a job to a free worker process, or to a new one."""
        free = [worker for worker in self._workers if worker.job is None]
        worker = next((one for one in free if one.ready), None) or (free[0] if free else self._started())
        worker.job = job
        with suppress(OSError):  # it has just ended, and `events` will find that
            worker.pipe.send(job)

    def events(self, seconds: float) -> Sequence[Moved | Finished | Ended]:
        """What has happened since the last call; waits up to ``seconds`` for it. Raises FkpError, see `Pool`."""
        found: list[Moved | Finished | Ended] = []
        pipes = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(pipes), seconds):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                while worker.pipe.poll():
                    self._received(worker, worker.pipe.recv(), found)
            except (EOFError, OSError):
                found += self._ended(worker)
        return found

    def close(self) -> None:
        """End all worker processes and wait for that."""
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(_PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def _started(self) -> _Process:
        here, there = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(there, self._plan, self._prepare), name="fkp-live worker", daemon=True
        )
        with self._starting():
            process.start()
        there.close()
        self._workers.append(_Process(process, here))
        return self._workers[-1]

    def _received(self, worker: _Process, message: Any, found: list[Moved | Finished | Ended]) -> None:
        if isinstance(message, BaseException):
            raise message
        if message is None:
            worker.ready, self._failed_starts = True, 0
        else:
            found.append(message)
            if isinstance(message, Finished):
                worker.job = None

    def _ended(self, worker: _Process) -> list[Ended]:
        """Take a process that is gone out of the pool; another is started for the next job."""
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(_PATIENCE)
        reason = _reason(worker.process.exitcode)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS:
                raise FkpError(
                    f"The worker processes end before they have begun: {reason}.", "Try --workers 1."
                )
        job = worker.job
        # One that ended while it loaded says nothing about the item it was to have.
        return [] if job is None else [Ended(job.item.key, reason, died=worker.ready)]


def _reason(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"its worker process was ended by {signal.Signals(-code).name}"
    return f"its worker process ended with code {code}"


def _serve(pipe: Connection, plan: Plan, prepare: Callable[[], None]) -> None:
    """The life of a worker process."""
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(pipe, jobs), name="fkp-live jobs", daemon=True).start()
    prepare()
    try:
        worker = Worker(plan)
        pipe.send(None)
        while True:
            job = jobs.get()
            key = job.item.key
            report = worker.do(job, lambda frames, total, key=key: pipe.send(Moved(key, frames, total)))  # type: ignore[misc]
            pipe.send(Finished(key, report))
    except OSError:  # the parent is gone
        os._exit(1)
    except Exception as error:
        pipe.send(
            error if isinstance(error, FkpError) else FkpError(f"{type(error).__name__}: {error}", _REPORT)
        )


def _receive(pipe: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    """Pass jobs on; end the process when the parent is gone or wants no more, in the middle of an item too."""
    try:
        while True:
            jobs.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)
