"""Reading in a thread of its own: frames go through a small queue, or only the newest one is kept.

A source is a generator of frames. `Source` runs it in a thread, hands its frames over, and hands over its
failure too.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Generic, TypeVar

from fkp_live.errors import InputError
from fkp_live.planes import ColourSpace
from fkp_live.types import Frame

T = TypeVar("T")
Frames = Generator[Frame, None, None]

_READ_AHEAD = 4  # decoded frames waiting for the consumer
_STALLED = 6.0  # seconds to wait for a reader that hangs in a stalled device or network
CLOCK_JUMP = 0.5  # seconds; what a clock of a file goes back by less is disorder, not another beginning
_CLOCK_SLACK = 1.0  # seconds that a sender's clock may gain on ours from frame to frame; more is a jump


class Handoff(Generic[T]):
    """Passes items from one thread to another: bounded, in order, or only the newest one.

    Nothing waits for ever: `finish` (producer) and `cancel` (consumer) wake whoever waits on the other side.
    """

    def __init__(self, capacity: int, *, newest_only: bool = False) -> None:
        self.dropped = 0
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._newest_only = newest_only
        self._finished = self._cancelled = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Hand ``item`` over, waiting for room where nothing may be dropped. False: nobody wants it now."""
        with self._changed:
            while len(self._items) >= self._capacity and not self._cancelled:
                if self._newest_only:
                    self._items.popleft()
                    self.dropped += 1
                else:
                    self._changed.wait(0.5)
            if not self._cancelled:
                self._items.append(item)
                self._changed.notify_all()
            return not self._cancelled

    def get(self) -> T | None:
        """The next item, None at the end. Raises what the producer failed with, after what it produced."""
        with self._changed:
            while not (self._items or self._finished or self._cancelled):
                # A timeout, because a bare wait cannot be interrupted by Ctrl-C on Windows.
                self._changed.wait(0.5)
            if self._cancelled:
                return None
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def finish(self, error: BaseException | None = None) -> None:
        """The producer is done, well or by ``error``."""
        with self._changed:
            self._finished, self._error = True, error
            self._changed.notify_all()

    def cancel(self) -> None:
        """The consumer is done: what waits is thrown away, `put` returns False and `get` None."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before it is read.

    Attributes
    ----------
    name : for people: file name, "camera 0", or URL without its password
    width, height : pixels of an upright frame
    fps : average frames per second, None where unknown
    frames : how many frames will come, an estimate; None where unknown or endless
    live : frames come at their own pace and are dropped when nobody takes them
    duration : seconds of the whole source, None where unknown or endless
    has_audio : whether `path` has sound that can be copied
    path : the file (or URL of a file) that was opened, None for cameras, live streams and pictures
    time_base : unit of `Frame.pts` in seconds, None for live sources
    start : seconds cut off at the front by request
    colour : of the file's own samples; where frames come as BGR what that is written as again; None: not known
    origin : seconds on the source's clock at which a player begins; not 0 in a file whose clock starts later
    pixel_aspect : width of a pixel over its height, in the pictures as they are handed out; None: square, or unknown
    """

    name: str
    width: int
    height: int
    fps: float | None = None
    frames: int | None = None
    live: bool = False
    duration: float | None = None
    has_audio: bool = False
    path: str | None = None
    time_base: Fraction | None = None
    start: float = 0.0
    colour: ColourSpace | None = None
    origin: float = 0.0
    pixel_aspect: Fraction | None = None


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


class LiveClock:
    """Seconds since the first frame of a live stream, always growing.

    By the sender's time stamps, so that frames that piled up on the way keep their distances; by arrival where there
    is none, and over a jump (a sender that began anew, a counter that ran over).

    Parameters
    ----------
    base : seconds of one unit of the time stamps; None if they are not the sender's
    """

    def __init__(self, base: Fraction | None) -> None:
        self._base = base
        self._stamp: float | None = None
        self._arrived: float | None = None
        self._first = self._time = 0.0

    def __call__(self, pts: int | None, arrived: float) -> float:
        """Time of the frame with this time stamp that came at ``arrived`` (``time.perf_counter()``)."""
        stamp = None if pts is None or self._base is None else float(pts * self._base)
        if self._arrived is None:
            self._first = arrived
        else:
            sent = None if stamp is None or self._stamp is None else stamp - self._stamp
            waited = arrived - self._arrived
            if sent is None:
                self._time += waited
            elif 0.0 < sent <= waited + _CLOCK_SLACK:
                self._time += sent
            else:
                # The pause before it can lie a frame back: what the parser held until more came.
                self._time += max(waited, arrived - self._first - self._time)
        self._stamp, self._arrived = stamp, arrived
        return self._time


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
