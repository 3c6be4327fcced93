"""`python -m train expression RECIPE`: trains the expression network, or measures one."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from train.arguments import make_folder
from train.expression.data import load, load_unlabelled
from train.expression.evaluation import evaluate, report
from train.expression.fit import ExpressionRecipe, fit
from train.expression.network import network_of, read_expression_checkpoint
from train.recipe import read_toml, section

_MODELS = Path(__file__).parents[2] / "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train expression`."""
    parser.add_argument("recipe", type=Path, help="TOML file, train/recipes/expression.toml")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds faces/ and rafdb/")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of the run; faces.npz in it keeps crops and points for the next time",
    )
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="checkpoints of other runs, whose mean answers are learnt too",
    )
    parser.add_argument(
        "--unlabelled",
        type=Path,
        metavar="DIR",
        help="pictures of one face each, for the teachers; unlabelled.npz in --out keeps them",
    )
    parser.add_argument("--init", type=Path, metavar="FILE", help="start from another run's checkpoint")
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
        default=2,
        help="torch threads (default: %(default)s)",
    )


def read_expression_recipe(path: Path) -> ExpressionRecipe:
    """A recipe from a TOML file with the one section ``[expression]``.

    Raises
    ------
    InputError, UsageError
        As of `train.recipe.read_recipe`.
    """
    content = read_toml(path)
    if unknown := content.keys() - {"expression"}:
        raise UsageError(f"{path}: unknown section '{sorted(unknown)[0]}'", "Sections: expression.")
    return section(ExpressionRecipe, content.get("expression", {}), f"{path} [expression]")


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train expression`."""
    recipe = read_expression_recipe(args.recipe)
    changes = {key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None}
    recipe = replace(recipe, **changes)
    if args.init and args.resume:
        raise UsageError("--init and --resume contradict each other", "A resumed run has its own weights.")
    if args.unlabelled and not args.teacher:
        raise UsageError("--unlabelled needs --teacher", "Faces without labels are learnt from its answers.")
    last = args.out / "last.pt"
    if args.evaluate is None and last.exists() and not args.resume:
        raise OutputError(
            f"{args.out} holds a run already", "Continue it with --resume or choose another folder."
        )
    if args.resume and not last.exists():
        raise InputError(f"nothing to resume: {last} does not exist", "Start without --resume.")
    torch.set_num_threads(args.threads)
    make_folder(args.out)
    data = load(args.data, args.out / "faces.npz")
    checkpoint = args.evaluate
    if checkpoint is None:
        kept = args.out / "unlabelled.npz"
        more = load_unlabelled(args.unlabelled, kept, data.template) if args.unlabelled else None
        checkpoint = fit(
            recipe,
            data,
            _MODELS,
            args.out,
            init=args.init,
            resume=args.resume,
            teachers=args.teacher,
            more=more,
        )
    figures = evaluate(network_of(read_expression_checkpoint(checkpoint)), data)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(report(figures))
    print(checkpoint)
    return ExitCode.OK
