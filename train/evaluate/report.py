"""Calibration, error curves and tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.errors import OutputError
from fkp_live.geometry import box_of
from fkp_live.metrics import auc, cumulative_curve, failure_rate, inter_ocular, point_errors
from train.fit.loss import FOUND_WITHIN
from train.options import LEAST_EYE_DISTANCE
from train.plotting import pyplot

_BINS = 10

GLOSSARY = """\
# What the figures mean

- **NME**: mean distance of a face's points from their labels, in % of the distance of its outer eye corners. About 4 is
  good; over 15 is not a face.
- **median**, **P90**, **P95**: half, 90 % and 95 % of the faces have a smaller NME.
- **FR8**, **FR10**: share of the faces in % whose NME is over 8 or 10. A face that was missed counts.
- **AUC10**: area under the curve of the share of faces against their NME, up to 10, in %; 100 is perfect.
- **missed**: faces that the detector did not find; they are in every figure but the mean.
- **box given**: the network sees the box around the labels. **detector jitter**: that box, shifted and scaled as
  inexactly as a detector's. **second look**: again, around the points of the first look. **end to end**: with the
  product's own detector.
- **labels' own convention**: with the measured offset of Udacity's labels from 300-W's added.
- **confidence**: probability that a point lies within a tenth of the eye distance of its true place.
  **expected calibration error**: how far it is from the share that really does, from 0 to 1; 0 is perfect.
- **sheet_*.png**: labels in green, the network's points in magenta; the number is the NME of the face.

# Figures"""


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
    """Whether a confidence is the probability that `fkp_live.types.Landmarks` documents.

    Parameters
    ----------
    confidence : (N, 68) in [0, 1]
    errors : (N, 68) in per cent of the bounded eye distance, see `bounded_errors`

    Returns
    -------
    dict
        ``bins``: by tenths of confidence the number of ``points``, their mean ``confidence``, the share ``found``
        within a tenth of the bounded eye distance and the mean ``error``; the same of all; ``ece``: the expected
        calibration error, the mean of |found - confidence| over the points (M. Naeini et al., AAAI 2015); ``auroc``:
        how well confidence ranks found points before lost ones (0.5 is chance; None where all are of one kind).
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
    whole = {"points": float(found.size)}
    if found.size:
        whole |= {
            "confidence": float(confidence.mean()),
            "found": float(found.mean()),
            "error": float(errors.mean()),
        }
    return whole | {"bins": bins, "ece": float(ece), "auroc": _auroc(confidence, found)}


def _auroc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float | None:
    right, wrong = int(positive.sum()), int((~positive).sum())
    if not right or not wrong:
        return None
    # Rank of each score from 1 up; equal scores have the mean of their ranks.
    _, place, number = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(number) - (number - 1) / 2)[place]
    return float((ranks[positive].sum() - right * (right + 1) / 2) / (right * wrong))


def plot_calibration(bins: Mapping[str, Sequence[Mapping[str, float]]], path: Path) -> None:
    """Share of points within a tenth of the bounded eye distance, and their error, against the confidence."""
    plt = pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5))
    left.plot([0, 1], [0, 1], color="grey", linewidth=0.8, linestyle=":")
    for name, rows in bins.items():
        # A bin of a few points is noise.
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
