"""Faces turned far, judged by the points that can be seen: hand labels of the pose photos, never trained on.

Eye corners are hidden there, so errors are in per cent of the size of the face's box (geometric mean of its sides);
of complete faces they are also in per cent of the eye distance, as everywhere else.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fkp_live import metrics
from fkp_live.engine import Network
from fkp_live.errors import InputError
from fkp_live.faces.looks import landmarks
from fkp_live.images.picture import as_picture
from train.data.faces import read_csv
from train.data.habit import without_habit
from train.evaluate.report import table

# Below the data folder.
LABELS, POSES = Path("pose/keypoints_visible.csv"), Path("pose/pose.csv")
_YAW = (0, 30, 60, 91)  # degrees, of the photos' own labels


def evaluate_visible(network: Network, root: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Figures by yaw: ``faces``, ``box_error`` (per cent of the box, visible points), ``box_median`` (of the faces),
    ``complete``, ``nme`` of those.

    ``…_300w`` are the same with the labels moved to 300-W's convention (`train.data.habit`): the photos have the
    labellers of the hard faces. Faces whose outer eye corners are hidden keep their labels.

    Each face gets the box of the photos' labels and a second look around the points of the first.

    Raises
    ------
    InputError
        The labels or the angles cannot be read.
    """
    faces = read_csv(root / LABELS, root / POSES.parent / "images", partial=True)
    faces = faces.select(np.arange(len(faces))[:limit])
    try:
        poses = pd.read_csv(root / POSES, index_col=0).loc[faces.names]
        yaw = poses["yaw_deg"].abs().to_numpy(np.float64)
        boxes = poses[[f"pt2d_{side}" for side in ("x0", "y0", "x1", "y1")]].to_numpy(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read angles and boxes of {root / LABELS} from {root / POSES}: {error}",
            "Expected a row for each photo, with the columns yaw_deg and pt2d_x0, …y0, …x1, …y1.",
        ) from error
    points = np.empty_like(faces.points)
    for number in range(len(faces)):
        (points[number],) = landmarks(network, as_picture(faces.image(number)), boxes[number][None]).points
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
    labels = {"": faces.points, "_300w": without_habit(faces).points}
    whole = np.isfinite(faces.points).all((1, 2))
    rows = []
    for low, high in pairwise(_YAW):
        part = (yaw >= low) & (yaw < high)
        row: dict[str, Any] = {"from": low, "to": high, "faces": int(part.sum())}
        row["complete"] = int((part & whole).sum())
        for which, truth in labels.items():
            if part.any():
                off = np.nanmean(np.linalg.norm(points - truth, axis=-1)[part], 1)
                row[f"box_error{which}"] = float((100 * off / size[part]).mean())
                row[f"box_median{which}"] = float(np.median(100 * off / size[part]))
            if row["complete"]:
                row[f"nme{which}"] = float(metrics.nme(points[part & whole], truth[part & whole]).mean())
        rows.append(row)
    return rows


def visible_table(rows: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    figures = ("box_error", "box_median", "box_error_300w", "nme", "nme_300w")
    lines = [
        [
            f"{row['from']}-{row['to']} deg of yaw",
            *(str(row[count]) for count in ("faces", "complete")),
            *(f"{row[figure]:.2f}" if figure in row else "-" for figure in figures),
        ]
        for row in rows
    ]
    header = ["pose photos, second look", "faces", "complete", "% of the box, visible points", "median"]
    return table([*header, "in 300-W's convention", "NME, complete", "in 300-W's convention"], lines)
