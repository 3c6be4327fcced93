"""Batches through Ray: a real one of this machine, and what is done when actors and nodes are lost."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from batch_archives import face_film, face_picture
from conftest import until

from benchmarks.archive_kill import children
from fkp_live.batch import ray as ours
from fkp_live.batch.items import FILM, Item
from fkp_live.batch.pool import Ended, Finished
from fkp_live.batch.ray import RayActors
from fkp_live.batch.work import Job, Plan
from fkp_live.choices import PipelineOptions
from fkp_live.errors import FkpError, ModelError, ProviderError
from fkp_live.types import Image

ROOT = Path(__file__).parents[2]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


def listening(numbers: Sequence[int]) -> set[str]:
    """Addresses, as in /proc/net/tcp, on which these processes listen."""
    sockets = set()
    for number in numbers:
        for entry in Path(f"/proc/{number}/fd").glob("*"):
            try:
                sockets.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
            except OSError:
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                found.add(fields[1].partition(":")[0])
    return found


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray, which is not installed")
@pytest.mark.skipif(not os.path.isdir("/proc/net"), reason="finds sockets in /proc")
def test_a_ray_of_this_machine_does_it_listens_on_loopback_only_and_leaves_nothing(
    tmp_path: Path, astronaut: Image
) -> None:
    archive, out, home = tmp_path / "archive", tmp_path / "out", tmp_path / "home"
    face_film(archive / "a b.mp4", astronaut, 5)
    face_picture(archive / "p.png", astronaut)
    (archive / "broken.mp4").write_text("no film")
    home.mkdir()
    there_before = {path.name for path in Path("/tmp").glob("ray*")}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "fkp_live",
            "batch",
            archive,
            "--out",
            out,
            "--format",
            "jsonl",
            "--ray",
            "--workers",
            "1",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    heard: set[str] = set()

    def begun() -> bool:
        heard.update(listening(children(process.pid)))
        return process.poll() is not None or any(out.glob("records/*/*"))

    until(begun, 100)
    heard |= listening(children(process.pid))
    below = children(process.pid)
    said, noted = process.communicate(timeout=100)
    assert process.returncode == 1, noted
    assert "done 2, failed 1, skipped 0; 6 frames, 6 faces" in said
    assert heard
    assert heard <= LOOPBACK
    assert not [number for number in below if os.path.exists(f"/proc/{number}") and not _is_zombie(number)]
    assert list(home.rglob("*")) == []
    assert list(Path("/tmp").glob(f"fkp-ray-{process.pid}-*")) == []
    assert {path.name for path in Path("/tmp").glob("ray*")} == there_before
    attempts = [json.loads(path.read_text())["attempts"] for path in out.glob("records/*/*")]
    assert attempts == [1, 1, 1]


def _is_zombie(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class RayError(Exception):
    """Stands for Ray's."""


class ActorUnavailableError(RayError):
    """Stands for Ray's."""


