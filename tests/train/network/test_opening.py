"""Networks opened for the product's code: cropped as it crops, and refused where their weights are not finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from shapes import face_at

from fkp_live.errors import ModelError
from fkp_live.geometry import apply, box_of, crop_matrix
from fkp_live.images.warping import warp
from fkp_live.types import Image
from train.network.checkpoint import save_checkpoint
from train.network.model import LandmarkNet
from train.network.opening import TorchNetwork, open_network
from train.options import ModelOptions

# Between and around the astronaut's eyes.
EYES, EYE_DISTANCE = (224.0, 113.0), 62.0


def test_a_checkpoint_is_cropped_as_the_product_crops(astronaut: Image, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = LandmarkNet(ModelOptions(size=48, margin=0.2, channels=(4, 4, 8, 8), decoder=(8, 4))).eval()
    save_checkpoint(tmp_path / "net.pt", model)
    network, identity = open_network(tmp_path / "net.pt")
    assert isinstance(network, TorchNetwork)
    assert identity["run_by"] == "torch"
    box = box_of(face_at(*EYES, EYE_DISTANCE))
    found = network(astronaut, box[None])
    matrix = crop_matrix(box, model.crop_spec)
    crop = torch.from_numpy(warp(astronaut, matrix, 48)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        points, confidence = model(crop)
    assert apply(matrix, found.points[0]) == pytest.approx(points[0].numpy(), abs=1e-3)
    assert found.confidence == pytest.approx(confidence.numpy(), abs=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, wrong: float) -> None:
    model = LandmarkNet(ModelOptions(size=48, channels=(4, 4, 8, 8), decoder=(8, 4)))
    with torch.no_grad():
        model.heads.bias[7] = wrong
    save_checkpoint(tmp_path / "net.pt", model)
    with pytest.raises(ModelError, match=r"not finite, the first in heads\.bias"):
        open_network(tmp_path / "net.pt")
