"""The loop over a stream: read, process, paint, write, show, count.

Without signals, console or screen: the command line, a server and a user's own program all run it, in any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from fkp_live.display.overlay import draw
from fkp_live.errors import SourceLostError
from fkp_live.sinks import Sink
from fkp_live.stats import RunStats
from fkp_live.types import Frame, FrameResult, Picture

# What the pipeline makes: `TrackedResult` of `Pipeline`, so that a callback need not ask whether a pose is there.
R = TypeVar("R", bound=FrameResult)
R_co = TypeVar("R_co", bound=FrameResult, covariant=True)
Painter = Callable[[Frame, R], Picture]
OnFrame = Callable[[Frame, R, Picture | None], object]


class Processor(Protocol[R_co]):
    """Makes a result of a frame; `pipeline.Pipeline` is one."""

    def process(self, frame: Frame) -> R_co:
        """The faces of the next frame of the stream."""


def process_stream(
    source: Iterable[Frame],
    pipeline: Processor[R],
    sinks: Sequence[Sink] = (),
    *,
    on_frame: OnFrame[R] | None = None,
    between: Callable[[], object] | None = None,
    paint: Painter[R] | None = None,
    stop: threading.Event | Callable[[], bool] | None = None,
    max_frames: int | None = None,
    stats: RunStats | None = None,
) -> RunStats:
    """Process every frame of a source, hand each result to the sinks, and return the statistics.

    Opens and closes nothing: source and sinks are the caller's, and context managers (see also `settled`). Whatever
    one of them raises ends the loop and is raised here.

    Parameters
    ----------
    source : of `open_source`, or any iterable of frames
    pipeline : a `Pipeline`, or whatever else makes a `FrameResult` of a `Frame`
    sinks : each gets every result in order, with the painted picture if it wants one
    on_frame : called with frame, result and painted picture (None if nothing was painted) after the sinks, before the
        frame's statistics are closed
    between : called after the frame's statistics are closed. The time spent in it counts neither as run time nor as
        age of a frame: for pauses, and for playing a file at its own pace
    paint : returns the painted picture of a frame; called once for every frame if given. Otherwise the faces are
        drawn on a copy of the picture, in its own form, only if a sink wants pictures (see `paint_faces`)
    stop : an event, or a function that returns true, looked at before each frame is read. To end the wait for a frame
        of a live source too, call `Source.interrupt` or `Source.close`
    max_frames : process at most this many frames
    stats : statistics to go on with, for a caller that reads them while the stream runs; a new one by default

    Example
    -------
    >>> with open_source("film.mp4") as source, CsvSink("film.csv") as table:
    ...     print(process_stream(source, Pipeline(), [table]).summary().table())
    """
    stats = RunStats() if stats is None else stats
    stopped = _check_of(stop)
    if paint is None and any(sink.wants_picture for sink in sinks):
        paint = paint_faces
    frames, count = iter(source), 0
    # Counted here and not by the source, because of a live one some frames never get here.
    while count != max_frames and not stopped():
        begin = stats.clock()
        frame = next(frames, None)
        if frame is None:
            break
        stats.add("read", stats.clock() - begin)
        result = pipeline.process(frame)
        painted = None
        if paint is not None:
            with stats.stage("draw"):
                painted = paint(frame, result)
        if sinks:
            with stats.stage("write"):
                for sink in sinks:
                    sink.write(result, painted if sink.wants_picture else None)
        if on_frame is not None:
            on_frame(frame, result, painted)
        stats.frame(result)
        count += 1
        if between is not None:
            with stats.waiting():
                between()
    return stats


def paint_faces(frame: Frame, result: FrameResult) -> Picture:
    """A copy of the frame's picture, in its own form, with the faces drawn on it."""
    return draw(frame.picture.copy(), result.faces)


@contextmanager
def settled(sink: Sink) -> Iterator[Sink]:
    """Close the sink when the ``with`` block ends well, by Ctrl-C or by a source that was lost; abort it when it fails.

    The failure then names the file in which the part written until then is kept.
    """
    try:
        try:
            yield sink
        except (KeyboardInterrupt, SourceLostError):
            sink.close()
            raise
        except BaseException:
            sink.abort()
            raise
        sink.close()
    except BaseException as error:
        if sink.kept is not None and str(sink.kept) not in str(error):
            error.add_note(f"What was written until then is in {sink.kept}.")
        raise


def _check_of(stop: threading.Event | Callable[[], bool] | None) -> Callable[[], bool]:
    if stop is None:
        return lambda: False
    return stop.is_set if isinstance(stop, threading.Event) else stop
