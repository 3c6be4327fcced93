"""docs/commands.toml: every option of every command has an example, and the command takes it."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fkp_live.commands import cli

EXTENSIONS = Path(__file__).parents[2] / "docs" / "extensions"


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXTENSIONS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


command_line = _loaded("command_line")
COMMANDS = tuple(command_line.COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_an_example_that_its_command_takes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = command_line.examples(command)
    actions = {command_line.key(action): action for _, of in command_line.groups(command) for action in of}
    assert sorted(actions) == sorted(examples)
    for option, line in examples.items():
        assert command_line.uses(command, line, actions[option]), line
        command_line.check_example(command, line)


def test_every_command_is_on_the_page() -> None:
    page = (EXTENSIONS.parent / "commands.md").read_text("utf-8")
    named = {"fkp-live", *(f"fkp-live {name}" for name in cli._COMMANDS)}
    assert set(re.findall(r"^## (fkp-live.*)$", page, re.MULTILINE)) == named
    # doctor has no options.
    assert (
        set(re.findall(r"^<!-- options: (.*) -->$", page, re.MULTILINE))
        == {*COMMANDS}
        == named - {"fkp-live doctor"}
    )


def test_a_table_has_the_words_of_the_help_and_the_example() -> None:
    table = command_line.tables("fkp-live")
    assert "| `--camera N\\|NAME` | camera number, 0 for the first" in table
    assert "<br>`fkp-live --camera 0` |" in table
    assert "| `--smooth off\\|light\\|medium\\|strong` |" in table
    assert "(default: 30)" in next(row for row in table.splitlines() if "`--retry S`" in row)


def test_an_example_of_another_command_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an example of fkp-live plot"):
        command_line.check_example("fkp-live plot", "fkp-live 0")
