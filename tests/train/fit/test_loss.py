"""The loss: what each term measures, and what it ignores."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from train.fit.loss import Truth, lid_distance, map_cross_entropy, point_distance, total_loss
from train.network.model import LandmarkNet, Prediction
from train.options import LossOptions, ModelOptions
from train.recipe import KINDS

SMALL = ModelOptions(size=64, channels=(4, 4, 8, 8), blocks=(1, 1, 1), decoder=(8, 8))


def _faces(n: int) -> torch.Tensor:
    points = torch.rand(n, 68, 2) * 40 + 12
    points[:, 36], points[:, 45] = torch.tensor([18.0, 25.0]), torch.tensor([46.0, 25.0])
    return points


def _truth(points: torch.Tensor, is_face: torch.Tensor) -> Truth:
    """Labels of people, one for every point."""
    count = len(points)
    guessed = torch.zeros(count, dtype=torch.bool)
    return Truth(points, is_face, torch.ones(count), guessed, torch.ones(count, 68))


@pytest.mark.parametrize("kind", KINDS)
def test_every_distance_grows_with_the_error_and_vanishes_without(kind: str) -> None:
    errors = torch.tensor([0.0, 0.5, 2.0, 7.9, 8.1, 30.0])[:, None, None].expand(-1, 1, 2)
    distances = point_distance(errors, kind)[:, 0]
    assert distances[0] < 0.02
    assert (distances.diff() > 0).all()


def test_a_face_weighs_by_its_eye_distance_and_a_background_only_in_the_confidence() -> None:
    true = _faces(2)
    options = LossOptions(maps=0.0, confidence=0.0)

    def loss(points: torch.Tensor, is_face: list[bool]) -> float:
        prediction = Prediction(points, torch.zeros(2, 68), torch.zeros(2, 68, 8, 8))
        truth = _truth(true, torch.tensor(is_face))
        return float(total_loss(prediction, truth, options, face_side=51.2)["loss"])

    off = true.clone()
    off[1] += 3.0
    assert loss(true, [True, True]) == pytest.approx(0.0, abs=1e-4)
    assert loss(off, [True, True]) > 1.0
    assert loss(off, [True, False]) == pytest.approx(0.0, abs=1e-4)


def test_pseudo_labels_teach_the_points_but_not_the_confidence() -> None:
    true = _faces(2)
    prediction = Prediction(
        true + 1.0, torch.full((2, 68), 3.0, requires_grad=True), torch.zeros(2, 68, 8, 8)
    )
    guessed = torch.tensor([True, False])
    truth = replace(_truth(true, torch.ones(2, dtype=torch.bool)), guessed=guessed)
    terms = total_loss(prediction, truth, LossOptions(maps=0.0), face_side=51.2)
    terms["confidence"].backward()
    assert prediction.confidence.grad is not None
    assert (prediction.confidence.grad[0] == 0.0).all()
    assert (prediction.confidence.grad[1] != 0.0).all()
    assert terms["points"] > 1.0


def test_a_point_without_a_label_teaches_nothing() -> None:
    true, hidden = _faces(2), [0, 37, 45, 60]
    truth = _truth(true.clone(), torch.ones(2, dtype=torch.bool))
    truth.points[0, hidden] = 0.0
    truth.point_weight[0, hidden] = 0.0
    points = (true + 1.0).requires_grad_()
    confidence, maps = torch.zeros(2, 68, requires_grad=True), torch.zeros(2, 68, 16, 16, requires_grad=True)
    options = LossOptions(kind="l2", maps=1.0, confidence=1.0, lids=1.0, per_eye_distance=False)
    total_loss(Prediction(points, confidence, maps), truth, options, face_side=51.2)["loss"].backward()
    seen = [k for k in range(68) if k not in hidden]
    for part in (points, confidence, maps):
        assert part.grad is not None
        amount = part.grad.flatten(2).abs().sum(-1) if part.dim() > 2 else part.grad.abs()
        assert (amount[0, hidden] == 0.0).all()
        assert (amount[0, seen] > 0.0).all()
        assert (amount[1] > 0.0).all()


def test_half_the_weight_of_the_points_halves_their_terms() -> None:
    true = _faces(1)
    off = true + torch.randn(1, 68, 2, generator=torch.Generator().manual_seed(0))
    losses = []
    for weight in (1.0, 0.5):
        truth = _truth(true, torch.ones(1, dtype=torch.bool))
        truth.point_weight[:] = weight
        prediction = Prediction(off, torch.zeros(1, 68), torch.zeros(1, 68, 16, 16))
        losses.append(total_loss(prediction, truth, LossOptions(lids=1.0), face_side=51.2))
    for name in ("points", "maps", "lids"):
        assert float(losses[1][name]) == pytest.approx(0.5 * float(losses[0][name]))
    # A mean over what is known, as before.
    assert float(losses[1]["confidence"]) == pytest.approx(float(losses[0]["confidence"]))


def test_lids_cost_where_they_move_apart_but_not_together() -> None:
    true = _faces(1)
    together, apart = true.clone(), true.clone()
    together[:, 36:48, 1] += 4.0
    apart[:, [37, 38], 1] -= 3.0
    ones = torch.ones(1, 68)
    assert float(lid_distance(together, true, ones)) == pytest.approx(0.01, abs=1e-3)
    # Three pixels at two of four pairs.
    assert float(lid_distance(apart, true, ones)) == pytest.approx(1.5, abs=0.02)


def test_maps_are_pulled_to_the_point_and_points_outside_have_no_weight() -> None:
    points = torch.tensor([[[30.0, 20.0], [-30.0, 20.0]]])
    maps = torch.zeros(1, 2, 16, 16, requires_grad=True)
    entropy = map_cross_entropy(maps, points, sigma=1.0)
    assert entropy[0, 1] == 0.0
    entropy.sum().backward()
    assert maps.grad is not None
    steepest = int((-maps.grad[0, 0]).argmax())
    assert divmod(steepest, 16) == (5, 7)  # row (20 - 1.5) / 4 = 4.6, column (30 - 1.5) / 4 = 7.1
    assert (maps.grad[0, 1] == 0).all()


def test_the_network_learns_one_face() -> None:
    torch.manual_seed(0)
    model = LandmarkNet(SMALL)
    crops, points = torch.rand(4, 3, 64, 64) * 255, torch.rand(1, 68, 2).expand(4, -1, -1) * 40 + 10
    truth = _truth(points, torch.ones(4, dtype=torch.bool))
    optimiser, errors = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(30):
        prediction = model.read(*model.features(crops))
        loss = total_loss(prediction, truth, LossOptions(sigma=0.5), 51.0)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float((prediction.points.detach() - points).norm(dim=-1).mean()))
    assert errors[-1] < 0.7 * errors[0]
