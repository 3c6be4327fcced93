"""Results as lines of text: what CSV and JSON lines share, to a file or to a stream such as standard output."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from fkp_live.errors import OutputError
from fkp_live.sinks.sink import FileSink
from fkp_live.types import FrameResult, Picture

# A pipe that is ready takes as many bytes at once (PIPE_BUF, at least 512 by POSIX); and how often to look for a stop.
_PIECE, _POLL_MS = getattr(select, "PIPE_BUF", 512), 100
# What a pipe without a reader fails with: EINVAL on Windows.
_GONE = {errno.EPIPE, errno.ESHUTDOWN, *((errno.EINVAL,) if os.name == "nt" else ())}


class LineFormat(Protocol):
    """How results become lines.

    Attributes
    ----------
    header : the first line, with its line feed
    """

    header: str

    def lines(self, result: FrameResult) -> Iterator[str]:
        """The lines of one result, each with its line feed."""


class TextSink(FileSink):
    """A file of a header, then the lines of each result. A file without a face is a result too."""

    def __init__(self, path: str | Path, form: LineFormat, overwrite: bool) -> None:
        super().__init__(path, overwrite)
        self._form = form
        with self._file.discarded_on_failure():
            # UTF-8 cannot hold the undecodable bytes of a file's name. Written as \udcff they are valid JSON.
            self._text = os.fdopen(
                self._file.descriptor,
                "w",
                encoding="utf-8",
                errors="backslashreplace",
                newline="\n",
                closefd=False,
            )
            self._text.write(form.header)

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        try:
            for line in self._form.lines(result):
                self._text.write(line)
                self._results += 1
        except OSError as exc:
            raise self._file.failed(exc) from exc

    def _finish(self) -> None:
        self._text.close()


class StreamSink:
    """Lines to a binary stream that is open already, such as ``sys.stdout.buffer``: flushed after every frame.

    A reader that leaves is no failure: `gone` becomes true, and what is written from then on is dropped. One that is
    slow is waited for. The stream stays open.

    Parameters
    ----------
    stream : of bytes, written as UTF-8
    form : `CsvFormat` or `JsonlFormat`
    name : of the stream, for messages
    stopped : looked at while a reader does not read; once true, it is no longer waited for (not on Windows)

    Attributes
    ----------
    gone : whether the reader has left, or was left

    Raises
    ------
    OutputError : the stream does not take the header; `write` raises it likewise

    >>> sink = StreamSink(sys.stdout.buffer, CsvFormat())
    """

    wants_picture = False
    note = ""
    kept: Path | None = None

    def __init__(
        self,
        stream: BinaryIO,
        form: LineFormat,
        name: str = "The stream",
        *,
        stopped: Callable[[], bool] | None = None,
    ) -> None:
        self.gone = False
        self._stream, self._form, self._name, self._stopped = stream, form, name, stopped
        self._closed = False
        self._put(form.header)

    def write(self, result: FrameResult, picture: Picture | None = None) -> None:
        """Write the lines of one result. ValueError after `close` or `abort`."""
        if self._closed:
            raise ValueError("write to a closed StreamSink")
        if not self.gone:
            self._put("".join(self._form.lines(result)))

    def _put(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            if self._stopped is None or not hasattr(select, "poll"):
                self._stream.write(data)
            else:
                self._write_while_wanted(data, self._stopped)
            self._stream.flush()
        except OSError as exc:
            if exc.errno not in _GONE:
                raise OutputError(
                    f"{self._name} does not take the results: {exc.strerror}.",
                    "Make room where it goes, or name a file.",
                ) from exc
            self.gone = True

    def _write_while_wanted(self, data: memoryview, stopped: Callable[[], bool]) -> None:
        """Write in pieces that a pipe takes whole once it is ready, so that no call waits for long."""
        try:
            number = self._stream.fileno()
        except OSError:  # not a file of the system
            self._stream.write(data)
            return
        ready = select.poll()
        ready.register(number, select.POLLOUT)
        while data and not self.gone:
            if ready.poll(_POLL_MS):
                data = data[os.write(number, data[:_PIECE]) :]
            else:
                self.gone = stopped()

    def close(self) -> None:
        """Take no more results."""
        self._closed = True

    abort = close
