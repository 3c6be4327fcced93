"""Makes ``fkp_live/assets/hidden.npz``: how often each point hides behind the face itself, by the found yaw.

    python -m benchmarks.fit_hidden --data ../shared/data [--write]

Faces: FOLDER/hard (training faces), whose labels say which points nobody can see. The yaw is that of the product's own
pose on the shipped network's points, second look, because that is what is known later. For each point a logistic curve
over the yaw, a face turned to its right counted as its mirror image. A point that is hidden in less than a tenth of the
faces beyond 50 degrees counts as never hidden.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.script import run
from fkp_live.arguments import file_path
from fkp_live.engine import Engine
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.head_pose import head_pose
from fkp_live.topology import MIRROR
from fkp_live.types import Image
from train.data.faces import HIDDEN, box_of_labelled
from train.data.hard import HARD
from train.data.splits import splits

ASSET = Path(__file__).parents[1] / "fkp_live" / "assets" / "hidden.npz"
_FAR, _SHARE = np.radians(50.0), 0.1
# Log-odds of what is never hidden; weight that keeps a curve that separates perfectly from becoming a step.
_NEVER, _RIDGE, _STEPS = -20.0, 0.05, 50

Array = NDArray[np.float64]


def answer(engine: Engine, image: Image, points: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Points (68, 2) and confidence (68,) at the second look, in the box of the labelled points."""
    network = engine.network
    first = network(image, box_of_labelled(points)[None])
    found = network.run_matrices(image, [level_matrix(first.points[0], network.spec)])
    return found.points[0], found.confidence[0]


def read(data: Path) -> tuple[Array, NDArray[np.bool_]]:
    """Yaw (N,) in radians and which points are hidden (N, 68), all turned to their own left."""
    engine, sets = Engine("cpu"), splits(data)
    yaws, hidden = [], []
    for faces in (sets[name] for name in HARD):
        assert faces.visibility is not None
        for number, points in enumerate(faces.points):
            yaw = head_pose(answer(engine, faces.image(number), points)[0]).yaw
            unseen = faces.visibility[number] == HIDDEN
            yaws.append(abs(yaw))
            hidden.append(unseen if yaw >= 0 else unseen[MIRROR])
    return np.array(yaws), np.array(hidden)


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
    parser.add_argument("--write", action="store_true", help=f"write {ASSET.name}")
    options = parser.parse_args()
    yaw, hidden = read(options.data)
    table = fit(yaw, hidden)
    for low in range(0, 80, 10):
        bin_ = (np.degrees(yaw) >= low) & (np.degrees(yaw) < low + 10)
        if bin_.any():
            said = 1 / (1 + np.exp(-(table[:, 0] + table[:, 1] * yaw[bin_, None])))
            print(
                f"yaw {low:>2} to {low + 10}: {bin_.sum():>4} faces, hidden {hidden[bin_].mean():.3f}, "
                f"by the curves {said.mean():.3f}"
            )
    if options.write:
        np.savez(ASSET, log_odds=table.astype(np.float32))
    return 0


if __name__ == "__main__":
    run(main)
