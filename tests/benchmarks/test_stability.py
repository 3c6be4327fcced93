"""Jitter and lag of points whose movement is known, and the model card's section on stillness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapes import face_at

from benchmarks.stability import card_section, jitter, lag, put_into_card


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


def test_jitter_is_the_standard_deviation_in_eye_distances() -> None:
    noise = np.random.default_rng(0).standard_normal((4000, 68, 2))
    assert jitter(face_at(50, 50, 100) + 0.3 * noise) == pytest.approx(0.3 * np.sqrt(2), rel=0.02)
    assert jitter(np.repeat(face_at(50, 50)[None], 30, 0)) == 0.0


@pytest.mark.parametrize("frequency", [0.5, 1.0, 2.0])
def test_lag_is_measured_to_the_millisecond_on_uneven_times(frequency: float) -> None:
    times = np.sort(np.random.default_rng(1).uniform(0, 10, 300))

    def moving(delay: float) -> np.ndarray:
        return face_at(100, 100)[None] + 30 * np.sin(2 * np.pi * frequency * (times - delay))[:, None, None]

    assert lag(moving(0.034), moving(0.0), times, frequency) == pytest.approx(0.034, abs=1e-4)
    assert lag(moving(0.0), moving(0.02), times, frequency) == pytest.approx(-0.02, abs=1e-4)


def test_jitter_of_too_few_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="12 frames"):
        jitter(np.zeros((5, 68, 2)))
