"""docs/blocks.toml: what cannot be run anywhere, what stands in for what is not there, and what pages need."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from .pages import ROOT, Block

FILE = ROOT / "docs" / "blocks.toml"


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with the commands (or the whole block of another language) in which ``text`` is found.

    Parameters
    ----------
    text : regular expression
    pages : where it applies; all pages where it is empty
    reason : what is missing here, or what stands in for what
    put : replaces what ``text`` found, as `re.sub` has it; None for a command that is not run at all
    until : regular expression; the command is ended with Ctrl-C when it has printed this
    beside : a command that runs meanwhile
    ready : regular expression; what ``beside`` prints when the command itself can begin
    before : lines of Python, or commands, that the page leaves to its reader
    """

    text: str
    reason: str
    pages: tuple[str, ...] = ()
    put: str | None = None
    until: str | None = None
    beside: str | None = None
    ready: str | None = None
    before: str | None = None

    def finds(self, page: str, text: str) -> bool:
        return (not self.pages or page in self.pages) and re.search(self.text, text) is not None


@dataclass(frozen=True, slots=True)
class Page:
    """What a page needs that it leaves to its reader.

    Parameters
    ----------
    install : what pip is given; empty where the page makes its environment itself
    checkout : whether its commands are typed in a copy of the repository
    supplies : names of files and folders of `docs.blocks.supplied`
    """

    install: tuple[str, ...] = ("fkp-live",)
    checkout: bool = False
    supplies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """The whole file."""

    pages: dict[str, Page]
    marked: tuple[Rule, ...]
    stand_in: tuple[Rule, ...]
    # (page, beginning of the block) -> whose keys it shows; see `docs.blocks.shown`.
    shown: dict[str, str] = field(default_factory=dict)

    def mark(self, page: str, text: str) -> Rule | None:
        """The rule by which a command is not run."""
        return next((rule for rule in self.marked if rule.finds(page, text)), None)

    def stand_ins(self, page: str, text: str) -> list[Rule]:
        """The rules that change how a command is run, in the order of the file."""
        return [rule for rule in self.stand_in if rule.finds(page, text)]

    def shows(self, block: Block) -> str | None:
        """Whose output a block shows; None for a block that is to be run."""
        return next((what for begin, what in self.shown.items() if block.text.startswith(begin)), None)


def read() -> Table:
    """The table as it stands in the repository.

    Raises
    ------
    TypeError
        A key that is none of ours.
    """
    content: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8"))
    pages = {name: Page(**_tuples(page)) for name, page in content["pages"].items()}
    marked, stand_in = (
        tuple(Rule(**_tuples(one)) for one in content[kind]) for kind in ("marked", "stand_in")
    )
    return Table(pages, marked, stand_in, content["shown"])


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
