"""Labels of the hard faces in 300-W's convention: what their labellers do otherwise is taken off.

Beyond chance they make brows narrower and eyes wider, and put the lower lip's edge and the upper jaw elsewhere, by 1 to
4 % of the eye distance. ``hard_habit.csv`` holds that for each point, by `python -m train habit`; a network that learns
both sets as they are learns to be in between.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fkp_live.topology import LEFT_EYE_OUTER, N_POINTS, RIGHT_EYE_OUTER
from train.data.faces import FaceSet
from train.options import LEAST_EYE_DISTANCE

HABIT = Path(__file__).with_name("hard_habit.csv")


def axes(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of faces (N, 68, 2) an eye distance across and down the face, (N, 2, 2) in pixels; NaN without outer eye corners.

    Across, a head that turns shows less of it, as it shows less of the face. Down it is the bounded eye distance.
    """
    across = np.asarray(points[:, LEFT_EYE_OUTER] - points[:, RIGHT_EYE_OUTER], np.float64)
    width = np.linalg.norm(across, axis=1, keepdims=True)
    sides = (np.nanmax(points, 1) - np.nanmin(points, 1)).max(1, keepdims=True)
    turned = np.stack([-across[:, 1], across[:, 0]], 1) / np.maximum(width, 1e-6)
    return np.stack([across, turned * np.maximum(width, LEAST_EYE_DISTANCE * sides)], 1)


def without_habit(faces: FaceSet) -> FaceSet:
    """The faces with labels as 300-W's annotators would put them; those without outer eye corners stay as they are."""
    shift = np.einsum("pk,nkc->npc", _habit(), axes(faces.points))
    moved = (faces.points - np.nan_to_num(shift)).astype(np.float32)
    return replace(faces, points=moved)


@cache
def _habit() -> NDArray[np.float64]:
    """(68, 2) in eye distances, across and down the face."""
    return np.loadtxt(HABIT, delimiter=",", skiprows=1, usecols=(1, 2)).reshape(N_POINTS, 2)
