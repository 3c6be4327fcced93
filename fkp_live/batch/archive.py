"""A batch: every item of an archive is taken up once, worked on by a pool of workers, and recorded.

Runs on one machine or many that share a folder, and goes on after any interruption: what is done is known by its
record, what is begun by its claim.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fkp_live.batch.claims import Attempts, Claim, Claims
from fkp_live.batch.items import FILM, Item, Segment, longest_first, segments_of
from fkp_live.batch.pool import Ended, Finished, Moved, Pool, Watcher
from fkp_live.batch.records import (
    FAILED,
    OK,
    Record,
    options_hash,
    place,
    read_record,
    recorded_keys,
    write_record,
)
from fkp_live.batch.work import Job, Plan
from fkp_live.errors import OutputError

# A film that ended its worker process this often is set aside; and one that was begun this often without a result,
# whatever ended the run (a machine that goes down with a film takes its witness with it).
MOST_DEATHS, MOST_ATTEMPTS = 2, 10
# Seconds to wait for the workers; also how soon an interruption is seen.
_WAIT = 0.2
_MOMENT = 1.0
# How often in its time a claim is renewed.
_RENEWALS = 5
# Seconds from one look at what other runs hold to the next.
_LOOK_AGAIN = 2.0


@dataclass(slots=True)
class Tally:
    """How a batch stands.

    Attributes
    ----------
    done, skipped : items finished in this run, and in earlier ones
    failed : item and reason, of this run and, where they were not tried again, of earlier ones
    elsewhere : items that another run is at work on
    frames, faces : of the items finished in this run
    note : what the user should know; usually empty
    """

    done: int = 0
    skipped: int = 0
    failed: list[tuple[Item, str]] = field(default_factory=list)
    elsewhere: list[tuple[Item, str]] = field(default_factory=list)
    frames: int = 0
    faces: int = 0
    note: str = ""


class Archive:
    """The items of a batch and how they stand.

    Parameters
    ----------
    out : folder of the results
    plan : what is done with each item
    retry_failed : take up what failed before
    stale : seconds without a sign of life after which a claim of another machine counts as dead

    Attributes
    ----------
    tally : how it stands
    waiting : items to be worked on, in order
    """

    def __init__(self, out: Path, plan: Plan, *, retry_failed: bool = False, stale: float = 300.0) -> None:
        self.out, self.plan = out.absolute(), plan
        self.tally = Tally()
        self.waiting: deque[Item] = deque()
        self._retry_failed, self._stale = retry_failed, stale
        self._claims = Claims(self.out, stale)
        self._options = plan.options()
        self.options_hash = options_hash(self._options)
        self._working: dict[str, _Working] = {}
        self._held: list[tuple[Item, str]] = []  # by other runs, to be looked at again
        self._films: dict[str, Item] = {}  # by the key of their first part
        self._reasons: dict[str, str] = {}  # why a worker process ended
        self._models: set[tuple[str, str]] = set()  # kind of item, SHA-256
        self._interrupted = False

    @property
    def total(self) -> int:
        """Items that are known so far."""
        tally = self.tally
        ended = tally.done + tally.skipped + len(tally.failed) + len(tally.elsewhere)
        return ended + len(self.waiting) + len(self._working) + len(self._held)

    def interrupt(self) -> None:
        """End `run` soon; items in hand are dropped. Safe in a signal handler."""
        self._interrupted = True

    def add(self, items: Iterable[Item]) -> None:
        """Take in items by their records: to be worked on, done before, or failed before."""
        recorded, claimed = recorded_keys(self.out), self._claims.keys()
        for item in items:
            for part in self._parts(item, recorded):
                record = read_record(self.out, part.key) if part.key in recorded else None
                if record is not None and part.key in claimed and not self._claims.attempts(part.key).held:
                    # Killed after the record was written, and before its claim was removed.
                    self._claims.clear(part.key)
                self._sort_in(part, record)
        self.waiting = deque(longest_first(self.waiting))

    def is_done(self, item: Item) -> bool:
        """Whether an item has a record that is ok and was made with these options, and its results are there."""
        return self._fits(read_record(self.out, item.key), OK)

    def run(self, pool: Pool, watcher: Watcher) -> Tally:
        """Work on all that waits. After `interrupt` it returns early, and whatever was in hand is as if not begun.

        Raises
        ------
        FkpError : no item can be worked on, see `Pool.events`; all can be resumed
        OutputError : the folder cannot be written to
        """
        try:
            self._work(pool, watcher)
        except OSError as error:
            raise OutputError(
                f"{self.out} cannot be written: {error.strerror or error}.",
                "Make room on the disk, or choose another --out.",
            ) from error
        finally:
            pool.close()
            for working in self._working.values():
                self._claims.drop(working.claim)
            self._working.clear()
        self.tally.elsewhere += self._held
        self._held = []
        if len(self._models) > len({kind for kind, _ in self._models}):
            self.tally.note = (
                "The results were made with different networks, because the fastest differs between machines; "
                "--model NAME makes them all with one."
            )
        return self.tally

    def _work(self, pool: Pool, watcher: Watcher) -> None:
        renewed = time.monotonic()
        patience = None  # until when other runs are waited for
        while not self._interrupted:
            # For a moment only: what others have finished takes no worker, and claims are to be renewed meanwhile.
            until = time.monotonic() + _MOMENT
            while self.waiting and pool.room() and time.monotonic() < until:
                if (job := self._take_up(self.waiting.popleft(), watcher)) is not None:
                    pool.start(job)
            if self._working or self.waiting:
                for event in pool.events(0.0 if self.waiting and pool.room() else _WAIT):
                    self._see(event, watcher)
            else:
                # What other runs hold is waited for, but no longer than a claim lives that nobody renews.
                now = time.monotonic()
                if patience is None and self._held:
                    watcher.held(len(self._held), self._stale)
                    patience = now + self._stale + _LOOK_AGAIN
                if patience is None or not self._held or now > patience:
                    break
                self._rest(min(_LOOK_AGAIN, self._stale))
                self.waiting.extend(item for item, _ in self._held)
                self._held.clear()
            if time.monotonic() > renewed + self._stale / _RENEWALS:
                renewed = time.monotonic()
                for working in self._working.values():
                    self._claims.renew(working.claim)

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._interrupted and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _WAIT))

    def _parts(self, item: Item, recorded: Container[str]) -> Iterator[Item]:
        """The item itself or, where films are divided, its parts as far as they are known."""
        seconds = self.plan.segment
        if seconds is None or item.kind != FILM:
            yield item
            return
        first = item.part(Segment(0, 0.0, None), seconds)
        self._films[first.key] = item
        yield first
        record = read_record(self.out, first.key) if first.key in recorded else None
        if record is not None and self._fits(record, OK):
            yield from self._later_parts(first, record.duration)

    def _later_parts(self, first: Item, duration: float | None) -> Iterator[Item]:
        """All parts of a film but the first, once its length is known."""
        seconds, film = self.plan.segment, self._films.get(first.key)
        if seconds is not None and film is not None and duration is not None:
            for segment in segments_of(duration, seconds)[1:]:
                yield film.part(segment, seconds)

    def _fits(self, record: Record | None, status: str) -> bool:
        fits = record is not None and record.status == status and record.options_hash == self.options_hash
        # Whoever removed a result wants it made again.
        return (
            fits
            and record is not None
            and all(os.path.exists(os.path.join(self.out, name)) for name in record.files[:1])
        )

    def _sort_in(self, item: Item, record: Record | None) -> None:
        if record is not None and self._fits(record, OK):
            self.tally.skipped += 1
            self._models.add((item.kind, record.model))
        elif record is not None and self._fits(record, FAILED) and not self._retry_failed:
            self.tally.failed.append((item, record.error))
        else:
            self.waiting.append(item)

    def _take_up(self, item: Item, watcher: Watcher) -> Job | None:
        """Count an attempt at an item and claim it; None if it has ended meanwhile, or another run holds it."""
        attempts = self._claims.attempts(item.key)
        if attempts.held:
            self._held.append((item, attempts.by))
            return None
        self._claims.bury(item.key, attempts)
        claim = self._claims.take(item.key, attempts.number + 1)
        if claim is None:
            self._held.append((item, "another run"))
            return None
        # Read once more under the claim: another run may have finished it since the items were listed.
        record = read_record(self.out, item.key)
        before = record.attempts if record is not None and self._fits(record, FAILED) else 0
        if self._fits(record, OK) or (before and not self._retry_failed):
            self._claims.drop(claim)
            self._sort_in(item, record)
            watcher.ended(item, None)
            return None
        working = _Working(item, claim, before)
        if reason := self._hopeless(item, attempts):
            tried = before + attempts.number
            self._finish(working, {"status": FAILED, "error": reason, "attempts": tried}, watcher)
            return None
        self._working[item.key] = working
        watcher.begun(item)
        return Job(item, claim.folder)

    def _hopeless(self, item: Item, attempts: Attempts) -> str:
        """Why an item is set aside, empty if it is not."""
        if attempts.died >= MOST_DEATHS:
            reason = self._reasons.get(item.key, "its worker process ended")
            return f"set aside after {attempts.died} attempts: {reason}"
        if attempts.number >= MOST_ATTEMPTS:
            return f"set aside after {attempts.number} attempts, which all ended with the run or the machine"
        return ""

    def _see(self, event: Moved | Finished | Ended, watcher: Watcher) -> None:
        working = self._working.get(event.key)
        if working is None:
            return
        if isinstance(event, Moved):
            watcher.moved(working.item, event.frames, event.total)
            return
        del self._working[event.key]
        if isinstance(event, Finished):
            self._finish(working, event.report, watcher)
            return
        self._claims.give_up(working.claim, died=event.died)
        self._reasons[event.key] = event.reason
        watcher.ended(working.item, "")
        self.waiting.appendleft(working.item)

    def _finish(self, working: _Working, report: dict[str, Any], watcher: Watcher) -> None:
        """Give the files of an item their final names, then write its record, then remove the claim."""
        item, claim = working.item, working.claim
        if not self._claims.holds(claim):
            # This machine slept, and another took it for dead.
            self._held.append((item, "another run"))
            return
        before = read_record(self.out, item.key)
        files = _moved_to_final_names(self.out, item.key, claim.folder, report.get("files", {}))
        content = {
            **{"source": item.name, "kind": item.kind, "bytes": item.size, "segment": None},
            "attempts": working.before + claim.number,
            **report,
            "files": files,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **{"options": self._options, "options_hash": self.options_hash},
        }
        write_record(self.out, item.key, content, beside=claim.folder)
        record = read_record(self.out, item.key)
        assert record is not None
        for name in set(before.files if before else ()) - {*record.files}:
            (self.out / name).unlink(missing_ok=True)  # such as a crop of a face that is no longer found
        self._claims.clear(item.key)
        if record.status == OK:
            self.tally.done += 1
            self.tally.frames += report.get("frames", 0)
            self.tally.faces += report.get("faces", 0)
            self._models.add((item.kind, record.model))
            later = list(self._later_parts(item, record.duration))
            for part in later:
                self._sort_in(part, read_record(self.out, part.key))
            if later:
                watcher.grown(self.total)
        else:
            self.tally.failed.append((item, record.error))
        watcher.ended(item, record.error or None)


@dataclass(frozen=True, slots=True)
class _Working:
    """An item in hand, its claim, and the attempts at it before those that are counted by claims."""

    item: Item
    claim: Claim
    before: int


def _moved_to_final_names(out: Path, key: str, folder: Path, files: dict[str, Any]) -> dict[str, Any]:
    """Rename ``points.csv`` to ``points/3f/3f….csv`` and so on; returns the names below ``out``."""
    moved: dict[str, Any] = {}
    for kind, name in files.items():
        names = [name] if isinstance(name, str) else name
        targets = []
        for one in names:
            stem, suffix = os.path.splitext(one)
            number = stem.partition("-")[2]
            targets.append(place(kind, key, f"-{number}{suffix}" if number else suffix))
            (out / targets[-1]).parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / one, out / targets[-1])
        moved[kind] = targets[0] if isinstance(name, str) else targets
    return moved
