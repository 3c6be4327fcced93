"""What the commands that train networks on cut-outs have in common: options, recipe, folder of the run, figures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from train.arguments import make_folder
from train.cutouts.loop import Schedule
from train.recipe import read_toml, section

S = TypeVar("S", bound=Schedule)


def add_run_arguments(
    parser: argparse.ArgumentParser, command: str, *, data: str, kept: str, threads: int
) -> None:
    """Options of a run.

    Parameters
    ----------
    data : help of --data
    kept : what the folder of the run keeps for the next time
    threads : of torch, by default
    """
    parser.add_argument("recipe", type=Path, help=f"TOML file, train/recipes/{command}.toml")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=data)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help=f"folder of the run; {kept} for the next time"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out exactly where it stopped"
    )
    parser.add_argument(
        "--evaluate", type=Path, metavar="FILE", help="train nothing: the figures of this checkpoint"
    )
    parser.add_argument("--epochs", type=whole_number(1), metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), metavar="N", help="instead of the recipe's"
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=threads,
        metavar="N",
        help="torch threads (default: %(default)s)",
    )


def read_schedule(path: Path, command: str, kind: type[S]) -> S:
    """A recipe from a TOML file whose one section is named as the command.

    Raises
    ------
    InputError, UsageError
        As of `train.recipe.read_recipe`.
    """
    content = read_toml(path)
    if unknown := content.keys() - {command}:
        raise UsageError(f"{path}: unknown section '{sorted(unknown)[0]}'", f"Sections: {command}.")
    return section(kind, content.get(command, {}), f"{path} [{command}]")


def prepare_run(args: argparse.Namespace, recipe: S) -> S:
    """The recipe with --epochs and --seed; the folder is made, and torch's threads are set.

    Raises
    ------
    OutputError : the folder holds a run and --resume was not given, or it cannot be made
    InputError : there is no run to resume
    """
    last = args.out / "last.pt"
    if args.evaluate is None and last.exists() and not args.resume:
        raise OutputError(
            f"{args.out} holds a run already", "Continue it with --resume or choose another folder."
        )
    if args.resume and not last.exists():
        raise InputError(f"nothing to resume: {last} does not exist", "Start without --resume.")
    torch.set_num_threads(args.threads)
    make_folder(args.out)
    changes = {key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None}
    return replace(recipe, **changes)


def write_figures(folder: Path, figures: Mapping[str, Any], report: str, checkpoint: Path) -> int:
    """``figures.json`` in the folder, the report and the checkpoint's path on stdout. Returns the exit code."""
    (folder / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(report)
    print(checkpoint)
    return ExitCode.OK
