"""Confidence on turned and covered faces: what is said of points, and how many are right.

Faces: the pose photos of the data folder with hand labels of their points (``pose/keypoints_visible.csv``,
``visibility.csv``), from which nothing was learnt. A point is right within a tenth of the bounded eye distance
(`types.Landmarks`). A point that the head itself hides has no label and counts as not right; one behind a hand, hair or
glasses has the labeller's guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from csv import DictReader
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.fit_hidden import answer, right
from fkp_live.engine import Engine
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.hidden_points import seen_confidence
from fkp_live.recorded import is_success
from fkp_live.topology import REGIONS
from train.data.faces import COVERED, read_csv
from train.evaluate.report import table

YAWS = (0, 15, 30, 45, 60, 75)
Row = dict[str, float]


class Judged(NamedTuple):
    """Of N faces the yaw by the labels (N,) in degrees, both ways alike; and of their points (N, 68): which have a
    label, which are covered, which are right, and the confidence by the network and as the product says it."""

    yaw: NDArray[np.float64]
    seen: NDArray[np.bool_]
    covered: NDArray[np.bool_]
    right: NDArray[np.bool_]
    network: NDArray[np.float64]
    product: NDArray[np.float64]


def judged(data: Path, engine: Engine) -> Judged:
    """What the engine's landmark network makes of the pose photos, in the boxes of their points, at the second look."""
    faces = read_csv(data / "pose" / "keypoints_visible.csv", data / "pose" / "images", partial=True)
    yaws, visibility = _rows(data / "pose" / "pose.csv"), _rows(data / "pose" / "visibility.csv")
    rows = []
    for number, name in enumerate(faces.names):
        truth = faces.points[number]
        points, confidence = answer(engine, faces.image(number), truth)
        noted = [int(visibility[name][str(point)]) == COVERED for point in range(len(truth))]
        said = seen_confidence(confidence, head_pose(points), knows_turned=engine.knows_turned)
        yaw = abs(float(yaws[name]["yaw_deg"]))
        rows.append((yaw, np.isfinite(truth[:, 0]), noted, right(points, truth), confidence, said))
    return Judged(*(np.array(column) for column in zip(*rows, strict=True)))


def by_yaw(found: Judged) -> dict[str, Row]:
    """Degrees of yaw -> how many faces, shares of right points, mean confidences, and share of successes."""
    made = {}
    for low, high in zip(YAWS, (*YAWS[1:], 180), strict=True):
        part = (found.yaw >= low) & (found.yaw < high)
        if not part.any():
            continue
        seen, said = found.seen[part], {"network": found.network[part], "now": found.product[part]}
        row: Row = {"faces": int(part.sum()), "all right": float(found.right[part].mean())}
        row |= {f"said, {way}": float(values.mean()) for way, values in said.items()}
        row |= {"seen right": float(found.right[part][seen].mean())}
        row |= {f"said of seen, {way}": float(values[seen].mean()) for way, values in said.items()}
        if not seen.all():
            row |= {f"said of hidden, {way}": float(values[~seen].mean()) for way, values in said.items()}
            row["hidden at 0.5 or more, now"] = float((said["now"][~seen] >= 0.5).mean())
        row |= {
            f"success, {way}": float(np.mean([is_success(face) for face in values]))
            for way, values in said.items()
        }
        made[f"{low} to {high}°"] = row
    return made


def by_region(found: Judged) -> dict[str, Row]:
    """Region of the face, seen or covered by something -> how many points, share of right ones, mean confidences."""
    made = {}
    for name, numbers in REGIONS.items():
        for what, chosen in (("seen", found.seen & ~found.covered), ("covered", found.seen & found.covered)):
            part = np.zeros_like(chosen)
            part[:, numbers] = chosen[:, numbers]
            if part.any():
                shares = {"right": found.right, "said, network": found.network, "said, now": found.product}
                means = {key: float(values[part].mean()) for key, values in shares.items()}
                made[f"{name}, {what}"] = {"points": int(part.sum())} | means
    return made


def markdown(rows: dict[str, Row], title: str) -> str:
    """Rows as a table; empty cells where a row lacks a column."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    return table([title, *columns], [[name, *_cells(row, columns)] for name, row in rows.items()])


def _cells(row: Row, columns: list[str]) -> Iterator[str]:
    for column in columns:
        value = row.get(column, "")
        yield f"{value:.2f}" if isinstance(value, float) else str(value)


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a file of photos, by the name in their first column."""
    with path.open(encoding="utf-8", newline="") as file:
        return {next(iter(row.values())): row for row in DictReader(file)}
