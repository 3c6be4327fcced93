"""Small archives for the tests of batches, and a pool that works in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.make_archive import write_film
from fkp_live.batch.items import Item
from fkp_live.batch.pool import Ended, Finished, Moved
from fkp_live.batch.work import Job, Worker
from fkp_live.types import Image


def face_film(path: Path, astronaut: Image, frames: int = 8, shift: int = 2) -> Path:
    """A film of a face that moves ``shift`` pixels a frame to the right."""
    small = np.asarray(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_film(path, [np.roll(small, shift * number, axis=1) for number in range(frames)])
    return path


def face_picture(path: Path, astronaut: Image) -> Path:
    """A picture of one face."""
    small = np.asarray(cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    _, coded = cv2.imencode(path.suffix, small)
    path.write_bytes(coded.tobytes())
    return path


class FakePool:
    """A pool without processes: each job is done at the next call of `events`, by a function.

    Parameters
    ----------
    work : makes the report on a job, or the `Ended` of a worker that is gone
    room : how many jobs it takes at once
    """

    def __init__(self, work: Callable[[Job], dict[str, Any] | Ended], room: int = 1) -> None:
        self._work, self._room = work, room
        self._jobs: list[Job] = []
        self.done: list[str] = []
        self.closed = False

    def room(self) -> int:
        return self._room - len(self._jobs)

    def start(self, job: Job) -> None:
        self._jobs.append(job)

    def events(self, seconds: float) -> Sequence[Moved | Finished | Ended]:
        if not self._jobs:
            return []
        job = self._jobs.pop(0)
        self.done.append(job.item.name)
        answer = self._work(job)
        return [answer if isinstance(answer, Ended) else Finished(job.item.key, answer)]

    def close(self) -> None:
        self.closed = True


def of_worker(worker: Worker) -> Callable[[Job], dict[str, Any]]:
    """The real work, in this process."""
    return worker.do


def written(job: Job) -> dict[str, Any]:
    """Stands for the work: a file, and the report on it."""
    (job.folder / "points.jsonl").write_text(f"{job.item.name}\n", encoding="utf-8", errors="surrogateescape")
    return {"status": "ok", "error": "", "frames": 1, "faces": 1, "files": {"points": "points.jsonl"}}


class Seen:
    """A watcher that notes what it sees."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def begun(self, item: Item) -> None:
        self.events.append(("begun", item.name))

    def moved(self, item: Item, frames: int, total: int | None) -> None:
        self.events.append(("moved", item.name))

    def ended(self, item: Item, error: str | None) -> None:
        self.events.append(("ended" if error is None else "failed", item.name))

    def grown(self, total: int) -> None:
        self.events.append(("grown", str(total)))

    def held(self, count: int, seconds: float) -> None:
        self.events.append(("held", str(count)))
