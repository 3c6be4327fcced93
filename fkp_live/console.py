"""Printing to stdout and stderr, also when their reader has gone.

Results go to stdout: where they cannot be delivered the command fails. Messages on stderr never make it fail.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from fkp_live.errors import OutputError


# C0, DEL and C1.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line to ``stream``, stdout by default. A reader that has gone (``| head``) is not a failure.

    Raises
    ------
    OutputError
        If stdout does not take it, such as a full disk.
    """
    stream = sys.stdout if stream is None else stream
    try:
        print(printable(text, stream), file=stream, flush=True)
    except BrokenPipeError:
        silence(stream)
    except OSError as error:
        silence(stream)
        if stream is not sys.stderr:
            raise _undelivered(error) from error


def flush() -> None:
    """Deliver what was printed to stdout. Raises BrokenPipeError if its reader has gone, else as `say`."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(sys.stdout)
        raise _undelivered(error) from error


def _undelivered(error: OSError) -> OutputError:
    from fkp_live.errors import OutputError

    return OutputError(
        f"Standard output does not take the results: {error.strerror}.", "Files that were written are whole."
    )


def printable(text: str, stream: TextIO) -> str:
    r"""``text`` with everything that a terminal cannot show, or would obey, written as \x.. or \u....

    That is what the stream's encoding lacks, undecodable bytes of names, and control characters other than line feed
    and tab: a file name could otherwise clear the screen or imitate other lines.
    """
    encoding = stream.encoding or "utf-8"
    return text.translate(_CONTROLS).encode(encoding, "backslashreplace").decode(encoding)


def silence(stream: TextIO) -> None:
    """Discard all that is still printed to ``stream``, the interpreter's own flush at its end included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_closed_streams() -> None:
    """Open the null device for each of stdin, stdout and stderr that was closed before Python began (``>&-``).

    Otherwise the next file opened would take its number, and a library that prints would write into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
