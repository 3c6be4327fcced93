"""Landmark metrics on points whose error is known."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import face_at

from fkp_live import metrics
from fkp_live.topology import REGIONS


def test_a_shift_by_a_tenth_of_the_eye_distance_is_ten_per_cent() -> None:
    truth = np.stack([face_at(100, 100, 50), face_at(100, 100, 200)])
    shifted = truth + np.array([[[3.0, 4.0]], [[12.0, 16.0]]])
    np.testing.assert_allclose(metrics.nme(shifted, truth), 10.0, rtol=1e-5)
    np.testing.assert_allclose(metrics.nme(truth, truth), 0.0, atol=1e-6)


def test_nme_is_relative_to_the_eye_distance_of_the_truth() -> None:
    truth = face_at(0, 0, 100)[None]
    assert metrics.nme(truth * 2, truth)[0] == pytest.approx(2 * metrics.nme(truth, truth * 2)[0])


def test_nme_by_region_assigns_each_error_to_its_region() -> None:
    truth = face_at(0, 0, 100)[None]
    wrong = truth.copy()
    wrong[:, REGIONS["mouth"], 1] += 5
    by_region = metrics.nme_by_region(wrong, truth)
    assert by_region["mouth"][0] == pytest.approx(5.0, rel=1e-5)
    assert by_region["jaw"][0] == pytest.approx(0.0, abs=1e-5)
    assert metrics.nme(wrong, truth)[0] == pytest.approx(5.0 * 20 / 68, rel=1e-5)


def test_a_missed_face_is_a_failure() -> None:
    truth = np.stack([face_at(0, 0, 100)] * 4)
    found = truth.astype(np.float64) + np.array([2.0, 0.0])
    found[3] = np.nan
    errors = metrics.nme(found, truth)
    assert np.isinf(errors[3])
    assert metrics.failure_rate(errors) == 25.0
    assert metrics.auc(errors) == pytest.approx(100 * 3 * 0.8 / 4)
    figures = metrics.summary(errors)
    assert figures["missed"] == 1
    assert figures["nme"] == pytest.approx(2.0, rel=1e-5)
    assert np.isinf(figures["p95"])


def test_auc_is_the_area_under_the_cumulative_curve() -> None:
    errors = np.random.default_rng(0).gamma(3.0, 1.5, 400)
    thresholds = np.linspace(0, 10, 20001)
    area = metrics.cumulative_curve(errors, thresholds).mean()
    assert metrics.auc(errors) == pytest.approx(area, abs=0.01)
    assert metrics.cumulative_curve(errors, [10.0])[0] == pytest.approx(100 - metrics.failure_rate(errors))


@pytest.mark.parametrize(
    ("predicted", "truth"),
    [(np.zeros((2, 68, 2)), np.zeros((3, 68, 2))), (np.zeros((2, 5, 2)), np.zeros((2, 5, 2)))],
)
def test_wrong_shapes_are_named(predicted: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="68"):
        metrics.nme(predicted, truth)


def test_metrics_of_no_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="N > 0"):
        metrics.summary([])
