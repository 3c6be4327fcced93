"""`python -m train expression RECIPE`: trains the expression network, or measures one."""

from __future__ import annotations

import argparse
from pathlib import Path

from fkp_live.errors import UsageError
from train.cutouts.command import add_run_arguments, prepare_run, read_schedule, write_figures
from train.expression.data import load, load_unlabelled
from train.expression.evaluation import evaluate, report
from train.expression.fit import ExpressionRecipe, fit
from train.expression.network import network_of, read_expression_checkpoint

_MODELS = Path(__file__).parents[2] / "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train expression`."""
    add_run_arguments(
        parser,
        "expression",
        data="folder that holds faces/ and rafdb/",
        kept="faces.npz in it keeps crops and points",
        threads=2,
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


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train expression`."""
    recipe = read_schedule(args.recipe, "expression", ExpressionRecipe)
    if args.init and args.resume:
        raise UsageError("--init and --resume contradict each other", "A resumed run has its own weights.")
    if args.unlabelled and not args.teacher:
        raise UsageError("--unlabelled needs --teacher", "Faces without labels are learnt from its answers.")
    recipe = prepare_run(args, recipe)
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
    return write_figures(args.out, figures, report(figures), checkpoint)
