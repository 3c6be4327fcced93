"""``fkp-live completion``: what each shell offers."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from fkp_live.commands import cli, completion
from fkp_live.commands.cli import main

SHELLS = ("bash", "zsh", "fish")


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def answered(*words: str) -> str:
    """What a shell prints; skips where it is missing."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_command_is_completed() -> None:
    assert {*completion.PARSERS} == {"", *cli._COMMANDS}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_names_every_option_and_value(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for command in completion.PARSERS:
        for option in completion._options(command):
            for name in option.names:
                spelt = f" -l {name[2:]} " if shell == "fish" and name.startswith("--") else name
                assert spelt in text or (shell == "fish" and f" -s {name[1:]} " in text), name
            assert " ".join(option.choices) in text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["con"], ["convert"]),
        (["film.mp4", "--smo"], ["--smooth"]),
        (["film.mp4", "--smooth", ""], ["off", "light", "medium", "strong"]),
        (["film.mp4", "--smooth", "=", "me"], ["medium"]),
        (["batch", "films", "--smooth", "=", "me"], ["medium"]),
        (["batch", "films", "--format", ""], ["parquet", "csv", "jsonl"]),
        (["batch", "films", "--form"], ["--format"]),
        # The value of --ray may be omitted.
        (["batch", "films", "--ray", "--dry"], ["--dry-run"]),
        (["completion", ""], [*SHELLS]),
        # Nothing of ours: bash offers files, but for numbers.
        (["fil"], []),
        (["film.mp4", "--out", ""], []),
        (["film.mp4", "--threads", ""], []),
        (["film.mp4", "bat"], []),
    ],
)
def test_bash_offers(line: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = f"COMP_WORDS=(fkp-live {shlex.join(line)}) COMP_CWORD={len(line)}"
    code = f'{script("bash", capsys)}\n{words}\n_fkp_live\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    assert answered("bash", "-c", code).split() == expected


def test_zsh_and_fish_read_their_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checked = {"zsh": "-n", "fish": "--no-execute"}
    present = [shell for shell in checked if shutil.which(shell)]
    for shell in present:
        path = tmp_path / shell
        path.write_text(script(shell, capsys), "utf-8")
        assert answered(shell, checked[shell], str(path)) == ""
    if not present:
        pytest.skip("neither zsh nor fish is installed")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
