"""What a run shows of itself while it goes on: the HUD's figures, the progress bar and the log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from fkp_live.console import printable, say, silence
from fkp_live.display.overlay import Hud
from fkp_live.stats import FrameRate, RunStats
from fkp_live.types import FrameResult, SourceInfo

# Seconds that the HUD's figures stay: long enough to be read, and an encoder need not draw them anew.
_HUD_SECONDS = 0.25


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


class Progress:
    """The progress bar on stderr, a context manager. It never makes a run fail.

    Parameters
    ----------
    info : of the source
    most : frames after which the run stops, None for all
    quiet : show nothing
    """

    def __init__(self, info: SourceInfo, most: int | None, *, quiet: bool) -> None:
        totals = [number for number in (info.frames, most) if number is not None]
        self._total = min(totals, default=None)
        self._name = info.name
        self._bar: Any = None
        self._quiet = quiet

    def __enter__(self) -> Progress:
        if not self._quiet:
            self._attempt(self._open)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._attempt(self._bar.close)

    def advance(self) -> None:
        """One more frame."""
        if self._bar is not None:
            self._attempt(self._bar.update)

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

    def _attempt(self, what: Callable[[], object]) -> None:
        try:
            what()
        except OSError:
            silence(sys.stderr)
        except Exception as error:
            # tqdm takes its settings from the environment too, and fails on a value that it cannot use.
            self._bar = None
            log(f"No progress bar: tqdm failed ({error}). Check the environment variables TQDM_*.")


def log(text: str) -> None:
    """Print a line to stderr."""
    say(text, sys.stderr)
