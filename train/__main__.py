"""`python -m train COMMAND`: data set in, trained network and its figures out."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from fkp_live.errors import ExitCode, FkpError

COMMANDS = {
    "fetch": ("train.fetch", "download and unpack the official archive"),
    "view": ("train.view", "contact sheet of labelled faces"),
    "fit": ("train.fit", "train a network by a recipe"),
    "average": ("train.average", "the mean of two networks' weights"),
    "evaluate": ("train.judge", "accuracy of an ONNX file or a checkpoint"),
    "offset": ("train.offset", "measure how far one set's labels sit from another's convention"),
    "label": ("train.label", "a trained network's points as a CSV data set"),
    "original-table": ("train.original", "the original project's table on its own terms"),
    "features": ("train.features", "filters, feature maps and saliency as pictures"),
}


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """Parser of all commands; only the named one's module is imported, so that help stays quick."""
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary)
        if name == command:
            loaded = importlib.import_module(module)
            loaded.add_arguments(sub)
            sub.set_defaults(run=loaded.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((a for a in arguments if a in COMMANDS), None)
    args = build_parser(command).parse_args(arguments)
    try:
        return int(args.run(args))
    except FkpError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left, as `| head` does: no failure, but nothing more may be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
