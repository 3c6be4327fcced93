"""Checks of labels: a face in iBUG's order, in pixels, on its picture. What fails one is refused by its place.

The points of a face are compared with the mean face, whatever its place, size and turn (`likeness`): 1 is the mean
face itself. Of 7,729 labelled faces of five sets, full profiles among them, none is below 0.80; the same faces with x
and y exchanged, mirrored, with x and y in blocks or shuffled are never above 0.33. Points without a label, which are
NaN, take no part in any check; of 1,134 faces with such points none is below 0.87.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.faces.head_pose import shipped_map
from fkp_live.metrics import inter_ocular
from fkp_live.topology import N_POINTS
from train.data.pictures import read_image, stored_size
from train.data.table import EXPECTED, Table

LEAST_LIKENESS = 0.55
# Longer side of a labelled face, in pixels: what is smaller was normalised.
LEAST_SIDE = 8.0
# Share of a face's points on its picture. Faces at the border of a photo have at least 0.87 there.
LEAST_ON_PICTURE = 0.5
_ORDER = (
    "The columns hold x0, y0, … x67, y67 in iBUG's order, x to the right and y down. Reorder them, or name them x0, y0 "
    "and so on in the header."
)


class Labels(Protocol):
    """Where labelled faces are from: the rows of a CSV file, .pts files, or the annotations of a COCO file."""

    @property
    def names(self) -> list[str]:
        """File name of each face's picture."""

    def place(self, row: int) -> str:
        """Where a face's labels are, for messages: file and row, or what there is."""


def likeness(points: NDArray[np.float32]) -> NDArray[np.complex128]:
    """How much faces (N, 68, 2) are like the mean face: of length 0 to 1, the argument is their turn.

    A face without some labels is compared with the same points of the mean face.
    """
    shape = points[..., 0] + 1j * points[..., 1]
    labelled = np.isfinite(shape)
    mean = _centred(np.broadcast_to(shipped_map().mean, shape.shape), labelled)
    return np.asarray((_centred(shape, labelled) * np.conj(mean)).sum(1))


def _centred(shape: NDArray[np.complex128], labelled: NDArray[np.bool_]) -> NDArray[np.complex128]:
    """Shapes (N, 68) about the mean of their labelled points, of length 1; 0 for the other points."""
    count = labelled.sum(1, keepdims=True).clip(1)
    middle = np.where(labelled, shape, 0).sum(1, keepdims=True) / count
    centred = np.where(labelled, shape - middle, 0)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True).clip(1e-9))


def is_face(points: NDArray[np.float32]) -> bool:
    """Whether points (68, 2) in pixels can be those of a face."""
    one = points[None]
    return bool(_sides(one)[0] >= LEAST_SIDE and np.abs(likeness(one))[0] >= LEAST_LIKENESS)


def check_points(labels: Labels, points: NDArray[np.float32]) -> None:
    """Refuse points (N, 68, 2) that are not 68 points of a face in pixels. InputError names the first such face.

    Points without a label are NaN, both coordinates; a point with one coordinate, and a face without any, are refused.
    """
    missing = np.isnan(points)
    for row, point in np.argwhere(missing[..., 0] != missing[..., 1])[:1]:
        raise InputError(
            f"{labels.place(row)}: point {point} of '{labels.names[row]}' has one coordinate, expected two or none",
            "Fill both cells or neither.",
        )
    for row in np.flatnonzero(missing.all((1, 2)))[:1]:
        raise InputError(
            f"{labels.place(row)}: no point of '{labels.names[row]}' has a label", "Remove the face."
        )
    for row in np.flatnonzero(inter_ocular(points) < 1e-3)[:1]:
        raise InputError(
            f"{labels.place(row)}: the outer eye corners of '{labels.names[row]}' (points 36 and 45) lie on one spot",
            "Correct the labels or remove the face.",
        )
    for row in np.flatnonzero(_sides(points) < LEAST_SIDE)[:1]:
        raise InputError(
            f"{labels.place(row)}: the points of '{labels.names[row]}' span {_sides(points)[row]:.2g} px, expected a "
            f"face of {LEAST_SIDE:g} px at least",
            "Shares of the picture's size? Multiply x by its width in pixels and y by its height.",
        )
    for row in np.flatnonzero(np.abs(likeness(points)) < LEAST_LIKENESS)[:1]:
        raise InputError(
            f"{labels.place(row)}: the points of '{labels.names[row]}' are not a face in the order x0, y0, … x67, y67"
            f"{_other_order(points[row])}",
            _ORDER,
        )


def _sides(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Longer side (N,) of the labelled points."""
    return np.asarray((np.nanmax(points, axis=1) - np.nanmin(points, axis=1)).max(1))


def _other_order(points: NDArray[np.float32]) -> str:
    """In which order the 136 numbers of points (68, 2) would be an upright face, for the message."""
    flat = points.ravel()
    first, second = flat[:N_POINTS], flat[N_POINTS:]
    orders: dict[str, NDArray[np.float32]] = {
        "with y before x": points[:, ::-1],
        "with y from the bottom up": points * np.array([1, -1], np.float32),
        "with left and right exchanged": points * np.array([-1, 1], np.float32),
        "as all x, then all y": np.stack([first, second], -1),
        "as all y, then all x": np.stack([second, first], -1),
    }
    # The real part is largest for an upright face: mirrored left to right and mirrored top to bottom differ in it only.
    alike = likeness(np.stack(list(orders.values()))).real
    best = int(alike.argmax())
    return f", but they are one {list(orders)[best]}" if alike[best] >= LEAST_LIKENESS else ""


def check_end(table: Table, last: NDArray[np.float32]) -> None:
    """Refuse a CSV file that was cut in its last number: no line feed, and point 67 far from points 60 and 66."""
    away = float(np.linalg.norm(last[67] - (last[60] + last[66]) / 2))
    if not table.ends and away > 0.25 * float(_sides(last[None])[0]):
        raise InputError(
            f"{table.csv}, row {table.lines[-1]}: the file ends in the middle of its last number, "
            f"'{table.rows[-1][-1]}'",
            f"Was it cut off? {EXPECTED}",
        )


def check_places(labels: Labels, paths: Sequence[Path], points: NDArray[np.float32]) -> None:
    """Refuse points (N, 68, 2) most of which lie off their pictures. InputError names the first such face.

    The header of each picture is read; where it does not show that the face is on it, the picture is.
    """
    for row, (path, face) in enumerate(zip(paths, points, strict=True)):
        size = stored_size(path)
        if size is None or _on_picture(face, size) < LEAST_ON_PICTURE:
            height, width = read_image(path).shape[:2]  # upright by its Exif, as it is trained on
            share, labelled = _on_picture(face, (width, height)), int(np.isfinite(face[:, 0]).sum())
            if share < LEAST_ON_PICTURE:
                raise InputError(
                    f"{labels.place(row)}: {round(labelled * (1 - share))} of the {labelled} points of "
                    f"'{labels.names[row]}' lie off its picture ({width}x{height} pixels)",
                    "Expected pixels of this very picture, (0, 0) in its upper left corner; was it cut or scaled?",
                )


def _on_picture(points: NDArray[np.float32], size: tuple[int, int]) -> float:
    """Share of the labelled points that are on a picture of this width and height."""
    labelled = points[np.isfinite(points[:, 0])]
    return float(((labelled >= -0.5) & (labelled <= np.subtract(size, 0.5))).all(-1).mean())
