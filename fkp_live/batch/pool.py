"""What a pool of workers is to a batch, what it reports, and who looks on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fkp_live.batch.items import Item
from fkp_live.batch.work import Job


@dataclass(frozen=True, slots=True)
class Moved:
    """A worker has come further: frames done, and those that will come (None where that is not known)."""

    key: str
    frames: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker has ended an item, well or not; see `work.Worker.do`."""

    key: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker has gone before it ended its item; ``died``: by itself, and not with its machine."""

    key: str
    reason: str
    died: bool


class Pool(Protocol):
    """Workers, wherever they are; a context manager that ends them."""

    def room(self) -> int:
        """How many jobs could be started now."""

    def start(self, job: Job) -> None:
        """Give a job to a free worker."""

    def events(self, seconds: float) -> Sequence[Moved | Finished | Ended]:
        """What has happened since the last call; waits up to ``seconds`` for it.

        Raises
        ------
        FkpError : no worker can do its work: the model is missing, the disk is full
        """

    def close(self) -> None:
        """End all workers, whatever they are doing, and wait until they have ended."""


class Watcher(Protocol):
    """Gets to see how a batch goes on; see `commands.batch_progress`."""

    def begun(self, item: Item) -> None:
        """A worker has begun with an item."""

    def moved(self, item: Item, frames: int, total: int | None) -> None:
        """It has come further."""

    def ended(self, item: Item, error: str | None) -> None:
        """It is done (None), or has failed; an empty text: it will be tried again."""

    def grown(self, total: int) -> None:
        """There are more items than before: the parts of a film whose length is known now."""

    def held(self, count: int, seconds: float) -> None:
        """Nothing is left but what other runs are at work on; that is waited for, up to ``seconds``."""
