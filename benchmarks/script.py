"""What the scripts here have in common: failures as one message; numbers and files checked before measuring."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

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


@dataclass(frozen=True)
class Promise:
    """A figure, the most it may be, and what it was made of."""

    name: str
    value: float
    bar: float
    detail: dict[str, Any]


def report(measures: Sequence[Callable[[], Sequence[Promise]]], file: Path | None) -> int:
    """Measure and print one after the other; 1 where a promise is not kept. ``file``: all of it as JSON, too."""
    promises: list[Promise] = []
    for measure in measures:
        for promise in measure():
            promises.append(promise)
            kept = "kept" if promise.value <= promise.bar else "MISSED"
            print(f"{promise.name:<42}{promise.value:>9.3f}   at most {promise.bar:<7g}{kept}", flush=True)
            for name, value in promise.detail.items():
                print(f"    {name:<38}{value:>9.3f}")
    if file is not None:
        record = [vars(promise) | {"kept": promise.value <= promise.bar} for promise in promises]
        file.write_text(json.dumps(record, indent=1) + "\n")
    return int(any(promise.value > promise.bar for promise in promises))
