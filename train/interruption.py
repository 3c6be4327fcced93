"""Ctrl-C while a network is trained: whole checkpoints, and workers that leave it to their parent."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from train.fit import Run


def quiet_worker(_: int) -> None:
    """For a DataLoader: its workers use one thread each and do not mind Ctrl-C."""
    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole process group; the parent ends the run, and its workers with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Interruption:
    """Ctrl-C inside the ``with`` block is noted and obeyed between two batches; a second one at once.

    Raised wherever it happens to arrive, it could be swallowed (in a destructor, say) or tear a checkpoint.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.asked = run, False

    def __enter__(self) -> Interruption:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if kind is KeyboardInterrupt:
            run = self.run
            kept = f"{run.checkpoint} holds epoch {run.epoch}" if run.epoch else "no epoch was finished"
            print(f"\ninterrupted; {kept}", file=sys.stderr)

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def obey(self) -> None:
        """Raise KeyboardInterrupt if it was asked for."""
        if self.asked:
            raise KeyboardInterrupt
