"""``fkp-live doctor`` where a package is missing."""

from __future__ import annotations

import re
import sys

import pytest

from fkp_live.commands import doctor
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


def test_what_send_needs_is_said_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = {"pylsl": "1.18.6"}
    monkeypatch.setattr(doctor, "_version", installed.get)
    doctor._senders()
    assert capsys.readouterr().out.splitlines() == [
        "--send udp://, osf://   yes",
        "--send vmc://           no: pip install 'fkp-live[vmc]' (python-osc)",
        "--send lsl://           yes (pylsl 1.18.6)",
        "--send camera://        no: pip install 'fkp-live[camera]' (pyvirtualcam)",
    ]
