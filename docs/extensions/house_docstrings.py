"""Sections of docstrings as this project writes them, turned into what Sphinx renders.

A section is a word underlined with dashes. Its entries are ``name : what it is`` in one or more lines, the lines after
the first indented, or a name alone with its text indented below it.
"""

from __future__ import annotations

import re
from typing import Any

SECTIONS = ("Attributes", "Parameters", "Returns", "Yields", "Raises", "Notes", "Example", "Examples")
_UNDERLINE = re.compile("-{3,}")
_ENTRY = re.compile(r"(?P<names>\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*)(?: : (?P<text>.*))?$")


def rendered(lines: list[str]) -> list[str]:
    """The lines of a docstring with its sections as rubrics and definition lists.

    Raises
    ------
    ValueError
        For a section of another name, which would be shown as it is written.
    """
    out: list[str] = []
    section = ""
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if line and _UNDERLINE.fullmatch(below):
            if line not in SECTIONS:
                raise ValueError(f"unknown section {line!r}, expected one of {', '.join(SECTIONS)}")
            section = line
            out += ["", f".. rubric:: {line}", ""]
        elif _UNDERLINE.fullmatch(line):
            continue
        elif section and (entry := _ENTRY.match(line)) and (entry["text"] or below.startswith("    ")):
            names = ", ".join(f"``{name}``" for name in entry["names"].split(", "))
            out += ["", names, *([f"    {entry['text']}"] if entry["text"] else [])]
        else:
            out.append(line)
    return out


def _plain(text: str | None) -> str | None:
    return text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text)


def setup(app: Any) -> dict[str, bool]:
    # Not at the top: a test without Sphinx converts docstrings, too.
    from sphinx.util import logging

    def convert(_app: Any, _what: str, name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
        try:
            lines[:] = rendered(lines)
        except ValueError as error:
            logging.getLogger(__name__).warning("docstring of %s: %s", name, error)

    def signature(*event: Any) -> tuple[str | None, str | None]:
        # Sphinx shows "FloatArray | None" with its own name of an alias.
        return _plain(event[-2]), _plain(event[-1])

    app.connect("autodoc-process-docstring", convert)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True}
