"""Printing to stdout and stderr, also to closed pipes and full disks.

Results go to stdout: where they cannot be delivered the command fails. Messages on stderr never make it fail.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

from fkp_live.errors import ExitCode, FkpError, InputError, OutputError, UsageError


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


def log(text: str) -> None:
    """Print a line to stderr."""
    say(text, sys.stderr)


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
    return OutputError(
        f"Standard output does not take the results: {error.strerror}.", "Files that were written are whole."
    )


# Controls of ASCII and of Latin-1, and the marks that turn the direction of what follows.
_CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


def printable(text: str, stream: TextIO) -> str:
    """``text`` as the stream can print it, the rest as escapes such as \\x1b and \\u65e5.

    The rest is what the stream's encoding lacks, undecodable bytes of names, and control characters, which a file or
    model may have in its name and a terminal would obey. Line feeds and tabs stay.
    """
    encoding = stream.encoding or "utf-8"
    return text.translate(_CONTROLS).encode(encoding, "backslashreplace").decode(encoding)


def silence(stream: TextIO) -> None:
    """Discard all that is still printed to a stream, the interpreter's flush at its end included."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


# Those of stdout and stderr that were closed when the program began.
_closed: list[TextIO] = []


def bar_works(step: Callable[[], object]) -> bool:
    """Do one step of a progress bar. False, after a message, where tqdm fails: a bar never makes a run fail."""
    try:
        step()
    except OSError:
        silence(sys.stderr)
    except Exception as error:
        # tqdm takes its settings from the environment too, and fails on a value that it cannot use.
        log(f"No progress bar: tqdm failed ({error}). Check the environment variables TQDM_*.")
        return False
    return True


def was_closed(stream: TextIO) -> bool:
    """Whether a stream was closed when the program began, so that nobody gets what is printed to it."""
    return any(stream is one for one in _closed)


def open_closed_streams() -> None:
    """Open what was closed of stdin, stdout and stderr before Python began (``>&-``) to the null device.

    Else the next file opened would take that number, and a library that prints would write into it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            _closed.append(open(os.devnull, "w"))  # noqa: SIM115
            setattr(sys, name, _closed[-1])


def report_failure(error: Exception, name: str, *, debug: bool) -> int:
    """Print ``name: message`` on stderr, with ``debug`` after the traceback; returns the exit code.

    An error that is not an FkpError is unexpected: exit code 1.
    """
    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
    if isinstance(error, FkpError):
        text, code = str(error), error.exit_code
    else:
        reason = " ".join(str(error).split())
        cure = "" if debug else "\n  Run it again with FKP_DEBUG=1 to see where, and please report it."
        text, code = f"unexpected failure: {type(error).__name__}: {reason}{cure}", ExitCode.FAILURE
    say("\n  ".join((f"{name}: {text}", *getattr(error, "__notes__", ()))), sys.stderr)
    return int(code)


def run_main(main: Callable[..., None], usage: str | None) -> NoReturn:
    """For programs of one's own: call ``main`` with the words of the command line, and end the process.

    A failure that a user can cause is one message on stderr and its exit code, as with ``fkp-live``. What Python
    raises of files, connections and values that make no sense counts as `InputError`. FKP_DEBUG=1 adds the traceback.
    ``usage``: a text whose first line names the arguments, such as ``__doc__``; it is the cure of all but `FkpError`.

    Example
    -------
    >>> if __name__ == "__main__":
    ...     run_main(main, __doc__)
    """
    import inspect  # not at the top: it takes longer to load than --version needs

    words = sys.argv[1:]
    cure = (usage or "").partition("\n")[0]
    try:
        try:
            inspect.signature(main).bind(*words)
        except TypeError:
            raise UsageError(f"The arguments do not fit: {' '.join(words) or 'none'}.", cure) from None
        main(*words)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except (FkpError, OSError, ValueError) as error:
        failure = error if isinstance(error, FkpError) else InputError(f"{error}.", cure)
        debug = os.environ.get("FKP_DEBUG", "") not in ("", "0")
        name = os.path.basename(sys.argv[0])
        sys.exit(report_failure(failure.with_traceback(error.__traceback__), name, debug=debug))
    sys.exit(ExitCode.OK)
