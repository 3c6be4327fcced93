"""What every sink promises (`Sink`), and the part that all sinks which write a file share (`FileSink`)."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fkp_live.errors import SourceLostError
from fkp_live.sinks.files import PartialFile
from fkp_live.types import FrameResult, Picture


class Sink(Protocol):
    """Something that takes results, frame by frame, until it is closed or aborted.

    Attributes
    ----------
    wants_picture : whether `write` needs the (painted) picture
    note : what the user should know, such as sound that was left out; usually empty, final after `close`
    kept : the partial file, where one was left; None otherwise
    """

    wants_picture: bool

    @property
    def note(self) -> str: ...

    @property
    def kept(self) -> Path | None: ...

    def write(self, result: FrameResult, picture: Picture | None) -> None:
        """Take one result. ValueError after `close` or `abort`."""

    def close(self) -> None:
        """Complete the output. A second call does nothing."""

    def abort(self) -> None:
        """Stop after a failure elsewhere; does not raise. A second call does nothing."""


class FileSink:
    """A sink that writes one file: under a partial name until `close` gives it the final one.

    `abort` closes the file under its partial name, or removes it where it holds no result; a target that existed
    before is left as it was. As a context manager it closes after success, Ctrl-C and the loss of a live source, and
    aborts after any other exception. Subclasses define `_write` and `_finish`, and set `_results`.
    """

    wants_picture = False
    _keeps_empty = True  # whether a file without a single result gets its final name

    def __init__(self, path: str | Path, overwrite: bool, suffixes: Collection[str] = ()) -> None:
        self._file = PartialFile(path, overwrite=overwrite, suffixes=suffixes)
        self._results = 0  # written so far
        self._closed = False

    @property
    def note(self) -> str:
        """What the user should know; usually empty."""
        return ""

    @property
    def kept(self) -> Path | None:
        """The partial file, None where there is none (any more)."""
        return self._file.kept

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Write one result.

        Raises
        ------
        OutputError : the file cannot be written any further
        ValueError : the sink was closed or aborted
        """
        if self._closed:
            raise ValueError(f"write to a closed {type(self).__name__}")
        self._write(result, picture)

    def close(self) -> None:
        """Finish the file and give it its final name. OutputError if that fails; the partial file then stays."""
        if self._closed:
            return
        self._closed = True
        try:
            self._finish()
        except Exception as exc:
            self._leave()
            raise self._file.failed(exc) from exc
        if self._results or self._keeps_empty:
            self._file.commit()
        else:
            self._file.discard()

    def abort(self) -> None:
        """Finish the file under its partial name, or remove it if it holds no result. Does not raise."""
        if self._closed:
            return
        self._closed = True
        with suppress(Exception):  # the failure that led here is the one to report
            self._finish()
        self._leave()

    def _leave(self) -> None:
        """Keep what was written before a failure, if it is of use."""
        if self._is_of_use():
            self._file.keep()
        else:
            self._file.discard()

    def _is_of_use(self) -> bool:
        """Whether the partial file is worth keeping after a failure."""
        return self._results > 0

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        """Write what is still held back and close the file."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, (KeyboardInterrupt, SourceLostError)):
            self.close()
        else:
            self.abort()
