"""docs/troubleshooting.md is found by the messages on it: each must be one that the program has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Headings that are no messages of ours.
OTHERS = (
    "A file NAME.partial.mp4 was left behind",
    "Unrecognized arguments: …",  # argparse's
    "module 'mediapipe' has no attribute 'solutions'",
)


def headings() -> Iterator[tuple[str, str]]:
    """(section, heading) of every entry."""
    section = ""
    for line in (ROOT / "docs" / "troubleshooting.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("### "):
            yield section, line.removeprefix("### ")


def literals() -> Iterator[str]:
    """Every text in the code of the product, … for what is filled in."""
    for path in (ROOT / "fkp_live").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def is_message(heading: str, texts: list[str]) -> bool:
    """Whether a text of the program is, or holds, what a heading quotes."""
    parts = [part for part in heading.casefold().split("…") if part]
    longest = max(parts, key=len)
    pattern = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
    return any(pattern.search(text) for text in texts if longest in text)


def test_every_message_is_one_of_the_programs() -> None:
    texts = [re.sub(r"\{\w+\}", "…", text).casefold() for text in literals()]
    unknown = [
        heading
        for section, heading in headings()
        if section != "Without a message" and heading not in OTHERS and not is_message(heading, texts)
    ]
    assert unknown == []
    assert not is_message("There is no such message as …", texts)


def test_symptoms_have_a_section_of_their_own() -> None:
    found = [heading for section, heading in headings() if section == "Without a message"]
    assert len(found) >= 8
    assert {"It is slow", "The points jitter", "The ids change"} < {*found}
