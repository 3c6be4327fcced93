"""The options of ``fkp-live``, and what is refused before anything is opened.

Nothing heavy is imported here: ``fkp-live --help`` and a mistyped option answer at once.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from fkp_live.arguments import (
    STDOUT,
    Help,
    Parser,
    camera,
    file_path,
    filled,
    picture_size,
    positive,
    seconds,
    table_name,
    whole_number,
)
from fkp_live.choices import (
    CSV_COLUMN_SETS,
    MAX_PIXELS,
    PROGRESS,
    SHAPING,
    PipelineOptions,
    check_range,
)
from fkp_live.commands.event_arguments import EventOutputs, add_event_options, event_outputs
from fkp_live.commands.picture_edits import EditOptions, add_edit_options, edit_options
from fkp_live.commands.pipeline_options import add_face_options, add_inference_options
from fkp_live.commands.serving import VIEWERS, add_serve_options
from fkp_live.commands.short_help import ShortHelp
from fkp_live.commands.version import version_line
from fkp_live.commands.window_options import add_window_options, check_window
from fkp_live.display.keys import keys_table
from fkp_live.errors import UsageError
from fkp_live.server.address import Address
from fkp_live.targets import Target, target

_DESCRIPTION = "68 landmarks of every face of a camera or a video, frame by frame."
_EPILOG = f"""\
commands (each has a --help of its own):
  fkp-live batch ...     an archive of films and pictures, resumable, on one machine or many
  fkp-live replay ...    a recording drawn on its film again, smoothed anew, ids renamed; no network
  fkp-live convert ...   a recording as CSV, Parquet, COCO, .pts with pictures, Live Link Face
  fkp-live summary ...   recordings in numbers: a row a film and face
  fkp-live plot ...      recordings as pictures: timeline, raster, mean shape, head path
  fkp-live report ...    recordings as one page that opens from disk, with curves, pictures and table
  fkp-live web ...       a page that finds faces in the visitor's own browser
  fkp-live models        what ships: size, data, figures, licence
  fkp-live bench ...     frames per second and latency, stage by stage
  fkp-live doctor        what is installed, which providers really run, cameras, screen
  fkp-live completion    the shell's completion of commands and options

keys in the window:
{keys_table()}

examples:
  fkp-live 0
  fkp-live input.mp4 --out annotated.mp4
  fkp-live --video input.mp4 --csv points.csv --jsonl points.jsonl --headless
  fkp-live --demo --out annotated.mp4
  fkp-live 0 --jsonl - --headless | your-program
  fkp-live 0 --send osf://127.0.0.1 --send lsl://face
  fkp-live 0 --serve
  fkp-live input.mp4 --background blur --out covered.mp4
  fkp-live 0 --on eyes_shut "notify-send 'Wake up'" --events events.csv

exit codes:
  0 ok, 1 failure, 2 usage, 3 input cannot be opened, 4 model missing or not
  ours, 5 the provider does not run, 6 output cannot be written, 130 Ctrl-C
  (every file closed and playable). By the message: docs/troubleshooting.md

What is used most, on one screen: fkp-live -h
"""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one run, checked.

    Attributes
    ----------
    source : camera number, or path, URL, folder or glob, or "camera://" and a name; None for the clip in the package
    out : video file to write, None for none
    csv, jsonl : files to write, `STDOUT` for a stream of lines, None for none
    csv_columns : which columns a table has, one of `choices.CSV_COLUMN_SETS`
    send : programs and devices that get the results live
    overwrite : whether they may replace files that exist
    headless : True: no window; False: a window or an error; None: a window where it helps and can be had
    hud : whether the overlay shows frames per second, age, provider and number of faces in its corner
    start, end : seconds of a file
    max_frames : stop after this many frames
    mirror : turn the picture left to right before all else
    max_pixels : refuse larger pictures by their header
    size, fps : width and height, and rate, asked of a camera
    retry : seconds for which a live source that was lost is tried again
    quiet : print nothing but errors, and the lines that go to standard output
    progress : one of `choices.PROGRESS`; None: the bar, unless ``quiet``
    layers, fullscreen, window_size : what is painted of a face, and how the window is at first
    pipeline : how the stream is processed
    edits : how its pictures are changed
    events : where events of the faces go
    serve : address at which browsers see the stream, None for none
    viewers : at most this many of them
    """

    source: int | str | None
    out: Path | None
    csv: Path | str | None
    csv_columns: str
    jsonl: Path | str | None
    send: tuple[Target, ...]
    overwrite: bool
    headless: bool | None
    hud: bool
    start: float | None
    end: float | None
    max_frames: int | None
    mirror: bool
    max_pixels: int
    size: tuple[int, int] | None
    fps: float | None
    retry: float
    quiet: bool
    progress: str | None
    layers: frozenset[str]
    fullscreen: bool
    window_size: tuple[int, int] | None
    pipeline: PipelineOptions
    edits: EditOptions
    events: EventOutputs = field(default_factory=EventOutputs)
    serve: Address | None = None
    viewers: int = VIEWERS

    @property
    def outputs(self) -> dict[str, Path]:
        """The files to write, by option."""
        named = {"--out": self.out, "--csv": self.csv, "--jsonl": self.jsonl, "--events": self.events.table}
        return {option: path for option, path in named.items() if isinstance(path, Path)}

    @property
    def fills_stdout(self) -> bool:
        """Whether standard output carries the lines of a table, and so nothing else."""
        return STDOUT in (self.csv, self.jsonl, self.events.table)

    @property
    def has_output(self) -> bool:
        """Whether anything comes out beside what a window shows."""
        return bool(
            self.outputs or self.fills_stdout or self.send or self.events.commands or self.serve is not None
        )

    def as_dict(self) -> dict[str, Any]:
        """For the header of a JSONL file: the options that shape the result."""
        own = {name: getattr(self, name) for name in ("start", "end", "max_frames", "mirror")}
        return own | {name: getattr(self.pipeline, name) for name in SHAPING}


