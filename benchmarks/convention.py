"""Maps from a system's own labelling convention to that of the labels it is judged by.

Where the last jaw point lies, or whether a corner of the eye is the corner of the lids or of the white, is agreed
and not seen; a system that learnt another agreement is wrong by it on every face. So besides the raw error there
is one after a map that is fitted to each system alike, by cross-validation: ten parts, no person in two of them,
each part mapped by what the other nine taught. Points are seen relative to their own centroid, in units of their
own root mean square distance from it, so a map needs nothing but the points. Two maps:

- ``offset``: one constant shift for each of the 68 points;
- ``linear``: a linear map from all 136 coordinates, and one over the size (labels can be off by some pixels),
  to the 136 corrections; ridge regression. It is the more generous one: it also takes off errors that go with pose
  or expression. A few hundred faces are needed to teach it, so on a small sample it is worth little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]
Map = Callable[[Points], Points]

FOLDS = 10
# Sum of squares in relative units: the best of a row of powers for every system on 300 faces.
RIDGE = 1.0


def relative(points: Points) -> tuple[Points, Points, Points]:
    """(N, 68, 2) about their centroid in units of their size; centroids (N, 1, 2) and sizes (N, 1, 1) in pixels."""
    centre = points.mean(1, keepdims=True)
    away = points - centre
    size = np.sqrt((away**2).sum(-1).mean(1))[:, None, None]
    return away / size, centre, size


def fit_offset(points: Points, truth: Points) -> Map:
    """Constant shifts, from (N, 68, 2) of a system and of the labels."""
    _, _, size = relative(points)
    shift = ((truth - points) / size).mean(0)
    return lambda given: given + relative(given)[2] * shift


def fit_linear(points: Points, truth: Points) -> Map:
    """A ridge regression of the corrections on all points, from (N, 68, 2) of a system and of the labels."""
    _, _, size = relative(points)
    typical = float(np.median(size))

    def features(given: Points) -> tuple[Points, Points]:
        shape, _, size = relative(given)
        flat = shape.reshape(len(shape), -1)
        return np.concatenate([flat, 0.3 * typical / size[:, 0]], 1), size

    known, _ = features(points)
    wanted = ((truth - points) / size).reshape(len(points), -1)
    mean, shift = known.mean(0), wanted.mean(0)
    away = known - mean
    gram = away.T @ away + RIDGE * np.eye(away.shape[1])
    weights = np.linalg.solve(gram, away.T @ (wanted - shift))

    def corrected(given: Points) -> Points:
        seen, size = features(given)
        return given + size * ((seen - mean) @ weights + shift).reshape(-1, 68, 2)

    return corrected


MAPS: dict[str, Callable[[Points, Points], Map]] = {"offset": fit_offset, "linear": fit_linear}


def mapped(
    points: ArrayLike, truth: ArrayLike, groups: Sequence[str], fit: Callable[[Points, Points], Map]
) -> Points:
    """Points (N, 68, 2) brought to the convention of the truth, each by a map fitted without its group.

    Faces that were missed (NaN) stay missed and teach nothing. With fewer than two groups nothing can be learnt
    and the points come back as they are.
    """
    points, truth = np.asarray(points, np.float64), np.asarray(truth, np.float64)
    names = np.unique(groups)
    part_of = dict(
        zip(np.random.default_rng(0).permutation(names), np.arange(len(names)) % FOLDS, strict=True)
    )
    part = np.array([part_of[group] for group in groups])
    found = np.isfinite(points).all((1, 2))
    result = points.copy()
    for number in range(FOLDS):
        taught, judged = found & (part != number), found & (part == number)
        if taught.any() and judged.any():
            result[judged] = fit(points[taught], truth[taught])(points[judged])
    return result
