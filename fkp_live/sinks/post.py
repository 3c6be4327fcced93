"""Threads in which senders send: one for several whose sending takes no time, one each for all others."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import Protocol

_MOMENT = 0.0004  # seconds


class Posted(Protocol):
    """What a thread of `Post` works for."""

    def work(self) -> bool:
        """Do what waits; False where nothing will come any more."""


class Post:
    """A thread that works for whom it was given, whenever the bell was rung. It ends with the last of them.

    Parameters
    ----------
    name : of the thread
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._served: list[Posted] = []
        self._changing = threading.Lock()  # of `_served`
        # Its `put` neither waits nor lets another thread have the interpreter; a `Condition` costs a frame ten times
        # as much.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._rung = False

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

    def _work(self) -> None:
        while True:
            self._bell.get()
            # Begun at once, it would keep the interpreter from the thread that prepares the next frame (0.3 ms a frame
            # and sender); a moment later that one is in the network, which needs no interpreter.
            time.sleep(_MOMENT)
            self._rung = False  # before the look: what comes from here on rings again
            done = [one for one in self._served if not one.work()]
            with self._changing:
                self._served = [one for one in self._served if one not in done]
                if not self._served:
                    return


# For senders of datagrams: the system takes a datagram or refuses it, but never waits for a receiver.
datagrams = Post("fkp-live datagrams")
