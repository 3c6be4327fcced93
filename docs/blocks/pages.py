"""The blocks of code on the pages, and the commands in a block."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A block without a language holds commands, unless docs/blocks.toml says that it is only shown.
SHELL = ("", "sh", "bash", "console")
LANGUAGES = (*SHELL, "python", "js", "sql", "yaml", "toml", "json", "text", "r")
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its page relative to the repository, the line of its fence from 1, language and text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def names() -> list[str]:
    """The pages whose blocks are run, relative to the repository."""
    top = ["README.md", "CONTRIBUTING.md", "examples/README.md", "train/recipes/README.md"]
    return [*top, *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page from top to bottom, all or those in the given languages; no directives of the site."""
    text = (ROOT / page).read_text("utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        language, indent = fence["language"].strip(), fence["indent"]
        if language.startswith("{") or (languages and language not in languages):
            continue
        lines = (line.removeprefix(indent) for line in fence["text"].splitlines(keepends=True))
        found.append(Block(page, text.count("\n", 0, fence.start()) + 1, language, "".join(lines)))
    return found


def commands(block: Block) -> list[str]:
    """The commands of a block for a shell: one a line, or as many lines as one needs.

    Raises
    ------
    ValueError
        bash does not understand the end of the block.
    """
    found: list[str] = []
    unfinished = ""
    for line in block.text.splitlines():
        if not unfinished and (not line.strip() or line.lstrip().startswith("#")):
            continue
        unfinished += line.removeprefix("$ ") + "\n"
        if not _is_open(unfinished):
            found.append(unfinished.rstrip("\n"))
            unfinished = ""
    if unfinished:
        raise ValueError(f"{block.place}: bash does not understand {unfinished!r}")
    return found


def _is_open(text: str) -> bool:
    """Whether bash waits for more: a function, a quote or a line that goes on."""
    if text.endswith("\\\n"):
        return True
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quote
        return True
    if not any(re.search(r"^[{(]$|\(\)|^<<|^(do|then|in)$", word) for word in words):
        return False
    return subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True).returncode != 0
