"""Saying things on stdout and stderr, also when nobody listens any more.

Results on stdout count: where they cannot be delivered the command fails. What is said on stderr never fails it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from fkp_live.errors import OutputError


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line to ``stream``, stdout by default. A reader that has gone (``| head``) is no failure.

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
    """``text`` with what the stream's encoding lacks, and undecodable bytes of names, written as \\u...."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def silence(stream: TextIO) -> None:
    """Send all that still comes to nowhere, the interpreter's own flush at its end included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def open_closed_streams() -> None:
    """Open to nowhere what was closed of stdin, stdout and stderr before Python began (``>&-``).

    Else the next file opened would take that number, and a library that prints would write into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def exit_code_of(command: Callable[[], int], name: str) -> int:
    """Run a command and turn every failure into one message ``name: …`` on stderr and an exit code.

    A failure that is not an FkpError is unexpected: exit code 1, and its traceback with FKP_DEBUG=1.
    """
    from fkp_live.errors import ExitCode, FkpError

    try:
        code = command()
        flush()
        return code
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        silence(sys.stdout)  # the reader has gone, as `| head` does: not a failure
        return int(ExitCode.OK)
    except FkpError as error:
        say(f"{name}: {error}", sys.stderr)
        return int(error.exit_code)
    except Exception as error:
        debug = os.environ.get("FKP_DEBUG", "") not in ("", "0")
        if debug:
            import traceback

            say("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
        cure = "" if debug else "\n  Run it again with FKP_DEBUG=1 to see where, and please report it."
        text = " ".join(str(error).split())
        say(f"{name}: unexpected failure: {type(error).__name__}: {text}{cure}", sys.stderr)
        return int(ExitCode.FAILURE)
