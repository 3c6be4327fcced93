"""The last catch of `python -m train` and `python -m export`: any failure is one message and an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from fkp_live.console import exit_code_of
from fkp_live.errors import ExitCode, FkpError, InputError, UsageError
from train.recipe import shown

# What `pip install` has to bring, besides the product's own packages.
EXTRAS = {"torch", "onnx", "onnxscript", "pandas", "matplotlib", "skimage"}


def run_command(command: Callable[[], int]) -> int:
    """Parse, import and run: ``command`` does all of it. Returns the exit code.

    As `fkp_live.console.exit_code_of`; three causes that lie outside of the program are named besides.
    """
    return exit_code_of(lambda: _named(command), "error")


def _named(command: Callable[[], int]) -> int:
    _check_working_folder()
    _check_tqdm()
    try:
        return command()
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRAS:
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