def parse(arguments: Sequence[str]) -> Options:
    """The options that these arguments give.

    Raises
    ------
    UsageError
        For an option that is unknown, makes no sense or contradicts another one; it is named.
    SystemExit
        With 0, after ``--help`` and ``--version`` have printed.
    """
    given = vars(_given(arguments))
    number, video, source, _, _ = (given.pop(name) for name in ("camera", "video", "source", "demo", "debug"))
    del given["list_cameras"]  # which stands alone, and never gets here
    named = f"camera://{number}" if isinstance(number, str) else number
    given["send"] = tuple(given["send"] or ())
    pipeline = PipelineOptions(**{field.name: given.pop(field.name) for field in fields(PipelineOptions)})
    edits, events = edit_options(given), event_outputs(given)
    source = (source or video) if named is None else named
    options = Options(source=source, pipeline=pipeline, edits=edits, events=events, **given)
    check(options, camera=number is not None)
    return options


def _given(arguments: Sequence[str]) -> argparse.Namespace:
    """What argparse makes of the words. Several sources, as a shell makes of ``*.mp4``, are for ``fkp-live batch``."""
    made = parser()
    for option in ("--video", "--camera"):
        # Before argparse, which would take the second one for the SOURCE and call the two a contradiction.
        if option in arguments and len(named := _words_after(arguments, option)) > 1:
            _refuse_several(named)
    given, rest = made.parse_known_args(arguments)
    if rest and given.source and not any(word.startswith("-") for word in rest):
        _refuse_several([given.source, *rest])
    if rest:
        made.error(f"unrecognized arguments: {' '.join(rest)}")
    return given


def _words_after(arguments: Sequence[str], option: str) -> list[str]:
    """What stands between an option and the next one."""
    after = arguments[arguments.index(option) + 1 :]
    return list(itertools.takewhile(lambda word: not word.startswith("-"), after))


def _refuse_several(sources: list[str]) -> NoReturn:
    named = ", ".join(sources[:3]) + (", …" if sources[3:] else "")
    raise UsageError(
        f"{len(sources)} sources, but a run takes one: {named}.",
        "For several films, pictures or folders: fkp-live batch SOURCE ... --out DIR. "
        "Files to write follow --out, --csv or --jsonl.",
    )


def check(options: Options, *, camera: bool = False) -> None:
    """Refuse options that contradict one another; ``camera``: the source was given by ``--camera``.

    Raises
    ------
    UsageError
    """
    if camera and (options.start is not None or options.end is not None):
        raise UsageError(
            "--start and --end are for files; --camera has no beginning.", "Use --max-frames instead."
        )
    check_range(options.start, options.end, options.max_frames)
    check_window(headless=options.headless, fullscreen=options.fullscreen, size=options.window_size)
    tables = {"--csv -": options.csv, "--jsonl -": options.jsonl, "--events -": options.events.table}
    if len(taken := [option for option, table in tables.items() if table == STDOUT]) > 1:
        raise UsageError(
            f"{taken[0]} and {taken[1]} cannot both have the standard output.", "Write one of them to a file."
        )
    if len({str(to) for to in options.send}) < len(options.send):
        raise UsageError("--send names a target twice.", "Name each target once.")
    if options.edits.except_id and options.pipeline.id_order == "left-right":
        raise UsageError(
            "--except-id with --id-order left-right: a place may become another person's, who would be uncovered.",
            "Omit --id-order; the numbers by place can come from a run of their own.",
        )
    if options.headless and not options.has_output:
        raise UsageError(
            "--headless without --out, --csv, --jsonl, --events, --on, --send and --serve: nothing would come out.",
            "Name a file to write, or omit --headless for a window. To measure speed: fkp-live bench.",
        )


