"""The command ``fkp-live``: words in, exit code out. Here alone failures become codes and messages.

Imports next to nothing beyond what Python has loaded anyway: ``fkp-live --version`` takes hardly longer than
Python itself.
"""

from __future__ import annotations

import os
import sys

from fkp_live.console import flush, open_closed_streams, say, silence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``fkp-live`` with these words (those of the process by default) and return its exit code.

    A failure that a user can cause is said in one message on stderr. So is any other; ``--debug`` or the
    environment variable FKP_DEBUG adds the traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or os.environ.get("FKP_DEBUG", "") not in ("", "0")
    open_closed_streams()
    # OpenCV prints pages of warnings about a broken picture; our own message names the file and the cure. For the
    # whole process, so only here and not in the library; it is read when cv2 is imported, which is later.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        try:
            code = _dispatch(words)
        except SystemExit as exit_:
            # argparse's way out after --help.
            code = exit_.code if isinstance(exit_.code, int) else 0
        flush()
        return code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        # Of --help, doctor and bench; a run knows by itself that its files are what counts.
        silence(sys.stdout)
        return 1
    except Exception as error:
        return _report(error, debug)


def _dispatch(words: list[str]) -> int:
    if words == ["--version"]:
        from fkp_live import __version__

        say(f"fkp-live {__version__}")
        return 0
    if words[:1] == ["bench"]:
        from fkp_live.commands.bench.command import main as bench

        return bench(words[1:])
    if words[:1] == ["doctor"]:
        from fkp_live.commands.doctor import main as doctor

        return doctor(words[1:])
    from fkp_live.commands.options import parse

    options = parse(words)
    # After parsing, because it loads OpenCV and all the rest.
    from fkp_live.commands.run import run

    return run(options)


def _report(error: Exception, debug: bool) -> int:
    from fkp_live.errors import ExitCode, FkpError

    if debug:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), sys.stderr)
    if isinstance(error, FkpError):
        text, code = str(error), error.exit_code
    else:
        said = " ".join(str(error).split())
        cure = "" if debug else "\n  Run it again with FKP_DEBUG=1 to see where, and please report it."
        text, code = f"unexpected failure: {type(error).__name__}: {said}{cure}", ExitCode.FAILURE
    say("\n  ".join((f"fkp-live: {text}", *getattr(error, "__notes__", ()))), sys.stderr)
    return int(code)


def _interrupted() -> int:
    from fkp_live.errors import ExitCode

    say("fkp-live: interrupted.", sys.stderr)
    return int(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
