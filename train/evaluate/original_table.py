"""`python -m train original-table`: the original course project's table, and shipped networks by its loss."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from fkp_live.arguments import MOST_THREADS, whole_number
from fkp_live.engine import Engine
from fkp_live.errors import ExitCode
from fkp_live.faces.detector import USUAL_FACE
from fkp_live.pipeline import FaceLandmarker
from fkp_live.sinks.files import write_text
from train.arguments import prepare_output
from train.data.faces import FaceSet, read_csv
from train.evaluate.original import (
    BAR,
    PUBLISHED_BEST,
    RECIPE_FOLDER,
    RECIPES,
    OriginalRecipe,
    fit,
    fixed_corners,
    largest_face,
    loss_of,
    mean_shape,
    pictures_of,
    product_loss,
    read_original_recipe,
)
from train.evaluate.report import table
from train.network.opening import open_network
from train.options import UDACITY_OFFSET


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train original-table`."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with udacity/")
    parser.add_argument(
        "--model",
        action="append",
        metavar="MODEL",
        help="network to measure by the same loss (default: fkp68; may be repeated)",
    )
    parser.add_argument(
        "--fit", action="store_true", help="train the project's rows (else: what --runs holds is shown)"
    )
    parser.add_argument(
        "--recipe",
        type=Path,
        action="append",
        metavar="FILE",
        help="row to train or show (default: train/recipes/original_lr01.toml and original_lr001.toml)",
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/original"),
        metavar="FILE",
        help="kept results (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=whole_number(1),
        metavar="N",
        help="instead of the recipe's, for a quick look (not kept)",
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1),
        metavar="N",
        help="only the first faces of each set, for a quick look (not kept)",
    )
    parser.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=2,
        metavar="N",
        help="torch threads (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to this file")


def _faces(data: Path, which: str, limit: int | None) -> FaceSet:
    faces = read_csv(data / "udacity" / f"{which}_frames_keypoints.csv", name=which)
    return faces.select(np.arange(min(limit, len(faces)))) if limit else faces


def _kept(folder: Path, recipe: OriginalRecipe) -> dict[str, Any] | None:
    try:
        content: Any = json.loads((folder / f"{recipe.name}.json").read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(content, dict) and content.get("recipe") == asdict(recipe)
    return content if ours else None


def _keep(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n", overwrite=True)


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train original-table`."""
    finders = {}
    for model in args.model or ["fkp68"]:
        finders[model] = largest_face(
            FaceLandmarker(engine=Engine("cpu", min_face=USUAL_FACE, network=open_network(Path(model))[0]))
        )
    recipes = [
        read_original_recipe(p) for p in args.recipe or [RECIPE_FOLDER / f"{name}.toml" for name in RECIPES]
    ]
    quick = args.epochs is not None or args.limit is not None
    if args.json:
        prepare_output(args.json, overwrite=True)
    for recipe in recipes if args.fit and not quick else ():
        prepare_output(args.runs / f"{recipe.name}.json", overwrite=True)
    if args.epochs:
        recipes = [replace(recipe, epochs=args.epochs) for recipe in recipes]
    training = pictures_of(_faces(args.data, "training", args.limit))
    test = pictures_of(_faces(args.data, "test", args.limit))
    rows, content = list[list[str]](), list[dict[str, Any]]()
    for recipe in recipes:
        if args.fit:
            result: dict[str, Any] | None = fit(recipe, training, test, args.threads)
            if not quick:
                _keep(args.runs / f"{recipe.name}.json", result)
        else:
            result = _kept(args.runs, recipe)
        losses = result["history"][-1] if result else None
        ours = [f"{losses[key]:.4f}" for key in ("train", "test")] if losses else ["--fit", "--fit"]
        label = f"course network, Adam, {recipe.epochs} epochs, lr {recipe.learning_rate:g}"
        rows.append([label, *ours, f"{recipe.published_train:.3f}", f"{recipe.published_test:.3f}"])
        content.append({"row": label, "result": result})
    mean, corners = mean_shape(training), fixed_corners(test)
    truth = np.stack([picture.keypoints - corner for picture, corner in zip(test, corners, strict=True)])
    at_rest = loss_of(np.broadcast_to(mean, truth.shape), truth)
    rows.append(["mean shape of the training crops, without an image", "", f"{at_rest:.4f}", "", ""])
    content.append({"row": "mean shape", "test": at_rest})
    for name, find in finders.items():
        loss, missed = product_loss(find, test, mean, UDACITY_OFFSET)
        times = f"1/{PUBLISHED_BEST / loss:.0f} of {PUBLISHED_BEST}"
        rows.append([f"{name}, product's detector, {missed} missed", "", f"{loss:.5f}", "", times])
        content.append(
            {"row": name, "test": loss, "missed": missed, "faces": len(test), "within_bar": loss <= BAR}
        )
    print(
        f"MSE of (keypoints - 100) / 50 on 224x224 crops; {len(training)} training, {len(test)} test faces\n"
    )
    print(table(["network", "train", "test", "published train", "published test"], rows))
    if args.json:
        _keep(args.json, content)
    return ExitCode.OK
