"""``fkp-live report``: one HTML page of recordings, for reading and for sending to others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fkp_live.arguments import Help, Parser, file_path
from fkp_live.commands.recording_notes import say_notes
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, UsageError

_EPILOG = """\
The page opens from disk, without a server, and loads nothing but the film, if it lies beside it. The film is looked for
beside the recording, by the name in its header.

examples:
  fkp-live report points.jsonl --out report.html
  fkp-live report points.jsonl --video film.mp4 --out report.html
"""
# Sections share the page's size, so that of many films each would show next to nothing.
_MOST_FILMS = 50


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Carry out ``fkp-live report`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For wrong options, a recording or film that cannot be read, or an output that cannot be written.
    """
    options = _parser().parse_args(words)
    # Not at the top: numpy and OpenCV take longer to load than --help needs.
    from fkp_live.commands.progress import ProgressBar
    from fkp_live.plots.inputs import find_recordings
    from fkp_live.plots.report import film_section, page_of
    from fkp_live.sinks.files import check_output, write_text
    from fkp_live.sources.recordings import open_recording
    from fkp_live.sources.spec import check_file

    check_output(options.out, overwrite=options.overwrite, suffixes=(".html", ".htm"))
    found = find_recordings(options.sources)
    if options.video is not None and len(found) > 1:
        raise UsageError(
            f"--video names one film, but there are {len(found)} recordings.", "Name one of them."
        )
    if len(found) > _MOST_FILMS:
        raise UsageError(
            f"{len(found)} recordings are too many for a page; it holds {_MOST_FILMS}.",
            "Name fewer of them; fkp-live summary takes any number.",
        )
    if options.video is not None:
        check_file(options.video)
    inputs = [*(one.path for one in found), *([options.video] if options.video else [])]
    check_output(options.out, overwrite=options.overwrite, inputs=inputs)
    if stops is not None:
        stops.raise_interrupt()
    sections = []
    with ProgressBar("fkp-live report", None, shown=not options.quiet) as progress:
        for one in found:
            with open_recording(one.path) as recording:
                section = film_section(
                    one,
                    recording,
                    options.out,
                    film=options.video,
                    share=len(found),
                    advance=progress.advance,
                )
                say_notes(recording, "fkp-live report")
            sections.append(section)
    write_text(options.out, page_of(sections), overwrite=options.overwrite)
    if not options.quiet:
        say(str(options.out))
    return int(ExitCode.OK)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live report",
        description="One self-contained HTML page: curves of each face, pictures, table, and the film along with them.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument(
        "sources", type=file_path, nargs="+", metavar="FILE|DIR", help="recordings, or folders of them"
    )
    made.add_argument("--out", type=file_path, required=True, metavar="FILE", help="the page, .html")
    made.add_argument(
        "--video", type=file_path, metavar="FILE", help="the film (default: looked for beside the recording)"
    )
    made.add_argument(
        "--overwrite", action=argparse.BooleanOptionalAction, default=False, help="replace a file that exists"
    )
    made.add_argument(
        "--quiet",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="print nothing but errors and warnings",
    )
    made.add_argument("--debug", action="store_true", help="show where a failure happened")
    return made
