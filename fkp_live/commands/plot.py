"""``fkp-live plot``: pictures of what a recording says of a face."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_live.arguments import Help, Parser, eyes_millimetres, file_path, whole_number
from fkp_live.choices import PLOT_KINDS, PLOT_SUFFIXES
from fkp_live.commands.recording_notes import say_notes
from fkp_live.commands.signals import Stops
from fkp_live.console import say
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError

if TYPE_CHECKING:
    from fkp_live.plots.clinical import ClinicalObserved
    from fkp_live.plots.observed import Observed

# In the names of files that --symmetry writes.
_CLINICAL = "clinical"

_EPILOG = """\
kinds:
  timeline   eyes with blinks, mouth, head pose, and when the face was on screen
  raster     who is on screen when
  shape      mean shape, with the spread of each point
  path       path of the head over the picture
  symmetry   left minus right: eyes, brows, corners of the mouth

--symmetry draws the clinical measures of both sides, from the points before smoothing: docs/symmetry.md.

examples:
  fkp-live plot points.jsonl --out timeline.png
  fkp-live plot points.jsonl --out plots/ --kind all
  fkp-live plot points.jsonl --out sides.png --symmetry --scale-mm 92
"""


def main(words: Sequence[str], stops: Stops | None = None) -> int:
    """Carry out ``fkp-live plot`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For wrong options, a face that is not in the recording, an output that cannot be written, a recording that
        cannot be read, or where matplotlib is missing.
    """
    options = _parser().parse_args(words)
    # Not at the top: matplotlib and numpy take longer to load than --help needs.
    from fkp_live.commands.progress import ProgressBar
    from fkp_live.plots.clinical import observe_sides
    from fkp_live.plots.clinical_figure import draw_clinical
    from fkp_live.plots.drawing import draw
    from fkp_live.plots.figure import check_matplotlib, save, style
    from fkp_live.plots.inputs import find_recordings
    from fkp_live.plots.observed import Observed, observe
    from fkp_live.sinks.files import check_output
    from fkp_live.sources.recordings import open_recording

    if options.symmetry and options.kind:
        raise UsageError("--symmetry is a plot of its own.", "Omit --kind.")
    if options.scale_mm is not None and not options.symmetry:
        raise UsageError("--scale-mm is for the clinical measures.", "Add --symmetry.")
    check_matplotlib()
    one, *others = find_recordings([options.recording])
    if others:
        raise UsageError(
            f"{options.recording} holds {1 + len(others)} recordings, but one is drawn at a time.",
            f"Name one of them, such as {one.path}.",
        )
    outputs = _outputs(options.out, _CLINICAL if options.symmetry else options.kind, one.path)
    for path in outputs.values():
        if path == options.out or path.parent.is_dir():
            check_output(path, overwrite=options.overwrite, inputs=[one.path], suffixes=PLOT_SUFFIXES)
    if stops is not None:
        stops.raise_interrupt()
    with (
        open_recording(one.path) as recording,
        ProgressBar("fkp-live plot", None, shown=not options.quiet) as progress,
    ):
        seen: Observed | ClinicalObserved
        if options.symmetry:
            seen = observe_sides(recording, one.film(recording), options.scale_mm, advance=progress.advance)
        else:
            seen = observe(recording, one.film(recording), outputs, advance=progress.advance)
        say_notes(recording, "fkp-live plot")
    face = _face(seen, options.face)
    with style():
        for kind, path in outputs.items():
            figure = draw(kind, seen, face) if isinstance(seen, Observed) else draw_clinical(seen, face)
            _make_folder(path.parent)
            save(figure, path, overwrite=options.overwrite)
            if not options.quiet:
                say(str(path))
    return int(ExitCode.OK)


def _parser() -> Parser:
    made = Parser(
        prog="fkp-live plot",
        description="Plots of a recording: timeline, raster, mean shape, head path, left and right.",
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    made.add_argument("recording", type=file_path, metavar="FILE", help="a recording: .jsonl, .parquet, .csv")
    made.add_argument(
        "--out",
        type=file_path,
        required=True,
        metavar="DIR|PNG",
        help="a file for one kind (.png, .svg, .pdf), or a folder for NAME-KIND.png; it is created",
    )
    made.add_argument(
        "--kind",
        choices=(*PLOT_KINDS, "all"),
        help="what is drawn (default: timeline into a file, all into a folder)",
    )
    made.add_argument(
        "--symmetry",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="the clinical measures of left and right instead: both sides, deviation and ratio",
    )
    made.add_argument(
        "--scale-mm",
        type=eyes_millimetres,
        metavar="MM",
        help="with --symmetry: distance of the person's outer eye corners, for lengths in millimetres",
    )
    made.add_argument("--face", type=whole_number(0), metavar="ID", help="whose (default: the main face)")
    made.add_argument(
        "--overwrite", action=argparse.BooleanOptionalAction, default=False, help="replace files that exist"
    )
    made.add_argument(
        "--quiet",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="print nothing but errors and warnings",
    )
    made.add_argument("--debug", action="store_true", help="show where a failure happened")
    return made


def _outputs(out: Path, kind: str | None, recording: Path) -> dict[str, Path]:
    """The file of each kind that is drawn."""
    is_file = out.suffix.lower() in PLOT_SUFFIXES and not out.is_dir()
    kind = kind or ("timeline" if is_file else "all")
    if is_file and kind == "all":
        raise UsageError(
            f"--kind all makes {len(PLOT_KINDS)} files, but {out} is one.", "Give a folder, or one kind."
        )
    if is_file:
        return {kind: out}
    if out.is_file() or (out.suffix and len(out.suffix) <= 5 and not out.is_dir()):
        raise OutputError(
            f"{out} is neither a folder nor one of {', '.join(PLOT_SUFFIXES)}.",
            f"Name it {out.with_suffix('.png').name}.",
        )
    kinds = PLOT_KINDS if kind == "all" else (kind,)
    return {each: out / f"{recording.stem}-{each}.png" for each in kinds}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be created: {error.strerror}.", "Choose another --out."
        ) from error


def _face(seen: Observed | ClinicalObserved, wanted: int | None) -> int:
    faces = seen.summary.by_importance
    if not faces:
        raise InputError(
            f"There is no face in {seen.name}: nothing to draw.",
            "fkp-live summary gives its row all the same.",
        )
    if wanted is None:
        return faces[0].number
    if wanted not in seen.summary.faces:
        there = ", ".join(str(face.number) for face in faces[:20])
        raise UsageError(
            f"There is no face {wanted} in {seen.name}.", f"Its faces, the main one first: {there}."
        )
    return wanted
