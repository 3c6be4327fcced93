"""The window of a run and its keys: what it shows, how a file keeps its pace, and what a key does.

Nothing here changes what is written: the window paints on copies, in a look of its own. Only two keys reach further
than the window: ``r``, which makes files of its own, and ``[ ]``, which smooth the points themselves.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from fkp_live.commands.progress import log
from fkp_live.commands.snapshots import save_pictures
from fkp_live.display.keys import HINT, Press, press_of
from fkp_live.display.look import Look
from fkp_live.display.overlay import Hud, draw_look, mirrored
from fkp_live.display.window import Window
from fkp_live.display.words import Words, paint_words
from fkp_live.errors import FkpError
from fkp_live.images.picture import BgrPicture
from fkp_live.types import Frame, FrameResult, Image, Picture, SourceInfo

# How long the window may sleep at a time: a stop is noticed no later than this.
_NAP_MS = 50
# Seconds that a file may be late before it is no longer played faster to catch up.
_LATE = 0.5
# Seconds that the keys are hinted at in the beginning, and that words stay.
_HINT_SECONDS, _SAID_SECONDS = 3.0, 4.0
_MOST_SAID = 2


class Screen(Protocol):
    """What the viewer needs of a window; `display.window.Window` is one."""

    @property
    def closed(self) -> bool:
        """Whether the close button was pressed."""

    def show(self, image: Image, wait_ms: int = 1) -> int:
        """Show a picture; the key pressed, -1 for none."""

    def wait(self, wait_ms: int) -> int:
        """Wait for a key; the key pressed, -1 for none."""

    def entitle(self, text: str) -> None:
        """Change the text of the title bar."""

    def toggle_fullscreen(self) -> bool:
        """Fill the screen, or go back to the window; whether it fills the screen now."""

    def close(self) -> None:
        """Take the window off the screen."""


class Waits(Protocol):
    """What the viewer needs of a source; `sources.Source` is one."""

    def __next__(self) -> Frame:
        """The next frame."""

    def ready(self, seconds: float) -> bool:
        """Whether the next frame, or the end, can be had at once, after a wait of up to ``seconds`` for it."""


class Recording(Protocol):
    """What the viewer needs of a recorder; `recorder.Recorder` is one."""

    @property
    def mark(self) -> str:
        """How long the recording has lasted; empty where there is none."""

    def toggle(self) -> None:
        """Begin, or end."""


def _no_smoothing(steps: int) -> str:
    return "there is no smoothing here"


def _no_neutral() -> str:
    return "nothing uses a neutral face yet"


@dataclass(slots=True)
class Controls:
    """What keys reach outside the window, and what the window shows of there.

    Attributes
    ----------
    recorder : records, None where nothing can be recorded
    smooth : smooth more (1) or less (-1); returns the words to show
    neutral : take this as the neutral face; returns the words to show
    status : what is the matter with the source, such as "camera 0 lost, trying again"; empty if nothing is
    """

    recorder: Recording | None = None
    smooth: Callable[[int], str] = _no_smoothing
    neutral: Callable[[], str] = _no_neutral
    status: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A frame in the window: result, clean picture, HUD, and the painted picture that files get, if there is one."""

    result: FrameResult
    clean: Picture
    hud: Hud
    painted: Picture | None