class FakeRay:
    """Stands for Ray: calls are answered by the test, in any order.

    Attributes
    ----------
    calls : open calls, as (actor number, method), with the answer once there is one
    alive : nodes that are
    """

    exceptions = SimpleNamespace(RayError=RayError, ActorUnavailableError=ActorUnavailableError)

    def __init__(self) -> None:
        self.answers: dict[int, Any] = {}
        self.calls: list[tuple[int, str]] = []
        self.alive = {"n1", "n2"}
        self.killed: list[int] = []
        self.down = False
        self._actors = 0

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def remote(self, **options: Any) -> Any:
        assert options == {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
        return lambda kind: SimpleNamespace(options=lambda **names: SimpleNamespace(remote=self._actor))

    def _actor(self, *_: Any) -> Any:
        self._actors += 1
        number = self._actors

        def method(name: str) -> Any:
            def call(*_: Any) -> int:
                self.calls.append((number, name))
                return len(self.calls) - 1

            return SimpleNamespace(remote=call, options=lambda **names: SimpleNamespace(remote=call))

        return SimpleNamespace(number=number, open=method("open"), do=method("do"))

    def answer(self, actor: int, method: str, value: Any) -> None:
        """Answer the last call of a method of an actor."""
        number = max(i for i, call in enumerate(self.calls) if call == (actor, method))
        self.answers[number] = value

    def wait(self, calls: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        ready = [call for call in calls if call in self.answers][:num_returns]
        return ready, [call for call in calls if call not in ready]

    def get(self, call: int) -> Any:
        answer = self.answers[call]
        if isinstance(answer, RayError):
            raise answer
        return answer

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": node, "Alive": node in self.alive} for node in ("n1", "n2")]

    def kill(self, actor: Any, no_restart: bool) -> None:
        self.killed.append(actor.number)

    def shutdown(self) -> None:
        self.down = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    made = FakeRay()
    monkeypatch.setattr(ours, "_connected", lambda address: made)
    return made


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def pool(fake: FakeRay, said: list[str]) -> RayActors:
    plan = Plan("jsonl", PipelineOptions())
    return RayActors(plan, "auto", None, 9, lambda: None, said.append)


def job(tmp_path: Path, number: int) -> Job:
    return Job(Item(f"{number:032x}", f"{number}\n.mp4", "/x", FILM), tmp_path)


def both_open(fake: FakeRay, pool: RayActors) -> None:
    fake.answer(1, "open", ("n1", None))
    fake.answer(2, "open", ("n2", None))
    assert pool.events(0) == []


def test_jobs_go_to_actors_that_have_opened_their_networks(
    fake: FakeRay, pool: RayActors, tmp_path: Path
) -> None:
    assert pool.room() == 0
    both_open(fake, pool)
    assert pool.room() == 2
    for number in (1, 2):
        pool.start(job(tmp_path, number))
    assert pool.room() == 0
    fake.answer(2, "do", {"status": "ok"})
    assert pool.events(0) == [Finished(f"{2:032x}", {"status": "ok"})]
    assert pool.room() == 1
    pool.close()
    assert (fake.killed, fake.down) == ([1, 2], True)


def test_there_are_no_more_actors_than_items(fake: FakeRay) -> None:
    RayActors(Plan("jsonl", PipelineOptions()), "auto", 50, 3, lambda: None, print)
    assert len(fake.calls) == 3


def test_an_actor_that_dies_on_a_node_that_lives_is_the_fault_of_the_film(
    fake: FakeRay, pool: RayActors, tmp_path: Path
) -> None:
    both_open(fake, pool)
    pool.start(job(tmp_path, 1))
    fake.answer(1, "do", RayError("died"))
    (event,) = pool.events(0)
    assert isinstance(event, Ended)
    assert event.died
    assert fake.calls[-1] == (3, "open")  # its replacement
    assert pool.room() == 1


def test_an_actor_that_dies_with_its_node_is_nobodys_fault(
    fake: FakeRay, pool: RayActors, tmp_path: Path
) -> None:
    both_open(fake, pool)
    pool.start(job(tmp_path, 1))
    fake.alive = {"n2"}
    fake.answer(1, "do", RayError("node lost"))
    (event,) = pool.events(0)
    assert event == Ended(f"{1:032x}", "its machine was lost", died=False)
    # The replacement finds no processor; the other actor goes on without it.
    assert pool.room() == 1
    pool.start(job(tmp_path, 1))
    fake.answer(2, "do", {"status": "ok"})
    assert pool.events(0) == [Finished(f"{1:032x}", {"status": "ok"})]


def test_an_actor_that_does_not_answer_rests_and_is_asked_again(
    fake: FakeRay, pool: RayActors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_open(fake, pool)
    pool.start(job(tmp_path, 1))
    fake.answer(1, "do", ActorUnavailableError())
    assert pool.events(0) == [Ended(f"{1:032x}", "its machine did not answer", died=False)]
    calls = len(fake.calls)
    assert pool.events(0) == []
    assert (pool.room(), len(fake.calls)) == (1, calls)
    now = ours.time.monotonic()
    monkeypatch.setattr(ours.time, "monotonic", lambda: now + 10)
    pool.events(0)
    assert fake.calls[calls:] == [(1, "open")]
    fake.answer(1, "open", ("n1", None))
    pool.events(0)
    assert pool.room() == 2


def test_without_a_processor_it_says_so_and_ends(
    fake: FakeRay, pool: RayActors, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = ours.time.monotonic()
    monkeypatch.setattr(ours.time, "monotonic", lambda: now + 40)
    pool.events(0)
    assert said == ["Waiting for a free processor in the Ray cluster."]
    monkeypatch.setattr(ours.time, "monotonic", lambda: now + 1000)
    with pytest.raises(FkpError, match="no free processor"):
        pool.events(0)


def test_a_missing_model_and_a_full_disk_end_the_batch(
    fake: FakeRay, pool: RayActors, tmp_path: Path
) -> None:
    fake.answer(1, "open", ("n1", ModelError("no model")))
    with pytest.raises(ModelError):
        pool.events(0)
    fake.answer(2, "open", ("n2", None))
    pool.events(0)
    pool.start(job(tmp_path, 1))
    fake.answer(2, "do", FkpError("the disk is full"))
    with pytest.raises(FkpError, match="full"):
        pool.events(0)


def test_actors_that_never_begin_end_the_batch(fake: FakeRay, pool: RayActors) -> None:
    def fail_all() -> None:
        fake.answers = {
            n: RayError("no module fkp_live") for n, call in enumerate(fake.calls) if call[1] == "open"
        }
        pool.events(0)

    # Two actors are tried three times each.
    fail_all()
    fail_all()
    with pytest.raises(FkpError, match="no module fkp_live"):
        fail_all()


def test_without_ray_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ProviderError, match=r"pip install 'fkp-live\[ray\]'"):
        RayActors(Plan("jsonl", PipelineOptions()), "10.0.0.1:6379", 1, 1, lambda: None, print)
