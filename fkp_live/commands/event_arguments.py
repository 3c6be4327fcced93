"""The options ``--events``, ``--event-limit`` and ``--on``, shared by a run and a replay.

Nothing heavy is imported here: ``--help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fkp_live.arguments import table_name
from fkp_live.errors import UsageError
from fkp_live.event_options import ANY, EVENTS, PLACEHOLDERS, Command, EventOptions, limits

_WINDOWS = os.name == "nt"


@dataclass(frozen=True, slots=True)
class EventOutputs:
    """Where events go.

    Attributes
    ----------
    table : CSV file to write, `arguments.STDOUT` for a stream of rows, None for none
    commands : what to run at which event
    limits : of the events
    """

    table: Path | str | None = None
    commands: tuple[Command, ...] = ()
    limits: EventOptions = field(default_factory=EventOptions)


def add_event_options(made: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    group = made.add_argument_group("events")
    group.add_argument(
        "--events",
        type=table_name,
        metavar="FILE",
        help=f"blinks, yawns, looks away and so on as CSV, a row as soon as it is known; - for standard output: "
        f"{', '.join(EVENTS)}",
    )
    group.add_argument(
        "--event-limit",
        type=_limit,
        action="append",
        metavar="NAME=VALUE",
        help="another limit of an event, in seconds, degrees, pixels or shares; may be given several times: "
        + ", ".join(f"{name}={value:g}" for name, value in limits().items()),
    )
    group.add_argument(
        "--on",
        nargs=2,
        action="append",
        metavar=("EVENT", "COMMAND"),
        help=f"run a program at each event of this name ({ANY}: at each), without a shell; may be given several times. "
        f"In its arguments {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)} stand for the event's fields",
    )


def event_outputs(given: dict[str, Any]) -> EventOutputs:
    """Take the options out of ``given``, by their names as arguments, and check them.

    Raises
    ------
    UsageError : a limit makes no sense, an event is unknown, or a program is not there
    """
    table, pairs, on = (given.pop(name) for name in ("events", "event_limit", "on"))
    try:
        chosen = EventOptions(**dict(pairs or ()))
    except ValueError as error:
        raise UsageError(f"--event-limit: {error}.", "See fkp-live --help for the limits.") from error
    if (pairs or ()) and table is None and not on:
        raise UsageError(
            "--event-limit without --events and --on: nothing would come of it.", "Add one of them."
        )
    return EventOutputs(table, tuple(_command(event, text) for event, text in on or ()), chosen)


def _limit(text: str) -> tuple[str, float]:
    """For argparse: NAME=VALUE."""
    name, sign, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not sign or name not in limits():
        raise argparse.ArgumentTypeError(
            f"expected NAME=VALUE with a name of {', '.join(limits())}, got {text!r}"
        )
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number for {name}, got {value!r}") from None


def _command(event: str, text: str) -> Command:
    """What ``--on EVENT COMMAND`` asks for, with the program's full path."""
    if event not in (ANY, *EVENTS):
        raise UsageError(f"--on {event}: no such event.", f"Give one of {', '.join((ANY, *EVENTS))}.")
    try:
        words = _words(text)
    except ValueError as error:
        raise UsageError(f"--on {event} {text!r}: {error}.", "Close the quotes.") from error
    if not words:
        raise UsageError(
            f"--on {event}: the command is empty.", "Give a program and its arguments in quotes."
        )
    unknown = [name for name in re.findall(r"\{([a-z_]+)\}", text) if name not in PLACEHOLDERS]
    if unknown:
        raise UsageError(
            f"--on {event}: {{{unknown[0]}}} is not a field of an event.",
            f"Use {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}; put other braces into a script.",
        )
    import shutil  # only where it is needed: it loads the compression libraries

    program = shutil.which(words[0])
    if program is None:
        raise UsageError(
            f"--on {event}: {words[0]} is not a program that can be run here.",
            "Give its full path, or make it executable. A command of the shell: sh -c '...'.",
        )
    return Command(event, program, tuple(words[1:]))


def _words(text: str) -> list[str]:
    """The words of a command, split as a shell does; on Windows a backslash is a part of a path."""
    split = shlex.shlex(text, posix=True, punctuation_chars=False)
    split.whitespace_split, split.commenters = True, ""
    if _WINDOWS:
        split.escape = ""
    return list(split)
