"""Initial weights: a network that starts from a shipped file has its outputs, folded, unfolded or grown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fkp_live.errors import FkpError
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from train.network.checkpoint import save_checkpoint
from train.network.initial import initial_network, start_from
from train.network.model import LandmarkNet


@pytest.fixture(name="crops", scope="module")
def _crops(astronaut: np.ndarray) -> torch.Tensor:
    """Crops of a photo, so that every channel of a trained network has something to say."""
    rng = np.random.default_rng(0)
    size, rows = 80, []
    for _ in range(24):
        y, x = (int(v) for v in rng.integers(0, 300, 2))
        rows.append(astronaut[y : y + size, x : x + size])
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float()


@pytest.fixture(name="shipped", scope="module")
def _shipped() -> Path:
    return Path(resolve_model("fkp68-tiny"))


def test_a_shipped_file_is_unfolded_to_a_network_of_the_same_outputs(
    shipped: Path, crops: torch.Tensor
) -> None:
    network = initial_network(shipped, crops)
    expected = open_session(shipped, "cpu").run({"image": crops.numpy()})
    with torch.no_grad():
        points, confidence = network.eval()(crops)
    np.testing.assert_allclose(points.numpy(), expected[0], atol=0.05)
    np.testing.assert_allclose(confidence.numpy(), expected[1], atol=0.01)
    # Its batch norms hold the statistics of the crops: in training mode it gives the same for them.
    with torch.no_grad():
        maps, _ = network.train().features(crops)
        points, _ = network.soft_argmax(maps)
    np.testing.assert_allclose(points.numpy(), expected[0], atol=0.05)


def test_the_first_crops_may_be_of_another_size_than_the_file_s(shipped: Path, crops: torch.Tensor) -> None:
    size = 2 * crops.shape[-1]
    enlarged = torch.nn.functional.interpolate(crops, (size, size), mode="bilinear", align_corners=False)
    network, usual = initial_network(shipped, enlarged).eval(), initial_network(shipped, crops).eval()
    with torch.no_grad():
        assert (network(crops)[0] - usual(crops)[0]).abs().max() < 0.05


def test_a_grown_network_starts_where_the_smaller_one_stood(shipped: Path, crops: torch.Tensor) -> None:
    donor = initial_network(shipped, crops)
    larger = LandmarkNet(
        replace(donor.options, channels=(10, 24, 40, 80), blocks=(1, 2, 3), decoder=(48, 32))
    )
    start_from(larger, donor)
    with torch.no_grad():
        for mine, theirs in zip(larger.eval()(crops), donor.eval()(crops), strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=0.02)
        # The new channels hear, and will be heard once trained.
        assert larger.stage8[0][0].weight[32:].abs().mean() > 0.0


def test_a_network_does_not_shrink(shipped: Path, crops: torch.Tensor) -> None:
    donor = initial_network(shipped, crops)
    smaller = LandmarkNet(replace(donor.options, channels=(8, 16, 32, 48)))
    with pytest.raises(FkpError, match="may grow, not shrink"):
        start_from(smaller, donor)


def test_a_checkpoint_gives_its_average(tmp_path: Path, shipped: Path, crops: torch.Tensor) -> None:
    donor = initial_network(shipped, crops)
    other = LandmarkNet(donor.options)
    save_checkpoint(tmp_path / "run.pt", other, ema=donor.state_dict())
    again = initial_network(tmp_path / "run.pt", crops)
    assert torch.equal(again.heads.weight, donor.heads.weight)


def test_other_networks_are_refused(crops: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(FkpError, match="cannot be trained further"):
        initial_network(Path(resolve_model("yunet")), crops)
    with pytest.raises(FkpError):
        initial_network(tmp_path / "nothing.onnx", crops)


@pytest.mark.parametrize("change", ["renamed", "reshaped", "more"])
def test_a_file_whose_weights_are_not_all_of_the_network_is_refused(
    change: str, shipped: Path, crops: torch.Tensor, tmp_path: Path
) -> None:
    """As one with another head is: its heads would stay random."""
    import onnx

    model = onnx.load(str(shipped))
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    heads = weights["model.heads.weight"]
    if change == "more":
        heads = model.graph.initializer.add()
        heads.CopyFrom(weights["model.heads.bias"])
        heads.name = "model.heads.1.bias"
    elif change == "reshaped":
        unused = model.graph.initializer.add()
        unused.CopyFrom(heads)
        values = onnx.numpy_helper.to_array(heads)
        heads.CopyFrom(onnx.numpy_helper.from_array(values[:60], "model.heads.weight"))
        unused.name = "heads"
        _rename(model, "model.heads.weight", "heads")
    else:
        heads.name = "model.heads.1.weight"
        _rename(model, "model.heads.weight", heads.name)
    onnx.save(model, str(tmp_path / "odd.onnx"))
    with pytest.raises(FkpError, match="heads") as caught:
        initial_network(tmp_path / "odd.onnx", crops)
    assert caught.value.exit_code == 2


def _rename(model: Any, old: str, new: str) -> None:
    for node in model.graph.node:
        for number, name in enumerate(node.input):
            if name == old:
                node.input[number] = new
