"""What a batch shows of itself on stderr: a bar over the items with a line a worker, or JSON objects."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from fkp_live.console import bar_works, log, printable
from fkp_live.wording import counted

# Seconds from one update to the next.
_EVERY = 0.5
_LONGEST_NAME = 40


class Shown(Protocol):
    """What `BatchProgress` needs of an item."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...


def one_line(name: str) -> str:
    """A name as one line, whatever is in it."""
    return name.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


class BatchProgress:
    """Notes what the workers do; shows nothing. A context manager, and a `batch.pool.Watcher`.

    Parameters
    ----------
    total : items of the run
    ended : of them done or failed in earlier runs

    Attributes
    ----------
    notes : whether notes for people are printed
    """

    notes = False

    def __init__(self, total: int, ended: int) -> None:
        self.total, self.ended_items, self.failed = total, ended, 0
        self.frames = 0
        self._began = time.monotonic()
        self._due = 0.0
        self._lanes: list[
            tuple[str, str, int, int | None] | None
        ] = []  # key, name, frames, total of each worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Nothing is left open."""

    def begun(self, item: Shown) -> None:
        """A worker has begun with an item."""
        lane = (item.key, one_line(item.name), 0, None)
        if None in self._lanes:
            self._lanes[self._lanes.index(None)] = lane
        else:
            self._lanes.append(lane)
        self._update()

    def moved(self, item: Shown, frames: int, total: int | None) -> None:
        """It has come further."""
        for number, lane in enumerate(self._lanes):
            if lane is not None and lane[0] == item.key:
                self.frames += frames - lane[2]
                self._lanes[number] = (lane[0], lane[1], frames, total)
        self._update()

    def ended(self, item: Shown, error: str | None) -> None:
        """It is done (None), or has failed; an empty text: it will be tried again."""
        self._lanes = [None if lane is not None and lane[0] == item.key else lane for lane in self._lanes]
        if error != "":
            self.ended_items += 1
            self.failed += error is not None
        self._update()

    def grown(self, total: int) -> None:
        """There are more items than before."""
        self.total = total

    def held(self, count: int, seconds: float) -> None:
        """Nothing is left but what other runs are at work on."""
        if self.notes:
            log(f"Waiting up to {seconds:.0f} s for {counted(count, 'item')} that other runs are at work on.")

    def _update(self) -> None:
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _EVERY
            self._show()

    def _show(self) -> None:
        """Show how it stands; nothing here."""

    def _state(self) -> dict[str, Any]:
        working = [
            {"worker": number, "source": lane[1], "frames": lane[2], "total": lane[3]}
            for number, lane in enumerate(self._lanes, start=1)
            if lane is not None
        ]
        return {
            **{"items": self.ended_items, "total": self.total, "failed": self.failed, "frames": self.frames},
            **{"seconds": round(time.monotonic() - self._began, 3), "working": working},
        }


class BatchLines(BatchProgress):
    """JSON objects on stderr, two a second, and one at the end.

    ``{"items": 12, "total": 200, "failed": 1, "frames": 5120, "seconds": 31.4, "working": [{"worker": 1, "source":
    "a.mp4", "frames": 90, "total": 180}], "done": false}``: items ended so far, those of earlier runs included, and
    frames of this run.
    """

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            log(json.dumps(self._state() | {"done": self.ended_items >= self.total}))

    def _show(self) -> None:
        log(json.dumps(self._state() | {"done": False}))


class BatchBars(BatchProgress):
    """A bar over the items and, in a terminal, under it a line a worker. It never makes a run fail."""

    notes = True

    def __init__(self, total: int, ended: int) -> None:
        super().__init__(total, ended)
        self._bar: Any = None
        self._lines: list[Any] = []
        self._shown = 0

    def __enter__(self) -> Self:
        self._attempt(self._open)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._attempt(self._finish)

    def _open(self) -> None:
        from tqdm import tqdm

        terminal = sys.stderr.isatty()
        self._bar = tqdm(
            total=self.total,
            initial=self.ended_items,
            desc="items",
            unit="item",
            mininterval=0.1 if terminal else 5.0,
            dynamic_ncols=True,
        )
        self._shown = self.ended_items

    def _show(self) -> None:
        if self._bar is not None:
            self._attempt(self._draw)

    def _draw(self) -> None:
        from tqdm import tqdm

        self._bar.total = self.total
        self._bar.set_postfix({"failed": self.failed} if self.failed else {}, refresh=False)
        self._bar.update(self.ended_items - self._shown)
        self._shown = self.ended_items
        if not sys.stderr.isatty():
            return
        while len(self._lines) < len(self._lanes):
            place = len(self._lines) + 1
            self._lines.append(
                tqdm(total=0, position=place, bar_format="{desc}", leave=False, dynamic_ncols=True)
            )
        for line, lane in zip(self._lines, self._lanes, strict=True):
            line.set_description_str("" if lane is None else _lane_text(*lane))

    def _finish(self) -> None:
        for line in self._lines:
            line.close()
        self._draw_last()
        self._bar.close()

    def _draw_last(self) -> None:
        self._bar.total = self.total
        self._bar.update(self.ended_items - self._shown)

    def _attempt(self, step: Callable[[], object]) -> None:
        if not bar_works(step):
            self._bar = None


def _lane_text(key: str, name: str, frames: int, total: int | None) -> str:
    short = name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
    of = f"{frames}" if total is None else f"{frames}/{total}"
    return printable(f"  {short}: {of} frames", sys.stderr)


def batch_progress(kind: str | None, total: int, ended: int, *, quiet: bool) -> BatchProgress:
    """The progress that was asked for: ``kind`` is one of `choices.PROGRESS`; None: the bar, unless ``quiet``."""
    if kind == "jsonl":
        return BatchLines(total, ended)
    if kind == "bar" or (kind is None and not quiet):
        return BatchBars(total, ended)
    return BatchProgress(total, ended)
