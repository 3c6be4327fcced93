"""Text files of results, line by line: what CSV and JSON lines share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fkp_live.sinks.sink import FileSink
from fkp_live.types import FrameResult, Picture


class TextSink(FileSink):
    """A header, then the lines of each result. A file without a face is a result too.

    Parameters
    ----------
    header : the first line, with its line feed
    """

    def __init__(self, path: str | Path, header: str, overwrite: bool) -> None:
        super().__init__(path, overwrite)
        try:
            # UTF-8 cannot hold the undecodable bytes of a file's name. Written as \udcff they are valid JSON.
            self._text = os.fdopen(
                self._file.descriptor,
                "w",
                encoding="utf-8",
                errors="backslashreplace",
                newline="\n",
                closefd=False,
            )
            self._text.write(header)
        except BaseException as exc:
            self._file.discard()
            if isinstance(exc, OSError):
                raise self._file.failed(exc) from exc
            raise

    def _lines(self, result: FrameResult) -> Iterator[str]:
        raise NotImplementedError

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        try:
            for line in self._lines(result):
                self._text.write(line)
                self._results += 1
        except OSError as exc:
            raise self._file.failed(exc) from exc

    def _finish(self) -> None:
        self._text.close()
