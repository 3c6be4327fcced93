"""The options of every command, read from its argparse parser, with the examples of docs/commands.toml.

The site's tables and the test that every option has a working example both come from here.
"""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "commands.toml"
# Command -> module of fkp_live.commands, the function in it that gives the parser, and the one that also checks what
# contradicts (where there is such a one).
COMMANDS: dict[str, tuple[str, str, str | None]] = {
    "fkp-live": ("options", "parser", "parse"),
    "fkp-live batch": ("batch_options", "parser", "parse"),
    "fkp-live replay": ("replay", "_parser", "parse"),
    "fkp-live convert": ("convert_options", "_parser", "parse"),
    "fkp-live summary": ("summary", "_parser", None),
    "fkp-live plot": ("plot", "_parser", None),
    "fkp-live report": ("report", "_parser", None),
    "fkp-live models": ("models", "_parser", None),
    "fkp-live web": ("web", "_parser", None),
    "fkp-live completion": ("completion", "_parser", None),
    "fkp-live bench": ("bench.options", "parser", "parse"),
}


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command."""
    module, make, _ = COMMANDS[command]
    parser: argparse.ArgumentParser = getattr(import_module(f"fkp_live.commands.{module}"), make)()
    return parser


def examples(command: str) -> dict[str, str]:
    """Option, or name of an argument without dashes -> a command line that uses it."""
    found: dict[str, str] = tomllib.loads(EXAMPLES.read_text("utf-8"))[command]
    return found


def check_example(command: str, line: str) -> None:
    """Parse the arguments of an example as the command does; raises what the command would print."""
    module, _, parse = COMMANDS[command]
    arguments = _arguments(command, line)
    if parse is None:
        parser_of(command).parse_args(arguments)
    else:
        getattr(import_module(f"fkp_live.commands.{module}"), parse)(arguments)


def uses(command: str, line: str, action: argparse.Action) -> bool:
    """Whether an example uses an option in one of its forms; arguments without dashes are in every example."""
    words = _arguments(command, line)
    return not action.option_strings or not {*action.option_strings}.isdisjoint(words)


def _arguments(command: str, line: str) -> list[str]:
    # What follows is a pipe to another program.
    words = shlex.split(line.partition(" | ")[0])
    name = command.split()
    if words[: len(name)] != name:
        raise ValueError(f"expected an example of {command}, got {line!r}")
    return words[len(name) :]


def groups(command: str) -> Iterator[tuple[str, list[argparse.Action]]]:
    """(title, options and arguments) of each group that has any; --help and --version are left to the shell."""
    for group in parser_of(command)._action_groups:
        actions = [
            action
            for action in group._group_actions
            if not isinstance(action, argparse._HelpAction | argparse._VersionAction)
            and action.help != argparse.SUPPRESS
        ]
        if actions:
            yield str(group.title), actions


def key(action: argparse.Action) -> str:
    """The name under which docs/commands.toml has an example: the option without its --no- form, or the argument."""
    return action.option_strings[0] if action.option_strings else action.dest


def tables(command: str) -> str:
    """Markdown: a table of each group of options, with an example under each text."""
    shown = examples(command)
    parts = []
    for title, actions in groups(command):
        rows = [
            f"| {_cell(_form(action))} | {_words(action)}<br>{_cell(shown[key(action)])} |"
            for action in actions
        ]
        parts.append(
            "\n".join(
                [f"**{title[:1].upper()}{title[1:]}**", "", "| option | what it does |", "|---|---|", *rows]
            )
        )
    return "\n\n".join(parts)


def _form(action: argparse.Action) -> str:
    if isinstance(action, argparse.BooleanOptionalAction):
        return ", ".join(action.option_strings)
    value = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    if action.choices is not None and action.metavar is None:
        value = "|".join(map(str, action.choices))
    if isinstance(value, tuple):
        value = " ".join(value)
    if action.nargs == 0:
        value = ""
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _words(action: argparse.Action) -> str:
    text = " ".join((action.help or "").split())
    if action.default not in (None, argparse.SUPPRESS, False, [], ()) and "default" not in text:
        text += f" (default: {'on' if action.default is True else action.default})"
    # Every second part is the name of a page.
    parts = re.split(r"docs/(\w+)\.md", text)
    return "".join(f"[{_plain(part)}]({part}.md)" if i % 2 else _plain(part) for i, part in enumerate(parts))


def _plain(text: str) -> str:
    """Text without characters that Markdown would read as markup."""
    return re.sub(r"[\\|*_<>\[\]`~]", r"\\\g<0>", text)


def _cell(code: str) -> str:
    return f"`{code.replace('|', chr(92) + '|')}`"
