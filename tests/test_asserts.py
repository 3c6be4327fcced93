"""The tests' own asserts: none of a form that cannot fail."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def idle_checks(code: str) -> list[int]:
    """Lines of asserts of a tuple, asserts whose message is a comparison, and comparisons without assert."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Compare | ast.BoolOp):
            found.append(node.lineno)
        if isinstance(node, ast.Assert) and (
            isinstance(node.test, ast.Tuple | ast.GeneratorExp | ast.Constant)
            or isinstance(node.msg, ast.Compare | ast.BoolOp)
        ):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    "code", ["assert a, b == (1, 2)", "assert (a, 'no')", "a == b", "assert (x for x in y)", "assert 1"]
)
def test_checks_that_cannot_fail_are_found(code: str) -> None:
    assert idle_checks(code) == [1]


def test_every_assert_can_fail() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in idle_checks(path.read_text(encoding="utf-8"))
    ]
    assert found == []
