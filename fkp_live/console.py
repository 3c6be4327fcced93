"""Saying things on stdout and stderr, also when nobody listens any more."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line to ``stream``, stdout by default. A reader that has gone (``| head``) is no failure."""
    stream = sys.stdout if stream is None else stream
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Send all that still comes to nowhere, the interpreter's own flush at its end included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
