"""The newest frame of a stream, handed from the stream's thread to all who look.

A frame replaces the one before it. The stream never waits, and does next to nothing while nobody looks: it rings a
bell, by which the thread of `forms.Maker` wakes the event loop. Woken by the stream itself, the loop takes the
interpreter at once, and the stream's thread waits until all viewers have got their bytes (0.6 ms and more a frame).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from fkp_live.types import FrameResult, Picture

# Results that wait for a reader of all of them, without pictures: a second or so.
_RESULTS = 32


class Line:
    """A result and its JSON text, made once somebody wants it.

    Parameters
    ----------
    number : of the frame among all that were published, from 1 on
    """

    __slots__ = ("_form", "_text", "number", "result")

    def __init__(self, number: int, result: FrameResult, form: Callable[[FrameResult], str]) -> None:
        self.number, self.result = number, result
        self._form, self._text = form, ""

    @property
    def text(self) -> str:
        """The frame object, as in a JSONL file, without a line feed."""
        if not self._text:
            self._text = self._form(self.result)
        return self._text


class Shown:
    """A frame to be looked at: its picture, which must not change any more, and its line."""

    __slots__ = ("line", "number", "picture", "result")

    def __init__(self, line: Line, picture: Picture) -> None:
        self.number, self.result = line.number, line.result
        self.line, self.picture = line, picture


class Newest:
    """The newest frame, and the last results.

    `publish` and `end` are for the stream's thread, all else for coroutines of one event loop.

    Parameters
    ----------
    form : makes the JSON text of a result

    Attributes
    ----------
    shown : the newest frame, None before the first
    ended : whether the stream is over
    over : set then, for coroutines
    bell : rings, by an item, when there is something for those who wait
    """

    def __init__(self, form: Callable[[FrameResult], str]) -> None:
        self.shown: Shown | None = None
        self.ended = False
        self.over = asyncio.Event()
        # Its `put` neither waits nor lets another thread have the interpreter.
        self.bell: SimpleQueue[None] = SimpleQueue()
        self._form = form
        self._lines: deque[Line] = deque(maxlen=_RESULTS)
        self._waiting: set[asyncio.Future[None]] = set()
        self._wanted = False  # whether somebody waits, so that the bell must ring

    @property
    def read(self) -> bool:
        """Whether somebody waits for a line. For any thread."""
        return bool(self._waiting)

    def publish(self, result: FrameResult, picture: Picture) -> None:
        """Make this the newest frame."""
        line = Line(self.shown.number + 1 if self.shown else 1, result, self._form)
        self._lines.append(line)
        self.shown = Shown(line, picture)
        if self._wanted:
            self._wanted = False
            self.bell.put(None)

    def end(self) -> None:
        """No frame comes any more."""
        self.ended = True
        self.bell.put(None)

    def want(self, number: int) -> None:
        """Let the bell ring once there is a frame whose number is higher than this one."""
        # Before the look, so that no frame comes unseen between the two.
        self._wanted = True
        if self.shown is not None and self.shown.number > number:
            self.bell.put(None)

    async def line_after(self, number: int) -> Line | None:
        """The line that follows this number, or the newest where the reader is too late for it; None at the end."""
        while True:
            self._wanted = True
            over = self.ended
            lines = list(self._lines)  # at once: the stream's thread goes on
            if lines and lines[-1].number > number:
                place = number + 1 - lines[0].number
                return lines[place] if place >= 0 else lines[-1]
            if over:
                return None
            await self._change()

    def wake(self) -> None:
        """Let all who wait for a line look again."""
        if self.ended:
            self.over.set()
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def _change(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)
