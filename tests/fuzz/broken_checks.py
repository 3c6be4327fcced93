"""Checks that end a worker in every way: what a session must notice and survive."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np

from tests.fuzz.worker import Outcome


def carry_out(name: str, value: Any) -> Outcome:
    """Crash, hang, end or take memory, else nothing."""
    if name == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hang":
        threading.Event().wait()
    if name == "end":
        os._exit(3)
    if name == "memory":
        np.ones(value << 20, np.uint8)
    return Outcome("whole")
