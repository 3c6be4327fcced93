"""``fkp-live summary``: a table with one row a film and face."""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_live.arguments import Help, Parser, eyes_millimetres, file_path
from fkp_live.commands.recording_notes import say_notes
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, FkpError, InputError, UsageError
from fkp_live.wording import counted

if TYPE_CHECKING:
    from fkp_live.commands.progress import Progress
    from fkp_live.plots.inputs import RecordingFile

# Of items that failed in a batch; their number is said in any case.
_MOST_NAMED = 5

_EPILOG = """\
A folder may be that of fkp-live batch. Every column: docs/reports.md. A recording that cannot be read is named on
stderr, the others are summarised, and the exit code is 1.

examples:
  fkp-live summary points.jsonl
  fkp-live summary recordings/ --out people.csv
  fkp-live summary points.jsonl --clinical --scale-mm 92
"""


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Carry out ``fkp-live summary`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For wrong options, an output that cannot be written, or if no recording can be read.
    """
    options = _parser().parse_args(words)
    if options.scale_mm is not None and not options.clinical:
        raise UsageError("--scale-mm is for the clinical measures.", "Add --clinical.")
    # Not at the top: numpy takes longer to load than --help needs.
    from fkp_live.commands.progress import ProgressBar
    from fkp_live.plots import clinical
    from fkp_live.plots.inputs import find_recordings
    from fkp_live.plots.summary import COLUMNS
    from fkp_live.sinks.files import check_output

    if options.out is not None:
        check_output(options.out, overwrite=options.overwrite, suffixes=(".csv",))
    found = find_recordings(options.sources)
    if options.out is not None:
        check_output(options.out, overwrite=options.overwrite, inputs=[one.path for one in found])
    if stops is not None:
        stops.raise_interrupt()
    failed: list[FkpError] = []
    with ProgressBar("fkp-live summary", None, shown=not options.quiet) as progress:
        columns = (*COLUMNS, *clinical.COLUMNS) if options.clinical else COLUMNS
        lines = _lines(columns, found, failed, progress, options)
        if options.out is None:
            for line in lines:
                say(line)
        else:
            _write(options.out, lines, overwrite=options.overwrite)
    if options.out is not None and not options.quiet:
        say(str(options.out))
    _say_items_without_a_row(options.sources)
    if failed:
        say(
            f"fkp-live summary: {len(failed)} of {counted(len(found), 'recording')} could not be read.",
            sys.stderr,
        )
    return int(ExitCode.FAILURE if failed else ExitCode.OK)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live summary",
        description="One row a film and face: time on screen, blinks, pose, openness, smile, movement.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument(
        "sources", type=file_path, nargs="+", metavar="DIR|FILE", help="recordings, or folders of them"
    )
    made.add_argument("--out", type=file_path, metavar="FILE", help="the table, .csv (default: to stdout)")
    made.add_argument(
        "--clinical",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="columns at the end: clinical measures of left and right, medians over frames from the front",
    )
    made.add_argument(
        "--scale-mm",
        type=eyes_millimetres,
        metavar="MM",
        help="with --clinical: distance of the person's outer eye corners, for lengths in millimetres",
    )
    made.add_argument(
        "--overwrite", action=argparse.BooleanOptionalAction, default=False, help="replace a file that exists"
    )
    made.add_argument(
        "--quiet",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="print nothing but errors and warnings, and the table where --out is not given",
    )
    made.add_argument("--debug", action="store_true", help="show where a failure happened")
    return made


def _say_items_without_a_row(sources: Sequence[Path]) -> None:
    """Name on stderr what failed in a batch: nobody would miss it among many rows."""
    from fkp_live.plots.inputs import failed_items

    for folder in sources:
        if failed := failed_items(folder):
            named = ", ".join(failed[:_MOST_NAMED]) + (", …" if failed[_MOST_NAMED:] else "")
            say(
                f"fkp-live summary: {len(failed)} failed in the batch {folder} and have no row: {named}.",
                sys.stderr,
            )


def _lines(
    columns: Sequence[str],
    found: Sequence[RecordingFile],
    failed: list[FkpError],
    progress: Progress,
    options: argparse.Namespace,
) -> Iterator[str]:
    """The table's lines; recordings that cannot be read are named on stderr and put into ``failed``."""
    from fkp_live.plots.clinical import FilmSides
    from fkp_live.plots.summary import cells, summarise
    from fkp_live.sources.recordings import open_recording

    head = [_line(columns)]
    for one in found:
        try:
            with open_recording(one.path) as recording:
                sides = FilmSides(options.scale_mm) if options.clinical else None
                rows = summarise(recording, one.film(recording), sides, advance=progress.advance)
                say_notes(recording, "fkp-live summary")
        except InputError as error:
            failed.append(error)
            if len(failed) == len(found):
                raise
            say(f"fkp-live summary: {error.message}", sys.stderr)
            continue
        yield from head + [_line(cells(row)) for row in rows]
        head = []


def _line(values: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def _write(path: Path, lines: Iterator[str], *, overwrite: bool) -> None:
    from fkp_live.sinks.files import PartialFile

    file = PartialFile(path, overwrite=overwrite)
    with (
        file.discarded_on_failure(),
        os.fdopen(
            file.descriptor, "w", encoding="utf-8", errors="backslashreplace", newline="", closefd=False
        ) as stream,
    ):
        for line in lines:
            stream.write(line + "\n")
    file.commit()
