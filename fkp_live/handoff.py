"""The bounded queue between two threads: in order, or only the newest item."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """Passes items from one thread to another: bounded, in order, or only the newest one.

    Nothing waits for ever: `finish` (producer) and `cancel` (consumer) wake whoever waits on the other side.
    """

    def __init__(self, capacity: int, *, newest_only: bool = False) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_only = newest_only
        self._finished = self._cancelled = False
        self._interrupted = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Hand ``item`` over, waiting for room where nothing may be dropped. False: nobody wants it now."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._cancelled:
                if self._newest_only:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait(0.5)
            if not self._cancelled:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cancelled

    def get(self) -> T | None:
        """The next item, None at the end. Raises what the producer failed with, after what it produced."""
        with self._changed:
            while not (self._items or self._finished or self._cancelled or self._interrupted):
                # A timeout, because `interrupt` cannot notify.
                self._changed.wait(0.2)
            if self._cancelled or self._interrupted:
                return None
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def interrupt(self) -> None:
        """Let `get` return None within 0.2 s. Safe in a signal handler: it takes no lock."""
        self._interrupted = True

    def finish(self, error: BaseException | None = None) -> None:
        """The producer is done, well or by ``error``."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def cancel(self) -> None:
        """The consumer is done: what waits is thrown away, `put` returns False and `get` None."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()
