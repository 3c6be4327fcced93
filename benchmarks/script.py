"""What the scripts here have in common: failures as one message; numbers and files checked before measuring."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fkp_live.arguments import file_path, whole_number
from fkp_live.errors import ExitCode, FkpError
from fkp_live.sinks.files import check_output


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's ``main`` and end the process with its exit code, or that of what it failed with."""
    try:
        code = main() or 0
    except FkpError as error:
        print(f"error: {error}", file=sys.stderr)
        code = int(error.exit_code)
    except FileNotFoundError as error:  # of a data set
        print(f"error: There is no {error.filename}.", file=sys.stderr)
        code = int(ExitCode.INPUT)
    except KeyboardInterrupt:
        code = int(ExitCode.INTERRUPTED)
    sys.exit(code)


def result_file(text: str) -> Path:
    """For argparse: a file that can be written, or written over."""
    path = file_path(text)
    try:
        check_output(path, overwrite=True)
    except FkpError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return path


def whole_numbers(text: str) -> list[int]:
    """For argparse: whole numbers from 1 up, with commas."""
    return [whole_number(1)(part) for part in text.split(",")]
