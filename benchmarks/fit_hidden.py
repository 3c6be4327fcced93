"""Makes ``fkp_live/assets/hidden.npz``: how often each point hides behind the face itself, by the found yaw.

    python -m benchmarks.fit_hidden --data ../shared/data [--keep-slopes] [--write]

Run it after ``benchmarks/fit_pose.py``. Faces: FOLDER/hard (training faces), whose labels say which points nobody can
see. The yaw is that of the product's own pose on a shipped network's points, second look, because that is what is known
later; of a tilted head, its own turn. For each point a logistic curve
over the yaw, a face turned to its right counted as its mirror image. A point that is hidden in less than a tenth of the
faces beyond 50 degrees counts as never hidden.

Of a network that never learnt from these faces, they also say by how much it is too sure of points that are seen: for
each group of points one factor ``exp(-slope (yaw - FROM))``, the likeliest one given which points lie within a tenth of
the bounded eye distance (`types.Landmarks`). A network that did learn from them knows them too well for that:
``--keep-slopes`` then keeps the factors of the file. ``benchmarks/hard_faces.py --parts profiles`` judges, on faces
that nothing was learnt from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.script import run
from fkp_live.arguments import file_path
from fkp_live.engine import Engine
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.hidden_points import FROM, seen_share
from fkp_live.geometry import box_of, own_turns
from fkp_live.metrics import inter_ocular
from fkp_live.topology import MIRROR, N_POINTS
from fkp_live.types import Image
from train.data.faces import HIDDEN, box_of_labelled
from train.data.hard import HARD
from train.data.splits import splits

ASSET = Path(__file__).parents[1] / "fkp_live" / "assets" / "hidden.npz"
_FAR, _SHARE = np.radians(50.0), 0.1
# Log-odds of what is never hidden; weight that keeps a curve that separates perfectly from becoming a step.
_NEVER, _RIDGE, _STEPS = -20.0, 0.05, 50

# Points that are counted together, of a head that turns to its own left, and the slopes that are tried, per radian.
_GROUPS = [
    np.arange(*ends) for ends in ((0, 9), (9, 17), (17, 22), (22, 27), (27, 36), (36, 42), (42, 48), (48, 68))
]
_SLOPES = np.arange(0.0, 3.0, 0.02)

Array = NDArray[np.float64]


def answer(engine: Engine, image: Image, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Points (68, 2) and confidence (68,) at the second look, in the box of the labelled points."""
    network = engine.network
    first = network(image, box_of_labelled(points)[None])
    found = network.run_matrices(image, [level_matrix(first.points[0], network.spec)])
    return found.points[0], found.confidence[0]


class Seen(NamedTuple):
    """Of N faces, all turned to their own left: ``yaw`` (N,) in radians, and of their points (N, 68) which are hidden,
    what the network says, and which are right, False where there is no label."""

    yaw: Array
    hidden: NDArray[np.bool_]
    confidence: Array
    right: NDArray[np.bool_]


def read(data: Path, model: str | None) -> Seen:
    """What a network makes of the hard faces."""
    engine, sets, rows = Engine("cpu", model), splits(data), []
    for faces in (sets[name] for name in HARD):
        assert faces.visibility is not None
        for number, truth in enumerate(faces.points):
            points, confidence = answer(engine, faces.image(number), truth)
            pose = head_pose(points)
            _, yaw, _ = own_turns(pose.pitch, pose.yaw, pose.roll)
            each = faces.visibility[number] == HIDDEN, confidence, right(points, truth)
            rows.append((abs(yaw), *(values if yaw >= 0 else values[MIRROR] for values in each)))
    return Seen(*(np.array(column) for column in zip(*rows, strict=True)))


