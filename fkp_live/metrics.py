"""How far points are from the truth.

Everything is in per cent of the distance of the outer eye corners ("inter-ocular") unless another unit is
named, so faces of every size count alike. A face that was not found is a row of NaN or ``inf``: it counts as a
failure, never left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.topology import LEFT_EYE_OUTER, REGIONS, RIGHT_EYE_OUTER

Values = NDArray[np.float64]


def inter_ocular(points: ArrayLike) -> Values:
    """Distance of the outer eye corners in pixels: (..., 68, 2) -> (...)."""
    points = np.asarray(points, np.float64)
    across = points[..., LEFT_EYE_OUTER, :] - points[..., RIGHT_EYE_OUTER, :]
    return np.asarray(np.linalg.norm(across, axis=-1))


def point_errors(predicted: ArrayLike, truth: ArrayLike) -> Values:
    """Error of each point in per cent of the truth's eye distance: twice (N, 68, 2) -> (N, 68)."""
    predicted, truth = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if predicted.shape != truth.shape or truth.shape[-2:] != (68, 2):
        raise ValueError(f"expected two arrays (N, 68, 2), got {predicted.shape} and {truth.shape}")
    errors = 100.0 * np.linalg.norm(predicted - truth, axis=-1) / inter_ocular(truth)[..., None]
    return np.where(np.isfinite(predicted).all((-2, -1))[..., None], errors, np.inf)


def nme(predicted: ArrayLike, truth: ArrayLike) -> Values:
    """Normalised mean error of each face in per cent: twice (N, 68, 2) -> (N,); missed faces ``inf``."""
    return np.asarray(point_errors(predicted, truth).mean(-1))


def nme_by_region(predicted: ArrayLike, truth: ArrayLike) -> dict[str, Values]:
    """`nme` of each region of `topology.REGIONS`: name -> (N,)."""
    errors = point_errors(predicted, truth)
    return {name: errors[..., numbers].mean(-1) for name, numbers in REGIONS.items()}


def failure_rate(errors: ArrayLike, threshold: float = 10.0) -> float:
    """Share of faces in per cent with an NME (N,) over ``threshold``; missed faces (``inf``, NaN) among them."""
    errors = _face_errors(errors)
    return float(100.0 * np.mean(errors > threshold))


def auc(errors: ArrayLike, threshold: float = 10.0) -> float:
    """Area under the cumulative error curve of NMEs (N,) up to ``threshold``, in per cent of the best possible.

    The curve is a staircase, so the area is exact: a face of error e adds ``max(0, threshold - e)``.
    """
    errors = _face_errors(errors)
    return float(100.0 * np.mean(np.clip(threshold - errors, 0.0, None)) / threshold)


def cumulative_curve(errors: ArrayLike, thresholds: ArrayLike) -> Values:
    """Share of faces in per cent with an NME (N,) of at most each threshold (K,) -> (K,)."""
    errors = np.sort(_face_errors(errors))
    return 100.0 * np.searchsorted(errors, np.asarray(thresholds, np.float64), side="right") / len(errors)


def summary(errors: ArrayLike) -> Mapping[str, float]:
    """The usual figures of NMEs (N,) in per cent.

    ``nme`` is the mean over the faces that were found (``missed`` counts the others); everything else
    includes the missed ones: ``median``, ``p90``, ``p95``, ``fr8``, ``fr10``, ``auc10``.
    """
    errors = _face_errors(errors)
    found = errors[np.isfinite(errors)]
    median, p90, p95 = np.quantile(errors, (0.5, 0.9, 0.95), method="higher")
    return {
        "faces": float(len(errors)),
        "missed": float(len(errors) - len(found)),
        "nme": float(found.mean()) if len(found) else float("inf"),
        "median": float(median),
        "p90": float(p90),
        "p95": float(p95),
        "fr8": failure_rate(errors, 8.0),
        "fr10": failure_rate(errors, 10.0),
        "auc10": auc(errors, 10.0),
    }


def _face_errors(errors: ArrayLike) -> Values:
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 1 or not len(errors):
        raise ValueError(f"expected the NME of each face, (N,) with N > 0, got {errors.shape}")
    return np.where(np.isnan(errors), np.inf, errors)
