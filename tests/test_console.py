from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

import pytest

from fkp_live.console import open_closed_streams, printable, run_main, say
from fkp_live.errors import OutputError, ProviderError


class Refusing(io.StringIO):
    """A stream on a disk that is full, with a file number that may be silenced."""

    def __init__(self) -> None:
        super().__init__()
        self.number = os.dup(1)

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        return self.number


def test_results_must_be_delivered_and_messages_need_not(monkeypatch: pytest.MonkeyPatch) -> None:
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
        ("utf-8", "a\x1b[2J.mp4", r"a\x1b[2J.mp4"),
        ("utf-8", "a\rb\x07\x7f\x9b", r"a\x0db\x07\x7f\x9b"),
        ("utf-8", "a\u202egpj.exe", r"a\u202egpj.exe"),
        ("utf-8", "two\n\tlines", "two\n\tlines"),
    ],
)
def test_what_a_terminal_should_not_get_is_escaped(encoding: str, text: str, printed: str) -> None:
    assert printable(text, io.TextIOWrapper(io.BytesIO(), encoding=encoding)) == printed


def test_a_stream_that_is_closed_from_the_start_is_opened_to_the_null_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    heard = io.StringIO()
    monkeypatch.setattr(sys, "stdout", heard)
    open_closed_streams()
    say("by the way", sys.stderr)
    say("a result")
    assert heard.getvalue() == "a result\n"
    assert not sys.stderr.isatty()


def raising(error: BaseException) -> Callable[..., None]:
    def main(first: str, *more: str) -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "words", "code", "said"),
    [
        (lambda: None, [], 0, ""),
        (lambda first: None, [], 2, "own.py: The arguments do not fit: none.\n  own.py FIRST\n"),
        (lambda: None, ["a", "b"], 2, "own.py: The arguments do not fit: a b.\n  own.py FIRST\n"),
        (raising(ProviderError("no card", "Buy one.")), ["a"], 5, "own.py: no card\n  Buy one.\n"),
        (raising(ConnectionRefusedError("refused")), ["a"], 3, "own.py: refused.\n  own.py FIRST\n"),
        (raising(ValueError("no number")), ["a"], 3, "own.py: no number.\n  own.py FIRST\n"),
        (raising(KeyboardInterrupt()), ["a"], 130, ""),
    ],
)
def test_a_program_of_one_s_own_ends_with_a_message_and_a_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: Callable[..., None],
    words: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/own.py", *words])
    monkeypatch.delenv("FKP_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        run_main(main, "own.py FIRST\n\nMore.")
    assert (ended.value.code, capsys.readouterr().err) == (code, said)


def test_a_fault_of_a_program_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["own.py", "a"])
    with pytest.raises(ZeroDivisionError):
        run_main(raising(ZeroDivisionError()), None)
    monkeypatch.setenv("FKP_DEBUG", "1")
    with pytest.raises(SystemExit):
        run_main(raising(ValueError("no number")), None)
    assert "in main" in capsys.readouterr().err
