"""``fkp-live replay``: its options, and what is refused before anything is opened. `replaying` does the work.

Nothing heavy is imported here: ``fkp-live replay --help`` answers at once.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fkp_live.arguments import Help, Parser, file_path, filled, seconds, table_name, whole_number
from fkp_live.choices import CSV_COLUMN_SETS, MAX_PIXELS, PROGRESS, SMOOTHING, PipelineOptions
from fkp_live.commands.event_arguments import add_event_options, event_outputs
from fkp_live.commands.options import Options, check
from fkp_live.commands.picture_edits import add_edit_options, edit_options
from fkp_live.commands.signals import Stops
from fkp_live.commands.window_options import add_window_options
from fkp_live.errors import UsageError
from fkp_live.targets import target

_DESCRIPTION = """\
A recording (.jsonl, .csv or .parquet of fkp-live, .csv of OpenFace) played again: drawn on its film, smoothed anew, ids
renamed, faces covered. No network runs and none is needed.
"""
_EPILOG = """\
examples:
  fkp-live replay points.jsonl                                    in a window; the film lies beside the recording
  fkp-live replay points.jsonl --video film.mp4 --out annotated.mp4
  fkp-live replay points.jsonl --smooth offline --csv smooth.csv  numbers alone need no film
  fkp-live replay points.jsonl --rename 3=1 --out one.mp4         tracks 3 and 1 are the same person
  fkp-live replay points.jsonl --only-points --out points.mp4
"""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """The options of one replay, checked.

    Attributes
    ----------
    recording : the file
    video : the film or pictures that were recorded; None: what the recording names, beside it
    start, mirror : as the film was read; None: as the recording says
    smooth : one of `SMOOTHING`, or "offline"; None: the points as they were recorded
    rename : new ids by old ones
    run : everything else, as of a run; its source is not known yet
    """

    recording: Path
    video: str | None
    start: float | None
    mirror: bool | None
    smooth: str | None
    rename: dict[int, int]
    run: Options


def main(words: Sequence[str], stops: Stops) -> int:
    """Replay a recording and return the exit code."""
    options = parse(words)
    # After parsing, because it loads OpenCV and all the rest.
    from fkp_live.commands.replaying import replay

    return replay(options, stops)


def parse(words: Sequence[str]) -> ReplayOptions:
    """The options of a command line.

    Raises
    ------
    UsageError : an option is unknown, makes no sense or contradicts another one
    SystemExit : with 0, after ``--help`` has printed
    """
    given = vars(_parser().parse_args(words))
    own = {field.name: given.pop(field.name) for field in fields(ReplayOptions) if field.name != "run"}
    own["rename"] = _ids_by_old_ones(own["rename"] or [])
    del given["debug"]
    given["send"] = tuple(given["send"] or ())
    edits, events = edit_options(given), event_outputs(given)
    # What is a matter of cameras and pipelines; start and mirror follow from the recording.
    given |= {"start": None, "end": None, "max_frames": None, "mirror": False}
    given |= {"size": None, "fps": None, "retry": 0.0}
    run = Options(
        source=str(own["recording"]), pipeline=PipelineOptions(), edits=edits, events=events, **given
    )
    check(run)
    return ReplayOptions(run=run, **own)


def _ids_by_old_ones(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    names: dict[int, int] = {}
    for old, new in pairs:
        if names.get(old, new) != new:
            raise UsageError(
                f"--rename {old}={names[old]} and --rename {old}={new} contradict each other.",
                "Give one of the two.",
            )
        names[old] = new
    return names


def _renaming(text: str) -> tuple[int, int]:
    """For argparse: OLD=NEW, two ids."""
    found = re.fullmatch(r"([0-9]{1,9})=([0-9]{1,9})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected OLD=NEW, two ids such as 3=1, got {text!r}")
    return int(found[1]), int(found[2])


def _parser() -> argparse.ArgumentParser:
    made = Parser(
        prog="fkp-live replay",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    flag = argparse.BooleanOptionalAction
    made.add_argument("recording", type=file_path, metavar="RECORDING", help="what --jsonl or --csv wrote")
    group = made.add_argument_group("film")
    group.add_argument(
        "--video",
        type=filled,
        metavar="FILE",
        help="the film or the folder of pictures that was recorded (default: the one that the recording names, if it "
        "lies beside it)",
    )
    group.add_argument(
        "--start",
        type=seconds,
        metavar="S",
        help="the --start of the run (default: as JSONL and Parquet say; a CSV does not)",
    )
    group.add_argument("--mirror", action=flag, help="whether the run had --mirror (default: likewise)")
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAX_PIXELS,
        metavar="N",
        help="refuse pictures of more pixels, by their header",
    )
    group = made.add_argument_group("points")
    group.add_argument(
        "--smooth",
        choices=(*SMOOTHING, "offline"),
        help="smooth anew, from the points before smoothing; offline: in both directions of time, without lag "
        "(default: the points as they were recorded)",
    )
    group.add_argument(
        "--rename",
        type=_renaming,
        action="append",
        metavar="OLD=NEW",
        help="give a face another id, or that of another one whom it is the same person as; may be repeated",
    )
    _add_outputs(made)
    add_window_options(made)
    add_event_options(made)
    add_edit_options(made)
    made.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made


def _add_outputs(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("output (none of them: a window)")
    flag = argparse.BooleanOptionalAction
    group.add_argument("--out", type=file_path, metavar="FILE", help="annotated video: .mp4, .mov or .mkv")
    group.add_argument(
        "--csv", type=table_name, metavar="FILE", help="the numbers, one row per face and frame; - for stdout"
    )
    group.add_argument(
        "--csv-columns",
        choices=CSV_COLUMN_SETS,
        default=CSV_COLUMN_SETS[0],
        help="OpenFace's columns alone, or all",
    )
    group.add_argument(
        "--jsonl",
        type=table_name,
        metavar="FILE",
        help="the numbers, one JSON object per frame; - for stdout",
    )
    group.add_argument(
        "--send",
        type=target,
        action="append",
        metavar="TARGET",
        help="send the numbers to a program, at the pace of the film: as in fkp-live --help",
    )
    group.add_argument("--overwrite", action=flag, default=False, help="replace files that exist")
    group.add_argument(
        "--headless",
        action=flag,
        default=None,
        help="no window; --no-headless insists on one (default: one if no file is written)",
    )
    group.add_argument("--hud", action=flag, default=False, help="fps and faces in the corner")
    group.add_argument(
        "--quiet", action=flag, default=False, help="print nothing but errors, and what - asks for"
    )
    group.add_argument(
        "--progress",
        choices=PROGRESS,
        help="on stderr: a bar, a JSON object for each update, or nothing (default: bar, off with --quiet)",
    )
