"""Parts of a set of faces, by what makes a face hard: angles, mouth, light, size, what is covered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import measures
from fkp_live.geometry import box_of
from train.data.faces import COVERED, FaceSet
from train.data.splits import twins_in_validation

# What `slices` may give, in order.
SLICES = tuple(
    f"by_{name}" for name in ("yaw", "pitch", "roll", "mouth", "light", "size", "cover", "photograph")
)
Masks = dict[str, NDArray[np.bool_]]

# Degrees, of `head_pose` on the true points, both directions alike.
_YAW, _PITCH, _ROLL = (0, 15, 30, 45), (0, 10, 20), (0, 10, 20)
# Pixels, longer side of the true box.
_SIZE = (0, 60, 100, 200)
# Openness of the mouth in per cent (height over width of the inner lip), see `types.Measures`.
_MOUTH = (0, 15, 50)
# Mean grey of the true box, 0 to 255.
_LIGHT = (0, 60, 100, 160)
# Per cent of the points that something covers.
_COVERED = (0, 1, 25)


def slices(faces: FaceSet) -> dict[str, Masks]:
    """Masks (N,) of N faces with complete labels: ``by_yaw``, … ``by_size`` -> name of the slice -> mask.

    ``by_cover`` only where the visibility of points is known. ``by_photograph`` is for validation faces only: shipped
    networks were trained on other copies of some of the photographs.
    """
    poses = [head_pose(points) for points in faces.points]
    boxes = box_of(faces.points)
    light = [_grey(faces.image(number), box) for number, box in enumerate(boxes)]
    mouth = [100 * measures(points).mouth_open for points in faces.points]
    parts = {
        "by_yaw": _masks(np.abs(np.rad2deg([pose.yaw for pose in poses])), _YAW, "deg"),
        "by_pitch": _masks(np.abs(np.rad2deg([pose.pitch for pose in poses])), _PITCH, "deg of pitch"),
        "by_roll": _masks(np.abs(np.rad2deg([pose.roll for pose in poses])), _ROLL, "deg of roll"),
        "by_mouth": _masks(mouth, _MOUTH, "% mouth open"),
        "by_light": _masks(light, _LIGHT, "grey"),
        "by_size": _masks((boxes[:, 2:] - boxes[:, :2]).max(1), _SIZE, "px"),
    }
    if faces.visibility is not None:
        parts["by_cover"] = _masks(100 * (faces.visibility == COVERED).mean(1), _COVERED, "% covered")
    if faces.name == "wild_val":
        twins = twins_in_validation()
        fresh = np.array([name not in twins for name in faces.names], bool)
        parts["by_photograph"] = {"photograph not in training": fresh}
    return parts


def _masks(values: ArrayLike, edges: Sequence[int], unit: str) -> Masks:
    values, tops = np.asarray(values, np.float64), [*edges[1:], np.inf]
    return {
        f"{low}-{high} {unit}" if high < np.inf else f">{low} {unit}": (values >= low) & (values < high)
        for low, high in zip(edges, tops, strict=True)
    }


def _grey(image: NDArray[np.uint8], box: NDArray[np.float32]) -> float:
    """Mean grey inside a box, as far as it lies in the picture."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = np.rint(box).astype(int).tolist()
    inside = image[max(y0, 0) : min(y1, height) or None, max(x0, 0) : min(x1, width) or None]
    return float(inside.mean()) if inside.size else float("nan")
