"""What all senders share: a small queue and a thread, so that a receiver that is slow or gone costs no frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from fkp_live.handoff import Handoff
from fkp_live.stats import Delivery
from fkp_live.types import FrameResult, Picture

Report = Callable[[str], object]

_QUEUED = 4  # results that wait; the oldest gives way to a new one
_MOMENT = 0.0004  # seconds
_LAST_SECONDS = 2.0  # that `close` waits for what is still queued


class Sender:
    """A sink that hands results on to another program or device, in a thread of its own.

    It never makes a run fail: its first failure is reported, all are counted, and it goes on with the next result. As a
    context manager it is closed at the end.

    Subclasses define `_send`, and `_release` where something is to be closed; both run in the thread. Their
    constructors open everything, then call ``super().__init__``, which starts the thread.

    Parameters
    ----------
    name : of the target, for messages
    report : called with what the user should know, such as the first failure, perhaps from the sender's thread. None:
        it is in `note`
    """

    wants_picture = False
    kept: Path | None = None

    def __init__(self, name: str, report: Report | None = None) -> None:
        self.name = name
        self._report = report
        self._said: list[str] = []
        self._sent = self._failed = 0
        self._closed = False
        self._results: Handoff[tuple[FrameResult, Picture | None]] = Handoff(_QUEUED, newest_only=True)
        self._thread = threading.Thread(target=self._work, name=f"fkp-live sender {name}", daemon=True)
        self._thread.start()

    @property
    def delivery(self) -> Delivery:
        """How many results were sent, dropped and failed so far; final after `close`."""
        return Delivery(self._sent, self._results.dropped, self._failed)

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
        self._results.put((result, picture))

    def close(self) -> None:
        """Send what is queued, for two seconds at most, and release the receiver."""
        if self._closed:
            return
        self._closed = True
        self._results.finish()
        self._thread.join(_LAST_SECONDS)
        if self._thread.is_alive():
            self._results.cancel()
            self._say(f"{self.name}: the receiver takes nothing any more, and was left.")

    def abort(self) -> None:
        """Release the receiver without sending what is queued. Does not raise."""
        if self._closed:
            return
        self._closed = True
        self._results.cancel()
        self._thread.join(_LAST_SECONDS)

    def _work(self) -> None:
        try:
            while (item := self._results.get()) is not None:
                # Begun at once, it would keep the interpreter from the thread that prepares the next frame (0.3 ms a
                # frame and sender); a moment later that one is in the network, which needs no interpreter.
                time.sleep(_MOMENT)
                try:
                    was_sent = self._send(*item)  # it may correct the count of earlier ones
                    self._sent += was_sent
                except Exception as error:  # whatever a library raises, the run goes on
                    self._count_failure(_reason(error))
        finally:
            try:
                self._release()
            except Exception as error:
                self._say(f"{self.name} was not closed properly: {_reason(error)}.")

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
