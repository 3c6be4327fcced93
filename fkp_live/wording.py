"""Numbers with their nouns, as messages have them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 face``, ``2 faces``: the noun with an s for every number but 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
