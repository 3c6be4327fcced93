"""Worker processes: real ones, with the shipped networks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from batch_archives import face_film
from conftest import until

from benchmarks.archive_kill import children
from fkp_live.batch.items import list_items
from fkp_live.batch.pool import Ended, Finished, Moved
from fkp_live.batch.processes import Processes
from fkp_live.batch.work import Job, Plan
from fkp_live.choices import PipelineOptions
from fkp_live.errors import FkpError, ModelError
from fkp_live.types import Image

PLAN = Plan("jsonl", PipelineOptions(provider="cpu", model="fkp68"))


@pytest.fixture
def pool() -> Iterator[Processes]:
    made = Processes(1, PLAN)
    yield made
    made.close()


def jobs(tmp_path: Path, films: list[Path]) -> list[Job]:
    made = []
    for number, item in enumerate(list_items([str(film) for film in films]).items):
        folder = tmp_path / f"attempt-{number}"
        folder.mkdir()
        made.append(Job(item, folder))
    return made


def finished(pool: Processes) -> Finished | Ended:
    """The next event that ends a job."""
    while True:
        for event in pool.events(0.2):
            if not isinstance(event, Moved):
                return event


def test_a_worker_does_one_job_after_another_and_is_replaced_when_it_dies(
    tmp_path: Path, pool: Processes, astronaut: Image
) -> None:
    films = [
        face_film(tmp_path / f"{name}.mp4", astronaut, frames) for name, frames in (("a", 3), ("b", 400))
    ]
    short, long = jobs(tmp_path, films)
    assert pool.room() == 1
    pool.start(short)
    assert pool.room() == 0
    first = finished(pool)
    assert isinstance(first, Finished)
    assert (first.key, first.report["status"], first.report["frames"]) == (short.item.key, "ok", 3)
    assert pool.room() == 1
    (worker,) = [number for number in children(os.getpid()) if "spawn_main" in _command(number)]
    pool.start(long)
    until(lambda: any(long.folder.iterdir()))  # it is in the middle of the film
    os.kill(worker, signal.SIGKILL)
    assert finished(pool) == Ended(long.item.key, "its worker process was ended by SIGKILL", died=True)
    assert pool.room() == 1
    short.folder.joinpath("points.jsonl").unlink()
    pool.start(short)
    assert isinstance(finished(pool), Finished)


def test_closing_ends_workers_in_the_middle_of_an_item(
    tmp_path: Path, pool: Processes, astronaut: Image
) -> None:
    (job,) = jobs(tmp_path, [face_film(tmp_path / "a.mp4", astronaut, 400)])
    pool.start(job)
    until(lambda: any(job.folder.iterdir()))
    pool.close()
    assert [number for number in children(os.getpid()) if "spawn_main" in _command(number)] == []
    assert [path.name for path in job.folder.iterdir()] == ["points.partial.jsonl"]


def test_a_model_that_does_not_open_ends_the_batch_with_its_own_error(
    tmp_path: Path, astronaut: Image
) -> None:
    bad = tmp_path / "own.onnx"
    bad.write_bytes(b"no model")
    pool = Processes(1, Plan("jsonl", PipelineOptions(provider="cpu", model=bad)))
    try:
        pool.start(jobs(tmp_path, [face_film(tmp_path / "a.mp4", astronaut, 2)])[0])
        with pytest.raises(ModelError, match=r"own\.onnx") as caught:
            finished(pool)
        assert caught.value.hint
    finally:
        pool.close()


def test_workers_that_never_begin_end_the_batch(tmp_path: Path, astronaut: Image) -> None:
    pool = Processes(1, PLAN, prepare=partial(os._exit, 7))
    (job,) = jobs(tmp_path, [face_film(tmp_path / "a.mp4", astronaut, 2)])
    try:
        for _ in range(2):
            pool.start(job)
            end = finished(pool)
            # Nothing that can be blamed on the film.
            assert isinstance(end, Ended)
            assert not end.died
        pool.start(job)
        with pytest.raises(
            FkpError, match="end before they have begun: its worker process ended with code 7"
        ):
            finished(pool)
    finally:
        pool.close()


def _command(number: int) -> str:
    return Path(f"/proc/{number}/cmdline").read_text(errors="replace")
