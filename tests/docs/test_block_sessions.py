"""The terminal and the prompt that ``python -m docs.blocks`` types a page's blocks into."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.blocks.pages import Block
from docs.blocks.sessions import Prompt, Terminal
from docs.blocks.table import Rule, Table

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pages are run on Linux and macOS")


@pytest.fixture(autouse=True)
def interruptible(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is started in the background of a shell ignores Ctrl-C, and so does what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    folder = tmp_path / "page"
    folder.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return Terminal(folder, {"HOME": str(tmp_path), "PATH": path})


@pytest.fixture
def prompt(terminal: Terminal) -> Iterator[Prompt]:
    made = terminal.prompt()
    yield made
    made.close()


def test_folder_variables_and_functions_last(terminal: Terminal, tmp_path: Path) -> None:
    for command in ("mkdir sub && cd sub", "A='1  2'; export B=3", 'f() { echo "$A $B $1"; }'):
        assert terminal.run(command).wrong == ""
    assert terminal.run("f 4; pwd; sh -c 'echo $A$B'").output == f"1  2 3 4\n{tmp_path}/page/sub\n3\n"


def test_a_failed_command_says_so(terminal: Terminal) -> None:
    assert terminal.run("echo no; false | cat").wrong == "exit code 1"
    assert terminal.run("sleep 60", longest=0.2).wrong == "did not end within 0 s"
    assert "before it printed" in terminal.run("echo no", until="yes").wrong


def test_a_command_ends_with_ctrl_c_once_it_has_printed(terminal: Terminal) -> None:
    ended = terminal.run("echo serving; sleep 60", until="serving")
    assert (ended.wrong, ended.output.splitlines()[0]) == ("", "serving")
    assert ended.seconds < 50


def test_a_command_runs_beside_another(terminal: Terminal, tmp_path: Path) -> None:
    with terminal.beside("echo $$ > ../pid; echo ready; sleep 60", "ready"):
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_names_last_from_program_to_program(prompt: Prompt) -> None:
    assert prompt.run("a = 1\nprint(a)", "page:1").output == "1\n"
    assert prompt.run("print(a + 1)", "page:2").output == "2\n"
    assert 'File "page:3", line 1' in prompt.run("b", "page:3").wrong
    assert prompt.run("while True:\n    print(7)", "page:4", until="7").wrong == ""
    assert prompt.run("print(a)", "page:5").output.endswith("1\n")


def test_rules_are_found_by_page_and_text() -> None:
    here, anywhere = Rule("^a", "why", ("p.md",)), Rule("b$", "why", put="c")
    table = Table({}, (here,), (anywhere,), {"{1": "header"})
    assert table.mark("p.md", "ab") is here
    assert table.mark("q.md", "ab") is None
    assert table.stand_ins("q.md", "ab") == [anywhere]
    assert table.shows(Block("q.md", 1, "", "{12}")) == "header"
    assert table.shows(Block("q.md", 1, "", "12")) is None
