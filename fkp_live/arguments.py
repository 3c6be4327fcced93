"""Helpers for argparse, shared by every command of the project."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from fkp_live.console import say
from fkp_live.errors import UsageError

MOST_THREADS = 1024
# For --csv, --jsonl and --events: the lines go to standard output.
STDOUT = "-"

_SWITCH = {"True": "on", "False": "off"}


class Parser(argparse.ArgumentParser):
    """Raises what is wrong, so that one place turns it into a message and an exit code."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{message[:1].upper()}{message[1:].rstrip('.')}.",
            f"{self._meant(message)}See {self.prog} --help.",
        )

    def _meant(self, message: str) -> str:
        """ "Did you mean …? " for an option that does not exist, where there are options with such a name."""
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        if unknown is None:
            return ""
        from difflib import get_close_matches  # for a mistake only

        known = [option for option in self._option_string_actions if option.startswith("--")]
        near = get_close_matches(unknown[1], known, n=2, cutoff=0.7)
        return f"Did you mean {' or '.join(near)}? " if near else ""

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse's own ignores that the help could not be delivered.
        if message:
            say(message.rstrip("\n"), file)


class Help(argparse.RawDescriptionHelpFormatter):
    """Shows defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.default in (None, argparse.SUPPRESS):
            return text
        word = str(action.default)
        return f"{text} (default: {_SWITCH.get(word, word)})"


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """For argparse: a whole number from ``least`` up, to ``most`` where there is one."""

    def whole(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            end = "up" if most is None else f"to {most}"
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} {end}, got {text!r}")
        return number

    return whole


def number(text: str, expected: str, fits: Callable[[float], bool] = lambda _: True) -> float:
    """A finite number that ``fits``; otherwise argparse's error names what was ``expected``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value


def seconds(text: str) -> float:
    """For argparse: seconds from 0 up."""
    return number(text, "a number of seconds from 0 up", lambda value: value >= 0)


def positive(text: str) -> float:
    """For argparse: a number above 0."""
    return number(text, "a number above 0", lambda value: value > 0)


def eyes_millimetres(text: str) -> float:
    """For argparse: a distance of somebody's outer eye corners."""
    return number(text, "millimetres from 10 to 500", lambda value: 10 <= value <= 500)


def picture_size(text: str) -> tuple[int, int]:
    """For argparse: WIDTHxHEIGHT in pixels."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(
        side.isascii() and side.isdecimal() and 1 <= int(side) <= 16_384 for side in sides
    ):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT in pixels, such as 1280x720, got {text!r}")
    return int(sides[0]), int(sides[1])


def camera(text: str) -> int | str:
    """For argparse: the number of a camera, or a part of its name."""
    if re.fullmatch(r"[-+]?[0-9.]+", text.strip()):
        return whole_number(0)(text)
    return filled(text)


def filled(text: str) -> str:
    """For argparse: a text that is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name, got an empty one")
    return text


def file_path(text: str) -> Path:
    """For argparse: the name of a file."""
    return Path(filled(text))


def table_name(text: str) -> Path | str:
    """For argparse: the name of a file, or `STDOUT`."""
    return STDOUT if text == STDOUT else file_path(text)
