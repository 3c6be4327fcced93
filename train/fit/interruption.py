"""Ctrl-C while a network is trained: whole checkpoints, and workers that leave it to their parent."""

from __future__ import annotations

import signal

import cv2


def quiet_worker(_: int) -> None:
    """For a DataLoader: its workers use one thread each and ignore Ctrl-C."""
    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole process group; the parent ends the run, and its workers with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Interruption:
    """Ctrl-C inside the ``with`` block is noted and raised by `obey`, between two batches; a second one at once.

    Raised at any moment, it could be swallowed (in a destructor, for example) or leave half a checkpoint.
    """

    def __init__(self) -> None:
        self.requested = False

    def __enter__(self) -> Interruption:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, *_: object) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def obey(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C came."""
        if self.requested:
            raise KeyboardInterrupt
