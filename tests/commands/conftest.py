"""An empty folder without a screen, for the tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_screen: None) -> Path:
    """An empty folder to work in, without a screen."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
