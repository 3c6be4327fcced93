"""Frames that a program of its own hands in, from a camera's own library or whatever else makes pictures."""

from __future__ import annotations

import math
import threading
import time as clock
from types import TracebackType
from typing import SupportsIndex

from fkp_live.choices import check_number
from fkp_live.images.picture import as_picture
from fkp_live.sources.source import Source
from fkp_live.types import AnyImage, Frame, Picture, SourceInfo


class PushSource(Source):
    """A source into which frames are pushed, in any thread, while another one reads them.

    Parameters
    ----------
    width, height : pixels of a frame; where they are not given, `info` is known from the first frame on. A frame of
        another size is passed on as it is
    fps : frames a second on average, for the header of a video; None where unknown
    live : True: only the newest frame waits, and `push` never does. False: every frame is read, in order, and `push`
        waits while four of them have not been
    name : for people

    `close` ends the stream, from either side; frames that wait are still read. At the end of the reader's ``with``
    block they are dropped.

    Example
    -------
    >>> source = PushSource(live=False)
    >>> threading.Thread(target=camera_loop, args=(source,)).start()  # calls push(image, time), in the end close()
    >>> process_stream(source, Pipeline(), on_frame=show)
    """

    def __init__(
        self,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        *,
        live: bool = True,
        name: str = "pushed frames",
    ) -> None:
        if (width is None) != (height is None):
            raise ValueError(f"the size is {width} x {height}, expected both width and height, or neither")
        for side, pixels in (("width", width), ("height", height)):
            if not isinstance(pixels, SupportsIndex | None):
                raise TypeError(f"{side} is {pixels!r}, expected a whole number of pixels, or None")
        if fps is not None:
            check_number("fps", fps, ", or None")
        if width is not None and height is not None and min(width, height) < 1:
            raise ValueError(f"the size is {width} x {height}, expected 1 or more pixels a side")
        if fps is not None and not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps is {fps}, expected a number above 0, or None")
        known = (
            None if width is None or height is None else SourceInfo(name, width, height, fps=fps, live=live)
        )
        super().__init__(known, live=live)
        self._name, self._fps, self._live = name, fps, live
        self._pushing = threading.Lock()
        self._index = 0
        self._first = self._last = 0.0  # arrival of the first frame, time of the last one
        self._next = 0.0  # the earliest time that a frame without one may get
        self._over = False

    @property
    def info(self) -> SourceInfo:
        """What is known of the source.

        Raises
        ------
        ValueError : neither a size was given nor a frame pushed
        """
        if self._info is None:
            raise ValueError(
                "the size of the frames is not known: give width and height, or push a frame first"
            )
        return self._info

    def push(self, image: AnyImage | Picture, time: float | None = None) -> bool:
        """Hand in the next frame.

        Parameters
        ----------
        image : (H, W, 3) uint8, BGR; it is copied, so the array may be used again
        time : of its capture in seconds, on any clock that grows from frame to frame; None: by arrival, from 0

        Returns
        -------
        bool : False once the source is closed: nobody takes frames any more

        Raises
        ------
        ValueError : ``image`` is anything else, or ``time`` is not after that of the last frame
        """
        picture = as_picture(image).copy()
        arrived = clock.perf_counter()
        with self._pushing:
            if self._over:
                return False
            self._first = self._first if self._index else arrived
            seconds = max(arrived - self._first, self._next) if time is None else float(time)
            if not math.isfinite(seconds) or (self._index and seconds <= self._last):
                raise ValueError(
                    f"the time is {seconds}, expected seconds after the last frame's {self._last}"
                )
            if self._info is None:
                self._info = SourceInfo(self._name, *picture.size, fps=self._fps, live=self._live)
            frame = Frame(picture, self._index, seconds, arrived)
            self._index, self._last, self._next = self._index + 1, seconds, seconds + 1e-6
            try:
                return self._handoff.put(frame)
            except ValueError:  # closed while it waited
                return False

    def close(self) -> None:
        """End the stream: nothing more is pushed. Frames that wait are still read."""
        self._over = True
        self._handoff.finish()

    def interrupt(self) -> None:
        """End the iteration, within 0.2 s where a frame is being waited for. Safe in a signal handler."""
        self._over = True
        super().interrupt()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._handoff.cancel()
