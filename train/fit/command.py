"""`python -m train fit RECIPE`: options of the command; `train.fit.loop` trains."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.console import say
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from train.fit.advice import meaning
from train.fit.loop import fit
from train.options import DataOptions
from train.recipe import read_recipe


def pick_device(name: str) -> torch.device:
    """``auto`` takes CUDA where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device here", "Use --device cpu or auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train fit`."""
    parser.add_argument("recipe", type=Path, help="TOML file, for example train/recipes/fkp68.toml")
    parser.add_argument(
        "--data", type=Path, default=Path(), metavar="DIR", help="folder of the recipe's data (default: here)"
    )
    parser.add_argument(
        "--csv",
        type=Path,
        action="append",
        metavar="FILE|DIR",
        help="train on this CSV, folder of .pts files or COCO .json instead of the recipe's data",
    )
    parser.add_argument(
        "--val", type=Path, action="append", metavar="FILE|DIR", help="with --csv: validate on this one"
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="folder of the pictures of --csv, --val and --more, where they do not lie beside the file",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where torch runs; auto: CUDA where there is one",
    )
    parser.add_argument("--epochs", type=whole_number(1), metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), metavar="N", help="instead of the recipe's"
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=2,
        metavar="N",
        help="torch threads (default: %(default)s)",
    )
    parser.add_argument(
        "--more",
        type=Path,
        action="append",
        metavar="FILE|DIR",
        help="train on this CSV, folder or COCO .json besides the recipe's data; may be repeated",
    )
    parser.add_argument(
        "--init",
        type=Path,
        metavar="FILE",
        help="start from another run's checkpoint (.pt) or a shipped network (.onnx), of this shape or smaller; "
        "for fewer than 1,000 faces always: models/fkp68-tiny.onnx; or the published trunk of a recipe with one (.pth)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out exactly where it stopped"
    )
    parser.add_argument(
        "--check-labels",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compare labels with the shipped network's points first, and refuse those that lie elsewhere; "
        "--no-check-labels is for drawn faces, dolls or animals, where that network is often wrong",
    )


def _texts(paths: list[Path]) -> tuple[str, ...]:
    return tuple(str(path.resolve()) for path in paths)


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train fit`."""
    recipe = read_recipe(args.recipe)
    if args.val and not args.csv:
        raise UsageError("--val goes with --csv", "The recipe's own data has its validation faces.")
    if args.csv:
        chosen = DataOptions(sets=(), csv=_texts(args.csv), validation=_texts(args.val or []))
        recipe = replace(recipe, data=chosen)
    if args.images is not None and not (args.csv or args.more):
        raise UsageError("--images goes with --csv or --more", "The recipe's own data lies in --data.")
    if args.more:
        recipe = replace(recipe, data=replace(recipe.data, csv=recipe.data.csv + _texts(args.more)))
    changes = {key: getattr(args, key) for key in ("epochs", "seed") if getattr(args, key) is not None}
    recipe = replace(recipe, training=replace(recipe.training, **changes))
    if args.init and args.resume:
        raise UsageError("--init and --resume contradict each other", "A resumed run has its own weights.")
    if not args.resume and (args.out / "last.pt").exists():
        raise OutputError(
            f"{args.out} holds a run already", "Continue it with --resume or choose another folder."
        )
    if args.resume and not (args.out / "last.pt").exists():
        raise InputError(
            f"nothing to resume: {args.out / 'last.pt'} does not exist", "Start without --resume."
        )
    torch.set_num_threads(args.threads)
    finished = fit(
        recipe,
        args.data,
        args.out,
        pick_device(args.device),
        resume=args.resume,
        init=args.init,
        compare_labels=args.check_labels,
        images=args.images,
    )
    last = finished.history[-1]
    for key in sorted(k for k in last if k.endswith(("_nme", "_fr10"))):
        print(f"{key}: {last[key]:.3f}")
    print(finished.checkpoint)
    errors = {key.removesuffix("_nme"): last[key] for key in sorted(last) if key.endswith("_nme")}
    if said := meaning(errors):
        say(said, sys.stderr)
    return ExitCode.OK
