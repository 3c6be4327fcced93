"""Confidence of points that a turned head hides."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fkp_live.faces.hidden_points import FROM, seen_confidence
from fkp_live.topology import MIRROR, NOSE_TIP, REGIONS
from fkp_live.types import Pose

SURE = np.full(68, 0.9, np.float32)


def at(degrees: float) -> np.ndarray:
    return seen_confidence(SURE, Pose(0.0, math.radians(degrees), 0.0))


@pytest.mark.parametrize("yaw", [0.0, 0.99 * FROM, -0.99 * FROM, math.nan])
def test_faces_that_are_not_profiles_keep_their_confidence(yaw: float) -> None:
    assert seen_confidence(SURE, Pose(0.0, yaw, 0.0)) is SURE


def test_a_network_that_knows_turned_faces_loses_only_for_what_is_hidden() -> None:
    half = Pose(0.0, math.radians(30), 0.0)
    assert seen_confidence(SURE, half, knows_turned=1.0) == pytest.approx(SURE)
    assert seen_confidence(SURE, half).mean() < 0.97
    mean = seen_confidence(SURE, half, knows_turned=0.5)
    assert np.all((seen_confidence(SURE, half) <= mean) & (mean <= SURE))
    assert mean == pytest.approx(np.sqrt(seen_confidence(SURE, half) * SURE), rel=1e-3)
    profile = seen_confidence(SURE, Pose(0.0, math.radians(60), 0.0), knows_turned=1.0)
    assert profile.min() < 0.2
    assert profile[NOSE_TIP] > at(60)[NOSE_TIP]


def test_a_profile_is_sure_of_the_near_side_only() -> None:
    # It looks to its own left: that side is hidden.
    confidence = at(65)
    for hidden in ("left_eye", "left_brow"):
        assert confidence[REGIONS[hidden]].max() < 0.5
    assert confidence[9:17].max() < 0.2
    assert np.median(confidence[REGIONS["right_eye"]]) > 0.7
    assert np.median(confidence[REGIONS["right_brow"]]) > 0.5
    assert confidence[NOSE_TIP] > 0.7
    assert confidence[REGIONS["mouth"]].min() < 0.3 < 0.7 < confidence[REGIONS["mouth"]].max()


def test_the_jaw_of_a_turned_head_is_less_sure_though_it_is_seen() -> None:
    assert at(45)[:8].max() < 0.7 < at(45)[REGIONS["right_eye"]].min()


def test_the_other_side_is_the_mirror_image() -> None:
    assert at(-60) == pytest.approx(at(60)[MIRROR])


def test_confidence_falls_steadily_with_the_yaw() -> None:
    means = [float(at(degrees).mean()) for degrees in range(30, 91, 2)]
    assert max(np.diff(means)) <= 1e-6
    assert max(np.abs(np.diff(means))) < 0.08
    assert means[-1] < 0.6 < means[5]
