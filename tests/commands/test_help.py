"""``--help`` of every command fits a terminal of 80 columns, and says of each option what it does."""

from __future__ import annotations

import argparse
import re

import pytest

from fkp_live.arguments import Help, Parser
from fkp_live.commands import cli, options
from fkp_live.commands.cli import main

COMMANDS = ("", *cli._COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert len(lines[: lines.index("")]) <= 5  # the usage
    # An option of which nothing is said stands alone, or before the next one.
    followed = zip(lines, [*lines[1:], ""], strict=True)
    assert [a for a, b in followed if a.startswith("  -") and "  " not in a.strip() and b[:4].strip()] == []


def test_the_short_help_fits_one_screen_and_names_what_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-h"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    known = {name for action in options.parser()._actions for name in action.option_strings}
    assert {*re.findall(r"--[a-z-]+", text)} <= known | {"--format"}  # of batch
    assert set(cli._COMMANDS) <= {*text.partition("commands:")[2].split()}


def parser() -> Parser:
    made = Parser(
        prog="prog", description="One.\nTwo.", formatter_class=Help, epilog="rows:\n  a    " + "b " * 50
    )
    made.add_argument("file")
    made.add_argument("--must", required=True, default="x", help="needed")
    one = made.add_mutually_exclusive_group(required=True)
    one.add_argument("--this", help="one way")
    one.add_argument("--that", help="another way")
    for number in range(30):
        made.add_argument(f"--option-{number}", default=number, help="does things")
    made.add_argument("--known", default=3, help="says it (default: three)")
    made.add_argument("--flag", action=argparse.BooleanOptionalAction, default=True, help="a switch")
    return made


def test_a_long_usage_is_cut_to_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    usage, description, *_ = parser().format_help().split("\n\n")
    assert usage == "usage: prog [option ...] --must MUST (--this THIS | --that THAT) file"
    assert description == "One. Two."


def test_defaults_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = parser().format_help()
    assert text.count("(default: 7)") == 1
    assert "says it (default: three)\n" in text
    assert "a switch (default: on)" in text
    assert "needed\n" in text


def test_rows_of_a_table_go_on_below_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    first, *others = parser().format_help().split("rows:\n")[1].splitlines()
    assert first.startswith("  a    b b")
    assert others
    assert all(line.startswith("       b") for line in others)
