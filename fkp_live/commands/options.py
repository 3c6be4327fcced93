"""The command line: what can be asked for, and what is refused before anything is opened.

Nothing heavy is imported here: ``fkp-live --help`` and a mistyped option answer at once. The few choices and
defaults that belong to heavier modules are repeated, and a test holds that they agree.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp_live import __version__
from fkp_live.arguments import MOST_THREADS, Help, Parser, file_path, filled, positive, seconds, whole_number
from fkp_live.choices import DETECT_EVERY, PROVIDERS, SMOOTHING
from fkp_live.errors import UsageError

_DESCRIPTION = "Finds every face of a camera or a video and gives each its 68 landmarks, frame by frame."
_EPILOG = """\
commands:
  fkp-live bench ...     frames per second and latency, stage by stage (fkp-live bench --help)
  fkp-live doctor        what is installed, which providers really run, cameras, screen

keys in the window:
  q, Esc  quit      space  pause      h  HUD on and off      s  save the picture as PNG

examples:
  fkp-live --camera 0
  fkp-live --video input.mp4 --out annotated.mp4
  fkp-live --video input.mp4 --csv points.csv --jsonl points.jsonl --headless
  fkp-live --demo --out annotated.mp4

exit codes:
  0 ok, 1 failure, 2 usage, 3 input cannot be opened, 4 model missing or not ours,
  5 the provider does not run, 6 output cannot be written, 130 Ctrl-C (every file closed and playable)
"""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything one run is told, checked.

    Attributes
    ----------
    source : camera number, or path, URL, folder or glob; None for the clip that the package carries
    out, csv, jsonl : files to write, None for none
    overwrite : whether they may replace files that exist
    headless : True: no window; False: a window or an error; None: a window where it helps and can be had
    hud : whether the overlay has frames per second, age, provider and number of faces in its corner
    start, end : seconds of a file
    max_frames : stop after so many frames
    provider, model, threads, max_faces, detect_every, min_face, smooth : see `pipeline.PipelineOptions`
    mirror : turn the picture left to right before all else
    quiet : neither progress nor log
    """

    source: int | str | None
    out: Path | None
    csv: Path | None
    jsonl: Path | None
    overwrite: bool
    headless: bool | None
    hud: bool
    start: float | None
    end: float | None
    max_frames: int | None
    provider: str
    model: str | None
    threads: int
    max_faces: int | None
    detect_every: int
    min_face: float | None
    smooth: str
    mirror: bool
    quiet: bool

    @property
    def outputs(self) -> dict[str, Path]:
        """The files to write, by option."""
        named = {"--out": self.out, "--csv": self.csv, "--jsonl": self.jsonl}
        return {option: path for option, path in named.items() if path is not None}

    def as_dict(self) -> dict[str, Any]:
        """For the header of a JSONL file: what shapes the result, nothing else."""
        names = (
            "start",
            "end",
            "max_frames",
            "max_faces",
            "detect_every",
            "min_face",
            "smooth",
            "mirror",
            "threads",
        )
        return {name: getattr(self, name) for name in names}


def parse(arguments: Sequence[str]) -> Options:
    """Options from the command line's words.

    Raises
    ------
    UsageError
        For an option that is unknown, makes no sense or contradicts another one; it is named.
    SystemExit
        With 0, after ``--help`` and ``--version`` have printed.
    """
    given = vars(parser().parse_args(arguments))
    camera, video, _, _ = (given.pop(name) for name in ("camera", "video", "demo", "debug"))
    options = Options(source=video if camera is None else camera, **given)
    _check(options, live=camera is not None)
    return options


def _check(options: Options, live: bool) -> None:
    if live and (options.start is not None or options.end is not None):
        raise UsageError(
            "--start and --end belong to a file; --camera has no beginning.", "Use --max-frames."
        )
    if options.start is not None and options.end is not None and options.start >= options.end:
        raise UsageError(
            f"--start {options.start:g} is not before --end {options.end:g}.",
            "Both are seconds from the beginning.",
        )
    seen: dict[str, str] = {}
    for option, path in options.outputs.items():
        first = seen.setdefault(os.path.realpath(path), option)
        if first != option:
            raise UsageError(f"{first} and {option} name the same file, {path}.", "Give each its own.")
    if options.headless and not options.outputs:
        raise UsageError(
            "--headless without --out, --csv and --jsonl: nothing would come out.",
            "Name a file to write, or leave --headless away for a window. To measure speed: fkp-live bench.",
        )


def parser() -> argparse.ArgumentParser:
    """The parser of ``fkp-live``."""
    made = Parser(
        prog="fkp-live", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=Help, allow_abbrev=False
    )
    flag = argparse.BooleanOptionalAction
    made.add_argument("--version", action="version", version=f"fkp-live {__version__}")

    group = made.add_argument_group("source (one of these)")
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument("--camera", type=whole_number(0), metavar="N", help="camera number, 0 for the first")
    source.add_argument(
        "--video", type=filled, metavar="FILE", help="video file, URL, or folder or glob of images"
    )
    source.add_argument("--demo", action="store_true", default=None, help="the clip that the package carries")
    group.add_argument("--start", type=seconds, metavar="S", help="skip what comes before second S of a file")
    group.add_argument("--end", type=seconds, metavar="S", help="stop at second S of a file")
    group.add_argument("--max-frames", type=whole_number(1), metavar="N", help="stop after N frames")
    group.add_argument("--mirror", action=flag, default=False, help="turn the picture left to right first")

    group = made.add_argument_group("output")
    group.add_argument("--out", type=file_path, metavar="FILE", help="annotated video: .mp4, .mov or .mkv")
    group.add_argument(
        "--csv", type=file_path, metavar="FILE", help="the numbers, one row per face and frame"
    )
    group.add_argument(
        "--jsonl", type=file_path, metavar="FILE", help="the numbers, one JSON object per frame"
    )
    group.add_argument("--overwrite", action=flag, default=False, help="replace files that exist")
    group.add_argument(
        "--headless",
        action=flag,
        default=None,
        help="no window; --no-headless insists on one (default: one for cameras, or if no file is written)",
    )
    group.add_argument(
        "--hud", action=flag, default=True, help="fps, frame age, provider and faces in the corner"
    )
    group.add_argument("--quiet", action=flag, default=False, help="neither progress nor log, only results")

    group = made.add_argument_group("faces")
    group.add_argument(
        "--max-faces",
        type=whole_number(1),
        metavar="N",
        help="at most N faces, the largest new ones",
    )
    group.add_argument(
        "--min-face",
        type=positive,
        metavar="PX",
        help="longer side of the smallest face looked for (default: 40, or a 24th of the picture's where that is more)",
    )
    group.add_argument(
        "--detect-every",
        type=whole_number(1),
        default=DETECT_EVERY,
        metavar="N",
        help="look for new faces every N frames, at the latest",
    )
    group.add_argument("--smooth", choices=SMOOTHING, default="medium", help="steadiness against quickness")

    group = made.add_argument_group("inference")
    group.add_argument("--provider", choices=PROVIDERS, default="auto", help="what onnxruntime computes on")
    group.add_argument(
        "--model",
        type=filled,
        help="name of a shipped landmark network, or an .onnx file (default: fkp68, in its 8-bit form fkp68-int8 on "
        "CPUs that are made for it)",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=1,
        metavar="N",
        help="threads of a CPU provider",
    )
    group.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made
