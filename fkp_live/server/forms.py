"""The newest frame in the forms that viewers take: made once for all of them, in a thread, and only if one asks."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty

from fkp_live.server.newest import Newest, Shown

# Least seconds from picture to picture, on average: of a stream at 30 fps every frame keeps it, also those that come
# early after a late one, and of one at 60 every second. More would cost a fast stream more than they show.
_GAP = 1 / 32
# Seconds after which a frame that came too soon is made, because none has followed it.
_LAST = 2 * _GAP


@dataclass(frozen=True, slots=True)
class Made:
    """A frame in one form.

    Attributes
    ----------
    number : of the frame, see `newest.Line`
    data : its bytes
    """

    number: int
    data: bytes


class Form:
    """One form of the newest frame. `after` is for coroutines of one event loop, `make` for the thread of `Maker`.

    Whoever asks while a frame is being made gets that one: a form is made once a frame, however many ask.

    Parameters
    ----------
    newest : where frames come from
    form : makes the bytes of a frame
    """

    def __init__(self, newest: Newest, form: Callable[[Shown], bytes]) -> None:
        self._newest, self._form = newest, form
        self._last: Made | None = None
        # Who waits, with the number of the frame that it has.
        self._asked: dict[asyncio.Future[Made | None], int] = {}
        self._least = math.inf  # of those numbers

    async def after(self, number: int) -> Made | None:
        """A frame whose number is higher than this one, the newest that can be had at once; None at the end."""
        while True:
            over = self._newest.ended  # before the look, so that the last frame is not missed
            shown = self._newest.shown
            if shown is not None and shown.number > number:
                if self._last is not None and self._last.number == shown.number:
                    return self._last
            elif over:
                return None
            if (made := await self._delivery(number)) is not None:
                return made

    def lacks(self, shown: Shown | None) -> bool:
        """Whether somebody waits for this frame. For any thread."""
        return shown is not None and shown.number > self._least

    def make(self, shown: Shown) -> Made | Exception:
        """The frame in this form, or why there is none."""
        if self._last is None or self._last.number != shown.number:
            try:
                self._last = Made(shown.number, self._form(shown))
            except Exception as error:  # it is for those who asked
                return error
        return self._last

    def deliver(self, made: Made | Exception) -> None:
        """Give a frame, or a failure, to all who wait for it. For the event loop."""
        if isinstance(made, Exception):
            for future in self._taken(math.inf):
                future.set_exception(made)
        else:
            for future in self._taken(made.number):
                future.set_result(made)

    def end(self) -> None:
        """Let those who have the last frame know that there is no other. For the event loop."""
        shown = self._newest.shown
        for future in self._taken(math.inf, least=shown.number if shown else 0):
            future.set_result(None)

    async def _delivery(self, number: int) -> Made | None:
        future: asyncio.Future[Made | None] = asyncio.get_running_loop().create_future()
        self._asked[future] = number
        self._least = min(self._least, number)
        self._newest.want(number)
        try:
            return await future
        finally:
            if self._asked.pop(future, None) is not None:  # it has left
                self._least = min(self._asked.values(), default=math.inf)

    def _taken(self, below: float, least: float = 0) -> list[asyncio.Future[Made | None]]:
        """Those who have a frame below this number, and at least that one; they do not wait any more."""
        taken = [future for future, number in self._asked.items() if least <= number < below]
        for future in taken:
            del self._asked[future]
        self._least = min(self._asked.values(), default=math.inf)
        return [future for future in taken if not future.done()]


class Maker:
    """The thread between a stream and those who look: it makes what they wait for, and wakes their event loop.

    Parameters
    ----------
    newest : of the stream
    forms : that can be asked for, in the order in which they are made
    """

    def __init__(self, newest: Newest, forms: Sequence[Form]) -> None:
        self._newest, self._forms = newest, forms
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, for coroutines of this event loop."""
        self._loop = loop
        self._thread = threading.Thread(target=self._work, name="fkp-live pictures", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._newest.bell.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        newest, due = self._newest, -math.inf
        held: float | None = None  # seconds that a frame which came too soon may wait for the next one
        while True:
            try:
                newest.bell.get(timeout=held)
            except Empty:
                due = -math.inf
            if self._closed:
                return
            held = None
            over, shown = newest.ended, newest.shown
            if over:
                self._call(self._end)
            elif newest.read and shown is not None:
                _ = shown.line.text  # here and not in the event loop, which has enough to do
                self._call(newest.wake)
            lacking = [form for form in self._forms if form.lacks(shown)]
            if shown is None or not lacking:
                continue
            now = time.perf_counter()
            if now < due and not over:
                held = _LAST
                continue
            due = max(due, now - _GAP) + _GAP
            for form in lacking:
                self._call(form.deliver, form.make(shown))

    def _end(self) -> None:
        self._newest.wake()
        for form in self._forms:
            form.end()

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(function, *arguments)
