"""``fkp-live doctor`` where a package is missing."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

import pytest

from fkp_live.commands import doctor
from fkp_live.commands.cli import main
from fkp_live.errors import FkpError
from fkp_live.server import site


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


def test_without_numpy_or_opencv_only_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "Broken: opencv-python (pip install --force-reinstall opencv-python)"
    assert "cameras" not in out


def test_optional_parts_are_said_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = {"pylsl": "1.18.6", "starlette": "1.10.0", "websockets": "17.4"}

    def missing() -> None:
        raise FkpError("The page is missing.", "Run make web.")

    monkeypatch.setattr(doctor, "_version", installed.get)
    monkeypatch.setattr(site, "check_fetched", missing)
    doctor._extras()
    assert capsys.readouterr().out.splitlines() == [
        "--send udp://, osf://   yes",
        "--send vmc://           no: pip install 'fkp-live[vmc]' (python-osc)",
        "--send lsl://           yes (pylsl 1.18.6)",
        "--send camera://        no: pip install 'fkp-live[camera]' (pyvirtualcam)",
        "--serve                 no: pip install 'fkp-live[server]' (uvicorn)",
        "Parquet, batch          no: pip install 'fkp-live[parquet]' (pyarrow)",
        "batch --ray             no: pip install 'fkp-live[ray]' (ray)",
        "plot                    no: pip install 'fkp-live[plots]' (matplotlib)",
        "tables of pandas        no: pip install 'fkp-live[tables]' (pandas)",
        "page of web             no: The page is missing. Run make web.",
    ]


def test_the_doctor_looks_for_what_the_extras_install() -> None:
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / "setup.cfg")
    extras = {
        name: tuple(re.findall(r"^[\w-]+(?=[>=])", needs, re.MULTILINE))
        for name, needs in config["options.extras_require"].items()
    }
    for _, extra, packages in doctor._EXTRAS:
        assert packages == extras[extra]
    # camera is under the GPL, version 2.
    others = {extra for _, extra, _ in doctor._EXTRAS} - {"camera"}
    (words,) = re.findall(r"\[(.*)\]", config["options.extras_require"]["all"])
    assert {*words.split(",")} == others
