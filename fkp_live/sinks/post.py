"""Threads in which senders send: one for several whose sending takes no time, one each for all others."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

# Seconds. Begun at once, the thread would keep the interpreter from the one that prepares the next frame (0.3 ms a
# frame and sender); a moment later that one is in the network, which needs no interpreter.
_MOMENT = 0.0004
# Seconds. Between two runs of the network everything has left the processor's cache, and the first result costs three
# times as much as those that are sent right after it.
_GROUP = 0.25


class Posted(Protocol):
    """What a thread of `Post` works for."""

    def work(self) -> bool:
        """Do what waits; False where nothing will come any more."""


class Post:
    """A thread that works for whom it was given, whenever the bell was rung. It ends with the last of them.

    Parameters
    ----------
    name : of the thread
    moment : seconds from the bell until it works
    """

    def __init__(self, name: str, moment: float = _MOMENT) -> None:
        self._name, self._moment = name, moment
        self._served: list[Posted] = []
        self._changing = threading.Lock()  # of `_served`
        # Its `put` neither waits nor lets another thread have the interpreter; a `Condition` costs a frame ten times
        # as much.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = self._hurried = False

    def serve(self, one: Posted) -> None:
        """Work for it, too."""
        with self._changing:
            self._served.append(one)
            if len(self._served) == 1:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def ring(self) -> None:
        """Let the thread work soon: once for all that comes until it begins."""
        if not self._rung:
            self._rung = True
            self._bell.put(None)

    def hurry(self) -> None:
        """Let the thread work now."""
        self._hurried = True
        self._bell.put(None)

    def _work(self) -> None:
        while True:
            self._bell.get()
            if not self._hurried:
                with suppress(Empty):  # nobody is in a hurry
                    self._bell.get(timeout=self._moment)
            self._hurried = self._rung = False  # before the look: what comes from here on rings again
            done = [one for one in self._served if not one.work()]
            with self._changing:
                self._served = [one for one in self._served if one not in done]
                if not self._served:
                    return


# For senders of datagrams: the system takes a datagram or refuses it, but never waits for a receiver.
datagrams = Post("fkp-live datagrams")
# The same, for results that come faster than they are watched.
grouped_datagrams = Post("fkp-live groups of datagrams", _GROUP)
