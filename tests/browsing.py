"""What tests do with a page in Chromium, driven by playwright."""

from __future__ import annotations

from typing import Any

import pytest


def soon(page: Any, condition: str) -> None:
    """Wait until a condition in JavaScript holds; playwright's own waiting is forbidden by the pages' policies."""
    for _ in range(600):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not in time: {condition}")
