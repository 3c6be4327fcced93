"""The options of ``fkp-live convert``, and what is refused before anything is opened.

Nothing heavy is imported here: ``fkp-live convert --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp_live.arguments import Help, Parser, file_path, filled, number, seconds, whole_number
from fkp_live.choices import CSV_COLUMN_SETS, PROGRESS
from fkp_live.errors import UsageError

# What can be made, and the ending of each. `openface` is a CSV with OpenFace's columns alone; a folder has no ending.
ENDINGS = {
    **{"csv": ".csv", "openface": ".csv", "parquet": ".parquet", "jsonl": ".jsonl"},
    **{"coco": ".json", "pts": "", "livelink": ".csv"},
}
# Kinds that hold pictures, or can.
_PICTURED = ("coco", "pts")
_FASTEST = 1000.0
# Of a film's faces one a second, where nothing else was asked for.
_EVERY = 1.0

_DESCRIPTION = "A recording (.jsonl, .csv or .parquet of fkp-live) in another form. No network runs."
_EPILOG = """\
forms:
  points.csv                 our CSV; --to openface: OpenFace's columns alone
  points.parquet             the same columns in float32 (pip install 'fkp-live[parquet]')
  points.jsonl               JSON lines
  points.json                COCO keypoints (CVAT and others read it)
  FOLDER                     .pts files of 300-W, each with its picture
  face.csv --to livelink     Live Link Face: blend shapes and head angles of one face at a constant rate

examples:
  fkp-live convert points.jsonl points.csv
  fkp-live convert points.jsonl labels --video film.mp4 --hard 50
  fkp-live convert points.jsonl frames.json --every 5
  fkp-live convert points.jsonl face.csv --to livelink --resample 60 --face 2
