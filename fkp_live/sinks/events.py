"""Events as CSV, a row for each, to a file or to a stream."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from fkp_live.sinks.text import StreamSink, TextSink
from fkp_live.types import Event, FrameResult, Picture

COLUMNS = ("event", "face_id", "start", "end", "seconds", "value", "time", "frame")


class Finder(Protocol):
    """What finds events: `faces.events.EventFinder`."""

    def __call__(self, result: FrameResult) -> Sequence[Event]: ...

    def finish(self) -> Sequence[Event]:
        """The ends of what still goes on."""


class EventsFormat:
    """The rows of events, in the order in which they became known.

    Columns: ``event`` and ``face_id``; ``start``, ``end`` and ``seconds`` (empty while it goes on); ``value``, empty
    where there is none; ``time`` and ``frame`` with which it became known. ``frame`` starts at 1, as in `CsvSink`.
    """

    header = ",".join(COLUMNS) + "\n"

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def lines(self, result: FrameResult) -> Iterator[str]:
        """A row for each event that became known with this result."""
        yield from map(_row, self._finder(result))

    def last_lines(self) -> Iterator[str]:
        """A row for the end of all that still goes on."""
        yield from map(_row, self._finder.finish())


class EventsSink(TextSink):
    """A CSV file of events, see `EventsFormat`. A film without events makes a file of the header alone.

    >>> with EventsSink("events.csv", EventFinder()) as sink:
    ...     sink.write(pipeline.process(frame))
    """

    def __init__(self, path: str | Path, finder: Finder, *, overwrite: bool = False) -> None:
        self._events = EventsFormat(finder)
        super().__init__(path, self._events, overwrite)

    def _write(self, result: FrameResult, picture: Picture | None) -> None:
        before = self._results
        super()._write(result, picture)
        if self._results > before:
            try:
                self._text.flush()  # who watches the file of a live stream sees each event at once
            except OSError as exc:
                raise self._file.failed(exc) from exc

    def _finish(self) -> None:
        try:
            self._text.writelines(self._events.last_lines())
        finally:
            super()._finish()


class EventsStreamSink(StreamSink):
    """The same rows to a binary stream that is open already, see `StreamSink`."""

    def __init__(
        self,
        stream: BinaryIO,
        finder: Finder,
        name: str = "The stream",
        *,
        stopped: Callable[[], bool] | None = None,
    ) -> None:
        self._events = EventsFormat(finder)
        super().__init__(stream, self._events, name, stopped=stopped)

    def close(self) -> None:
        """Write the ends of what goes on, and take no more results."""
        if not self._closed and not self.gone:
            self._put("".join(self._events.last_lines()))
        super().close()


def _row(event: Event) -> str:
    """The row of an event, with its line feed."""
    numbers = (event.start, event.end, event.seconds, event.value)
    cells = [
        "" if math.isnan(number) else f"{number:.{digits}f}"
        for number, digits in zip(numbers, (6, 6, 6, 3), strict=True)
    ]
    return f"{event.name},{event.face_id},{','.join(cells)},{event.time:.6f},{event.frame + 1}\n"