def right(points: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which points (68,) lie within a tenth of the bounded eye distance; False where there is no label."""
    labelled = np.isfinite(truth[:, 0])
    box = box_of(truth[labelled])
    unit = max(float(inter_ocular(points)), 0.34 * float((box[2:] - box[:2]).max()))
    return np.asarray(np.linalg.norm(points - truth, axis=-1) < 0.1 * unit)


def fit_slopes(seen: Seen, log_odds: Array) -> Array:
    """(68,): of `_GROUPS` the slope of the likeliest factor, from those that are offered; of seen points alone."""
    turned = seen.yaw > FROM
    yaw, slopes = seen.yaw[turned, None], np.zeros(N_POINTS)
    confidence = seen.confidence[turned] * seen_share(log_odds, yaw)
    for group in _GROUPS:
        counted = ~seen.hidden[turned][:, group]
        said, was = confidence[:, group], seen.right[turned][:, group]
        likelihoods = []
        for slope in _SLOPES:
            share = np.clip(said * np.exp(-slope * (yaw - FROM)), 1e-3, 1 - 1e-3)
            likelihoods.append(np.where(was, np.log(share), np.log(1 - share))[counted].mean())
        slopes[group] = _SLOPES[int(np.argmax(likelihoods))]
    return slopes


def fit(yaw: Array, hidden: NDArray[np.bool_]) -> Array:
    """(68, 2) log-odds at yaw 0 and per radian: logistic regression by Newton's method."""
    inputs = np.stack([np.ones_like(yaw), yaw], 1)
    table = np.empty((hidden.shape[1], 2))
    for point, unseen in enumerate(hidden.T):
        if unseen[yaw > _FAR].mean() < _SHARE:
            table[point] = _NEVER, 0.0
            continue
        weights = np.zeros(2)
        for _ in range(_STEPS):
            share = 1 / (1 + np.exp(-(inputs @ weights)))
            slope = inputs.T @ (share - unseen) + _RIDGE * weights
            curve = (inputs * (share * (1 - share))[:, None]).T @ inputs + _RIDGE * np.eye(2)
            weights -= np.linalg.solve(curve, slope)
        table[point] = weights
    return table


def main() -> int:
    """The command; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fit_hidden", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", type=file_path, required=True, metavar="FOLDER")
    parser.add_argument("--model", default="fkp68", help="landmark network (default: %(default)s)")
    parser.add_argument(
        "--keep-slopes",
        action="store_true",
        help=f"keep those of {ASSET.name}, as the network learnt from the faces",
    )
    parser.add_argument("--write", action="store_true", help=f"write {ASSET.name}")
    options = parser.parse_args()
    seen = read(options.data, options.model)
    table = fit(seen.yaw, seen.hidden)
    with np.load(ASSET) as old:
        slopes = old["slopes"] if options.keep_slopes else fit_slopes(seen, table)
    print("slopes:", ", ".join(f"{slopes[group[0]]:.2f}" for group in _GROUPS))
    for low in range(0, 80, 10):
        bin_ = (np.degrees(seen.yaw) >= low) & (np.degrees(seen.yaw) < low + 10)
        if bin_.any():
            said = 1 / (1 + np.exp(-(table[:, 0] + table[:, 1] * seen.yaw[bin_, None])))
            factor = np.exp(-slopes * np.maximum(seen.yaw[bin_, None] - FROM, 0))
            factor *= seen_share(table, seen.yaw[bin_, None])
            there = ~seen.hidden[bin_]
            print(
                f"yaw {low:>2} to {low + 10}: {bin_.sum():>4} faces, hidden {seen.hidden[bin_].mean():.3f}, by the "
                f"curves {said.mean():.3f}; seen ones right {seen.right[bin_][there].mean():.3f}, said by the network "
                f"{seen.confidence[bin_][there].mean():.3f}, now {(seen.confidence[bin_] * factor)[there].mean():.3f}"
            )
    if options.write:
        np.savez(ASSET, log_odds=table.astype(np.float32), slopes=slopes.round(2))
    return 0


if __name__ == "__main__":
    run(main)
