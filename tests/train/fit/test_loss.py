"""The loss: what each term measures, and what it ignores."""

from __future__ import annotations

import pytest
import torch

from train.fit.loss import Truth, map_cross_entropy, point_distance, total_loss
from train.network.model import LandmarkNet, Prediction
from train.options import LossOptions, ModelOptions
from train.recipe import KINDS

SMALL = ModelOptions(size=64, channels=(4, 4, 8, 8), blocks=(1, 1, 1), decoder=(8, 8))


def _faces(n: int) -> torch.Tensor:
    points = torch.rand(n, 68, 2) * 40 + 12
    points[:, 36], points[:, 45] = torch.tensor([18.0, 25.0]), torch.tensor([46.0, 25.0])
    return points


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
        truth = Truth(true, torch.tensor(is_face), torch.ones(2), torch.zeros(2, dtype=torch.bool))
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
    truth = Truth(true, torch.ones(2, dtype=torch.bool), torch.ones(2), guessed)
    terms = total_loss(prediction, truth, LossOptions(maps=0.0), face_side=51.2)
    terms["confidence"].backward()
    assert prediction.confidence.grad is not None
    assert (prediction.confidence.grad[0] == 0.0).all()
    assert (prediction.confidence.grad[1] != 0.0).all()
    assert terms["points"] > 1.0


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
    truth = Truth(points, torch.ones(4, dtype=torch.bool), torch.ones(4), torch.zeros(4, dtype=torch.bool))
    optimiser, errors = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(30):
        prediction = model.read(*model.features(crops))
        loss = total_loss(prediction, truth, LossOptions(sigma=0.5), 51.0)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float((prediction.points.detach() - points).norm(dim=-1).mean()))
    assert errors[-1] < 0.7 * errors[0]
