"""`python -m train eyes RECIPE`: trains the eye network, or measures one."""

from __future__ import annotations

import argparse

from train.cutouts.command import add_run_arguments, prepare_run, read_schedule, write_figures
from train.eyes.data import load
from train.eyes.evaluation import evaluate
from train.eyes.figures import report
from train.eyes.fit import EyeRecipe, fit
from train.eyes.network import network_of, read_eye_checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train eyes`."""
    add_run_arguments(
        parser,
        "eyes",
        data="folder that holds wild/, hard/ and udacity/",
        kept="eyes.npz in it keeps patches",
        threads=1,
    )


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train eyes`."""
    recipe = prepare_run(args, read_schedule(args.recipe, "eyes", EyeRecipe))
    eyes = load(args.data, args.out / "eyes.npz")
    checkpoint = args.evaluate or fit(recipe, eyes, args.out, resume=args.resume)
    figures = evaluate(network_of(read_eye_checkpoint(checkpoint)), eyes)
    return write_figures(args.out, figures, report(figures), checkpoint)
