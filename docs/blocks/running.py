"""The blocks of one page, from top to bottom."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from . import pages, shown
from .in_browser import run_script
from .pages import SHELL, Block
from .sessions import Ended, Prompt, Terminal
from .table import Rule, Table

# Lines of the output of what failed.
_LINES = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command, or of a block in another language.

    Parameters
    ----------
    how : ``run`` as it stands there, ``stand-in``, ``marked`` (not run) or ``failed``
    why : what stood in, why it was not run, or what went wrong
    """

    block: Block
    text: str
    how: str
    why: str = ""
    seconds: float = 0.0


class _Running:
    """One page: its terminal, and the Python that its programs are typed into."""

    def __init__(self, page: str, folder: Path, environment: Mapping[str, str], table: Table) -> None:
        self._page, self._folder, self._table = page, folder, table
        self._terminal = Terminal(folder, environment)
        self._prompt: Prompt | None = None

    def close(self) -> None:
        if self._prompt is not None:
            self._prompt.close()

    def block(self, block: Block) -> Iterator[Outcome]:
        texts = pages.commands(block) if block.language in SHELL else [block.text]
        for text in texts:
            if (mark := self._table.mark(self._page, text)) is not None:
                yield Outcome(block, text, "marked", mark.reason)
                continue
            rules = self._table.stand_ins(self._page, text)
            ended = self._run(block, text, rules)
            if ended.wrong:
                print(f"\n{block.place}: {text.strip()}\n{ended.wrong}", file=sys.stderr)
                print(*ended.output.splitlines()[-_LINES:], sep="\n", file=sys.stderr, flush=True)
                yield Outcome(block, text, "failed", ended.wrong.strip().splitlines()[-1], ended.seconds)
            else:
                why = "; ".join(rule.reason for rule in rules)
                yield Outcome(block, text, "stand-in" if rules else "run", why, ended.seconds)

    def _run(self, block: Block, text: str, rules: list[Rule]) -> Ended:
        until = None
        with ExitStack() as beside:
            for rule in rules:
                if rule.put is not None:
                    text = re.sub(rule.text, rule.put, text)
                if rule.beside is not None:
                    beside.enter_context(self._terminal.beside(rule.beside, rule.ready))
                if rule.before is not None:
                    ended = self._do(block, rule.before, None)
                    if ended.wrong:
                        return ended
                until = rule.until or until
            return self._do(block, text, until)

    def _do(self, block: Block, text: str, until: str | None) -> Ended:
        if block.language in SHELL:
            return self._terminal.run(text, until=until)
        if block.language == "python":
            return self._python(text, block.place, until)
        if block.language == "sql":
            return self._python(f"import duckdb\nprint(duckdb.sql({text!r}))", block.place, None)
        if block.language == "js":
            return run_script(text, self._page, self._folder)
        return shown.parsed(block)

    def _python(self, text: str, place: str, until: str | None) -> Ended:
        if self._prompt is None:
            self._prompt = self._terminal.prompt()
        return self._prompt.run(text, place, until=until)


def run_page(page: str, folder: Path, environment: Mapping[str, str], table: Table) -> list[Outcome]:
    """Run all blocks of a page in a folder, but those that show output."""
    running = _Running(page, folder, environment, table)
    try:
        blocks = (block for block in pages.blocks(page) if table.shows(block) is None)
        return [outcome for block in blocks for outcome in running.block(block)]
    finally:
        running.close()
