"""What a run writes and sends: checked before anything is opened, then opened."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fkp_live.arguments import STDOUT
from fkp_live.choices import PipelineOptions
from fkp_live.commands.options import Options
from fkp_live.commands.progress import log
from fkp_live.commands.signals import Stops
from fkp_live.console import was_closed
from fkp_live.errors import OutputError
from fkp_live.inference.models import resolve_model
from fkp_live.sinks import (
    VIDEO_FORMATS,
    CsvFormat,
    JsonlFormat,
    Sender,
    Sink,
    StreamSink,
    VideoSink,
    check_output,
    check_target,
    open_sender,
)
from fkp_live.sinks.text import LineFormat, TextSink
from fkp_live.sources.spec import local_files
from fkp_live.types import SourceInfo


def check_outputs(options: Options, spec: int | str) -> None:
    """Refuse what cannot be written, before anything is opened.

    Raises
    ------
    OutputError, UsageError
        See `check_output` and `check_target`; or standard output is asked for and cannot be written to.
    """
    for to in options.send:
        check_target(to)
    if options.fills_stdout and was_closed(sys.stdout):
        raise OutputError(
            "Standard output is closed, and --csv -, --jsonl - or --events - writes to it.", "Name a file."
        )
    if options.fills_stdout and not hasattr(sys.stdout, "buffer"):
        raise OutputError(
            "Standard output takes text only here, and --csv -, --jsonl - or --events - writes bytes.",
            "Name a file.",
        )
    inputs = local_files(spec)
    if options.pipeline.model is not None:
        inputs.append(resolve_model(options.pipeline.model))
    checked: list[Path] = []
    for option, path in options.outputs.items():
        suffixes = VIDEO_FORMATS if option == "--out" else ()
        check_output(path, overwrite=options.overwrite, inputs=inputs, others=checked, suffixes=suffixes)
        checked.append(path)


def open_sinks(
    options: Options, info: SourceInfo, header: Callable[[], dict[str, Any]], stops: Stops
) -> Iterator[Sink]:
    """What writes the files and standard output of a run; ``header`` gives that of a JSONL file."""
    if options.out is not None:
        audio = info.path if info.has_audio else None
        yield VideoSink(options.out, info, audio_from=audio, overwrite=options.overwrite)
    if options.csv is not None:
        yield _table(options, options.csv, CsvFormat(options.csv_columns, info.pictures), stops)
    if options.jsonl is not None:
        yield _table(options, options.jsonl, JsonlFormat(header(), info.pictures), stops)
    yield from _event_sinks(options, stops)


def _table(options: Options, path: Path | str, form: LineFormat, stops: Stops) -> Sink:
    if path == STDOUT:
        return StreamSink(sys.stdout.buffer, form, "Standard output", stopped=lambda: stops.asked)
    return TextSink(path, form, options.overwrite)


def _event_sinks(options: Options, stops: Stops) -> Iterator[Sink]:
    events = options.events
    if events.table is None and not events.commands:
        return
    # Not above: they would delay the first picture of every run.
    from fkp_live.faces.events import EventFinder
    from fkp_live.sinks import EventsSink, EventsStreamSink, ProgramsSink

    if events.table == STDOUT:
        finder = EventFinder(events.limits)
        yield EventsStreamSink(sys.stdout.buffer, finder, "Standard output", stopped=lambda: stops.asked)
    elif events.table is not None:
        yield EventsSink(events.table, EventFinder(events.limits), overwrite=options.overwrite)
    if events.commands:
        finder = EventFinder(events.limits)
        yield ProgramsSink(events.commands, finder, report=lambda text: note(options, text))


def open_senders(options: Options, info: SourceInfo, pipeline: PipelineOptions) -> Iterator[Sender]:
    """What sends a run to ``--send``; ``pipeline``: the options that it is worked on with."""
    # A film that is written runs faster than it plays, and nobody watches an avatar beside it.
    in_groups = bool(options.outputs) and not info.live
    for to in options.send:
        report = partial(note, options)
        yield open_sender(to, info, options=pipeline, report=report, in_groups=in_groups)


def note(options: Options, text: str) -> None:
    """Say a line on standard error, unless ``--quiet``."""
    if not options.quiet:
        log(text)
