"""`python -m train` and `python -m export`: any failure is one message and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from export.__main__ import main as export
from fkp_live.errors import ExitCode
from train.__main__ import main as train

COMMANDS = [
    (train, ["view", "faces.csv", "--out", "sheet.png"], "train.data.view.read_csv"),
    (export, ["last.pt", "--out", "OUT"], "export.ship.sound_network"),
    (export, ["quantise", "fkp68", "--data", "d", "--out", "x.onnx"], "export.quantise.quantise"),
]


@pytest.mark.parametrize(("main", "words", "place"), COMMANDS)
@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unexpected_failure_is_one_message(
    main: Callable[[Sequence[str]], int],
    words: list[str],
    place: str,
    debug: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault\nof the program")

    monkeypatch.setenv("FKP_DEBUG", debug)
    monkeypatch.setattr(place, fail)
    assert main([word.replace("OUT", str(tmp_path)) for word in words]) == ExitCode.FAILURE
    message = capsys.readouterr().err
    assert "error: unexpected failure: ZeroDivisionError: a fault of the program" in message
    assert ("Traceback" in message) == bool(debug)
    assert ("FKP_DEBUG=1" in message) != bool(debug)
