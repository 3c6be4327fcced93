"""One live stream as viewers see it: its newest frame in every form, its state, and what can be asked of it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

import orjson

from fkp_live import __version__
from fkp_live.choices import SMOOTHING
from fkp_live.display.look import LAYERS, Look
from fkp_live.display.overlay import Hud
from fkp_live.engine import recording_header
from fkp_live.pipeline import Pipeline
from fkp_live.server.controls import Controls, RefusedError, Waiting, smooth
from fkp_live.server.forms import Form, Maker
from fkp_live.server.newest import Newest, Shown
from fkp_live.server.pictures import page_jpeg, page_size, painted, painted_jpeg, png
from fkp_live.server.viewers import Seats
from fkp_live.sinks.jsonl import JsonlFormat
from fkp_live.stats import FrameRate
from fkp_live.types import Frame, FrameResult, Image, SourceInfo

_STILL = 2.0  # seconds without a frame after which the rate is 0
_SAID_SECONDS = 6.0  # that words of the program stay

_LACKS = {
    "record": "Nothing can be recorded here.",
    "snapshot": "No picture can be saved here.",
    "smoothing": "Nothing is smoothed here.",
    "neutral": "Nothing uses a neutral face here.",
}


class Live:
    """A stream while it goes on. `show` and `obey` are for its thread, all else for the event loop.

    Parameters
    ----------
    info : of the source
    pipeline : what finds the faces, None where something else does
    header : of the recording; None: of the pipeline
    look : of painted pictures
    controls : what a page may ask for
    mirror : whether pages turn the picture left to right at first
    dropped : returns how many frames of a live source were dropped so far
    seats : for viewers
    """

    def __init__(
        self,
        info: SourceInfo,
        pipeline: Pipeline | None,
        *,
        header: dict[str, Any] | None,
        look: Look,
        controls: Controls,
        mirror: bool,
        dropped: Callable[[], int],
        seats: Seats,
    ) -> None:
        self.seats, self.waiting = seats, Waiting()
        self._info, self._pipeline, self._controls = info, pipeline, controls
        self._look, self._mirror, self._dropped = look, mirror, dropped
        if header is None and pipeline is not None:
            header = recording_header(info, pipeline.engine, {})
        form = JsonlFormat(header or {}, info.pictures)
        self.header = _text(form.header.rstrip("\n"))
        self.newest = Newest(lambda result: next(form.lines(result)).rstrip("\n"))
        self.page = Form(self.newest, self._page)
        self.painted_jpeg = Form(self.newest, lambda shown: painted_jpeg(self._painted(shown)))
        self.painted_png = Form(self.newest, lambda shown: png(self._painted(shown)))
        self.clean_png = Form(self.newest, lambda shown: png(shown.picture.bgr()))
        self.maker = Maker(self.newest, (self.page, self.painted_jpeg, self.painted_png, self.clean_png))
        self._rate, self._fps, self._at = FrameRate(), 0.0, -math.inf
        self._age: float | None = None
        self._words, self._words_until = "", 0.0
        self._saying = threading.Lock()

    def show(self, frame: Frame, result: FrameResult) -> None:
        """Make this the frame that viewers see. Its picture must not change any more."""
        self._at = time.perf_counter()
        self._fps = self._rate.tick(self._at)
        age = 1e3 * (self._at - result.arrived)
        # Of a file it would be how far the decoder has read ahead.
        self._age = age if self._info.live and math.isfinite(age) else None
        self.newest.publish(result, frame.picture)

    def say(self, text: str) -> None:
        """Let pages show words for some seconds. May be called from any thread."""
        with self._saying:
            self._words, self._words_until = text, time.perf_counter() + _SAID_SECONDS

    def state(self, shown: Shown | None = None) -> dict[str, Any]:
        """What goes on, for JSON: see docs/serve.md. Its size is that of this frame, by default of the newest."""
        now, newest = time.perf_counter(), self.newest.shown
        shown = shown or newest
        pipeline = self._pipeline
        with self._saying:
            words = self._words if now < self._words_until else ""
        return {
            "source": _text(self._info.name),
            "size": [*(shown.result.size if shown else (self._info.width, self._info.height))],
            "live": self._info.live,
            "model": pipeline.engine.model_name if pipeline else "",
            "provider": pipeline.engine.provider if pipeline else "",
            "version": __version__,
            "smoothing": pipeline.options.smooth if pipeline else "",
            "smoothing_levels": [*SMOOTHING] if pipeline else [],
            "mirror": self._mirror,
            "layers": [name for name in LAYERS if name in self._look.layers],
            "recording": self._controls.recording(),
            "viewers": self.seats.taken,
            "ended": self.newest.ended,
            "fps": round(self._fps, 2) if now - self._at < _STILL else 0.0,
            "age_ms": None if self._age is None else round(self._age, 1),
            "dropped": self._dropped(),
            "frames": newest.number if newest else 0,
            "said": _text(self._controls.trouble() or words),
        }

    def control(self, asked: dict[str, Any]) -> str | Future[str]:
        """Carry out a request of `controls.parsed`: the words to show, from the stream's thread where it must do it.

        Raises
        ------
        RefusedError : it cannot be done here
        """
        kind, controls = asked["do"], self._controls
        if kind == "mirror":
            self._mirror = asked["on"]
            return "mirrored, on the page alone" if self._mirror else "not mirrored"
        work: Callable[[], str] | None = None
        if kind == "smoothing":
            work = None if self._pipeline is None else partial(smooth, self._pipeline, asked["level"])
        elif kind == "snapshot":
            work = None if controls.snapshot is None else partial(self._snapshot, controls.snapshot)
        elif kind == "record":
            work = controls.record
        elif kind == "neutral":
            work = controls.neutral
        if work is None:
            raise RefusedError(409, _LACKS[kind])
        return self.waiting.ask(work)

    def _snapshot(self, save: Callable[[Image, Image], str]) -> str:
        shown = self.newest.shown
        if shown is None:
            raise RefusedError(409, "There is no picture yet.")
        return save(self._painted(shown), shown.picture.bgr())

    def _painted(self, shown: Shown) -> Image:
        live, engine = self._info.live, self._pipeline and self._pipeline.engine
        hud = Hud(
            self._fps,
            self._age,
            engine.provider if engine else "",
            len(shown.result.faces),
            dropped=self._dropped() if live else None,
        )
        return painted(shown, hud, self._look)

    def _page(self, shown: Shown) -> bytes:
        """The message of /view: four bytes, that many bytes of JSON, and the JPEG."""
        state = orjson.dumps({"state": self.state(shown), "size": page_size(shown.picture.size)})
        # The frame object is JSON already.
        head = b'{"frame":' + shown.line.text.encode() + b"," + state[1:]
        return len(head).to_bytes(4, "big") + head + page_jpeg(shown.picture)


def _text(text: str) -> str:
    """Text that can be sent: names of files may hold what is no Unicode."""
    return text.encode("utf-8", "backslashreplace").decode()
