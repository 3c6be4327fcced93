"""Reading in a thread of its own: frames go through a small queue, or only the newest one is kept.

Every kind of source is a generator of frames (`Opened`). `Source` runs it in a thread and passes on its frames and its
failure.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from types import TracebackType

from fkp_live.errors import InputError
from fkp_live.handoff import Handoff
from fkp_live.types import Frame, SourceInfo

Frames = Generator[Frame, None, None]

_READ_AHEAD = 4  # decoded frames waiting for the consumer
_STALLED = 6.0  # seconds that close() waits for a reader that hangs in a stalled device or network
_STALLED_INTERRUPTED = 0.5  # the same after an interruption


@dataclass(frozen=True, slots=True)
class Opened:
    """What each kind of source gives: what is known of it, its frames, and what is to be reported about them.

    Attributes
    ----------
    note : may be called at any time; empty where there is nothing to report
    """

    info: SourceInfo
    frames: Frames
    note: Callable[[], str] = str


class Source:
    """An iterator of `Frame` and a context manager. Made by `open_source`.

    `close` may be called from any thread; a consumer that waits for a frame then sees the end of the iteration. A
    source that is garbage-collected without it stops reading too.

    Example
    -------
    >>> with open_source("clip.mp4") as source:
    ...     times = [frame.time for frame in source]
    """

    def __init__(self, opened: Opened, *, max_frames: int | None = None) -> None:
        self.info = opened.info
        self._note = opened.note
        # Counted here and not by the reader, because a live one reads frames that nobody ever sees.
        self._left = max_frames
        live = opened.info.live
        self._handoff: Handoff[Frame] = Handoff(1 if live else _READ_AHEAD, newest_only=live)
        # The thread has no reference to the source: if it had, the source would never be collected.
        weakref.finalize(self, self._handoff.cancel)
        self._thread = threading.Thread(
            target=_pump, args=(opened.frames, self._handoff), name="fkp-live reader", daemon=True
        )
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Live: frames that were replaced by a newer one before they were read."""
        return self._handoff.dropped

    @property
    def note(self) -> str:
        """What users should know, such as damaged parts that were skipped; usually empty."""
        return self._note()

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
        """Stop reading and release the file or device. A stalled stream may take its read timeout."""
        self._handoff.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STALLED_INTERRUPTED if self._handoff.interrupted else _STALLED)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _pump(frames: Frames, handoff: Handoff[Frame]) -> None:
    error: BaseException | None = None
    try:
        for frame in frames:
            if not handoff.put(frame):
                break
    except BaseException as exc:  # raised again in the consumer's thread
        error = exc
    finally:
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
