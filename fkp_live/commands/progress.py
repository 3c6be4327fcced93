"""What a run shows of itself while it goes on: the HUD's figures, the progress bar and the log."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from fkp_live.console import bar_works, log, printable
from fkp_live.display.overlay import Hud
from fkp_live.stats import FrameRate, RunStats
from fkp_live.types import FrameResult, SourceInfo

# Seconds that the HUD's figures stay: long enough to be read, and an encoder need not draw them anew.
_HUD_SECONDS = 0.25
# Seconds from one JSON object of progress to the next.
_JSON_SECONDS = 0.5


class HudFigures:
    """The HUD of each frame.

    Parameters
    ----------
    stats : of the run; the frame rate is that of its time, so pauses and a file's pace are left out
    provider : execution provider that runs
    live : whether frames have an age to show; of a file it would be how far the decoder has read ahead
    dropped : returns how many frames of a live source were dropped so far

    Attributes
    ----------
    current : the HUD of the last frame
    """

    def __init__(
        self, stats: RunStats, provider: str, *, live: bool, dropped: Callable[[], int] = int
    ) -> None:
        self._stats, self._provider, self._live, self._dropped = stats, provider, live, dropped
        self._rate, self._due = FrameRate(), 0.0
        self.current = Hud(0.0, None, provider, 0)

    def __call__(self, result: FrameResult) -> Hud:
        """Count a frame, and return the HUD to draw on it."""
        now = self._stats.elapsed
        fps = self._rate.tick(now)
        # At once where nothing is known yet, or the first quarter would show 0 fps.
        if now >= self._due or not self.current.fps or len(result.faces) != self.current.faces:
            self._due = now + _HUD_SECONDS
            age = 1e3 * self._stats.age_of(result) if self._live else None
            dropped = self._dropped() if self._live else None
            self.current = Hud(fps, age, self._provider, len(result.faces), dropped=dropped)
        return self.current


class Progress(Protocol):
    """Shows how far a run has come, a context manager."""

    def advance(self, faces: int) -> None:
        """One more frame is done, with this number of faces."""

    def done(self) -> None:
        """The run has ended well, and its files are whole."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def progress_of(
    kind: str | None, info: SourceInfo, most: int | None, stats: RunStats, *, quiet: bool
) -> Progress:
    """The progress that was asked for.

    Parameters
    ----------
    kind : one of `choices.PROGRESS`; None: the bar, unless ``quiet``
    info : of the source
    most : frames after which the run stops, None for all
    stats : of the run, for its time
    """
    totals = [number for number in (info.frames, most) if number is not None]
    total = min(totals, default=None)
    if kind == "jsonl":
        return ProgressLines(total, stats)
    return ProgressBar(info.name, total, shown=kind == "bar" or (kind is None and not quiet))


class ProgressLines:
    """JSON objects on stderr, for programs that show a bar of their own: two a second, and one at a good end.

    ``{"frames": 90, "total": 180, "fps": 61.2, "seconds": 1.471, "faces": 90, "done": false}``: frames and faces so
    far, the frames that will come (null where that is not known), and the seconds of the run without pauses.
    """

    def __init__(self, total: int | None, stats: RunStats) -> None:
        self._total, self._stats = total, stats
        self._frames = self._faces = 0
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def done(self) -> None:
        """The last object."""
        self._say(done=True)

    def advance(self, faces: int) -> None:
        """One more frame is done: an object, if one is due."""
        self._frames += 1
        self._faces += faces
        if self._stats.elapsed >= self._due:
            self._due = self._stats.elapsed + _JSON_SECONDS
            self._say(done=False)

    def _say(self, *, done: bool) -> None:
        seconds = self._stats.elapsed
        state = {
            **{"frames": self._frames, "total": self._total},
            **{"fps": round(self._frames / seconds, 2) if seconds > 0 else 0.0, "seconds": round(seconds, 3)},
            **{"faces": self._faces, "done": done},
        }
        log(json.dumps(state))


class ProgressBar:
    """The progress bar on stderr. It never makes a run fail.

    Parameters
    ----------
    name : of the source
    total : frames that will come, None where that is not known
    shown : whether there is one at all
    """

    def __init__(self, name: str, total: int | None, *, shown: bool) -> None:
        self._name, self._total, self._shown = name, total, shown
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._shown:
            self._attempt(self._open)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._attempt(self._bar.close)

    def advance(self, faces: int) -> None:
        """One more frame."""
        if self._bar is not None:
            self._attempt(self._bar.update)

    def done(self) -> None:
        """Nothing more is shown."""

    def _open(self) -> None:
        from tqdm import tqdm

        # In a log file one line every few seconds will do.
        interval = 0.1 if sys.stderr.isatty() else 5.0
        self._bar = tqdm(
            total=self._total,
            desc=printable(self._name, sys.stderr),
            unit="frame",
            mininterval=interval,
            dynamic_ncols=True,
        )

    def _attempt(self, step: Callable[[], object]) -> None:
        if not bar_works(step):
            self._bar = None