"""


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """The options of one conversion, checked.

    Attributes
    ----------
    source, out : the recording, and what is made of it
    kind : one of `ENDINGS`
    csv_columns : which columns a CSV has, one of `choices.CSV_COLUMN_SETS`
    face : number of the one face that is converted; None: all, or for Live Link Face the main one
    video : film or pictures that were recorded; None: what the recording names, beside it
    pictures : whether pictures of it are saved; a COCO file without has only their sizes from `video`
    every : seconds from one frame to the next, 0 for all of them; None where `hard` says which, or the default
    hard : this many of the hardest frames
    crop : whether a .pts file's picture is a cut-out of the face
    resample : rows a second of Live Link Face
    """

    source: Path
    out: Path
    kind: str
    csv_columns: str
    face: int | None
    video: str | None
    pictures: bool
    every: float | None
    hard: int | None
    crop: bool
    resample: float
    overwrite: bool
    progress: str | None
    quiet: bool

    def spacing(self, *, film: bool) -> float:
        """Seconds from one frame to the next; ``film``: not pictures, which are all converted."""
        if self.every is not None:
            return self.every
        return _EVERY if film and self.kind == "pts" and self.pictures else 0.0


def parse(words: Sequence[str] | None) -> ConvertOptions:
    """The options of a command line. UsageError where they contradict each other."""
    given = _parser().parse_args(words)
    kind = given.to or _kind_of(given.out)
    _check_ending(given.out, kind)
    for name, value, kinds in (
        ("--every", given.every, _PICTURED),
        ("--hard", given.hard, _PICTURED),
        ("--video", given.video, _PICTURED),
        ("--pictures", given.pictures, _PICTURED),
        ("--crop", given.crop, ("pts",)),
        ("--resample", given.resample, ("livelink",)),
        ("--csv-columns", given.csv_columns, ("csv",)),
    ):
        if value is not None and kind not in kinds:
            raise UsageError(
                f"{name} is for {' and '.join(kinds)}, but {given.out} is to be {kind}.", "Omit it."
            )
    if given.every is not None and given.hard is not None:
        raise UsageError("--every and --hard contradict each other.", "Give one of the two.")
    wanted = kind == "pts" or (given.every, given.hard, given.video) != (None, None, None)
    pictures = wanted if given.pictures is None else given.pictures
    if given.video is not None and not pictures and kind == "pts":
        raise UsageError("--video and --no-pictures contradict each other.", "Omit one of the two.")
    if given.crop and not pictures:
        raise UsageError("--crop and --no-pictures contradict each other.", "Omit one of the two.")
    columns = "openface" if kind == "openface" else given.csv_columns or CSV_COLUMN_SETS[0]
    return ConvertOptions(
        given.source,
        given.out,
        "csv" if kind == "openface" else kind,
        columns,
        given.face,
        given.video,
        pictures,
        given.every,
        given.hard,
        True if given.crop is None else given.crop,
        30.0 if given.resample is None else given.resample,
        given.overwrite,
        given.progress,
        given.quiet,
    )


def _kind_of(out: Path) -> str:
    if os.path.isdir(out) or not out.suffix:  # unlike Path's, of a name that no file can have too
        return "pts"
    known = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".json": "coco"}
    if out.suffix.lower() not in known:
        raise UsageError(
            f"{out} has the extension {out.suffix}, expected {', '.join(known)}, or none for a folder of .pts.",
            "Name it so, or give --to.",
        )
    return known[out.suffix.lower()]


def _check_ending(out: Path, kind: str) -> None:
    ending = ENDINGS[kind]
    if ending and out.suffix.lower() != ending:
        raise UsageError(f"--to {kind} makes a file {ending}, not {out}.", f"Name it {out.stem}{ending}.")
    if not ending and os.path.isfile(out):
        raise UsageError(f"--to {kind} makes a folder, and {out} is a file.", "Name a folder.")


def _rate(text: str) -> float:
    return number(text, f"a rate from above 0 to {_FASTEST:g}", lambda value: 0 < value <= _FASTEST)


def _parser() -> Parser:
    made = Parser(prog="fkp-live convert", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=Help)
    flag = argparse.BooleanOptionalAction
    made.add_argument("source", metavar="IN", type=file_path, help="the recording")
    made.add_argument("out", metavar="OUT", type=file_path, help="file or folder to write, see below")
    made.add_argument("--to", choices=ENDINGS, help="its form (default: by its ending)")
    made.add_argument("--csv-columns", choices=CSV_COLUMN_SETS, help="of a CSV (default: all)")
    made.add_argument(
        "--face",
        type=whole_number(0),
        metavar="ID",
        help="convert only the face of this number (default: all; for livelink the one that is seen in most frames)",
    )
    group = made.add_argument_group("frames and pictures of .pts and COCO")
    group.add_argument(
        "--every", type=seconds, metavar="S", help="a frame each S seconds, 0 for all (default of .pts: 1)"
    )
    group.add_argument(
        "--hard",
        type=whole_number(1),
        metavar="N",
        help="the N frames with the lowest confidence and the highest jitter, at least a second apart: to label and "
        "train on",
    )
    group.add_argument(
        "--video",
        type=filled,
        metavar="FILE",
        help="the film or folder of pictures that was recorded (default: the one named in the recording, beside it)",
    )
    group.add_argument(
        "--pictures",
        action=flag,
        help="save pictures as PNG: beside each .pts, or in a folder beside the .json "
        "(default: with .pts, and with COCO where --every, --hard or --video is given)",
    )
    group.add_argument(
        "--crop",
        action=flag,
        help="a .pts file's picture is a cut-out of its face with a margin, not the whole frame (default: on)",
    )
    group = made.add_argument_group("Live Link Face")
    group.add_argument("--resample", type=_rate, metavar="FPS", help="rows a second (default: 30)")
    group = made.add_argument_group("output")
    group.add_argument("--overwrite", action=flag, default=False, help="replace OUT if it exists")
    group.add_argument("--progress", choices=PROGRESS, help="on stderr (default: bar)")
    group.add_argument("--quiet", action=flag, default=False, help="print nothing but errors")
    made.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made
