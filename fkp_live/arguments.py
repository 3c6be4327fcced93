"""Helpers for argparse, shared by every command of the project."""

from __future__ import annotations

import argparse
import itertools
import math
import re
import textwrap
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


# A usage of more lines than this is read by nobody: the options follow below it anyway.
_USAGE_LINES = 5
# What stands at the left of a table's row, up to the text beside it.
_ROW = re.compile(r"(\s+)(\S.*?)\s{2,}(?=\S)")


class Help(argparse.RawDescriptionHelpFormatter):
    """Fits the width of the terminal, and shows defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.default in (None, argparse.SUPPRESS, []) or "default" in text or action.required:
            return text
        word = str(action.default)
        return f"{text} (default: {_SWITCH.get(word, word)})"

    def _format_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any) -> str:
        whole = super()._format_usage(usage, actions, groups, prefix)
        if usage is not None or len(whole.splitlines()) <= _USAGE_LINES:
            return whole
        # One of a group is needed; where it may be an argument without dashes, that one stands for them.
        choices = [
            group
            for group in groups
            if group.required and all(action.option_strings for action in group._group_actions)
        ]
        of_groups = [action for group in choices for action in group._group_actions]
        needed = [
            action
            for action in actions
            if action.required or not action.option_strings or action in of_groups
        ]
        short = super()._format_usage(None, needed, choices, prefix)
        return short.replace(self._prog, f"{self._prog} [option ...]", 1)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Descriptions and epilogs: paragraphs anew, and long rows of tables below their second column."""
        filled = []
        for paragraph, lines in itertools.groupby(text.splitlines(), lambda line: line[:1].strip() != ""):
            if paragraph:
                filled += textwrap.wrap(" ".join(lines), width, break_on_hyphens=False)
            else:
                filled += [piece for line in lines for piece in _row(line, width)]
        return "\n".join(indent + line for line in filled)


def _row(line: str, width: int) -> list[str]:
    """A row of a table, or an example, in lines of at most ``width``."""
    if len(line) <= width:
        return [line]
    found = _ROW.match(line)
    if found is None:
        hanging = " " * (len(line) - len(line.lstrip()))
        return textwrap.wrap(line, width, subsequent_indent=hanging, break_on_hyphens=False)
    if found.end() <= width // 2:
        rest = " " * found.end()
        return textwrap.wrap(line, width, subsequent_indent=rest, break_on_hyphens=False)
    # An example with a remark, which goes below it: the command stays in one piece.
    below = f"{found[1]}    "
    return [
        f"{found[1]}{found[2]}",
        *textwrap.wrap(line[found.end() :], width, initial_indent=below, subsequent_indent=below),
    ]


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
