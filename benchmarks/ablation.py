"""The ablation table of train/EXPERIMENTS.md: every recipe of a folder trained and judged alike.

    python -m benchmarks.ablation train/recipes/history/ablation --data DIR --runs runs/ablation

A recipe that has been trained in the runs' folder is not trained again, one that was interrupted is continued. NME on
wild val and on the unseen persons, box given with a detector's jitter; cost of a face over that of the base, through
onnxruntime, one thread, in turn. Jitter under known warps: each of 100 faces of wild val is seen through 24 affines
(2 degrees, 2 % of size, 1 % of shift), the answers are taken back, and their standard deviation is averaged over the
points, in % of the distance of the outer eye corners.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cost import measure
from benchmarks.script import result_file, run
from export.landmark import export_onnx, metadata
from fkp_live.arguments import whole_number
from fkp_live.errors import InputError, UsageError
from fkp_live.geometry import box_of, compose, crop_matrix
from fkp_live.metrics import failure_rate
from fkp_live.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from train.data.faces import FaceSet
from train.data.splits import validation_sets
from train.fit.loop import evaluation_crops, fit, nme_per_face
from train.fit.next_frame import random_warps
from train.network.checkpoint import load_checkpoint
from train.network.model import LandmarkNet, count_macs
from train.network.opening import TorchNetwork
from train.options import Recipe
from train.recipe import read_recipe

WARPED_FACES, WARPS = 100, 24


def trained(recipe: Recipe, data: Path, folder: Path) -> LandmarkNet:
    """The network of a recipe, trained in ``folder`` as far as that has not been done yet."""
    checkpoint = folder / "last.pt"
    # A finished one is read again too, so that a recipe that was changed since is refused.
    fit(recipe, data, folder, torch.device("cpu"), resume=checkpoint.exists())
    return load_checkpoint(checkpoint)


def warp_jitter(model: LandmarkNet, faces: FaceSet) -> float:
    """Jitter under known warps in % of the distance of the outer eye corners."""
    network, spread = TorchNetwork(model), []
    for number in range(min(len(faces), WARPED_FACES)):
        image, truth = faces.image(number), faces.points[number]
        straight = crop_matrix(box_of(truth), network.spec)
        warps = random_warps(WARPS, network.spec.size, number, turn=2.0, scale=0.02, shift=0.01).numpy()
        answers = network.run_matrices(image, [compose(w.astype(float), straight) for w in warps]).points
        eyes = np.linalg.norm(truth[LEFT_EYE_OUTER] - truth[RIGHT_EYE_OUTER])
        spread.append(100.0 * np.sqrt(answers.var(0).sum(-1)).mean() / eyes)
    return float(np.mean(spread))


def costs(models: dict[str, LandmarkNet], rounds: int) -> dict[str, float]:
    """Cost of a face over that of the first network."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, model in models.items():
            paths[name] = Path(folder) / f"{name}.onnx"
            export_onnx(model, paths[name], metadata(model, name, {}, {}))
        figures = measure([str(path) for path in paths.values()], rounds, 1)
    ratios = {name: figures[str(path)]["ratio"] for name, path in paths.items()}
    base = next(iter(ratios.values()))
    return {name: ratio / base for name, ratio in ratios.items()}


def judged(recipe: Recipe, model: LandmarkNet, data: Path) -> dict[str, Any]:
    """Figures of one row."""
    row: dict[str, Any] = {"epochs": recipe.training.epochs, "macs": count_macs(model) / 1e6}
    sets = validation_sets(recipe, data)
    for name, faces in sets.items():
        errors = nme_per_face(model, *evaluation_crops(faces, model.crop_spec))
        row |= {f"{name}_nme": float(errors.mean()), f"{name}_fr10": 100 * failure_rate(errors, 10.0)}
    return row | {"jitter": warp_jitter(model, sets["wild_val"])}


def comment_of(path: Path) -> str:
    """What a recipe changes, as its first line says."""
    return path.read_text().splitlines()[0].removeprefix("#").strip().rstrip(".")


def main() -> int:
    """Train what is missing, judge, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", type=Path, help="folder of TOML files, one of them base.toml")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--only", nargs="+", help="names of recipes, instead of all")
    parser.add_argument("--rounds", type=whole_number(1), default=200, help="of the time measurement")
    parser.add_argument("--threads", type=whole_number(1), default=1)
    parser.add_argument("--json", type=result_file)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    paths = sorted(args.recipes.glob("*.toml"), key=lambda path: (path.stem != "base", path.stem))
    if not paths or paths[0].stem != "base":
        raise InputError(f"There is no base.toml in {args.recipes}.", "All rows are compared with it.")
    if args.only:
        if unknown := set(args.only) - {path.stem for path in paths}:
            raise UsageError(f"There is no recipe {', '.join(sorted(unknown))} in {args.recipes}.")
        paths = [path for path in paths if path.stem in {"base", *args.only}]
    recipes = {path: read_recipe(path) for path in paths}
    for path, recipe in recipes.items():
        if "wild_val" not in validation_sets(recipe, args.data):
            raise UsageError(f"{path} is not judged on wild_val and the unseen persons, as the table is.")
    models, rows = dict[str, LandmarkNet](), dict[str, dict[str, Any]]()
    for path, recipe in recipes.items():
        models[path.stem] = trained(recipe, args.data, args.runs / path.stem)
        rows[path.stem] = judged(recipe, models[path.stem], args.data) | {"what": comment_of(path)}
    for name, cost in costs(models, args.rounds).items():
        rows[name]["cost"] = cost
    print("| recipe | what | epochs | M MACs | cost | wild val | FR10 | unseen | jitter |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, row in rows.items():
        figures = [row["what"], row["epochs"], f"{row['macs']:.0f}", f"{row['cost']:.2f}"]
        figures += [f"{row['wild_val_nme']:.2f}", f"{row['wild_val_fr10']:.1f}", f"{row['unseen_nme']:.2f}"]
        print("|", " | ".join(str(v) for v in [name, *figures, f"{row['jitter']:.2f}"]), "|")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
