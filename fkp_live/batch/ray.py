"""Workers as actors of Ray, on this machine or on a cluster: one a core, its networks opened once.

Paths go in and reports come out; no picture passes through Ray's object store. The machine that runs the batch and
those of the cluster share the folder of the results and the films, under the same paths.

Ray's own retries are switched off. An actor whose node is lost may go on for a while: its item is given to another
one under a new claim, into whose folder it cannot write.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fkp_live.batch.cores import usable_cores
from fkp_live.batch.pool import Ended, Finished, Moved
from fkp_live.batch.work import Job, Plan, Worker
from fkp_live.errors import FkpError, ProviderError, UsageError

# Of a Ray of this machine, which reads them when it is imported: on loopback only, no token under ~/.ray, no statistics
# sent, and its workers not nicer than other processes (by 15, the default, they took twice the time beside other work).
_LOCAL_SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}
_LOOPBACK = "127.0.0.1"
_PREFIX = "fkp-ray-"  # of the folder of a Ray of this machine; the number of its process follows
# Seconds for which an actor that does not answer is left alone; Ray gives it up after about 15.
_REST = 5.0
# Without a single actor for so long there is nothing to hope for; a cluster may start machines for minutes.
_PATIENCE, _REMIND = 900.0, 30.0
_MOST_FAILED_STARTS = 3


class _Actor:
    """What runs in a process of Ray."""

    def __init__(self, plan: Plan, prepare: Callable[[], None]) -> None:
        prepare()
        self._plan = plan
        self._worker: Worker | None = None

    def open(self) -> tuple[str, FkpError | None]:
        """The node it runs on, once the networks are open; or why they cannot be opened."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        try:
            self._worker = self._worker or Worker(self._plan)
        except FkpError as error:
            return node, error
        return node, None

    def do(self, job: Job) -> dict[str, Any] | FkpError:
        """The report on an item; an error where no other item would fare better."""
        assert self._worker is not None
        try:
            return self._worker.do(job)
        except FkpError as error:
            return error


@dataclass(slots=True)
class _Slot:
    """An actor and what it is doing.

    Attributes
    ----------
    call : the result that is waited for: of `_Actor.open`, or of `_Actor.do` where there is a job
    node : where it runs, once that is known
    resting : until when it is left alone
    """

    actor: Any
    call: Any = None
    job: Job | None = None
    node: str | None = None
    resting: float = 0.0
    ready: bool = field(default=False)


