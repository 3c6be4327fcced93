"""docs/troubleshooting.md is found by the messages on it: each must be one that the program has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Headings that are no messages of ours.
OTHERS = (
    "A file NAME.partial.mp4 was left behind",
    "Unrecognized arguments: …",  # argparse's
    "One of the arguments SOURCE --camera --video --demo --list-cameras is required.",  # argparse's
    "fkp-live: command not found",  # the shell's
    "This application failed to start because no Qt platform plugin could be initialized.",  # Qt's
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


def code() -> str:
    """The code of the product in small letters, each text in one piece, with … for what is filled in."""
    sources = "\n\n".join(
        path.read_text("utf-8")
        for package in ("fkp_live", "train")
        for path in sorted((ROOT / package).rglob("*.py"))
    )
    joined = re.sub(r'"\n\s*f?"', "", sources)
    return re.sub(r"\{[^{}]*\}", "…", joined).casefold()


def is_message(heading: str, texts: str) -> bool:
    """Whether a line of the program holds what a heading quotes."""
    begin, *others = (re.escape(part) for part in heading.casefold().split("…") if part)
    return re.search(".*?".join([begin, *others]), texts) is not None


def test_every_message_is_one_of_the_programs() -> None:
    texts = code()
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
