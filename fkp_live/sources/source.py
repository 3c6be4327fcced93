"""Reading in a thread of its own: frames go through a small queue, or only the newest one is kept.

A source is a generator of frames. `Source` runs it in a thread, hands its frames over, and hands over its
failure too.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from types import TracebackType

from fkp_live.errors import InputError
from fkp_live.handoff import Handoff
from fkp_live.types import Frame, SourceInfo

Frames = Generator[Frame, None, None]

_READ_AHEAD = 4  # decoded frames waiting for the consumer
_STALLED = 6.0  # seconds to wait for a reader that hangs in a stalled device or network


class Source:
    """An iterator of `Frame` and a context manager. Made by `open_source`.

    `close` may be called from any thread; whoever waits for a frame then sees the end of the iteration. A source that
    is dropped without it stops reading too, as soon as the garbage collector comes by.
    """

    def __init__(
        self,
        info: SourceInfo,
        frames: Frames,
        *,
        note: Callable[[], str] = str,
        max_frames: int | None = None,
    ) -> None:
        self.info = info
        self._note = note
        # Counted here and not by the reader, because a live one reads frames that nobody ever sees.
        self._left = max_frames
        self._handoff: Handoff[Frame] = Handoff(1 if info.live else _READ_AHEAD, newest_only=info.live)
        # The thread knows nothing of the source: if it did, it would keep alive what it waits for.
        weakref.finalize(self, self._handoff.cancel)
        self._thread = threading.Thread(
            target=_pump, args=(frames, self._handoff), name="fkp-live reader", daemon=True
        )
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Live: frames that were replaced by a newer one before anybody read them."""
        return self._handoff.dropped

    @property
    def note(self) -> str:
        """What people should know, such as damaged parts that were skipped; usually empty."""
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

    def interrupt(self) -> None:
        """End the iteration within 0.2 s. Safe in a signal handler: it takes no lock."""
        self._handoff.interrupt()

    def close(self) -> None:
        """Stop reading and let go of the file or device. A stalled stream may take its read timeout."""
        self._handoff.cancel()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STALLED)

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
    except BaseException as exc:  # it is raised again, in the consumer
        error = exc
    finally:
        frames.close()
        handoff.finish(error)


def primed(frames: Frames, error: Callable[[], InputError]) -> tuple[Frame, Frames]:
    """The first frame, and a generator that begins with it. Without a first frame: ``error``."""
    try:
        first = next(frames)
    except StopIteration:
        raise error() from None

    def again() -> Frames:
        try:
            yield first
            yield from frames
        finally:
            frames.close()

    primed = again()
    return first, primed
