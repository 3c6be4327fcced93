"""Checks of options before anything is computed: numbers, names of files, outputs."""

from __future__ import annotations

import re
from pathlib import Path

from fkp_live.arguments import number
from fkp_live.errors import OutputError
from fkp_live.sinks.files import check_output


def finite_number(text: str) -> float:
    """For argparse: a number that is neither NaN nor infinite."""
    return number(text, "a finite number")


def is_plain_name(text: str) -> bool:
    """Whether a word is the name of a file in a given folder: without a path, not hidden, at most 100 characters."""
    return re.fullmatch(r"\w[\w.-]{0,99}", text) is not None


def make_folder(folder: Path) -> None:
    """Make a folder with those above it. OutputError if that fails or it is a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {folder}: {error.strerror}", "Choose another place for the output."
        ) from error


def prepare_output(path: Path, *, overwrite: bool) -> None:
    """Make the folder of a file to be written. OutputError if the file cannot, or must not, be written there."""
    make_folder(path.parent)
    check_output(path, overwrite=overwrite)