class Viewer:
    """Shows frames in a window and obeys its keys. A context manager that closes the window.

    A pause holds the picture. Of a live source all else goes on: frames are read, written and recorded. A file waits.

    Parameters
    ----------
    info : of the source
    paced : whether a file plays at its own pace
    look : of the pictures that come painted, and of the window at first
    mirror : whether the window is turned left to right at first
    size, fullscreen : see `Window`
    controls : what keys reach outside the window
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
        look: Look,
        mirror: bool = False,
        size: tuple[int, int] | None = None,
        fullscreen: bool = False,
        controls: Controls | None = None,
        window: Screen | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.done = False
        self.snapshots: list[str] = []
        self.controls = controls or Controls()
        self._title = f"fkp-live: {info.name}"
        pictures = (info.width, info.height)
        self._window = window or Window(self._title, pictures, size=size, fullscreen=fullscreen)
        self._info, self._paced, self._clock = info, paced, clock
        self._painted_look = self._look = look
        self._mirror, self._keys_shown, self._paused = mirror, False, False
        self._said: deque[tuple[float, str]] = deque()
        self._hinted_until = 0.0  # on the clock; set with the first frame
        self._shown: _Shown | None = None
        # What is in the window, and the words on it; None where it must be painted anew.
        self._picture: Picture | None = None
        self._words = Words()
        # When the stream's time 0 was due, on our clock, and the time of the frame shown.
        self._zero: float | None = None
        self._time = 0.0

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._window.close()

    def say(self, text: str) -> None:
        """Show words on the picture for a few seconds. May be called from any thread."""
        self._said.append((self._clock() + _SAID_SECONDS, text))

    def paint(self, result: FrameResult, clean: Picture, hud: Hud, painted: Picture | None) -> None:
        """Paint the window's picture of the next frame.

        Parameters
        ----------
        clean : what is under the overlay; it must not change any more
        painted : the picture that is written, where there is one; shown as it is where the window looks the same
        """
        if self._frozen:
            return
        if self._shown is None:
            self._hinted_until = self._clock() + _HINT_SECONDS
        self._shown = _Shown(result, clean, hud, painted)
        self._picture = self._painted(self._shown)

    def show(self, frame: Frame) -> None:
        """Show what `paint` made of a frame, and obey the key that was pressed."""
        now, self._time = self._clock(), frame.time
        if self._zero is None or now - self._zero > self._time + _LATE:
            # The first frame, or too far behind to catch up without a rush.
            self._zero = now - self._time
        if self._frozen:
            self._look_up()
        elif self._shown is not None:
            self._put_up(self._shown)

    def wait(self, stopped: Callable[[], bool]) -> None:
        """Wait while a file is paused, and in a paced one until the frame shown is due; obey the keys."""
        while not (self.done or stopped()) and self._zero is not None:
            begin = self._clock()
            halted = self._paused and not self._info.live
            rest = self._zero + self._time - begin
            if not halted and (not self._paced or rest < 0.001):
                return
            self._look_up(_NAP_MS if halted else min(_NAP_MS, int(1e3 * rest)))
            if halted:
                self._zero += self._clock() - begin

    def frames(self, source: Waits, stopped: Callable[[], bool]) -> Iterator[Frame]:
        """The frames of a source; while none comes, the window stays awake."""
        while True:
            while not source.ready(_NAP_MS / 1000):
                self._look_up()
                if self.done or stopped():
                    return
            try:
                frame = next(source)
            except StopIteration:
                return
            yield frame

    @property
    def _frozen(self) -> bool:
        return self._paused and self._info.live and self._shown is not None

    def _look_up(self, wait_ms: int = 1) -> None:
        """Obey a key that comes within ``wait_ms``, and show what has changed without a new frame."""
        self._obey(self._window.wait(wait_ms))
        if self.done or self._shown is None:
            return
        if self._picture is None or self._words != self._current_words():
            self._put_up(self._shown)

    def _put_up(self, shown: _Shown) -> None:
        """Show a frame with its words, and obey the key that was pressed."""
        if self._picture is None:
            self._picture = self._painted(shown)
        self._words = self._current_words()
        image = self._picture.bgr()
        if self._words:
            image = paint_words(image.copy(), self._words)
        self._window.entitle(self._entitled())
        self._obey(self._window.show(image))

    # ----- what is shown

    def _painted(self, shown: _Shown) -> Picture:
        """A frame in the look of the window, without words."""
        if self._mirror:
            width, _ = shown.clean.size
            image = np.asarray(cv2.flip(shown.clean.bgr(), 1), np.uint8)
            faces = [mirrored(face, width) for face in shown.result.faces]
            return BgrPicture(draw_look(image, faces, shown.hud, self._look))
        if shown.painted is not None and self._look == self._painted_look:
            return shown.painted
        return self._overlaid(shown)

    def _overlaid(self, shown: _Shown) -> Picture:
        """A copy of a frame in the look of the window, but not mirrored."""
        return draw_look(shown.clean.copy(), shown.result.faces, shown.hud, self._look)

    def _current_words(self) -> Words:
        now = self._clock()
        while self._said and self._said[0][0] <= now:
            self._said.popleft()
        rows = [self.controls.status(), "paused" if self._paused else "", *self._sayings()[-_MOST_SAID:]]
        if now < self._hinted_until and not self._keys_shown:
            rows.append(HINT)
        mark = self.controls.recorder.mark if self.controls.recorder is not None else ""
        return Words(tuple(row for row in rows if row), mark, self._keys_shown)

    def _entitled(self) -> str:
        """The title bar: what goes on, for a window that lies under others."""
        states = ["paused" if self._paused else "", "recording" if self._words.mark else ""]
        states += self._sayings()[-1:]
        return " | ".join(filter(None, (self._title, self.controls.status(), *states)))

    def _sayings(self) -> list[str]:
        # A copy at once: another thread may say something meanwhile.
        return [text for _, text in list(self._said)]

    # ----- keys

    def _obey(self, code: int) -> None:
        if self._window.closed:
            self.done = True
        elif (press := press_of(code)) is not None:
            self._do(press)
            self._picture = None

    def _do(self, press: Press) -> None:
        value = press.value
        match press.action:
            case "quit":
                self.done = True
            case "pause":
                self._paused = not self._paused
            case "help":
                self._keys_shown = not self._keys_shown
            case "save":
                self._save()
            case "record":
                self._record()
            case "mirror":
                self._mirror = not self._mirror
                self.say("mirrored, in the window alone" if self._mirror else "not mirrored")
            case "fullscreen":
                self.say("full screen" if self._window.toggle_fullscreen() else "no full screen")
            case "layer":
                self._look = self._look.switched(str(value))
                self.say(f"{value} {'on' if value in self._look.layers else 'off'}")
            case "size":
                self._look = self._look.resized(int(value))
                self.say(f"size {self._look.scale:g}")
            case "smooth":
                self.say(self.controls.smooth(int(value)))
            case "neutral":
                self.say(self.controls.neutral())

    def _record(self) -> None:
        if self.controls.recorder is None:
            self.say("there is nothing to record here")
        else:
            self.controls.recorder.toggle()

    def _save(self) -> None:
        if self._shown is None:
            return
        try:
            names = save_pictures(self._info, self._overlaid(self._shown).bgr(), self._shown.clean.bgr())
        except FkpError as error:
            self.say(f"not saved: {error.message}")
            log(f"Not saved: {error}")
        else:
            self.snapshots += names
            self.say(f"saved {names[0]}")
