"""`python -m train eyes RECIPE`: trains the eye network, or measures one."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from train.arguments import make_folder
from train.eyes.data import load
from train.eyes.evaluation import evaluate
from train.eyes.figures import report
from train.eyes.fit import EyeRecipe, fit
from train.eyes.network import network_of, read_eye_checkpoint
from train.recipe import read_toml, section


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train eyes`."""
    parser.add_argument("recipe", type=Path, help="TOML file, train/recipes/eyes.toml")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that holds wild/, hard/ and udacity/"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the run; eyes.npz in it keeps patches for the next time",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out exactly where it stopped"
    )
    parser.add_argument(
        "--evaluate", type=Path, metavar="FILE", help="train nothing: the figures of this checkpoint"
    )
    parser.add_argument("--epochs", type=whole_number(1), help="instead of the recipe's")
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), help="instead of the recipe's")
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=1,
        help="torch threads (default: %(default)s)",
    )


def read_eye_recipe(path: Path) -> EyeRecipe:
    """A recipe from a TOML file with the one section ``[eyes]``.

    Raises
    ------
    InputError, UsageError
        As of `train.recipe.read_recipe`.
    """
    content = read_toml(path)
    if unknown := content.keys() - {"eyes"}:
        raise UsageError(f"{path}: unknown section '{sorted(unknown)[0]}'", "Sections: eyes.")
    return section(EyeRecipe, content.get("eyes", {}), f"{path} [eyes]")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train eyes`."""
    recipe = read_eye_recipe(args.recipe)
    changes = {key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None}
    recipe, last = replace(recipe, **changes), args.out / "last.pt"
    if args.evaluate is None and last.exists() and not args.resume:
        raise OutputError(
            f"{args.out} holds a run already", "Continue it with --resume or choose another folder."
        )
    if args.resume and not last.exists():
        raise InputError(f"nothing to resume: {last} does not exist", "Start without --resume.")
    torch.set_num_threads(args.threads)
    make_folder(args.out)
    eyes = load(args.data, args.out / "eyes.npz")
    checkpoint = args.evaluate or fit(recipe, eyes, args.out, resume=args.resume)
    figures = evaluate(network_of(read_eye_checkpoint(checkpoint)), eyes)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(report(figures))
    print(checkpoint)
    return ExitCode.OK
