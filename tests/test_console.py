from __future__ import annotations

import io
import os
import sys

import pytest

from fkp_live.console import open_closed_streams, printable, say
from fkp_live.errors import OutputError


class Refusing(io.StringIO):
    """A stream on a disk that is full, with a file number that may be silenced."""

    def __init__(self) -> None:
        super().__init__()
        self.number = os.dup(1)

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return self.number


def test_results_must_arrive_and_messages_need_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Refusing())
    monkeypatch.setattr(sys, "stderr", Refusing())
    with pytest.raises(OutputError, match="No space left") as caught:
        say("a result")
    assert caught.value.exit_code == 6
    say("by the way", sys.stderr)


@pytest.mark.parametrize(
    ("encoding", "text", "printed"),
    [
        ("utf-8", "日本.csv", "日本.csv"),
        ("utf-8", "b\udcff.mp4", r"b\udcff.mp4"),
        ("cp1252", "ü日.csv", r"ü\u65e5.csv"),
        ("ascii", "ü", r"\xfc"),
    ],
)
def test_what_an_encoding_lacks_is_spelt_out(encoding: str, text: str, printed: str) -> None:
    assert printable(text, io.TextIOWrapper(io.BytesIO(), encoding=encoding)) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b[2Jclip.mp4", r"\x1b[2Jclip.mp4"),
        ("clip\rwritten: x.mp4", r"clip\x0dwritten: x.mp4"),
        ("\x9b31m\x85\x7f\x00\x08", r"\x9b31m\x85\x7f\x00\x08"),
        ("a message\n  its cure\tin two lines", "a message\n  its cure\tin two lines"),
        ("ü日 a", "ü日 a"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_control_characters_are_spelt_out(encoding: str, text: str, printed: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert printable(text, stream) == printed.encode(encoding, "backslashreplace").decode(encoding)


def test_messages_reach_the_terminal_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stderr", heard)
    say("no file \x1b]0;title\x07.mp4", sys.stderr)
    assert heard.getvalue() == "no file \\x1b]0;title\\x07.mp4\n"


def test_a_stream_that_is_closed_from_the_start_is_the_null_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stdout", heard)
    open_closed_streams()
    say("by the way", sys.stderr)
    say("a result")
    assert heard.getvalue() == "a result\n"
    assert not sys.stderr.isatty()
