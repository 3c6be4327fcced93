"""Look-ahead: frames are processed a little before they are handed on, and edited in between.

Covering needs it: where a face is detected in this frame, it was visible in the frames before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Protocol

from fkp_live.stream import Processor
from fkp_live.types import Frame, FrameResult, Picture

# Pictures that wait take at most this many pixels together (200 MB in 4:2:0): 64 of 1080p, 16 of 4K.
_MOST_PIXELS = 1 << 27
# But at least this many wait, however few come in a second, where any are to wait.
_LEAST = 3


class Edit(Protocol):
    """Changes the pictures of a stream, such as `display.cover_tracks.FaceCover`."""

    def see(self, frame: Frame, result: FrameResult) -> None:
        """Take note of the next frame and its faces, as they are; up to the look-ahead before `apply`."""

    def apply(self, picture: Picture, result: FrameResult) -> None:
        """Change the picture of the oldest frame that was seen and not applied yet, in place."""


class LookAhead:
    """Source and pipeline in one, for `stream.process_stream`: whatever follows gets edited pictures only.

    Iterating gives the source's frames with a copy of their picture; `process`, called once for each of them in order,
    edits that copy and returns the frame's result. The pipeline is ahead by then. A failure of the source is raised
    after the frames that came before it.

    Parameters
    ----------
    source : frames
    pipeline : sees every frame as it came
    edits : applied in this order
    seconds : of the stream that the pipeline is ahead; 0 for live sources, whose frames must not wait

    Example
    -------
    >>> ahead = LookAhead(source, Pipeline(), [FaceCover("blur")], seconds=0.5)
    >>> process_stream(ahead, ahead, [video])
    """

    def __init__(
        self,
        source: Iterable[Frame],
        pipeline: Processor[FrameResult],
        edits: Sequence[Edit],
        *,
        seconds: float = 0.0,
    ) -> None:
        if not seconds >= 0.0:
            raise ValueError(f"seconds is {seconds}, expected 0 or more")
        self._frames, self._pipeline, self._edits, self._seconds = iter(source), pipeline, edits, seconds
        self._read: deque[Frame] = deque()  # not handed out yet
        self._new: deque[Frame] = deque()  # not processed yet
        self._results: deque[FrameResult] = deque()
        self._handed: Frame | None = None
        self._ended = False
        self._failure: Exception | None = None

    def __iter__(self) -> LookAhead:
        return self

    def __next__(self) -> Frame:
        if self._handed is not None:
            raise RuntimeError(
                "the last frame was not processed; expected one call of process for each frame"
            )
        while not self._ended and self._needs_more():
            self._read_one()
        if not self._read:
            failure, self._failure = self._failure, None
            raise StopIteration if failure is None else failure
        frame = self._read.popleft()
        self._handed = replace(frame, picture=frame.picture.copy())
        return self._handed

    def process(self, frame: Frame) -> FrameResult:
        """Edit the picture of the frame that was handed out last; its result.

        Raises
        ------
        RuntimeError
            For any other frame.
        """
        if frame is not self._handed:
            raise RuntimeError("this frame was processed before or is not the last one that was handed out")
        self._handed = None
        spent = 0.0
        while self._new:
            new = self._new.popleft()
            result = self._pipeline.process(new)
            begun = perf_counter()
            for edit in self._edits:
                edit.see(new, result)
            spent += perf_counter() - begun
            self._results.append(result)
        result = self._results.popleft()
        begun = perf_counter()
        for edit in self._edits:
            edit.apply(frame.picture, result)
        spent += perf_counter() - begun
        return replace(result, timings={**result.timings, "edit": spent})

    def _needs_more(self) -> bool:
        if not self._read:
            return True
        if self._seconds == 0.0:
            return False
        if len(self._read) <= _LEAST:
            return True
        width, height = self._read[-1].picture.size
        if (len(self._read) + 1) * width * height > _MOST_PIXELS:
            return False
        # Of a clock that began anew the difference is negative.
        return abs(self._read[-1].time - self._read[0].time) < self._seconds

    def _read_one(self) -> None:
        try:
            frame = next(self._frames, None)
        except Exception as error:
            self._failure, frame = error, None
        if frame is None:
            self._ended = True
        else:
            self._read.append(frame)
            self._new.append(frame)
