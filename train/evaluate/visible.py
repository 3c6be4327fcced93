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
from train.evaluate.report import table

# Below the data folder.
LABELS, POSES = Path("pose/keypoints_visible.csv"), Path("pose/pose.csv")
_YAW = (0, 30, 60, 91)  # degrees, of the photos' own labels


def evaluate_visible(network: Network, root: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """Figures by yaw: ``faces``, ``box_error`` (per cent of the box, visible points), ``complete``, ``nme`` of those.

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
    off = np.linalg.norm(points - faces.points, axis=-1)
    size = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
    share = 100 * np.nanmean(off, 1) / size
    whole = np.isfinite(faces.points).all((1, 2))
    rows = []
    for low, high in pairwise(_YAW):
        part = (yaw >= low) & (yaw < high)
        row: dict[str, Any] = {"from": low, "to": high, "faces": int(part.sum())}
        if part.any():
            row["box_error"] = float(share[part].mean())
        row["complete"] = int((part & whole).sum())
        if row["complete"]:
            row["nme"] = float(metrics.nme(points[part & whole], faces.points[part & whole]).mean())
        rows.append(row)
    return rows


def visible_table(rows: list[dict[str, Any]]) -> str:
    """The figures as Markdown."""
    lines = [
        [
            f"{row['from']}-{row['to']} deg of yaw",
            str(row["faces"]),
            f"{row['box_error']:.2f}" if "box_error" in row else "-",
            str(row["complete"]),
            f"{row['nme']:.2f}" if "nme" in row else "-",
        ]
        for row in rows
    ]
    header = ["pose photos, second look", "faces", "% of the box, visible points", "complete", "NME"]
    return table(header, lines)
