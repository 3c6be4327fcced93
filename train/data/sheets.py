"""Contact sheets: faces cut out of their pictures, with points painted on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.errors import OutputError
from fkp_live.geometry import CropSpec, apply, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.metrics import nme
from fkp_live.topology import CONTOURS
from train.data.faces import FaceSet, box_of_labelled

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

GREEN, MAGENTA = (80, 230, 80), (255, 60, 255)  # BGR
_CAPTION_HEIGHT = 18
_SUBPIXEL_BITS = 4


def paint_points(image: Image, points: ArrayLike, colour: Colour, *, contours: bool = True) -> None:
    """Paint (68, 2) points and the lines that join them into the picture, to a sixteenth of a pixel; NaN is omitted."""
    places = np.asarray(points, np.float64)
    labelled = np.isfinite(places[:, 0])
    fixed = np.round(np.nan_to_num(places) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    if contours:
        thin = tuple(channel * 0.55 for channel in colour)
        for _, numbers, closed in CONTOURS:
            line = fixed[[number for number in numbers if labelled[number]]][:, None]
            if len(line):
                cv2.polylines(image, [line], closed, thin, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    radius = round(max(image.shape[0] / 130, 1.3) * (1 << _SUBPIXEL_BITS))
    for x, y in fixed[labelled].tolist():
        cv2.circle(image, (x, y), radius, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def face_tile(
    image: Image, layers: Sequence[tuple[ArrayLike, Colour]], size: int, margin: float = 0.3
) -> Image:
    """A face cut out of its picture and enlarged, with points painted over it.

    Parameters
    ----------
    image : (H, W, 3) uint8 BGR
    layers : (68, 2) points in pixels of the picture, and their colour; the first layer decides the cut
    size : side of the tile in pixels
    margin : around the box of the first layer, as a fraction of its longer side
    """
    matrix = crop_matrix(box_of_labelled(np.asarray(layers[0][0], np.float32)), CropSpec(size, margin))
    tile = warp(image, matrix, size)
    for number, (points, colour) in enumerate(layers):
        if np.isfinite(points).any():
            # Lines for the first layer only: two sets of lines hide how far apart the points are.
            paint_points(tile, apply(matrix, points), colour, contours=number == 0)
    return tile


def captioned(tile: Image, text: str) -> Image:
    """The tile with a line of text under it, cut off where it is too long."""
    strip = np.full((_CAPTION_HEIGHT, tile.shape[1], 3), 32, np.uint8)
    cv2.putText(strip, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([tile, strip])


def with_legend(sheet: Image, entries: Sequence[tuple[str, Colour]]) -> Image:
    """The sheet with a line above it that says what each colour is, each entry in its colour."""
    strip = np.full((_CAPTION_HEIGHT, sheet.shape[1], 3), 32, np.uint8)
    left = 3
    for text, colour in entries:
        cv2.putText(strip, text, (left, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA)
        left += cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.38, 1)[0][0] + 12
    return np.concatenate([strip, sheet])


def contact_sheet(tiles: Sequence[Image], columns: int) -> Image:
    """Tiles of one size in rows of ``columns``; what the last row lacks stays dark."""
    columns = min(columns, len(tiles))
    empty = np.full_like(tiles[0], 32)
    padded = [*tiles, *[empty] * (-len(tiles) % columns)]
    rows = [np.concatenate(padded[start : start + columns], 1) for start in range(0, len(padded), columns)]
    return np.concatenate(rows)


def error_sheet(predicted: NDArray[np.float32], faces: FaceSet, tile: int = 200, each: int = 6) -> Image:
    """Worst, median and random faces, a row each, and a legend: true points green, predicted (N, 68, 2) magenta."""
    errors = nme(predicted, faces.points)
    order, each = np.argsort(errors, kind="stable"), min(each, len(faces))
    middle = (len(faces) - each) // 2
    rows = {
        "worst": order[::-1][:each],
        "median": order[middle : middle + each],
        "random": np.random.default_rng(0).permutation(len(faces))[:each],
    }
    tiles = []
    for name, chosen in rows.items():
        for index in chosen.tolist():
            painted = face_tile(
                faces.image(index), [(faces.points[index], GREEN), (predicted[index], MAGENTA)], tile
            )
            score = f"{errors[index]:.1f}" if np.isfinite(errors[index]) else "missed"
            tiles.append(captioned(painted, f"{name} {score} {faces.paths[index].stem}"))
    return with_legend(contact_sheet(tiles, each), [("label", GREEN), ("network", MAGENTA)])


def write_png(image: Image, path: Path) -> None:
    """Write a PNG file; OutputError if that fails."""
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path} does not end in .png", "The sheet is written as PNG.")
    _, coded = cv2.imencode(".png", image)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "Choose another --out.") from error
