"""The options of ``fkp-live batch``. Light: nothing is loaded for ``--help``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fkp_live.arguments import Help, Parser, file_path, filled, positive, seconds, whole_number
from fkp_live.choices import MAX_PIXELS, PROGRESS, TABLE_FORMATS, PipelineOptions
from fkp_live.commands.pipeline_options import add_face_options, add_inference_options
from fkp_live.errors import UsageError

_DESCRIPTION = """\
Annotates thousands of films and pictures: numbers of every film, a table of all pictures, a record of each item.
Run it again after any interruption: what is done is skipped. Several machines may work on one shared folder."""
_EPILOG = """\
examples:
  fkp-live batch films --out results
  fkp-live batch films --out results --dry-run
  fkp-live batch list.csv 'more/**/*.mp4' --out results --annotate
  fkp-live batch films --out results --shard 3/16            one of 16 machines
  fkp-live batch films --out results --ray                   through Ray, here
  fkp-live batch films --out results --ray auto              on the Ray cluster that this machine belongs to

in the folder of --out:
  points/       a file a film: points/3f/3f….parquet
  pictures.*    one table of all pictures, with their names first
  records/      a JSON file an item: source, status, error, attempts, frames, faces, seconds, network, options
  annotated/, crops/    with --annotate and --crops
  claims/       what is being worked on

exit codes:
  0 every item is done, 1 some failed (listed with the reason), 2 to 6 as fkp-live, 130 Ctrl-C (run it again to go on)
"""
# For --ray without an address: a Ray of this machine, started and ended by the batch.
LOCAL = "local"
_MOST_WORKERS = 4096
_SMALLEST_CROP, _LARGEST_CROP = 16, 2048


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The options of one batch.

    Attributes
    ----------
    sources : files, folders, patterns, lists, URLs
    out : folder of the results
    form : of the numbers, one of `choices.TABLE_FORMATS`
    annotate : write annotated films and pictures too
    crops : side in pixels of the face crops to write, None for none
    segment : seconds of the parts that films are divided into, None for whole films
    max_pixels : refuse larger pictures by their header
    workers : processes, or actors of Ray; None: as many as there are cores
    ray : address of a Ray cluster, `LOCAL` for one of this machine, None without Ray
    shard : number of this part, and count of parts, of the items
    retry_failed : take up again what failed before
    stale : seconds after which a claim without a sign of life is dead
    dry_run : only list
    quiet, progress : see `commands.options.Options`
    pipeline : how films are processed
    """

    sources: tuple[str, ...]
    out: Path
    form: str
    annotate: bool
    crops: int | None
    segment: float | None
    max_pixels: int
    workers: int | None
    ray: str | None
    shard: tuple[int, int]
    retry_failed: bool
    stale: float
    dry_run: bool
    quiet: bool
    progress: str | None
    pipeline: PipelineOptions


def parse(words: Sequence[str]) -> BatchOptions:
    """The options that these words give.

    Raises
    ------
    UsageError
        For an option that is unknown or makes no sense; it is named.
    """
    given = vars(parser().parse_args(words))
    del given["debug"]
    if given["ray"] not in (None, LOCAL, "auto") and not re.fullmatch(r"(ray://)?[^/\s]+:\d+", given["ray"]):
        raise UsageError(
            f"--ray {given['ray']} is not the address of a Ray cluster, such as auto, 10.0.0.1:6379 or ray://head:10001.",
            "Put the SOURCE before --ray, or an option between them.",
        )
    pipeline = PipelineOptions(**{field.name: given.pop(field.name) for field in fields(PipelineOptions)})
    sources = tuple(given.pop("sources"))
    return BatchOptions(sources=sources, form=given.pop("format"), pipeline=pipeline, **given)


def parser() -> argparse.ArgumentParser:
    """The parser of ``fkp-live batch``."""
    made = Parser(
        prog="fkp-live batch",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    flag = argparse.BooleanOptionalAction
    made.add_argument(
        "sources",
        nargs="+",
        type=filled,
        metavar="SOURCE",
        help="film, picture, folder (with all below it), pattern, URL, or a list of those: .txt with one a line, .csv "
        "or .parquet with a column path, file or url",
    )
    group = made.add_argument_group("output")
    group.add_argument("--out", type=file_path, required=True, metavar="DIR", help="folder of the results")
    group.add_argument("--format", choices=TABLE_FORMATS, default=TABLE_FORMATS[0], help="of the numbers")
    group.add_argument(
        "--annotate", action=flag, default=False, help="annotated films and pictures, in DIR/annotated"
    )
    group.add_argument(
        "--crops",
        type=whole_number(_SMALLEST_CROP, _LARGEST_CROP),
        metavar="PX",
        help="face crops of PX x PX pixels, in DIR/crops: of a film one for each id, where it was seen best",
    )
    group.add_argument("--quiet", action=flag, default=False, help="print nothing but what failed")
    group.add_argument(
        "--progress",
        choices=PROGRESS,
        help="on stderr: bars, a JSON object for each update, or nothing (default: bar, off with --quiet)",
    )
    _add_work(made.add_argument_group("work"), flag)
    add_face_options(made)
    group = add_inference_options(made)
    group.add_argument(
        "--max-pixels",
        type=whole_number(1),
        default=MAX_PIXELS,
        metavar="N",
        help="refuse pictures of more pixels, by their header",
    )
    group.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made


def _add_work(group: argparse._ArgumentGroup, flag: type[argparse.Action]) -> None:
    """How the items are divided among processes and machines."""
    group.add_argument(
        "--workers",
        type=whole_number(1, _MOST_WORKERS),
        metavar="N",
        help="processes, each with one item at a time (default: one for each core)",
    )
    group.add_argument(
        "--shard",
        type=_shard,
        default="0/1",
        metavar="I/N",
        help="work on part I of N, counted from 0: for job arrays; several machines may also share all items",
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const=LOCAL,
        metavar="ADDRESS",
        help="work through Ray: the cluster at ADDRESS (auto, HOST:PORT), or one of this machine that is started and "
        "ended here",
    )
    group.add_argument(
        "--segment",
        type=positive,
        metavar="S",
        help="divide films into parts of S seconds, each an item of its own; ids begin anew in each",
    )
    group.add_argument(
        "--retry-failed", action=flag, default=False, help="take up again what failed in an earlier run"
    )
    group.add_argument(
        "--stale",
        type=seconds,
        default=300.0,
        metavar="S",
        help="a claim of another machine without a sign of life for S seconds is dead",
    )
    group.add_argument(
        "--dry-run", action=flag, default=False, help="list what is to be done, and do nothing"
    )


def _shard(text: str) -> tuple[int, int]:
    """For argparse: I/N with I from 0 to N - 1."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not int(match[1]) < int(match[2]):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 0 to N - 1, such as 0/16, got {text!r}")
    return int(match[1]), int(match[2])