def _add_camera(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("cameras and live streams")
    group.add_argument(
        "--size",
        type=picture_size,
        metavar="WxH",
        help="size in pixels that is asked of a camera, such as 1280x720 (default: the camera's own)",
    )
    group.add_argument(
        "--fps",
        type=positive,
        metavar="N",
        help="pictures a second that are asked of a camera (default: the camera's own)",
    )
    group.add_argument(
        "--retry",
        type=seconds,
        default=30,
        metavar="S",
        help="try a camera or stream that was lost for S seconds, then end with 3 and every file whole; 0: at once",
    )


def parser() -> argparse.ArgumentParser:
    """The parser of ``fkp-live``."""
    made = Parser(
        prog="fkp-live",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
        add_help=False,
    )
    made.add_argument("-h", action=ShortHelp, help="what is used most, on one screen")
    made.add_argument("--help", action="help", help="this text: all options")
    flag = argparse.BooleanOptionalAction
    made.add_argument("--version", action="version", version=version_line())

    group = made.add_argument_group("source (one of the first four)")
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "source",
        type=filled,
        nargs="?",
        metavar="SOURCE",
        help="camera number, video file, URL, or folder or glob of images",
    )
    source.add_argument(
        "--camera",
        type=camera,
        metavar="N|NAME",
        help="camera number, 0 for the first, or a part of its name",
    )
    source.add_argument(
        "--video", type=filled, metavar="FILE", help="video file, URL, or folder or glob of images"
    )
    source.add_argument("--demo", action="store_true", default=None, help="the clip in the package")
    source.add_argument(
        "--list-cameras",
        action="store_true",
        default=None,
        help="number, name, sizes and rates of each camera",
    )
    group.add_argument(
        "--start", type=seconds, metavar="S", help="skip what comes before second S of a file (default: 0)"
    )
    group.add_argument(
        "--end", type=seconds, metavar="S", help="stop at second S of a file (default: its end)"
    )
    group.add_argument(
        "--max-frames", type=whole_number(1), metavar="N", help="stop after N frames (default: at the end)"
    )
    group.add_argument("--mirror", action=flag, default=False, help="turn the picture left to right first")
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAX_PIXELS,
        metavar="N",
        help="refuse pictures of more pixels, by their header",
    )

    _add_camera(made)
    group = made.add_argument_group("output")
    group.add_argument("--out", type=file_path, metavar="FILE", help="annotated video: .mp4, .mov or .mkv")
    _add_numbers(group)
    add_serve_options(group)
    group.add_argument("--overwrite", action=flag, default=False, help="replace files that exist")
    group.add_argument(
        "--headless",
        action=flag,
        default=None,
        help="no window; --no-headless insists on one (default: one for cameras, or if no file is written; none with "
        "--serve)",
    )
    group.add_argument(
        "--hud", action=flag, default=True, help="fps, frame age, provider and faces in the corner"
    )
    group.add_argument(
        "--quiet", action=flag, default=False, help="print nothing but errors, and what - asks for"
    )
    group.add_argument(
        "--progress",
        choices=PROGRESS,
        help="on stderr: a bar, a JSON object for each update, or nothing (default: bar, off with --quiet)",
    )

    add_window_options(made)

    add_face_options(made)
    add_event_options(made)
    add_edit_options(made)

    group = add_inference_options(made)
    group.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made


def _add_numbers(group: argparse._ArgumentGroup) -> None:
    """The options of numbers: to files, to standard output, and to other programs while the run goes on."""
    group.add_argument(
        "--csv",
        type=table_name,
        metavar="FILE",
        help="the numbers, one row per face and frame; - for standard output, a line as soon as it is known",
    )
    group.add_argument(
        "--csv-columns",
        choices=CSV_COLUMN_SETS,
        default=CSV_COLUMN_SETS[0],
        help="OpenFace's columns alone, or after them all of ours: docs/measures.md",
    )
    group.add_argument(
        "--jsonl",
        type=table_name,
        metavar="FILE",
        help="the numbers, one JSON object per frame; - as for --csv",
    )
    group.add_argument(
        "--send",
        type=target,
        action="append",
        metavar="TARGET",
        help="send the numbers on, live; may be given several times: udp://HOST:PORT (JSON), osf://HOST[:11573] "
        "(OpenSeeFace), vmc://HOST[:39539] (VMC), lsl://NAME (Lab Streaming Layer), camera://DEVICE (the painted "
        "picture in a virtual camera; camera://auto for the first one)",
    )
