"""Every failure that a user can cause, and the exit code it ends in."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every command of the project."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    INPUT = 3
    MODEL = 4
    PROVIDER = 5
    OUTPUT = 6
    INTERRUPTED = 130


class FkpError(Exception):
    """A failure with its cure.

    Parameters
    ----------
    message : str
        What was given and what was expected.
    hint : str
        The cure: what to do or to type. May be empty.
    exit_code : ExitCode
        What a command line returns for it.
    """

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, hint: str = "", exit_code: ExitCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(FkpError):
    """Options that contradict each other or make no sense."""

    exit_code = ExitCode.USAGE


class InputError(FkpError):
    """A source, data set or archive that cannot be opened or read."""

    exit_code = ExitCode.INPUT


class SourceLostError(InputError):
    """A live source that stopped delivering. What came before is whole, so that files are completed and kept."""


class ModelError(FkpError):
    """A model file that is missing, damaged or not made for this program."""

    exit_code = ExitCode.MODEL


class ProviderError(FkpError):
    """The execution provider asked for does not run on this machine."""

    exit_code = ExitCode.PROVIDER


class OutputError(FkpError):
    """A file that cannot be written, or must not be."""

    exit_code = ExitCode.OUTPUT
