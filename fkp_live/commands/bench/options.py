"""The options of ``fkp-live bench``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp_live.arguments import MOST_THREADS, Help, Parser, file_path, filled, whole_number
from fkp_live.choices import PROVIDERS

MOST_FACES = 100
_DESCRIPTION = """\
Measures reading, detection, landmarks, tracking and smoothing without drawing and writing: frames per second,
milliseconds of each stage, start-up and memory. Every trial runs in a process of its own."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The command line of ``fkp-live bench``.

    Attributes
    ----------
    video : file or URL; None for the demo clip
    faces : numbers of faces of the generated pictures that are measured instead; empty for none
    providers : execution providers, in the order of their turns
    model, threads : see `choices.PipelineOptions`
    repeats : trials of each case on each provider
    warmup : frames at the start of a trial that are not measured
    frames : measured frames of a trial at most, None for all
    json : file for the report, None for none
    compare : report of an older run to compare with, None for none
    overwrite : whether `json` may replace a file
    """

    video: str | None
    faces: tuple[int, ...]
    providers: tuple[str, ...]
    model: str | None
    threads: int
    repeats: int
    warmup: int
    frames: int | None
    json: Path | None
    compare: Path | None
    overwrite: bool


def parse(words: Sequence[str]) -> BenchOptions:
    """Options from the command line's words.

    Raises
    ------
    UsageError
        For an option that is unknown, wrong or contradicts another one; the message names it.
    """
    given = vars(parser().parse_args(words))
    given.pop("debug")
    one, several = given.pop("provider"), given.pop("providers")
    faces = given.pop("faces") or ()
    return BenchOptions(**given, faces=faces, providers=several or (one or "auto",))


def parser() -> argparse.ArgumentParser:
    """The parser of ``fkp-live bench``."""
    made = Parser(prog="fkp-live bench", description=_DESCRIPTION, formatter_class=Help, allow_abbrev=False)
    flag = argparse.BooleanOptionalAction
    group = made.add_argument_group("what to measure (default: the demo clip)")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--video", type=filled, metavar="FILE", help="video file or URL")
    source.add_argument(
        "--faces",
        type=_faces,
        metavar="N,N",
        help="generated pictures with N moving faces, such as 1,4,8,20",
    )

    group = made.add_argument_group("where it runs")
    provider = group.add_mutually_exclusive_group()
    provider.add_argument("--provider", choices=PROVIDERS, help="execution provider (default: auto)")
    provider.add_argument("--providers", type=_providers, metavar="A,B", help="several, in turn")
    group.add_argument(
        "--model",
        type=filled,
        help="name of a shipped landmark network, or an .onnx file (default: as in fkp-live)",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=1,
        metavar="N",
        help="threads of a CPU provider",
    )

    group = made.add_argument_group("how much")
    group.add_argument("--repeats", type=whole_number(1), default=3, metavar="N", help="trials of each case")
    group.add_argument(
        "--warmup",
        type=whole_number(1),
        default=20,
        metavar="N",
        help="frames at the start that are not measured",
    )
    group.add_argument(
        "--max-frames",
        dest="frames",
        type=whole_number(1),
        metavar="N",
        help="frames measured in each trial (default: all of a file, else 300)",
    )

    group = made.add_argument_group("output")
    group.add_argument("--json", type=file_path, metavar="FILE", help="write the report to this file")
    group.add_argument(
        "--compare", type=file_path, metavar="OLD.json", help="show ratios to an older --json file"
    )
    group.add_argument("--overwrite", action=flag, default=False, help="replace a file that exists")
    group.add_argument(
        "--debug", action=flag, default=False, help="show the traceback of an unexpected failure"
    )
    return made


def _faces(text: str) -> tuple[int, ...]:
    numbers = tuple(whole_number(1)(part) for part in text.split(","))
    if max(numbers) > MOST_FACES or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"expected different numbers up to {MOST_FACES}, got {text!r}")
    return numbers


def _providers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(PROVIDERS) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"expected different ones of {', '.join(PROVIDERS)}, with commas between them, got {text!r}"
        )
    return names
