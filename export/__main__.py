"""`python -m export CHECKPOINT`: trained network in, checked ONNX file with card and figures out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fkp_live.errors import ExitCode, FkpError


def build_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="last.pt of a run of `python -m train fit`")
    parser.add_argument("--name", default="fkp68", help="name of the model (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "models", help="folder (default: models/)"
    )
    parser.add_argument(
        "--data", type=Path, help="folder with udacity/ and wild/: measure the figures on them"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing model")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    args = build_parser().parse_args(argv)
    try:
        # Imported late, so that help and usage errors need no torch.
        from export.card import ship

        ship(args.checkpoint, args.name, args.out, args.data, args.overwrite)
    except FkpError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
