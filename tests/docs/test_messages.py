"""docs/messages.py: every message under exit codes 1 to 6 says what to do, and no entry of the page has died."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fkp_live import errors

DOCS = Path(__file__).parents[2] / "docs"
# Messages that are put together elsewhere, where they have their cure; and those of checks that only the one who
# prepares the detector ever sees.
PASSED_ON = ("…", "… …")
PREPARING = "export/yunet.py"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", DOCS / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["messages"] = module
    spec.loader.exec_module(module)
    return module


listing = _loaded()


def test_every_message_has_its_cure() -> None:
    found = listing.messages()
    assert len(found) > 450
    known = listing.headings()
    without = [
        f"{message.place}: {message.text}"
        for message in found
        if not message.explains_itself
        and not listing.entry(message.text, known)
        and message.text not in PASSED_ON
        and not message.place.startswith(PREPARING)
    ]
    assert without == []


def test_exit_codes_are_those_of_the_errors() -> None:
    for name, code in listing.CODES.items():
        if name != "ArgumentTypeError":
            assert getattr(errors, name).exit_code == code
    kinds = {
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.FkpError)
    }
    assert {kind.__name__ for kind in kinds} - {"SourceLostError"} <= {*listing.CODES}
    assert {message.code for message in listing.messages()} == {1, 2, 3, 4, 5, 6}


def test_messages_are_found_by_their_entries(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing.entry("points.csv exists already.", ["… exists already."]) == "… exists already."
    assert listing.entry("There is no such thing.", ["There is no file …"]) == ""
    listing.main(["exists already"])
    printed = capsys.readouterr().out
    assert printed.startswith("6  … exists already.\n     fkp_live/sinks/files.py:")
    assert "-> docs/troubleshooting.md: … exists already." in printed
