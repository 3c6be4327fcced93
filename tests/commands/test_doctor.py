"""``fkp-live doctor`` where a package is missing."""

from __future__ import annotations

import re
import sys

import pytest

from fkp_live.commands.cli import main


@pytest.mark.parametrize(("package", "module"), [("onnxruntime", "onnxruntime"), ("lapx", "lap")])
def test_a_package_that_cannot_be_imported_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, module: str
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"^{package} +cannot be imported", out, re.MULTILINE)
    assert f"{package} (pip install --force-reinstall {package})" in out.splitlines()[-1]