class RayActors:
    """A pool of Ray actors, see `pool.Pool`.

    Parameters
    ----------
    plan : what they do with each item
    address : of the cluster, "auto" for the one that this machine belongs to; None: a Ray of this machine, started
        here and ended with the pool
    count : of actors; None: as many as there are cores, of the cluster or of this machine. With more than there are
        the cluster is asked to grow, if it can
    most : actors that can be of use
    prepare : called first in each of them
    report : called with a line for people

    Raises
    ------
    ProviderError : Ray is not installed
    UsageError : there is no cluster at the address
    """

    def __init__(
        self,
        plan: Plan,
        address: str | None,
        count: int | None,
        most: int,
        prepare: Callable[[], None],
        report: Callable[[str], object],
    ) -> None:
        self._plan, self._prepare, self._report = plan, prepare, report
        self._folder: str | None = None
        if address is None:
            count = min(count or usable_cores(), most)
            self._ray = self._started_here(count)
        else:
            self._ray = _connected(address)
            # A cluster that grows on demand may have none yet.
            count = min(count or max(1, int(self._ray.cluster_resources().get("CPU", 0))), most)
        self._run = f"fkp-live-{os.getpid()}-{int(time.time())}"
        self._made = self._failed_starts = 0
        self._last_seen = self._reminded = time.monotonic()
        self._remote = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)
        self._slots = [self._new() for _ in range(count)]

    def room(self) -> int:
        """How many actors are free."""
        return sum(slot.ready and slot.job is None for slot in self._slots)

    def start(self, job: Job) -> None:
        """Give a job to a free actor."""
        slot = next(slot for slot in self._slots if slot.ready and slot.job is None)
        slot.job = job
        # The name that Ray's dashboard shows.
        slot.call = slot.actor.do.options(name=f"landmarks {job.item.name[:80]!a}").remote(job)

    def events(self, seconds: float) -> Sequence[Moved | Finished | Ended]:
        """What has happened since the last call; waits up to ``seconds`` for it. Raises FkpError, see `Pool`."""
        self._wake()
        calls = {slot.call: slot for slot in self._slots if slot.call is not None}
        if not calls:
            time.sleep(seconds)
        found: list[Moved | Finished | Ended] = []
        ready, _ = self._ray.wait(list(calls), num_returns=1, timeout=seconds) if calls else ([], [])
        if ready:
            # All that are ready by now.
            ready, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0)
        for call in ready:
            self._answered(calls[call], found)
        self._check_that_some_live()
        return found

    def close(self) -> None:
        """End all actors, and the Ray of this machine if it was started here."""
        for slot in self._slots:
            self._ray.kill(slot.actor, no_restart=True)
        self._slots.clear()
        self._ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _answered(self, slot: _Slot, found: list[Moved | Finished | Ended]) -> None:
        call, job, slot.call, slot.job = slot.call, slot.job, None, None
        try:
            answer = self._ray.get(call)
        except self._ray.exceptions.ActorUnavailableError:
            # It may be back in a moment, and may even be at work still: into a folder that is no longer its own.
            slot.ready, slot.resting = False, time.monotonic() + _REST
            found += _lost(job, "its machine did not answer", died=False)
        except self._ray.exceptions.RayError as error:
            found += self._replace(slot, job, error)
        else:
            if job is None:
                self._opened(slot, *answer)
            elif isinstance(answer, FkpError):
                raise answer
            else:
                found.append(Finished(job.item.key, answer))

    def _opened(self, slot: _Slot, node: str, error: FkpError | None) -> None:
        if error is not None:
            raise error
        slot.node, slot.ready, self._failed_starts = node, True, 0

    def _replace(self, slot: _Slot, job: Job | None, error: Exception) -> list[Moved | Finished | Ended]:
        """Another actor in the place of one that is gone."""
        node_lives = slot.node is not None and self._node_lives(slot.node)
        if not slot.ready and (slot.node is None or node_lives):
            self._failed_starts += 1
            if self._failed_starts >= _MOST_FAILED_STARTS * len(self._slots):
                reason = " ".join(str(error).split())[:500]
                raise FkpError(
                    f"The actors of Ray end before they have begun: {reason}.", "Try without --ray."
                )
        self._slots[self._slots.index(slot)] = self._new()
        reason = "its worker process ended" if node_lives else "its machine was lost"
        return _lost(job, reason, died=node_lives)

    def _node_lives(self, node: str) -> bool:
        return any(one["NodeID"] == node and one["Alive"] for one in self._ray.nodes())

    def _new(self) -> _Slot:
        self._made += 1
        actor = self._remote.options(name=f"{self._run}-{self._made}").remote(self._plan, self._prepare)
        return _Slot(actor, actor.open.remote())

    def _wake(self) -> None:
        """Ask actors that have rested whether they are there."""
        now = time.monotonic()
        for slot in self._slots:
            if not slot.ready and slot.call is None and now >= slot.resting:
                slot.call = slot.actor.open.remote()

    def _check_that_some_live(self) -> None:
        """Raise rather than wait for ever for a processor."""
        now = time.monotonic()
        if any(slot.ready for slot in self._slots):
            self._last_seen = self._reminded = now
        elif now > self._last_seen + _PATIENCE:
            raise FkpError(
                f"No actor has begun to work for {_PATIENCE / 60:.0f} minutes: the cluster has no free processor.",
                "Wait until it has, or add nodes, and run the same command again.",
            )
        elif now > self._reminded + _REMIND:
            self._reminded = now
            self._report("Waiting for a free processor in the Ray cluster.")

    def _started_here(self, count: int) -> Any:
        os.environ.update({name: os.environ.get(name, value) for name, value in _LOCAL_SETTINGS.items()})
        ray = _imported()
        # Short, because the sockets in it have names of at most 107 characters.
        _remove_leftovers()
        self._folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_short_folder())
        before = os.environ.get("PYTHONPATH")
        # Inherited by all of its processes. With a runtime_env, Ray starts another one for every actor.
        os.environ["PYTHONPATH"] = _python_path()
        try:
            ray.init(
                address="local",
                num_cpus=count,
                num_gpus=None,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
                _node_ip_address=_LOOPBACK,
                _temp_dir=self._folder,
            )
        except BaseException as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            if isinstance(error, Exception):
                raise FkpError(f"Ray could not be started: {error}.", "Use --workers instead.") from error
            raise
        finally:
            os.environ.pop("PYTHONPATH")
            if before is not None:
                os.environ["PYTHONPATH"] = before
        return ray


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ProviderError(
            f"--ray needs the package ray, which cannot be imported: {error}.",
            "Install it: pip install 'fkp-live[ray]'",
        ) from error
    return ray


def _connected(address: str) -> Any:
    ray = _imported()
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            f"There is no Ray cluster at {address}: {reason}.",
            "Start one (ray start --head), or omit the address for a Ray of this machine.",
        ) from error
    return ray


def _lost(job: Job | None, reason: str, *, died: bool) -> list[Moved | Finished | Ended]:
    return [] if job is None else [Ended(job.item.key, reason, died)]


def _short_folder() -> str:
    folder = tempfile.gettempdir()
    return folder if len(folder) < 20 or not os.path.isdir("/tmp") else "/tmp"


def _remove_leftovers() -> None:
    """Remove folders of runs that were killed."""
    for folder in Path(_short_folder()).glob(f"{_PREFIX}*-*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdecimal() and not Path(f"/proc/{number}").exists() and os.path.isdir("/proc/self"):
            shutil.rmtree(folder, ignore_errors=True)


def _python_path() -> str:
    """Where this process finds its modules, for actors that are started in another folder."""
    import fkp_live

    home = os.path.dirname(os.path.dirname(os.path.abspath(fkp_live.__file__)))
    return os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH", ""))))
