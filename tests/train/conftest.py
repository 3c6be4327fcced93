"""Torch on one thread: networks this small gain nothing by more, and threads that wait for a busy core cost minutes."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
