"""What every source is to its reader (`Source`), and reading ahead in a thread of its own.

Every kind of source that is opened is a generator of frames (`Opened`). `OpenedSource` runs it, in a thread unless told
otherwise, and passes on its frames and its failure: through a small queue, or only the newest one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from fkp_live.errors import InputError
from fkp_live.handoff import Handoff
from fkp_live.types import Frame, SourceInfo

Frames = Generator[Frame, None, None]

READ_AHEAD = 4  # frames that wait for the consumer
_STALLED = 6.0  # seconds that close() waits for a reader that hangs in a stalled device or network
_STALLED_INTERRUPTED = 0.5  # the same after an interruption


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Opened:
    """What each kind of source gives: what is known of it, its frames, and what is to be reported about them.

    Attributes
    ----------
    note : may be called at any time; empty where there is nothing to report
    state : what keeps frames from coming at this moment; may be called at any time; usually empty
    leave : called once nobody reads any more, also from a signal handler: ends a wait inside ``frames``
    """

    info: SourceInfo
    frames: Frames
    note: Callable[[], str] = str
    state: Callable[[], str] = str
    leave: Callable[[], None] = _nothing


class Source:
    """An iterator of `Frame` and a context manager. Made by `open_source`, or a `PushSource` of your own.

    `close` may be called from any thread; a consumer that waits for a frame then sees the end of the iteration. A
    source that is garbage-collected without it stops reading too.

    Example
    -------
    >>> with open_source("clip.mp4") as source:
    ...     times = [frame.time for frame in source]
    """

    def __init__(self, info: SourceInfo | None, *, live: bool, max_frames: int | None = None) -> None:
        self._info = info
        # Counted here and not by the reader, because a live one reads frames that nobody ever sees.
        self._left = max_frames
        self._handoff: Handoff[Frame] = Handoff(1 if live else READ_AHEAD, newest_only=live)

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        assert self._info is not None  # `PushSource` has its own way
        return self._info

    @property
    def dropped(self) -> int:
        """Live: frames that were replaced by a newer one before they were read."""
        return self._handoff.dropped

    @property
    def note(self) -> str:
        """What users should know, such as damaged parts that were skipped; usually empty."""
        return ""

    @property
    def state(self) -> str:
        """What keeps frames from coming at this moment, such as "camera 0 lost, trying again"; usually empty."""
        return ""

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._left == 0:
            self.close()
        frame = self._handoff.get()
        if frame is None:
            raise StopIteration
        if self._left is not None:
            self._left -= 1
        return frame

    def ready(self, seconds: float) -> bool:
        """Whether the next frame, or the end, can be had at once, after a wait of up to ``seconds`` for it."""
        return self._handoff.ready(seconds)

    def interrupt(self) -> None:
        """End the iteration, within 0.2 s where a frame is being waited for. Safe in a signal handler."""
        self._handoff.interrupt()

    def close(self) -> None:
        """Stop the iteration; frames that wait are dropped."""
        self._handoff.cancel()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class OpenedSource(Source):
    """A source that is opened.

    Parameters
    ----------
    opened : what is read
    max_frames : the end, at the latest
    ahead : read in a thread of its own; otherwise a frame is read when it is asked for, by the thread that asks
    """

    def __init__(self, opened: Opened, *, max_frames: int | None = None, ahead: bool = True) -> None:
        super().__init__(opened.info, live=opened.info.live, max_frames=max_frames)
        self._note, self._state, self._leave = opened.note, opened.state, opened.leave
        # The thread has no reference to the source: if it had, the source would never be collected.
        weakref.finalize(self, _let_go, self._handoff, opened.leave)
        self._frames = None if ahead else opened.frames
        self._thread = threading.Thread(
            target=_pump, args=(opened.frames, self._handoff), name="fkp-live reader", daemon=True
        )
        if ahead:
            self._thread.start()

    def __next__(self) -> Frame:
        if self._left != 0:
            self._read()
        return super().__next__()

    def ready(self, seconds: float) -> bool:
        """Whether the next frame, or the end, can be had at once, after a wait of up to ``seconds`` for it.

        Where nothing is read ahead, it is read now, however long that takes.
        """
        self._read()
        return super().ready(seconds)

    def _read(self) -> None:
        """Read the next frame here, where no thread does."""
        if self._frames is not None and not self._handoff.ready(0):
            _pump(self._frames, self._handoff, 1)

    @property
    def note(self) -> str:
        """What users should know, such as damaged parts that were skipped; usually empty."""
        return self._note()

    @property
    def state(self) -> str:
        """What keeps frames from coming at this moment, such as "camera 0 lost, trying again"; usually empty."""
        return self._state()

    def interrupt(self) -> None:
        """End the iteration, within 0.2 s where a frame is being waited for. Safe in a signal handler."""
        super().interrupt()
        self._leave()

    def close(self) -> None:
        """Stop reading and release the file or device. A stalled stream may take its read timeout."""
        _let_go(self._handoff, self._leave)
        if self._frames is not None:
            with suppress(ValueError):  # another thread is reading, and closes them
                self._frames.close()
        elif threading.current_thread() is not self._thread:
            self._thread.join(_STALLED_INTERRUPTED if self._handoff.interrupted else _STALLED)


def _let_go(handoff: Handoff[Frame], leave: Callable[[], None]) -> None:
    handoff.cancel()
    leave()


def _pump(frames: Frames, handoff: Handoff[Frame], count: int | None = None) -> None:
    """Read ``count`` frames, or all. Whatever ends them is handed on too."""
    error: BaseException | None = None
    try:
        for number, frame in enumerate(frames, 1):
            if not handoff.put(frame):
                break
            if number == count:
                return
    except BaseException as exc:  # raised again in the consumer's thread
        error = exc
    frames.close()
    handoff.finish(error)


def peek_first(frames: Frames, no_frames_error: Callable[[], InputError]) -> tuple[Frame, Frames]:
    """The first frame, and a generator of all frames, that one included.

    Raises
    ------
    InputError : ``no_frames_error()``, where there is no first frame
    """
    try:
        first = next(frames)
    except StopIteration:
        raise no_frames_error() from None

    def whole() -> Frames:
        try:
            yield first
            yield from frames
        finally:
            frames.close()

    return first, whole()
