"""What reports are made of: contact sheets, cumulative error curves, calibration plots and plain tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.errors import OutputError
from fkp_live.geometry import CropSpec, apply, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.metrics import auc, cumulative_curve, failure_rate, inter_ocular, nme, point_errors
from fkp_live.topology import CONTOURS
from train.data import FaceSet
from train.losses import FOUND_WITHIN, LEAST_EYE_DISTANCE

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

GREEN, MAGENTA, YELLOW = (80, 230, 80), (255, 60, 255), (60, 220, 255)  # BGR
_CAPTION_HEIGHT = 18
_SUBPIXEL_BITS = 4
_BINS = 10


def paint_points(image: Image, points: ArrayLike, colour: Colour, *, contours: bool = True) -> None:
    """Paint (68, 2) points and the lines that join them into the picture, to a sixteenth of a pixel."""
    fixed = np.round(np.asarray(points, np.float64) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    if contours:
        thin = tuple(channel * 0.55 for channel in colour)
        for _, numbers, closed in CONTOURS:
            line = fixed[list(numbers)][:, None]
            cv2.polylines(image, [line], closed, thin, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    radius = round(max(image.shape[0] / 130, 1.3) * (1 << _SUBPIXEL_BITS))
    for x, y in fixed.tolist():
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
    matrix = crop_matrix(box_of(layers[0][0]), CropSpec(size, margin))
    tile = warp(image, matrix, size)
    for number, (points, colour) in enumerate(layers):
        if np.isfinite(points).all():
            # Lines for the first layer only: two sets of lines hide how far apart the points are.
            paint_points(tile, apply(matrix, points), colour, contours=number == 0)
    return tile


def captioned(tile: Image, text: str) -> Image:
    """The tile with a line of text under it, cut off where it is too long."""
    strip = np.full((_CAPTION_HEIGHT, tile.shape[1], 3), 32, np.uint8)
    cv2.putText(strip, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([tile, strip])


def contact_sheet(tiles: Sequence[Image], columns: int) -> Image:
    """Tiles of one size in rows of ``columns``; what the last row lacks stays dark."""
    columns = min(columns, len(tiles))
    empty = np.full_like(tiles[0], 32)
    padded = [*tiles, *[empty] * (-len(tiles) % columns)]
    rows = [np.concatenate(padded[start : start + columns], 1) for start in range(0, len(padded), columns)]
    return np.concatenate(rows)


def error_sheet(predicted: NDArray[np.float32], faces: FaceSet, tile: int = 200, each: int = 6) -> Image:
    """Worst, median and random faces, a row each: true points green, predicted ones (N, 68, 2) magenta."""
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
    return contact_sheet(tiles, each)


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


def pyplot() -> Any:
    """matplotlib's pyplot without a screen, imported when the first plot is made."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def plot_error_curves(curves: Mapping[str, ArrayLike], path: Path, title: str, limit: float = 15.0) -> None:
    """Cumulative error curves of NMEs (N,) in per cent by name; missed faces (``inf``) keep a curve below 100."""
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(7.5, 5))
    at = np.linspace(0.0, limit, 601)
    for name, errors in curves.items():
        label = f"{name}  (AUC10 {auc(errors):.1f}, FR10 {failure_rate(errors):.1f} %)"
        axis.plot(at, cumulative_curve(errors, at), label=label, linewidth=1.6)
    axis.set(xlim=(0, limit), ylim=(0, 100), title=title)
    axis.set(xlabel="NME, % of the distance of the outer eye corners", ylabel="share of faces, %")
    axis.axvline(10.0, color="grey", linewidth=0.8, linestyle=":")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize=8)
    _save(plt, figure, path)


def bounded_errors(predicted: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Error of each point in per cent of the bounded eye distance, which the confidence is about.

    That is the distance of the outer eye corners, but at least `LEAST_EYE_DISTANCE` of the longer side of the box:
    twice (N, 68, 2) -> (N, 68).
    """
    box, eyes = box_of(truth), inter_ocular(truth)
    side = (box[:, 2:] - box[:, :2]).max(1)
    return point_errors(predicted, truth) * (eyes / np.maximum(eyes, LEAST_EYE_DISTANCE * side))[:, None]


def calibration(confidence: ArrayLike, errors: ArrayLike) -> dict[str, Any]:
    """Whether a confidence means what `fkp_live.types.Landmarks` says.

    Parameters
    ----------
    confidence : (N, 68) in [0, 1]
    errors : (N, 68) in per cent of the bounded eye distance, see `bounded_errors`

    Returns
    -------
    dict
        ``bins``: by tenths of confidence the number of ``points``, their mean ``confidence``, the share ``found``
        within a tenth of the bounded eye distance and the mean ``error``; ``ece``: the expected calibration
        error, the mean of |found - confidence| over the points (M. Naeini et al., AAAI 2015); ``auroc``: how well
        confidence ranks found points before lost ones (0.5 is chance; None where all points are of one kind).
    """
    confidence, errors = np.asarray(confidence, np.float64).ravel(), np.asarray(errors, np.float64).ravel()
    found = errors <= 100.0 * FOUND_WITHIN
    number = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins, ece = [], 0.0
    for k in range(_BINS):
        mask = number == k
        row = {"from": k / _BINS, "points": float(mask.sum())}
        if mask.any():
            row["confidence"] = float(confidence[mask].mean())
            row["found"] = float(found[mask].mean())
            row["error"] = float(errors[mask].mean())
            ece += mask.mean() * abs(row["found"] - row["confidence"])
        bins.append(row)
    return {"bins": bins, "ece": float(ece), "auroc": _auroc(confidence, found)}


def _auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    from scipy.stats import rankdata

    right, wrong = int(positive.sum()), int((~positive).sum())
    if not right or not wrong:
        return None
    return float((rankdata(scores)[positive].sum() - right * (right + 1) / 2) / (right * wrong))


def plot_calibration(bins: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Share of points within a tenth of the bounded eye distance, and their error, against the confidence."""
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    for name, rows in bins.items():
        # A handful of points says nothing and would draw the eye.
        filled = [row for row in rows if row["points"] >= 20]
        confidence = [row["confidence"] for row in filled]
        left.plot(confidence, [row["found"] for row in filled], marker="o", markersize=4, label=name)
        right.plot(confidence, [row["error"] for row in filled], marker="o", markersize=4, label=name)
    left.set(xlim=(0, 1), ylim=(0, 1), ylabel="share within 10 % of the bounded eye distance")
    right.set(xlim=(0, 1), ylabel="mean error, % of the bounded eye distance", yscale="log")
    for axis in (left, right):
        axis.set_xlabel("confidence")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    _save(plt, figure, path)


def _save(plt: Any, figure: Any, path: Path) -> None:
    figure.tight_layout()
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "Choose another --out.") from error
    finally:
        plt.close(figure)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that it can be read as it is; the first column is flush left."""
    widths = [max(len(row[k]) for row in (header, *rows)) for k in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(w) if k == 0 else cell.rjust(w)
            for k, (cell, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if k == 0 else ":") for k, w in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])
