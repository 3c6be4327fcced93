"""The loop over items: what is taken up, counted, set aside, resumed; without any network."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from batch_archives import FakePool, Seen, written

from fkp_live.batch.archive import MOST_ATTEMPTS, Archive
from fkp_live.batch.claims import Claims
from fkp_live.batch.items import Item, list_items
from fkp_live.batch.pool import Ended
from fkp_live.batch.work import Job, Plan
from fkp_live.choices import PipelineOptions
from fkp_live.errors import OutputError

PLAN = Plan("jsonl", PipelineOptions())


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.mp4").write_bytes(b"x" * (10 - number))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def items(films: Path) -> tuple[Item, ...]:
    return list_items([str(films)]).items


def archive(films: Path, out: Path, plan: Plan = PLAN, **options: Any) -> Archive:
    made = Archive(out, plan, **options)
    made.add(items(films))
    return made


def records(out: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in out.glob("records/*/*.json")]
    return {record["source"]: record for record in found}


def claims_left(out: Path) -> list[str]:
    return [path.name for path in out.glob("claims/*/*")]


def test_every_item_once_the_largest_first_and_never_again(films: Path, out: Path) -> None:
    pool, seen = FakePool(written), Seen()
    tally = archive(films, out).run(pool, seen)
    assert pool.done == [f"{number}.mp4" for number in range(5)]
    assert (tally.done, tally.failed, tally.skipped, tally.frames) == (5, [], 0, 5)
    assert pool.closed
    assert claims_left(out) == []
    assert Counter(kind for kind, _ in seen.events) == {"begun": 5, "ended": 5}
    for name, record in records(out).items():
        assert (out / record["files"]["points"]).read_text() == f"{name}\n"
        assert record["attempts"] == 1
    again = archive(films, out)
    assert not again.waiting
    assert again.tally.skipped == again.total == 5


def test_other_options_do_it_anew_and_remove_what_they_do_not_make(films: Path, out: Path) -> None:
    def with_crop(job: Job) -> dict[str, Any]:
        (job.folder / "crop-1.jpg").write_bytes(b"1")
        return written(job) | {"files": {"points": "points.jsonl", "crops": ["crop-1.jpg"]}}

    archive(films, out, Plan("jsonl", PipelineOptions(), crops=64)).run(FakePool(with_crop), Seen())
    assert len(list(out.glob("crops/*/*-1.jpg"))) == 5
    tally = archive(films, out).run(FakePool(written), Seen())
    assert tally.done == 5
    assert list(out.glob("crops/*/*")) == []
    assert len(list(out.glob("points/*/*"))) == 5
    other = Plan("jsonl", PipelineOptions(provider="cpu", threads=2))
    assert archive(films, out, other).tally.skipped == 5  # where it runs is no matter of the results


def test_a_failure_is_recorded_with_its_reason_and_tried_again_if_asked(films: Path, out: Path) -> None:
    def broken(job: Job) -> dict[str, Any]:
        if job.item.name == "3.mp4":
            (job.folder / "points.jsonl").write_text("half")
            return {"status": "failed", "error": "3.mp4 is no film."}
        return written(job)

    tally = archive(films, out).run(FakePool(broken), Seen())
    assert (tally.done, [(item.name, why) for item, why in tally.failed]) == (
        4,
        [("3.mp4", "3.mp4 is no film.")],
    )
    assert len(list(out.glob("points/*/*"))) == 4
    assert claims_left(out) == []
    later = archive(films, out)
    assert not later.waiting
    assert [(item.name, why) for item, why in later.tally.failed] == [("3.mp4", "3.mp4 is no film.")]
    tally = archive(films, out, retry_failed=True).run(FakePool(written), Seen())
    assert (tally.done, tally.failed, tally.skipped) == (1, [], 4)
    assert records(out)["3.mp4"]["attempts"] == 2


def test_a_film_that_ends_its_worker_twice_is_set_aside(films: Path, out: Path) -> None:
    def crashing(job: Job) -> dict[str, Any] | Ended:
        if job.item.name == "1.mp4":
            (job.folder / "points.partial.jsonl").write_text("half")
            return Ended(job.item.key, "its worker process was ended by SIGSEGV", died=True)
        return written(job)

    pool = FakePool(crashing)
    tally = archive(films, out).run(pool, Seen())
    assert Counter(pool.done)["1.mp4"] == 2
    assert tally.done == 4
    ((item, why),) = tally.failed
    assert item.name == "1.mp4"
    assert "set aside after 2 attempts: its worker process was ended by SIGSEGV" in why
    assert records(out)["1.mp4"]["attempts"] == 2
    assert claims_left(out) == []
    retry = FakePool(crashing)
    archive(films, out, retry_failed=True).run(retry, Seen())
    assert retry.done == ["1.mp4", "1.mp4"]
    assert records(out)["1.mp4"]["attempts"] == 4


def test_a_film_that_ends_its_worker_is_set_aside_over_two_runs_too(films: Path, out: Path) -> None:
    made = archive(films, out)
    key = made.waiting[0].key
    claims = Claims(out, 300)
    claim = claims.take(key, 1)
    assert claim is not None
    claims.give_up(claim, died=True)

    def crashing(job: Job) -> dict[str, Any] | Ended:
        return Ended(job.item.key, "gone", died=True) if job.item.key == key else written(job)

    pool = FakePool(crashing)
    tally = made.run(pool, Seen())
    assert Counter(pool.done)["0.mp4"] == 1
    assert [item.name for item, _ in tally.failed] == ["0.mp4"]


def test_lost_machines_are_no_fault_of_the_film_for_long(films: Path, out: Path) -> None:
    losses = Counter[str]()

    def lost(job: Job) -> dict[str, Any] | Ended:
        losses[job.item.name] += 1
        if job.item.name == "0.mp4" or (job.item.name == "1.mp4" and losses["1.mp4"] < 4):
            return Ended(job.item.key, "its machine was lost", died=False)
        return written(job)

    tally = archive(films, out).run(FakePool(lost), Seen())
    assert losses["1.mp4"] == 4
    assert records(out)["1.mp4"]["status"] == "ok"
    assert losses["0.mp4"] == MOST_ATTEMPTS
    assert [item.name for item, _ in tally.failed] == ["0.mp4"]


def test_an_attempt_is_counted_before_the_work_begins(films: Path, out: Path) -> None:
    def looking(job: Job) -> dict[str, Any]:
        assert job.folder.name == f"{job.item.key}.1"
        assert Claims(out, 300).attempts(job.item.key).held
        assert records(out).keys().isdisjoint({job.item.name})
        return written(job)

    assert archive(films, out).run(FakePool(looking), Seen()).done == 5


def test_an_interruption_leaves_everything_to_be_resumed(films: Path, out: Path) -> None:
    made = archive(films, out)

    def interrupting(job: Job) -> dict[str, Any]:
        if job.item.name == "2.mp4":
            made.interrupt()
        return written(job)

    tally = made.run(FakePool(interrupting, room=2), Seen())
    assert 2 <= tally.done <= 3
    assert claims_left(out) == []
    tally = archive(films, out).run(FakePool(written), Seen())
    assert tally.done + tally.skipped == 5
    assert {record["attempts"] for record in records(out).values()} == {1}


def test_a_failure_of_the_pool_leaves_everything_to_be_resumed(films: Path, out: Path) -> None:
    def full(job: Job) -> dict[str, Any]:
        if job.item.name == "2.mp4":
            raise OutputError("There is no room on the disk.")
        return written(job)

    pool = FakePool(full)
    with pytest.raises(OutputError):
        archive(films, out).run(pool, Seen())
    assert pool.closed
    assert claims_left(out) == []
    assert archive(films, out).run(FakePool(written), Seen()).done == 3


def test_what_another_run_holds_is_left_to_it(
    films: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = archive(films, out, stale=0.2)
    held = made.waiting[0].key
    other = Claims(out, 300)  # of this very process, which lives
    claim = other.take(held, 1)
    assert claim is not None
    monkeypatch.setattr("fkp_live.batch.archive._LOOK_AGAIN", 0.1)
    seen = Seen()
    tally = made.run(FakePool(written), seen)
    assert tally.done == 4
    assert seen.events.count(("held", "1")) == 1
    ((item, by),) = tally.elsewhere
    assert item.name == "0.mp4"
    assert str(os.getpid()) in by
    assert other.holds(claim)


def test_what_another_run_finishes_meanwhile_is_not_done_again(films: Path, out: Path) -> None:
    first, second = archive(films, out), archive(films, out)
    assert first.run(FakePool(written), Seen()).done == 5
    pool = FakePool(written)
    tally = second.run(pool, Seen())
    assert pool.done == []
    assert (tally.done, tally.skipped) == (0, 5)


def test_claims_are_renewed_while_other_items_are_passed_over(
    films: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(films, out).run(FakePool(written), Seen())
    (films / "new.mp4").write_bytes(b"x" * 99)
    made = archive(films, out, stale=1e-6)
    # As if another run had just finished the others.
    made.waiting.extend(items(films)[:5])
    monkeypatch.setattr("fkp_live.batch.archive._MOMENT", 1e-6)
    renewed: list[str] = []
    monkeypatch.setattr(Claims, "renew", lambda _, claim: renewed.append(claim.key))
    slow = FakePool(written, room=2)
    events, slow.events = slow.events, lambda seconds: events(seconds) if not made.waiting else []  # type: ignore[method-assign]
    made.run(slow, Seen())
    assert len(renewed) >= 4
    assert slow.done == ["new.mp4"]


def test_runs_that_share_a_folder_do_every_item_once(tmp_path: Path, out: Path) -> None:
    films = tmp_path / "many"
    films.mkdir()
    for number in range(60):
        (films / f"{number}.mp4").write_bytes(b"x")
    runs = [archive(films, out, stale=0.5) for _ in range(3)]
    pools, start = [FakePool(written, room=2) for _ in runs], threading.Barrier(3)

    def work(run: Archive, pool: FakePool) -> None:
        start.wait()
        run.run(pool, Seen())

    threads = [threading.Thread(target=work, args=pair) for pair in zip(runs, pools, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(name for pool in pools for name in pool.done) == Counter(f"{n}.mp4" for n in range(60))
    assert sum(run.tally.done for run in runs) == 60
    assert claims_left(out) == []


def test_a_result_that_comes_after_its_claim_was_taken_over_is_dropped(films: Path, out: Path) -> None:
    def overtaken(job: Job) -> dict[str, Any]:
        report = written(job)
        if job.item.name == "4.mp4" and job.folder.name.endswith(".1"):
            claims = Claims(out, 300)
            attempts = claims.attempts(job.item.key)
            claims.bury(job.item.key, attempts)
        return report

    tally = archive(films, out, stale=0.5).run(FakePool(overtaken), Seen())
    assert tally.done == 5
    assert records(out)["4.mp4"]["attempts"] == 2


def test_a_claim_left_beside_its_record_is_removed(films: Path, out: Path) -> None:
    archive(films, out).run(FakePool(written), Seen())
    key = items(films)[0].key
    folder = out / "claims" / key[:2] / f"{key}.1"
    folder.mkdir(parents=True)
    owner = {"host": "h", "place": "p", "pid": 1}
    (folder / "owner.json").write_text(json.dumps(owner))
    os.utime(folder, (1, 1))
    archive(films, out)
    assert claims_left(out) == []


def test_a_result_that_was_removed_is_made_again(films: Path, out: Path) -> None:
    archive(films, out).run(FakePool(written), Seen())
    (out / records(out)["2.mp4"]["files"]["points"]).unlink()
    pool = FakePool(written)
    assert archive(films, out).run(pool, Seen()).skipped == 4
    assert pool.done == ["2.mp4"]


def test_a_film_in_parts(films: Path, out: Path) -> None:
    asked: list[tuple[str, int]] = []

    def part(job: Job) -> dict[str, Any]:
        assert job.item.segment is not None
        asked.append((job.item.name, job.item.segment.number))
        length = 25.0 if job.item.name == "0.mp4" else 4.0
        return written(job) | {"duration": length}

    plan, seen = Plan("jsonl", PipelineOptions(), segment=10.0), Seen()
    made = archive(films, out, plan)
    tally = made.run(FakePool(part), seen)
    assert tally.done == 6
    assert [entry for entry in asked if entry[0] == "0.mp4"] == [("0.mp4", 0), ("0.mp4", 1)]
    assert ("grown", "6") in seen.events
    again = archive(films, out, plan)
    assert again.tally.skipped == 6
    assert not again.waiting


def test_films_and_pictures_have_a_network_each_and_no_note(out: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    both.mkdir()
    for name in ("a.mp4", "b.jpg"):
        (both / name).write_bytes(b"x")

    def by(job: Job) -> dict[str, Any]:
        return written(job) | {"model": {"name": "m", "sha256": job.item.kind}}

    assert not archive(both, out).run(FakePool(by), Seen()).note


def test_results_of_two_networks_are_noted(films: Path, out: Path) -> None:
    def by(job: Job) -> dict[str, Any]:
        return written(job) | {"model": {"name": "m", "sha256": "a" if job.item.name < "3" else "b"}}

    assert "different networks" in archive(films, out).run(FakePool(by), Seen()).note
    assert "different networks" not in Archive(out / "other", PLAN).run(FakePool(by), Seen()).note


def test_a_folder_that_is_gone_is_an_output_error(films: Path, out: Path) -> None:
    def spoil(job: Job) -> dict[str, Any]:
        report = written(job)
        (out / "points").write_text("a file where a folder should be")
        return report

    with pytest.raises(OutputError, match="cannot be written"):
        archive(films, out).run(FakePool(spoil), Seen())
