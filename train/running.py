"""The last catch of `python -m train` and `python -m export`: any failure is one message and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from fkp_live.console import flush, report_failure, silence
from fkp_live.errors import ExitCode, FkpError, InputError, UsageError
from train.recipe import shown

# What `pip install` has to bring, besides the product's own packages, which it brings too.
EXTRAS = {"torch", "onnx", "onnxscript", "pandas", "matplotlib", "skimage"}
_OWN = {"numpy", "cv2", "av", "onnxruntime", "tqdm"}


def run_command(command: Callable[[], int]) -> int:
    """Parse, import and run: ``command`` does all of it. Returns the exit code.

    Every failure becomes one message ``error: …`` on stderr; FKP_DEBUG=1 in the environment adds the traceback. Three
    causes that lie outside of the program are named.
    """
    # Before torch loads OpenMP, which reads it once. Its threads wait by spinning otherwise: where anything else runs
    # on the machine a step then takes several times as long, and alone it is no faster.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = _named(command)
        flush()
        return code
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        silence(sys.stdout)  # the reader has gone, as `| head` does: not a failure
        return int(ExitCode.OK)
    except Exception as error:
        return report_failure(error, "error", debug=os.environ.get("FKP_DEBUG", "") not in ("", "0"))


def _named(command: Callable[[], int]) -> int:
    _check_working_folder()
    try:
        _check_tqdm()
        return command()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRAS | _OWN:
            raise
        raise FkpError(
            f"{error.name} is not installed", "In the checkout: pip install -e '.[train]'.", ExitCode.FAILURE
        ) from error
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InputError(f"{shown(error.filename)}: {error.strerror}", "Choose a shorter name.") from error


def _check_tqdm() -> None:
    """UsageError where a variable TQDM_… keeps the progress bars from being made or shown."""
    try:
        from tqdm import tqdm  # reads the variables when it is imported

        tqdm.format_meter(1, 2, 1.0, bar_format=os.environ.get("TQDM_BAR_FORMAT"))
    except ModuleNotFoundError:
        raise
    except Exception as error:
        names = ", ".join(sorted(name for name in os.environ if name.startswith("TQDM_")))
        raise UsageError(
            f"tqdm cannot use the variables {names}: {error}", "Correct or unset them."
        ) from error


def _check_working_folder() -> None:
    """InputError where the working folder was deleted: MKL, which torch loads, then ends the process by itself."""
    try:
        os.getcwd()
    except OSError as error:
        raise InputError(
            "the working folder does not exist any more", "cd to a folder that exists."
        ) from error
