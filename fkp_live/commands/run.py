"""One run: the frame's walk from source to sinks, window and summary, and how it is stopped."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import Any

# Before anything that imports av, or cv2.imshow hangs on Linux.
import cv2

from fkp_live import __version__
from fkp_live.choices import PipelineOptions
from fkp_live.commands.options import Options
from fkp_live.console import printable, say, silence
from fkp_live.display.overlay import Hud, draw
from fkp_live.display.screen import screen_problem
from fkp_live.display.window import ESCAPE, Window
from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.inference.models import resolve_model
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import VIDEO_FORMATS, CsvSink, JsonlSink, Sink, VideoSink, check_output
from fkp_live.sources import Source, open_source
from fkp_live.sources.capture import local_files
from fkp_live.stats import FrameRate, RunStats
from fkp_live.types import Image, Picture, SourceInfo

# How long the window may sleep in one go: a signal is noticed no later than this.
_NAP_MS = 50
# The HUD's numbers hold for so many seconds: they can be read, and an encoder need not draw them anew.
_HUD_SECONDS = 0.25
# Niceness of the inference where a file is encoded beside it.
_MODESTY = 10


def run(options: Options) -> int:
    """Carry out ``options`` and return the exit code.

    Raises
    ------
    FkpError
        For every failure that a user can cause. Files that exist are then as they were before.
    """
    spec = _demo_clip() if options.source is None else options.source
    _check_outputs(options, spec)
    no_screen = _check_screen(options)
    pipeline = Pipeline(
        PipelineOptions(
            provider=options.provider,
            model=options.model,
            max_faces=options.max_faces,
            detect_every=options.detect_every,
            smooth=options.smooth,
            min_face=options.min_face,
            threads=options.threads,
        )
    )
    log = _silent if options.quiet else _log
    log(f"{pipeline.engine.note}; network {pipeline.engine.model_name}")

    stops = _Stops()
    with ExitStack() as stack:
        # Decoder, networks and encoder fill the cores: without OpenCV's own threads a frame of 720p took 6 % less
        # processor time (two busy cores).
        stack.callback(cv2.setNumThreads, cv2.getNumThreads())
        cv2.setNumThreads(1)
        stack.enter_context(stops)
        source = stack.enter_context(
            open_source(spec, start=options.start, end=options.end, mirror=options.mirror)
        )
        sinks = [stack.enter_context(_settled(sink)) for sink in _sinks(options, source.info, pipeline)]
        viewer = None
        if options.headless is False or (options.headless is None and (source.info.live or not sinks)):
            if no_screen:
                log(f"No window: {no_screen}.")
            else:
                # A file that is only looked at runs at its own speed; one that is written, as fast as it can.
                viewer = stack.enter_context(_Viewer(source.info, paced=not source.info.live and not sinks))
        if options.out is not None and not source.info.live:
            stack.enter_context(_after_the_encoder())
        progress = stack.enter_context(_Progress(source.info, options.max_frames, quiet=options.quiet))
        stats = RunStats()
        try:
            _walk(source, pipeline, sinks, viewer, stats, progress, stops, options)
            stops.deferred = True
        except KeyboardInterrupt:
            # From here on files are being finished, and a second Ctrl-C must not tear them.
            stops.deferred = True
        if not stats.frames and not stops.asked:
            raise InputError(
                f"No frame came out of {source.info.name}.", "Check --start and --end, or play it."
            )

    for note in (source.note, *(sink.note for sink in sinks if isinstance(sink, VideoSink))):
        if note:
            log(note)
    written = [str(path) for path in options.outputs.values()] if stats.frames else []
    summary = stats.summary(dropped=source.dropped, outputs=[*written, *(viewer.snapshots if viewer else [])])
    say(summary.table())
    for name in summary.outputs:
        say(f"written: {name}")
    if stops.asked:
        log("Stopped on request; every file is complete up to there.")
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.OK)


def _walk(
    source: Source,
    pipeline: Pipeline,
    sinks: list[Sink],
    viewer: _Viewer | None,
    stats: RunStats,
    progress: _Progress,
    stops: _Stops,
    options: Options,
) -> None:
    """Every frame from the source to the statistics, until one side has had enough."""
    rate, hud, due = FrameRate(), Hud(0.0, None, "", 0), 0.0
    paint = viewer is not None or any(sink.wants_picture for sink in sinks)
    frames = iter(source)
    # Counted here and not by the source, because of a live one some frames never get here.
    while stats.frames != options.max_frames and not (stops.asked or (viewer is not None and viewer.done)):
        waited = time.perf_counter()
        # Only here does a signal end the wait; elsewhere the frame in hand is finished first.
        frame = next(frames, None)
        if frame is None:
            return
        with stops.defer():
            stats.add("read", time.perf_counter() - waited)
            result = pipeline.process(frame)
            picture: Picture | None = None
            shot: Image | None = None
            if paint:
                with stats.stage("draw"):
                    now = time.perf_counter()
                    fps = rate.tick(now)
                    # At once where nothing is known yet, or the first quarter would say 0 fps.
                    if now >= due or not hud.fps or len(result.faces) != hud.faces:
                        due = now + _HUD_SECONDS
                        # Of a file it would tell how far the decoder has read ahead.
                        age = 1e3 * (now - frame.arrived) if source.info.live else None
                        hud = Hud(fps, age, pipeline.engine.provider, len(result.faces))
                    shown = options.hud and (viewer is None or viewer.hud)
                    painted = hud if shown else None
                    picture = draw(frame.picture.copy(), result.faces, painted)
                    shot = picture.bgr() if viewer is not None else None
            if sinks:
                with stats.stage("write"):
                    for sink in sinks:
                        sink.write(result, picture if sink.wants_picture else None)
            if viewer is not None and shot is not None:
                with stats.stage("show"):
                    viewer.show(shot, frame.time, lambda: stops.asked)
            stats.frame(result)
            progress.advance()


def _check_outputs(options: Options, spec: int | str) -> None:
    inputs = local_files(spec)
    if options.model is not None:
        inputs.append(resolve_model(options.model))
    checked: list[Path] = []
    for option, path in options.outputs.items():
        suffixes = VIDEO_FORMATS if option == "--out" else ()
        check_output(path, overwrite=options.overwrite, inputs=inputs, others=checked, suffixes=suffixes)
        checked.append(path)


def _check_screen(options: Options) -> str | None:
    """Why there can be no window, None if there can. An error where the run needs one."""
    if options.headless:
        return None
    problem = screen_problem()
    if problem and options.headless is False:
        raise UsageError(f"--no-headless asks for a window, but {problem}.", "Leave it away.")
    if problem and not options.outputs:
        raise UsageError(
            f"Nothing would come out: no file to write, and no window, for {problem}.",
            "Give --out, --csv or --jsonl, or run it where there is a screen.",
        )
    return problem


def _demo_clip() -> str:
    return str(resources.files("fkp_live") / "assets" / "demo.mp4")


def _sinks(options: Options, info: SourceInfo, pipeline: Pipeline) -> Iterator[Sink]:
    if options.out is not None:
        audio = info.path if info.has_audio else None
        yield VideoSink(options.out, info, audio_from=audio, overwrite=options.overwrite)
    if options.csv is not None:
        yield CsvSink(options.csv, overwrite=options.overwrite)
    if options.jsonl is not None:
        yield JsonlSink(options.jsonl, _header(options, info, pipeline), overwrite=options.overwrite)


def _header(options: Options, info: SourceInfo, pipeline: Pipeline) -> dict[str, Any]:
    return {
        "version": __version__,
        "source": {
            **{"name": info.name, "width": info.width, "height": info.height, "fps": info.fps},
            "origin": info.origin,
        },
        "model": {"name": pipeline.engine.model_name, "sha256": pipeline.engine.model_sha256},
        "provider": pipeline.engine.provider,
        "options": options.as_dict(),
    }


@contextmanager
def _settled(sink: Sink) -> Iterator[Sink]:
    """Close the sink when the run ends well or is stopped, abort it when the run fails."""
    try:
        try:
            yield sink
        except BaseException:
            sink.abort()
            raise
        sink.close()
    except BaseException as error:
        if sink.kept is not None and str(sink.kept) not in str(error):
            error.add_note(f"What was written until then is in {sink.kept}.")
        raise


@contextmanager
def _after_the_encoder() -> Iterator[None]:
    """Let the threads of decoder and encoder, started before, go first inside the ``with`` block (Linux).

    Encoding is what a file waits for; whatever delays it costs time, while points have pictures queued on both sides.
    At 720p on two cores this gave 8 % more frames a second.
    """
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    with suppress(PermissionError):  # a sandbox may forbid it: never a reason to fail
        os.setpriority(os.PRIO_PROCESS, thread, min(before + _MODESTY, 19))
    try:
        yield
    finally:
        with suppress(PermissionError):  # only root may go back, and the run is over anyway
            os.setpriority(os.PRIO_PROCESS, thread, before)


class _Stops:
    """Ctrl-C, SIGTERM and a terminal that closes: asked for at any time, obeyed where nothing is torn.

    While the run waits for a frame, a signal raises KeyboardInterrupt; while a frame is worked on or files
    are closed, it is only noted.
    """

    def __init__(self) -> None:
        self.asked = False
        self.deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Stops:
        numbers = [signal.SIGINT, signal.SIGTERM]
        # Windows has none, and under nohup it stays ignored.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        for number in numbers:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if not self.deferred:
            raise KeyboardInterrupt

    @contextmanager
    def defer(self) -> Iterator[None]:
        """Only note signals inside the ``with`` block."""
        self.deferred = True
        try:
            yield
        finally:
            self.deferred = False


class _Viewer:
    """The window with its keys: quit, pause, HUD, snapshot. A context manager that closes the window."""

    def __init__(self, info: SourceInfo, *, paced: bool) -> None:
        self.hud = True
        self.done = False
        self.snapshots: list[str] = []
        self._window = Window(f"fkp-live: {info.name}", (info.width, info.height))
        self._paced = paced
        self._paused = False
        # When the stream's time 0 was due, on our clock.
        self._zero: float | None = None

    def __enter__(self) -> _Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._window.close()

    def show(self, picture: Image, stream_time: float, stopped: Callable[[], bool]) -> None:
        """Show a picture, until the next one is due where the window keeps the pace, and obey the keys."""
        now = time.perf_counter()
        if self._zero is None or now - self._zero > stream_time + 0.5:
            # The first frame, or too far behind to catch up without a rush.
            self._zero = now - stream_time
        self._obey(self._window.show(picture), picture)
        while not (self.done or stopped()):
            begin = time.perf_counter()
            rest = self._zero + stream_time - begin
            if not self._paused and (not self._paced or rest < 0.001):
                return
            nap = _NAP_MS if self._paused else min(_NAP_MS, int(1e3 * rest))
            self._obey(self._window.wait(nap), picture)
            if self._paused:
                self._zero += time.perf_counter() - begin

    def _obey(self, key: int, picture: Image) -> None:
        if key in (ord("q"), ESCAPE) or self._window.closed:
            self.done = True
        elif key == ord(" "):
            self._paused = not self._paused
        elif key == ord("h"):
            self.hud = not self.hud
        elif key == ord("s"):
            path = f"fkp-live-{datetime.now():%Y%m%d-%H%M%S-%f}.png"
            if cv2.imwrite(path, picture):
                self.snapshots.append(path)
            else:
                _log(f"The snapshot {path} could not be written to this folder.")


class _Progress:
    """The progress bar on stderr, a context manager. Never a reason to fail, even if nobody listens there."""

    def __init__(self, info: SourceInfo, most: int | None, *, quiet: bool) -> None:
        totals = [number for number in (info.frames, most) if number is not None]
        self._total = min(totals, default=None)
        self._name = info.name
        self._bar: Any = None
        self._quiet = quiet

    def __enter__(self) -> _Progress:
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


def _log(text: str) -> None:
    say(text, sys.stderr)


def _silent(text: str) -> None:
    pass
