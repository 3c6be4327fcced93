"""`python -m train COMMAND`: from a CSV data set to a trained network and its figures."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from fkp_live.arguments import Help, Parser
from train.running import run_command

COMMANDS = {
    "fetch": ("train.data.fetch", "download and unpack the official archive"),
    "view": ("train.data.view", "contact sheet of labelled faces"),
    "fit": ("train.fit.command", "train a network by a recipe"),
    "average": ("train.network.average", "the mean of two networks' weights"),
    "evaluate": ("train.evaluate.command", "accuracy of an ONNX file or a checkpoint"),
    "offset": ("train.evaluate.offset", "measure how far one set's labels sit from another's convention"),
    "habit": (
        "train.evaluate.habit",
        "measure how the hard faces' labels differ from 300-W's, point by point",
    ),
    "label": ("train.evaluate.label", "a trained network's points as a CSV data set"),
    "original-table": ("train.evaluate.original_table", "the original project's table on its own terms"),
    "expression": ("train.expression.command", "train the expression network, or measure one"),
    "eyes": ("train.eyes.command", "train the eye network, or measure one"),
    "own-neutral": ("train.expression.own_neutral", "what the own neutral face adds to expressions"),
    "features": ("train.evaluate.features", "filters, feature maps and saliency as pictures"),
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """Parser of all commands; only the named one's module is imported, so that help stays quick."""
    parser = Parser(prog="python -m train", description=__doc__, formatter_class=Help)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.", formatter_class=Help
        )
        if name == command:
            loaded = importlib.import_module(module)
            loaded.add_arguments(sub)
            sub.set_defaults(run=loaded.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    return run_command(lambda: _run(list(sys.argv[1:] if argv is None else argv)))


def _run(arguments: list[str]) -> int:
    command = next((a for a in arguments if a in COMMANDS), None)
    args = build_parser(command).parse_args(arguments)
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
