"""The bounded queue between two threads: in order, or only the newest item."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

_POLL = 0.2  # seconds after which a waiting side looks for an interruption


class Handoff(Generic[T]):
    """A queue from a producer's thread to a consumer's: bounded, in order, or only the newest item.

    Neither side waits for ever: `finish` (producer) and `cancel` (consumer) wake the other side at once, and
    `interrupt` ends the wait of both within 0.2 s.

    Parameters
    ----------
    capacity : items that wait before `put` waits
    newest_only : `put` replaces the oldest item instead of waiting

    Attributes
    ----------
    dropped : items that were replaced by a newer one
    """

    def __init__(self, capacity: int, *, newest_only: bool = False) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_only = newest_only
        self._finished = self._cancelled = self._interrupted = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Add ``item``, waiting for room unless only the newest one is kept. False: the consumer is gone.

        Raises
        ------
        ValueError : after `finish`; nobody would take the item
        """
        with self._changed:
            while not (self._left or self._finished) and len(self._items) >= self._capacity:
                if self._newest_only:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait(_POLL)
            if self._finished:
                raise ValueError("put() on a finished Handoff")
            if not self._left:
                self._items.append(item)
                self._changed.notify_all()
            return not self._left

    def get(self) -> T | None:
        """The next item, None at the end. Raises the producer's error after the items that came before it."""
        with self._changed:
            while not (self._items or self._finished or self._left):
                # With a timeout, for `interrupt`, and because Ctrl-C cannot end a bare wait on Windows.
                self._changed.wait(_POLL)
            if self._left:
                return None
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def ready(self, seconds: float) -> bool:
        """Whether `get` would return at once, after a wait of up to ``seconds`` for that."""

        def answers() -> bool:
            return bool(self._items or self._finished or self._left)

        with self._changed:
            return self._changed.wait_for(answers, seconds)

    def finish(self, error: BaseException | None = None) -> None:
        """The producer is done; with ``error``, `get` raises it at the end."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def cancel(self) -> None:
        """The consumer is done: waiting items are dropped, `put` returns False and `get` None."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def interrupt(self) -> None:
        """End the consumer's side from a signal handler: `get` returns None and `put` False, waiting ones in 0.2 s.

        It takes no lock, because the thread that the signal interrupts may hold it.
        """
        self._interrupted = True

    @property
    def _left(self) -> bool:
        """Whether the consumer is gone."""
        return self._cancelled or self._interrupted

    @property
    def interrupted(self) -> bool:
        """Whether `interrupt` was called."""
        return self._interrupted
