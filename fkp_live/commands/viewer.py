"""The window of a run and its keys: quit, pause, HUD, snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import cv2

from fkp_live.commands.progress import log
from fkp_live.display.overlay import Hud, draw
from fkp_live.display.window import ESCAPE, Window
from fkp_live.types import Frame, FrameResult, Image, Picture, SourceInfo

# How long the window may sleep at a time: a stop is noticed no later than this.
_NAP_MS = 50
# Seconds that a file may be late before it is no longer played faster to catch up.
_LATE = 0.5


class Screen(Protocol):
    """What the viewer needs of a window; `display.window.Window` is one."""

    @property
    def closed(self) -> bool:
        """Whether the close button was pressed."""

    def show(self, image: Image, wait_ms: int = 1) -> int:
        """Show a picture; the key pressed, -1 for none."""

    def wait(self, wait_ms: int) -> int:
        """Wait for a key; the key pressed, -1 for none."""

    def close(self) -> None:
        """Take the window off the screen."""


class Viewer:
    """Shows frames in a window and obeys its keys. A context manager that closes the window.

    Nothing here changes the painted picture, which is also what is written: with the HUD switched on or off in the
    window alone, the window gets a copy of its own.

    Parameters
    ----------
    info : of the source
    paced : whether a file plays at its own pace
    hud : returns the HUD of the current frame
    hud_painted : whether painted pictures come with the HUD on them
    window : to show in, a new one by default
    clock : seconds of a steady clock

    Attributes
    ----------
    done : whether somebody asked to quit
    snapshots : names of the pictures that were saved
    """

    def __init__(
        self,
        info: SourceInfo,
        *,
        paced: bool,
        hud: Callable[[], Hud],
        hud_painted: bool,
        window: Screen | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.done = False
        self.snapshots: list[str] = []
        self._window = window or Window(f"fkp-live: {info.name}", (info.width, info.height))
        self._paced, self._clock = paced, clock
        self._hud, self._hud_painted, self._hud_shown = hud, hud_painted, hud_painted
        self._paused = False
        self._image: Image | None = None
        # When the stream's time 0 was due, on our clock, and the time of the frame shown.
        self._zero: float | None = None
        self._time = 0.0

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._window.close()

    def show(self, frame: Frame, result: FrameResult, painted: Picture) -> None:
        """Show a frame and obey the key that was pressed."""
        if self._hud_shown != self._hud_painted:
            hud = self._hud() if self._hud_shown else None
            painted = draw(frame.picture.copy(), result.faces, hud)
        now, self._time = self._clock(), frame.time
        if self._zero is None or now - self._zero > self._time + _LATE:
            # The first frame, or too far behind to catch up without a rush.
            self._zero = now - self._time
        self._image = painted.bgr()
        self._obey(self._window.show(self._image))

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Wait while paused, and in a paced file until the frame shown is due; obey the keys."""
        while not (self.done or stopped()) and self._zero is not None:
            begin = self._clock()
            rest = self._zero + self._time - begin
            if not self._paused and (not self._paced or rest < 0.001):
                return
            nap = _NAP_MS if self._paused else min(_NAP_MS, int(1e3 * rest))
            paused = self._paused
            self._obey(self._window.wait(nap))
            if paused:
                self._zero += self._clock() - begin

    def _obey(self, key: int) -> None:
        if key in (ord("q"), ESCAPE) or self._window.closed:
            self.done = True
        elif key == ord(" "):
            self._paused = not self._paused
        elif key == ord("h"):
            self._hud_shown = not self._hud_shown
        elif key == ord("s") and self._image is not None:
            path = f"fkp-live-{datetime.now():%Y%m%d-%H%M%S-%f}.png"
            if cv2.imwrite(path, self._image):
                self.snapshots.append(path)
            else:
                log(f"The snapshot {path} could not be written to this folder.")
