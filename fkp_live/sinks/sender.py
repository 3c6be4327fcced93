"""What all senders share: a small queue and a thread, so that a receiver that is slow or gone costs no frame."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_live.sinks.post import Post
from fkp_live.stats import Delivery
from fkp_live.types import FrameResult, Picture

Report = Callable[[str], object]

_QUEUED = 4  # results that wait for a slow receiver
_LAST_SECONDS = 2.0  # that `close` waits for what is still queued


class Sender:
    """A sink that hands results on to another program or device, in another thread.

    It never makes a run fail: its first failure is reported, all are counted, and it goes on with the next result. As a
    context manager it is closed at the end.

    Subclasses define `_send`, and `_release` where something is to be closed; both run in that thread. Their
    constructors open everything, then call ``super().__init__``, from which on the thread works for it.

    Parameters
    ----------
    name : of the target, for messages
    report : called with what the user should know, such as the first failure, perhaps from the sender's thread. None:
        it is in `note`
    post : the thread, for senders that never keep it waiting; None: one of its own
    queued : results that wait; the oldest gives way to a new one
    together : as many are sent at once, however long ``post`` would wait for more
    """

    wants_picture = False
    kept: Path | None = None

    def __init__(
        self,
        name: str,
        report: Report | None = None,
        post: Post | None = None,
        *,
        queued: int = _QUEUED,
        together: int = 0,
    ) -> None:
        self.name = name
        self._report = report
        self._said: list[str] = []
        self._sent = self._failed = self._dropped = 0
        # The stream's thread puts results into the queue, and the other one takes them. A deque needs no lock for that.
        self._queue: deque[tuple[FrameResult, Picture | None]] = deque()
        self._queued, self._together = queued, together
        self._closed, self._released = False, threading.Event()
        self._post = post or Post(f"fkp-live sender {name}")
        self._post.serve(self)

    @property
    def delivery(self) -> Delivery:
        """How many results were sent, dropped and failed so far; final after `close`."""
        return Delivery(self._sent, self._dropped, self._failed)

    @property
    def note(self) -> str:
        """What the user should know and was not reported, such as the first failure; usually empty."""
        return "" if self._report is not None else "; ".join(self._said)

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Queue one result; the oldest one gives way where they come faster than they are sent.

        Raises
        ------
        ValueError : the sender was closed or aborted
        """
        if self._closed:
            raise ValueError(f"write to a closed {type(self).__name__}")
        if len(self._queue) >= self._queued:
            with suppress(IndexError):  # all have been taken meanwhile
                self._queue.popleft()
                self._dropped += 1
        self._queue.append((result, picture))
        if len(self._queue) == self._together:
            self._post.hurry()
        else:
            self._post.ring()

    def close(self) -> None:
        """Send what is queued, for two seconds at most, and release the receiver."""
        if self._closed:
            return
        self._closed = True
        self._post.hurry()
        if not self._released.wait(_LAST_SECONDS):
            self._queue.clear()
            self._say(f"{self.name}: the receiver takes nothing any more, and was left.")

    def abort(self) -> None:
        """Release the receiver without sending what is queued. Does not raise."""
        if self._closed:
            return
        self._closed = True
        self._queue.clear()
        self._post.hurry()
        self._released.wait(_LAST_SECONDS)

    def work(self) -> bool:
        """Send what is queued, and release the receiver at the end. For the thread of `Post`."""
        # Before the look, so that nothing that was written before the end is left.
        closed = self._closed
        for _ in range(len(self._queue)):
            try:
                item = self._queue.popleft()
            except IndexError:  # it gave way to a newer one, or was cleared
                break
            try:
                was_sent = self._send(*item)  # it may correct the count of earlier ones
                self._sent += was_sent
            except Exception as error:  # whatever a library raises, the run goes on
                self._count_failure(_reason(error))
        if closed:
            try:
                self._release()
            except Exception as error:
                self._say(f"{self.name} was not closed properly: {_reason(error)}.")
            self._released.set()
        return not closed

    def _count_failure(self, reason: str) -> None:
        self._failed += 1
        if self._failed == 1:
            self._say(f"{self.name}: {reason}. The run goes on; failures are counted.")

    def _say(self, text: str) -> None:
        self._said.append(text)
        if self._report is not None:
            self._report(text)

    def _send(self, result: FrameResult, picture: Picture | None) -> bool:
        """Send one result; whether there was anything to send."""
        raise NotImplementedError

    def _release(self) -> None:
        """Close what the constructor opened."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.close()
        else:
            self.abort()


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split()).rstrip(
        "."
    )
