"""The model card's section on stillness."""

from __future__ import annotations

from pathlib import Path

from benchmarks.stability import card_section, put_into_card


def test_a_section_is_added_and_then_replaced_where_it_stands(tmp_path: Path) -> None:
    card = tmp_path / "net.md"
    card.write_text("# net\n\n## Figures\n\nmany\n")
    put_into_card(card, "Stillness", "first")
    assert card.read_text() == "# net\n\n## Figures\n\nmany\n\n## Stillness\n\nfirst\n"
    card.write_text(card.read_text() + "\n## Last\n\nend\n")
    put_into_card(card, "Stillness", "second")
    assert card.read_text() == "# net\n\n## Figures\n\nmany\n\n## Stillness\n\nsecond\n\n## Last\n\nend\n"


def test_the_section_says_what_was_followed_and_how() -> None:
    table = {"off": {"jitter": 0.36, "lag_1hz_ms": 0.0}, "medium": {"jitter": 0.163, "lag_1hz_ms": 0.5}}
    text = card_section(table, 18, 20, "fkp68")
    assert "18 of 20" in text
    assert "--model fkp68" in text
    assert "| medium | 0.16 | 0.50 |" in text.splitlines()
