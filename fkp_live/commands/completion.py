"""``fkp-live completion``: a script by which bash, zsh or fish completes commands, options and their values.

Made from the parsers themselves, so that it cannot differ from ``--help``.
"""

from __future__ import annotations

import argparse
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from fkp_live.arguments import Help, Parser
from fkp_live.console import say
from fkp_live.errors import ExitCode

# Command -> module of fkp_live.commands and the function in it that gives the parser; "" is the run itself.
PARSERS = {
    "": ("options", "parser"),
    "batch": ("batch_options", "parser"),
    "bench": ("bench.options", "parser"),
    "completion": ("completion", "_parser"),
    "convert": ("convert_options", "_parser"),
    "doctor": ("doctor", "_parser"),
    "models": ("models", "_parser"),
    "plot": ("plot", "_parser"),
    "replay": ("replay", "_parser"),
    "report": ("report", "_parser"),
    "summary": ("summary", "_parser"),
    "web": ("web", "_parser"),
}
_EPILOG = """\
examples:
  bash   echo 'eval "$(fkp-live completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(fkp-live completion zsh)"' >> ~/.zshrc
         (below the line with compinit)
  fish   fkp-live completion fish > ~/.config/fish/completions/fkp-live.fish
"""
# Values that are files or folders, by the metavar.
_FILES = re.compile(r"FILE|DIR|PNG|SOURCE|RECORDING|IN|OUT|OLD\.json")
# Words of a description that fit beside the option.
_WIDTH = 72


@dataclass(frozen=True, slots=True)
class _Option:
    """An option as a shell sees it.

    Attributes
    ----------
    names : its forms
    values : how many values follow: "0", "1", "2", or "?" for at most one
    choices : what a value may be; empty: anything
    files : whether a value is a file or folder
    text : what it does
    """

    names: tuple[str, ...]
    values: str
    choices: tuple[str, ...]
    files: bool
    text: str


def main(words: Sequence[str], _: object = None) -> int:
    """Print the script for the shell that is named, and return the exit code.

    Raises
    ------
    UsageError
        For another shell.
    """
    shell = _parser().parse_args(words).shell
    say(_SHELLS[shell]({name: _options(name) for name in PARSERS}).rstrip("\n"))
    return int(ExitCode.OK)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live completion",
        description="The shell's completion of commands and options, as a script that the shell reads.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument("shell", choices=tuple(_SHELLS), help="the shell that the script is for")
    return made


def _parser_of(command: str) -> argparse.ArgumentParser:
    module, make = PARSERS[command]
    parser: argparse.ArgumentParser = getattr(import_module(f"fkp_live.commands.{module}"), make)()
    return parser


def _options(command: str) -> list[_Option]:
    return [
        _Option(
            names=tuple(action.option_strings),
            values="1" if action.nargs is None else str(action.nargs),
            choices=tuple(map(str, action.choices or ())),
            files=_FILES.fullmatch(str(action.metavar).partition("|")[0]) is not None,
            text=_short(action.help or ""),
        )
        for action in _parser_of(command)._actions
        if action.help != argparse.SUPPRESS
    ]


def _short(text: str) -> str:
    return textwrap.shorten(" ".join(text.replace("%%", "%").split()), _WIDTH, placeholder=" …")


def _named(options: Sequence[_Option]) -> Iterator[_Option]:
    return (option for option in options if option.names)


def _commands() -> dict[str, str]:
    """What each command does, in a few words."""
    return {name: _short(_parser_of(name).description or "") for name in PARSERS if name}


# ----- bash: also 3.2, which macOS has


def _bash(commands: dict[str, list[_Option]]) -> str:
    files, free, chosen, names = [], [], [], []
    for command, options in commands.items():
        for option in _named(options):
            patterns = [f"'{command} {name}'" for name in option.names]
            if option.choices:
                chosen.append(
                    f"        {'|'.join(patterns)}) words={shlex.quote(' '.join(option.choices))};;"
                )
            elif option.files:
                files += patterns
            elif option.values not in ("0", "?"):
                free += patterns
        plain = [choice for option in options if not option.names for choice in option.choices]
        shown = " ".join(name for option in _named(options) for name in option.names)
        names.append(
            f"        '{command}') options={shlex.quote(shown)}; words={shlex.quote(' '.join(plain))};;"
        )
    return _BASH.format(
        commands="|".join(filter(None, commands)),
        words=" ".join(filter(None, commands)),
        files="|".join(files),
        free="|".join(free),
        chosen="\n".join(chosen),
        names="\n".join(names),
    )


