"""The command ``fkp-live``: arguments in, exit code out. Only here do failures become codes and messages.

Imports next to nothing beyond what Python has loaded anyway: ``fkp-live --version`` takes hardly longer than
Python itself.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from fkp_live.commands.signals import INTERRUPTED, Stops
from fkp_live.console import flush, open_closed_streams, report_failure, say, silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Module of each command beside the run itself: its ``main(arguments, stops)`` returns the exit code.
_COMMANDS = {
    "batch": "batch",
    "bench": "bench.command",
    "completion": "completion",
    "convert": "convert",
    "doctor": "doctor",
    "models": "models",
    "plot": "plot",
    "replay": "replay",
    "report": "report",
    "summary": "summary",
    "web": "web",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``fkp-live`` with these arguments and return its exit code.

    Without arguments it is the process's own command, with those of the process: Ctrl-C, SIGTERM and SIGHUP then end
    the process with code 130, after files that were begun are finished.

    A failure that a user can cause ends in one message on stderr. So does any other; ``--debug`` or the environment
    variable FKP_DEBUG adds the traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    own_process = arguments is None
    open_closed_streams()
    # OpenCV prints pages of warnings about a broken picture; our own message names the file and the cure. For the
    # whole process, so only here and not in the library; it is read when cv2 is imported, which is later.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    with Stops(own_process=own_process) as stops:
        code = _guarded(words, stops)
    if stops.asked and code == 0:
        code = INTERRUPTED
    if stops.asked and own_process:
        # Everything is written. A thread that waits for a stalled source must not hold the process up.
        os._exit(code)
    return code


def _guarded(words: list[str], stops: Stops) -> int:
    """The exit code; never raises."""
    debug = "--debug" in words or os.environ.get("FKP_DEBUG", "") not in ("", "0")
    try:
        try:
            code = _dispatch(words, stops)
        except SystemExit as exit_:
            # argparse's way out after --help.
            code = exit_.code if isinstance(exit_.code, int) else 0
        flush()
        return code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Of --help, doctor and bench; a run's files are its result, and it handles this itself.
        silence(sys.stdout)
        return 1
    except Exception as error:
        if stops.asked and not stops.finishing:
            # A library that was interrupted while it loaded may raise anything.
            return _interrupted()
        return report_failure(error, "fkp-live", debug=debug)


def _dispatch(words: list[str], stops: Stops) -> int:
    if words == ["--version"]:
        from fkp_live.commands.version import version_line

        say(version_line())
        return 0
    if words and words[0] in _COMMANDS:
        command = import_module(f"fkp_live.commands.{_COMMANDS[words[0]]}")
        code: int = command.main(words[1:], stops)
        return code
    if "--list-cameras" in words and not {"-h", "--help"} & {*words}:
        from fkp_live.commands.cameras import main as cameras

        return cameras(words)
    from fkp_live.commands.options import parse

    options = parse(words)
    # After parsing, because it loads OpenCV and all the rest.
    from fkp_live.commands.run import run

    return run(options, stops)


def _interrupted() -> int:
    say("fkp-live: interrupted.", sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
