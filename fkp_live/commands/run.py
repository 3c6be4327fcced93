"""One run: source, pipeline, sinks and window opened, the stream processed, the summary printed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

# Before anything that imports av, or cv2.imshow hangs on Linux.
import cv2

from fkp_live import __version__
from fkp_live.commands.options import Options
from fkp_live.commands.picture_edits import EditOptions, edited, read_sticker
from fkp_live.commands.progress import HudFigures, Progress, log
from fkp_live.commands.signals import INTERRUPTED, Stops
from fkp_live.commands.viewer import Viewer
from fkp_live.console import say
from fkp_live.display.overlay import draw
from fkp_live.display.screen import screen_problem
from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.inference.models import resolve_model
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import VIDEO_FORMATS, CsvSink, JsonlSink, Sink, VideoSink, check_output
from fkp_live.sources import Source, open_source
from fkp_live.sources.spec import local_files
from fkp_live.stats import RunStats
from fkp_live.stream import Painter, Processor, process_stream, settled
from fkp_live.types import Frame, FrameResult, Picture, SourceInfo

# What is added to the niceness of the inference where a file is encoded beside it.
_NICENESS = 10


def run(options: Options, stops: Stops) -> int:
    """Carry out ``options`` and return the exit code.

    Raises
    ------
    FkpError
        For every failure that a user can cause. Files that exist are then as they were before.
    """
    spec = _demo_clip() if options.source is None else options.source
    _check_outputs(options, spec)
    no_screen = _check_screen(options)
    sticker = read_sticker(options.edits)
    with ExitStack() as stack:
        stack.enter_context(_opencv_settings())
        pipeline = Pipeline(options.pipeline)
        _note(options, f"{pipeline.engine.note}; network {pipeline.engine.model_name}")
        source = stack.enter_context(
            open_source(
                spec,
                start=options.start,
                end=options.end,
                mirror=options.mirror,
                max_pixels=options.max_pixels,
            )
        )
        stops.finish_files(source)
        stats = RunStats()
        hud = HudFigures(stats, pipeline.engine.provider, live=source.info.live)
        sinks = [stack.enter_context(settled(sink)) for sink in _sinks(options, source.info, pipeline)]
        viewer = _viewer(options, source.info, hud, no_screen, alone=not sinks)
        if viewer is not None:
            stack.enter_context(viewer)
        if stops.own_process and options.out is not None and not source.info.live:
            _step_back_behind_the_encoder()
        progress = stack.enter_context(Progress(source.info, options.max_frames, quiet=options.quiet))

        def on_frame(frame: Frame, result: FrameResult, painted: Picture | None) -> None:
            if viewer is not None and painted is not None:
                with stats.stage("show"):
                    viewer.show(frame, result, painted)
            progress.advance()

        def between() -> None:
            if viewer is not None:
                viewer.wait(lambda: stops.asked)

        def stop() -> bool:
            return stops.asked or (viewer is not None and viewer.done)

        paints = viewer is not None or any(sink.wants_picture for sink in sinks)
        paint = _painter(hud, options.edits, shown=options.hud) if paints else None
        frames: Iterable[Frame] = source
        processor: Processor = pipeline
        if paints and options.edits.any:
            frames = processor = edited(options.edits, sticker, source, pipeline, live=source.info.live)
        try:
            process_stream(
                frames,
                processor,
                sinks,
                on_frame=on_frame,
                between=between,
                paint=paint,
                stop=stop,
                max_frames=options.max_frames,
                stats=stats,
            )
        except InputError:
            # Ctrl-C in a terminal also ends the program that sends the stream.
            if not stops.asked:
                raise
        if not stats.frames and not stops.asked:
            raise InputError(
                f"No frame came out of {source.info.name}.", "Check --start and --end, or play it."
            )
    return _finish(options, source, sinks, viewer, stats, stops)


def _viewer(
    options: Options, info: SourceInfo, hud: HudFigures, no_screen: str | None, *, alone: bool
) -> Viewer | None:
    """The window, where it was asked for or helps; ``alone``: no file is written."""
    if options.headless or (options.headless is None and not info.live and not alone):
        return None
    if no_screen:
        _note(options, f"No window: {no_screen}.")
        return None
    # A file that is only looked at plays at its own pace; one that is written, as fast as it can.
    return Viewer(
        info,
        paced=alone and not info.live,
        hud=lambda: hud.current,
        hud_painted=options.hud and options.edits.hud,
    )


def _painter(hud: HudFigures, edits: EditOptions, *, shown: bool) -> Painter:
    def paint(frame: Frame, result: FrameResult) -> Picture:
        figures = hud(result)
        return draw(
            frame.picture.copy(), result.faces, figures if shown and edits.hud else None, **edits.parts
        )

    return paint


def _finish(
    options: Options,
    source: Source,
    sinks: list[Sink],
    viewer: Viewer | None,
    stats: RunStats,
    stops: Stops,
) -> int:
    """Print notes and summary, once every file has its name."""
    for note in (source.note, *(sink.note for sink in sinks)):
        if note:
            _note(options, note)
    # Stopped before the first frame: a video without a picture is not kept, a table without a row is.
    written = [str(path) for option, path in options.outputs.items() if stats.frames or option != "--out"]
    summary = stats.summary(dropped=source.dropped, outputs=[*written, *(viewer.snapshots if viewer else [])])
    say(summary.table())
    for name in summary.outputs:
        say(f"written: {name}")
    if stops.asked:
        _note(options, "Stopped on request; every file is complete up to there.")
        return INTERRUPTED
    return int(ExitCode.OK)


def _note(options: Options, text: str) -> None:
    if not options.quiet:
        log(text)


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


def _check_outputs(options: Options, spec: int | str) -> None:
    inputs = local_files(spec)
    if options.pipeline.model is not None:
        inputs.append(resolve_model(options.pipeline.model))
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
        raise UsageError(f"--no-headless asks for a window, but {problem}.", "Omit it.")
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