_BASH = """\
# Completion of fkp-live for bash, written by: fkp-live completion bash
_fkp_live() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= options= words=
    COMPREPLY=()
    case ${{COMP_WORDS[1]}} in
        {commands}) (( COMP_CWORD > 1 )) && command=${{COMP_WORDS[1]}};;
    esac
    # --option=value is three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    case "$command $previous" in
        {files}) return;;
        {free}) compopt +o default +o bashdefault 2>/dev/null; return;;
{chosen}
    esac
    if [[ -z $words ]]; then
        case $command in
{names}
        esac
        (( COMP_CWORD == 1 )) && words='{words}'
        [[ $current == -* ]] && words=$options
    fi
    # Where nothing fits, bash offers files.
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o bashdefault -o default -F _fkp_live fkp-live
"""


# ----- zsh


def _zsh(commands: dict[str, list[_Option]]) -> str:
    cases = []
    for command, options in commands.items():
        specs = " \\\n            ".join(spec for option in options for spec in _zsh_specs(option))
        cases.append(f"        '{command}') _arguments -S \\\n            {specs};;")
    described = "\n        ".join(shlex.quote(f"{name}:{text}") for name, text in _commands().items())
    return _ZSH.format(commands="|".join(filter(None, commands)), described=described, cases="\n".join(cases))


def _zsh_specs(option: _Option) -> list[str]:
    # Brackets end the text; a colon begins the next part.
    text = re.sub(r"[\[\]:\\]", r"\\\g<0>", option.text)
    value = f"({' '.join(option.choices)})" if option.choices else "_files" if option.files else " "
    if not option.names:
        return [shlex.quote(f"*:{text}:{value if option.choices else '_files'}")]
    after = {"0": "", "?": f"::value:{value}"}.get(option.values, f":value:{value}" * _count(option))
    return [shlex.quote(f"*{name}[{text}]{after}") for name in option.names]


def _count(option: _Option) -> int:
    return int(option.values) if option.values.isdigit() else 1


_ZSH = """\
#compdef fkp-live
# Completion of fkp-live for zsh, written by: fkp-live completion zsh
_fkp_live() {{
    local command=
    local -a described=(
        {described}
    )
    if (( CURRENT > 2 )); then
        case $words[2] in
            {commands}) command=$words[2]; shift words; (( CURRENT-- ));;
        esac
    else
        _describe command described
    fi
    case $command in
{cases}
    esac
}}
if [[ $funcstack[1] == _fkp_live ]]; then
    _fkp_live "$@"
else
    compdef _fkp_live fkp-live
fi
"""


# ----- fish


def _fish(commands: dict[str, list[_Option]]) -> str:
    names = " ".join(filter(None, commands))
    lines = ["# Completion of fkp-live for fish, written by: fkp-live completion fish"]
    for command, text in _commands().items():
        lines.append(f"complete -c fkp-live -n __fish_use_subcommand -a {command} -d {_fish_quoted(text)}")
    for command, options in commands.items():
        when = (
            f"__fish_seen_subcommand_from {command}"
            if command
            else f"not __fish_seen_subcommand_from {names}"
        )
        lines += [f"complete -c fkp-live -n '{when}' {_fish_option(option)}" for option in options]
    return "\n".join(lines)


def _fish_option(option: _Option) -> str:
    choices = f" -a {_fish_quoted(' '.join(option.choices))}" if option.choices else ""
    if not option.names:
        return f"-f{choices}" if choices else "-F"
    forms = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    # -x: a value, and no file; -r: a value.
    value = "" if option.values in ("0", "?") else " -r -F" if option.files else " -x"
    return f"{forms}{value}{choices} -d {_fish_quoted(option.text)}"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


_SHELLS: dict[str, Callable[[dict[str, list[_Option]]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
