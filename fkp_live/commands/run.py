"""One run: source, pipeline, sinks and window opened, the stream processed, the summary printed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import resources
from typing import Any, Protocol

# Before anything that imports av, or cv2.imshow hangs on Linux.
import cv2

from fkp_live.choices import PipelineOptions
from fkp_live.commands.cameras import drivers_silenced
from fkp_live.commands.options import Options
from fkp_live.commands.outputs import check_outputs, note, open_senders, open_sinks
from fkp_live.commands.pace import Pace
from fkp_live.commands.painting import Painting
from fkp_live.commands.picture_edits import edited, read_sticker
from fkp_live.commands.progress import HudFigures, log, progress_of
from fkp_live.commands.recorder import Recorder
from fkp_live.commands.serving import Serving, sayers
from fkp_live.commands.signals import INTERRUPTED, Stops
from fkp_live.commands.viewer import Controls, Viewer
from fkp_live.commands.window_controls import controls, mirrored_at_first
from fkp_live.console import say, silence
from fkp_live.display.look import Look
from fkp_live.display.screen import screen_problem
from fkp_live.engine import recording_header
from fkp_live.errors import ExitCode, InputError, SourceLostError, UsageError
from fkp_live.faces.shared_detector import SharedDetector
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import (
    Sender,
    Sink,
    StreamSink,
)
from fkp_live.sources import Source, open_source
from fkp_live.sources.opening import check_asked, is_camera
from fkp_live.stats import RunStats
from fkp_live.stream import Processor, process_stream, settled
from fkp_live.types import FaceBox, Frame, FrameResult, Picture, SourceInfo

Detect = Callable[[Picture], Sequence[FaceBox]]
# What is added to the niceness of the inference where a file is encoded beside it.
_NICENESS = 10


class Work(Protocol):
    """What is done to the frames of a run: a pipeline finds faces in them, or a recording has them already.

    Attributes
    ----------
    note : said at the beginning
    provider : shown in the HUD
    options : of the pipeline
    detect : finds further heads for a cover; None: there is no network
    pipeline : None where a recording has the results
    """

    note: str
    provider: str
    options: PipelineOptions
    detect: Detect | None
    pipeline: Pipeline | None

    def open(self, spec: int | str, options: Options) -> Source:
        """The source of the run."""

    def processed(self, frames: Iterable[Frame]) -> tuple[Iterable[Frame], Processor[FrameResult]]:
        """The frames to go on with, and what makes a result of each."""

    def header(self, options: Options, info: SourceInfo) -> dict[str, Any]:
        """Of a JSONL file."""

    def controls(self, source: Source, recorder: Recorder) -> Controls:
        """What the keys of the window reach."""

    def last_note(self) -> str:
        """Said at the end; usually empty."""


class _Pipeline:
    """The `Work` of a pipeline."""

    def __init__(self, options: Options) -> None:
        self.pipeline: Pipeline | None
        self.pipeline = self._pipeline = Pipeline(options.pipeline)
        engine = self._pipeline.engine
        self.note = f"{engine.note}; network {engine.model_name}"
        self.provider, self.options = engine.provider, options.pipeline
        self.detect: Detect | None = None
        if options.edits.background is not None:
            # What the pipeline's own detections find, a cover need not look for again.
            self.detect = engine.detector = SharedDetector(engine.detector)

    def open(self, spec: int | str, options: Options) -> Source:
        return open_source(
            spec,
            start=options.start,
            end=options.end,
            mirror=options.mirror,
            max_pixels=options.max_pixels,
            size=options.size,
            fps=options.fps,
            retry=options.retry,
            report=lambda line: note(options, line),
        )

    def processed(self, frames: Iterable[Frame]) -> tuple[Iterable[Frame], Processor[FrameResult]]:
        return frames, self._pipeline

    def header(self, options: Options, info: SourceInfo) -> dict[str, Any]:
        return recording_header(info, self._pipeline.engine, options.as_dict())

    def controls(self, source: Source, recorder: Recorder) -> Controls:
        return controls(source, self._pipeline, recorder)

    def last_note(self) -> str:
        return ""


def run(options: Options, stops: Stops, work_of: Callable[[Options], Work] = _Pipeline) -> int:
    """Carry out ``options`` and return the exit code; ``work_of`` opens what makes the results.

    Raises
    ------
    FkpError
        For every failure that a user can cause. Files that exist are then as they were before.
    """
    spec = _demo_clip() if options.source is None else options.source
    check_asked(spec, options.size, options.fps, options.retry)
    check_outputs(options, spec)
    lost: SourceLostError | None = None
    no_screen = _check_screen(options)
    sticker = read_sticker(options.edits)
    with ExitStack() as stack:
        stack.enter_context(_opencv_settings())
        serving = None
        if options.serve is not None:
            serving = stack.enter_context(Serving(options, lambda text: note(options, text)))
        work = work_of(options)
        note(options, work.note)
        source = stack.enter_context(work.open(spec, options))
        if begins := source.note:  # what a camera delivers instead of what was asked for
            note(options, begins)
        stops.finish_files(source)
        if is_camera(spec):
            stack.enter_context(drivers_silenced())
        stats = RunStats()
        hud = HudFigures(stats, work.provider, live=source.info.live, dropped=lambda: source.dropped)
        senders: list[Sender] = []
        for sender in open_senders(options, source.info, work.options):
            stack.enter_context(settled(sender))
            senders.append(sender)
        header = partial(work.header, options, source.info)
        records = [
            stack.enter_context(settled(sink)) for sink in open_sinks(options, source.info, header, stops)
        ]
        sinks: list[Sink] = [*records, *senders]
        look = Look(options.edits.layers(options.layers, hud=options.hud))
        viewer = _viewer(options, source.info, look, no_screen, alone=not records)
        recorder = None
        listeners = senders or serving is not None
        pace = Pace() if listeners and not records and viewer is None and not source.info.live else None
        if viewer is not None:
            stack.enter_context(viewer)
        if viewer is not None or serving is not None:
            recorder = Recorder(source.info, sayers(viewer, serving))
            sinks.append(stack.enter_context(settled(recorder)))
            if viewer is not None:
                viewer.controls = work.controls(source, recorder)
            if serving is not None:
                mirror = mirrored_at_first(spec, mirror=options.mirror)
                log(serving.begin(source, work.pipeline, recorder, look=look, header=header(), mirror=mirror))
        served_alone = serving if pace is not None and not senders else None
        if served_alone is not None:
            note(options, "The file begins with the first viewer, and the run ends with the file.")
        if stops.own_process and options.out is not None and not source.info.live:
            _step_back_behind_the_encoder()
        progress = stack.enter_context(
            progress_of(options.progress, source.info, options.max_frames, stats, quiet=options.quiet)
        )
        current = 0.0

        def on_frame(frame: Frame, result: FrameResult, painted: Picture | None) -> None:
            if viewer is not None:
                with stats.stage("show"):
                    viewer.show(frame)
            if serving is not None:
                serving.show(frame, result)
            nonlocal current
            current = frame.time
            progress.advance(len(result.faces))

        def between() -> None:
            if viewer is not None:
                viewer.wait(lambda: stops.asked)
            if serving is not None:
                serving.obey()
            if pace is not None:
                pace.wait(current, lambda: stops.asked)

        def stop() -> bool:
            gone = any(isinstance(sink, StreamSink) and sink.gone for sink in records)
            return stops.asked or gone or (viewer is not None and viewer.done)

        painting = Painting(look, hud, sinks, viewer)
        pictures_needed = painting.needed or serving is not None
        frames: Iterable[Frame] = source
        if (screen := viewer or serving) is not None:
            frames = screen.frames(source, lambda: stops.asked)
        frames, processor = work.processed(frames)
        if pictures_needed and options.edits.any:
            frames = processor = edited(
                options.edits,
                sticker,
                frames,
                processor,
                live=source.info.live,
                detect=work.detect,
                every=work.options.detect_every,
            )
        if served_alone is not None:
            with stats.waiting():
                served_alone.await_viewer(lambda: stops.asked)
        try:
            process_stream(
                frames,
                processor,
                sinks,
                on_frame=on_frame,
                between=between,
                paint=painting if pictures_needed else None,
                stop=stop,
                max_frames=options.max_frames,
                stats=stats,
            )
        except SourceLostError as error:
            # Not a failure of the files: each is finished.
            lost = None if stops.asked else error
        except InputError:
            # Ctrl-C in a terminal also ends the program that sends the stream.
            if not stops.asked:
                raise
        if not stats.frames and not stops.asked:
            raise InputError(
                f"No frame came out of {source.info.name}.", "Check --start and --end, or play it."
            )
    if lost is None:
        progress.done()
    snapshots = [name for screen in (viewer, serving) if screen is not None for name in screen.snapshots]
    made = [*snapshots, *(recorder.files if recorder else [])]
    notes = [source.note, work.last_note(), *(sink.note for sink in sinks)]
    code = _finish(options, notes, source.dropped, sinks, senders, made, stats, stops, said=begins)
    if lost is not None:
        raise lost
    return code


def _viewer(
    options: Options, info: SourceInfo, look: Look, no_screen: str | None, *, alone: bool
) -> Viewer | None:
    """The window, where it was asked for or helps; ``alone``: no file is written."""
    shown_elsewhere = options.serve is not None or (not info.live and not alone)
    if options.headless or (options.headless is None and shown_elsewhere):
        if options.fullscreen or options.window_size is not None:
            note(
                options, "No window, because the results are written or served; --no-headless insists on one."
            )
        return None
    if no_screen:
        note(options, f"No window: {no_screen}.")
        return None
    # A file that is only looked at plays at its own pace; one that is written, as fast as it can.
    return Viewer(
        info,
        paced=alone and not info.live,
        look=look,
        mirror=mirrored_at_first(options.source, mirror=options.mirror),
        size=options.window_size,
        fullscreen=options.fullscreen,
    )


def _finish(
    options: Options,
    notes: list[str],
    dropped: int,
    sinks: list[Sink],
    senders: list[Sender],
    made: list[str],
    stats: RunStats,
    stops: Stops,
    *,
    said: str,
) -> int:
    """Print notes and summary, unless quiet, once every file has its name; ``made``: by keys of the window."""
    if any(isinstance(sink, StreamSink) and sink.gone for sink in sinks):
        # What is left in the buffer cannot be delivered, and the interpreter's end would fail on it.
        silence(sys.stdout)
    for text in notes:
        if later := text.removeprefix(said).removeprefix("; "):
            note(options, later)
    # Stopped before the first frame: a video without a picture is not kept, a table without a row is.
    written = [str(path) for option, path in options.outputs.items() if stats.frames or option != "--out"]
    summary = stats.summary(
        dropped=dropped,
        outputs=[*written, *made],
        deliveries={sender.name: sender.delivery for sender in senders},
    )
    if not options.quiet:
        stream = sys.stderr if options.fills_stdout else None
        say(summary.table(), stream)
        for name in summary.outputs:
            say(f"written: {name}", stream)
    if stops.asked:
        note(options, "Stopped on request; every file is complete up to there.")
        return INTERRUPTED
    return int(ExitCode.OK)


@contextmanager
def _opencv_settings() -> Iterator[None]:
    """OpenCV on one thread for the time of a run."""
    threads = cv2.getNumThreads()
    # Decoder, networks and encoder fill the cores: without OpenCV's own threads a frame of 720p took 6 % less
    # processor time (two busy cores).
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _step_back_behind_the_encoder() -> None:
    """Let the threads of decoder and encoder, already started, go before this one, to the end of the process (Linux).

    Encoding is what a file waits for; whatever delays it costs time, while points have pictures queued on both sides.
    At 720p on two cores this gave 8 % more frames a second.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(PermissionError):  # a sandbox may forbid it: never a reason to fail
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(before + _NICENESS, 19))


def _check_screen(options: Options) -> str | None:
    """Why there can be no window, None if there can. An error where the run needs one."""
    if options.headless:
        return None
    problem = screen_problem()
    if problem and options.headless is False:
        raise UsageError(
            f"--no-headless asks for a window, but {problem}.",
            "Run it where there is a screen, or omit --no-headless and write files: --out, --csv, --jsonl.",
        )
    if problem and not options.has_output:
        raise UsageError(
            f"Nothing would come out: no file to write, and no window, for {problem}.",
            "Give --out, --csv, --jsonl, --events, --send or --serve, or run it where there is a screen.",
        )
    return problem


def _demo_clip() -> str:
    return str(resources.files("fkp_live") / "assets" / "demo.mp4")
