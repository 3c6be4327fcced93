"""Every mutant still applies: the text that it replaces is there, once."""

from __future__ import annotations

from tests.mutants.__main__ import ROOT, load, problem


def test_every_mutant_applies() -> None:
    problems = {mutant.name: problem(mutant, ROOT) for mutant in load([])}
    assert {name: found for name, found in problems.items() if found} == {}
