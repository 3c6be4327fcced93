"""The page's engine: its constants are those of Python, and it computes what Python computes (`node --test`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.browser import constants

HERE = Path(__file__).parent


def test_the_constants_are_those_of_python() -> None:
    message = "constants changed: python -m tests.browser.write"
    assert constants.MODULE.read_text("utf-8") == constants.text(), message


def test_golden_vectors_in_node() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which is not here")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < 18:
        pytest.skip(f"needs node from 18 on, this is {version.strip()}")
    files = sorted(map(str, HERE.glob("*.test.mjs")))
    found = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr
    assert f"# pass {_tests()}" in found.stdout or f"pass {_tests()}" in found.stdout


def _tests() -> int:
    """How many tests the files have: none may be left out without a word."""
    return sum(path.read_text("utf-8").count("\ntest(") for path in HERE.glob("*.test.mjs"))


def test_the_vectors_are_small() -> None:
    assert sum(path.stat().st_size for path in (HERE / "golden").iterdir()) < 400_000
