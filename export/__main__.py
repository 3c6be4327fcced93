"""`python -m export CHECKPOINT`: from a trained network to a checked ONNX file with card and figures.

`python -m export quantise MODEL`: the same network in 8-bit integers, compared with the float one.

`python -m export renew MODEL`: the figures of a shipped network, measured again.

`python -m export expression CHECKPOINT`: a trained expression network.

`python -m export eyes CHECKPOINT`: a trained eye network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fkp_live.arguments import Help, Parser, whole_number
from fkp_live.console import say
from fkp_live.errors import ExitCode
from train.running import run_command


def build_parser() -> argparse.ArgumentParser:
    """Options of `python -m export CHECKPOINT`."""
    parser = Parser(prog="python -m export", description=__doc__, formatter_class=Help)
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train fit`")
    _add_place(parser, "fkp68")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="folder with udacity/ and wild/: measure the figures on them"
    )
    parser.add_argument(
        "--half", action="store_true", help="store the weights in 16 bits: half the file, the same speed"
    )
    return parser


def _add_place(parser: argparse.ArgumentParser, name: str) -> None:
    parser.add_argument(
        "--name", default=name, metavar="NAME", help="name of the model (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parents[1] / "models",
        metavar="DIR",
        help="folder (default: models/)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing model")


def build_quantise_parser() -> argparse.ArgumentParser:
    """Options of `python -m export quantise MODEL`."""
    parser = Parser(
        prog="python -m export quantise",
        description="A float network in 8-bit integers, calibrated on training faces, compared on wild_val.",
    )
    parser.add_argument("model", type=Path, help="float ONNX file, or name of a shipped network")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with udacity/ and wild/"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--faces",
        type=whole_number(1),
        default=400,
        metavar="N",
        help="training faces to calibrate on (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds",
        type=whole_number(1),
        default=500,
        metavar="N",
        help="runs of each network to time (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="of the calibration (default: %(default)s)",
    )
    parser.add_argument(
        "--card", action="store_true", help="model card, figures and SHA256SUMS beside it, to ship it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    return parser


def build_renew_parser() -> argparse.ArgumentParser:
    """Options of `python -m export renew MODEL`."""
    parser = Parser(
        prog="python -m export renew",
        description="Measure a shipped network again: its .json and the tables of its card.",
    )
    parser.add_argument("model", type=Path, help="ONNX file, or name of a shipped network")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder with udacity/ and wild/"
    )
    return parser


def build_expression_parser() -> argparse.ArgumentParser:
    """Options of `python -m export expression CHECKPOINT`."""
    parser = Parser(
        prog="python -m export expression",
        description="A trained expression network as a checked ONNX file with card and figures.",
    )
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train expression`")
    _add_place(parser, "fkp-expression")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder that holds faces/ and rafdb/"
    )
    parser.add_argument(
        "--clips", type=Path, required=True, metavar="DIR", help="root of the data that holds udacity/"
    )
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="DIR",
        help="folder of faces.npz and clips.npz (default: the checkpoint's; made if they are not there)",
    )
    return parser


def build_eyes_parser() -> argparse.ArgumentParser:
    """Options of `python -m export eyes CHECKPOINT`."""
    parser = Parser(
        prog="python -m export eyes",
        description="A trained eye network as a checked ONNX file with card and figures.",
    )
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train eyes`")
    _add_place(parser, "fkp-eyes")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder that holds wild/, hard/ and udacity/"
    )
    parser.add_argument(
        "--kept",
        type=Path,
        metavar="FILE",
        help="eyes.npz of that data (default: the checkpoint's; made if it is not there)",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_command(lambda: _run(list(sys.argv[1:] if argv is None else argv)))


def _run(arguments: list[str]) -> int:
    # What they need is imported late, so that help and usage errors need no torch.
    if arguments[:1] == ["quantise"]:
        return _quantise(vars(build_quantise_parser().parse_args(arguments[1:])))
    if arguments[:1] == ["renew"]:
        return _renew(build_renew_parser().parse_args(arguments[1:]))
    if arguments[:1] == ["expression"]:
        return _expression(build_expression_parser().parse_args(arguments[1:]))
    if arguments[:1] == ["eyes"]:
        return _eyes(build_eyes_parser().parse_args(arguments[1:]))
    return _ship(build_parser().parse_args(arguments))


def _quantise(options: dict[str, Any]) -> int:
    from export.quantise import quantise

    say(quantise(**options).report())
    say(str(options["out"]))
    return int(ExitCode.OK)


def _renew(args: argparse.Namespace) -> int:
    from export.renew import renew

    say(str(renew(args.model, args.data)))
    return int(ExitCode.OK)


def _expression(args: argparse.Namespace) -> int:
    from export.expression import ship_expression

    kept = args.kept or args.checkpoint.parent
    ship_expression(
        args.checkpoint, args.name, args.out, args.data, args.clips, kept, overwrite=args.overwrite
    )
    return int(ExitCode.OK)


def _eyes(args: argparse.Namespace) -> int:
    from export.eyes import ship_eyes

    kept = args.kept or args.checkpoint.parent / "eyes.npz"
    ship_eyes(args.checkpoint, args.name, args.out, args.data, kept, overwrite=args.overwrite)
    return int(ExitCode.OK)


def _ship(args: argparse.Namespace) -> int:
    from export.ship import ship

    ship(args.checkpoint, args.name, args.out, args.data, overwrite=args.overwrite, half=args.half)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
