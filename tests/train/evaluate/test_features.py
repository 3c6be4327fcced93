from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut
from torch import Tensor, nn

from fkp_live.errors import ExitCode, InputError, UsageError
from fkp_live.geometry import CropSpec
from train.__main__ import main
from train.evaluate.features import (
    face_crop,
    feature_maps,
    filter_sheet,
    first_convolution,
    map_sheet,
    saliency,
)
from train.network.checkpoint import save_checkpoint
from train.network.model import LandmarkNet
from train.options import ModelOptions


class Centroid(nn.Module):
    """Points that depend on one quarter of the crop each: what saliency must find is known."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        nn.init.constant_(self.blur.weight, 1.0)
        self.rectify = nn.ReLU(inplace=True)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.rectify(self.blur(crops) - 1e4)
        half = crops.shape[-1] // 2
        sums = (
            self.blur(crops)[..., :half, :half].mean((1, 2, 3)),
            self.blur(crops)[..., half:, half:].mean((1, 2, 3)),
        )
        points = torch.stack([torch.stack([s, 2 * s], -1) for s in sums], 1)
        return points + 0 * maps.mean(), points[..., 0]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "net.pt"
    save_checkpoint(path, LandmarkNet(ModelOptions(size=48, channels=(4, 4, 8, 8), decoder=(8, 4))))
    return path


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "astronaut.png"
    cv2.imwrite(str(path), astronaut()[..., ::-1])
    return path


def test_saliency_lies_where_the_point_comes_from() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    first, second = (saliency(Centroid(), crop, point) for point in (0, 1))
    assert first.shape == (16, 16)
    assert first[:8, :8].min() > 0
    assert first[10:, 10:].max() == 0
    assert second[9:, 9:].min() > 0
    assert second[:6, :6].max() == 0


def test_feature_maps_are_the_outputs_of_the_layer_itself() -> None:
    crop = np.full((16, 16, 3), 10, np.uint8)
    maps = feature_maps(Centroid(), crop, ["blur"])["blur"]
    assert maps.shape == (3, 16, 16)
    # 27 weights of 1 on pixels of 10.
    assert maps[0, 8, 8] == pytest.approx(270.0)
    assert maps[0, 0, 0] == pytest.approx(120.0)


@pytest.mark.parametrize("layer", ["", "nothing"])
def test_unknown_layers_are_refused_by_name(layer: str) -> None:
    with pytest.raises(UsageError, match="no layer") as caught:
        feature_maps(Centroid(), np.zeros((16, 16, 3), np.uint8), [layer])
    assert "blur" in caught.value.hint


def test_filters_are_shown_in_their_colours() -> None:
    weight = torch.zeros(2, 3, 3, 3)
    weight[0, 0, 1, 1] = 2.0  # blue in the middle, half as much green against it in a corner
    weight[0, 1, 0, 0] = -1.0
    sheet = filter_sheet(weight, tile=30, columns=2)
    assert sheet.shape == (34, 68, 3)
    assert sheet[17, 17].tolist() == [255, 127, 127]
    assert sheet[5, 5].tolist() == [127, 63, 127]
    assert (sheet[4:30, 38:60] == 127).all()


def test_map_sheet_keeps_the_liveliest_channels() -> None:
    maps = np.zeros((40, 8, 8), np.float32)
    maps[7] = np.eye(8)
    sheet = map_sheet(maps, tile=32, columns=1, most=1)
    assert sheet.shape[:2] == (50, 32)
    assert np.abs(sheet[:32].astype(int) - sheet[0, 31]).max() > 100


def test_first_convolution_and_its_absence() -> None:
    assert first_convolution(Centroid())[0] == "blur"
    with pytest.raises(UsageError, match="no convolution"):
        first_convolution(nn.Linear(2, 2))


def test_the_face_is_found_or_given() -> None:
    image = np.ascontiguousarray(astronaut()[..., ::-1])
    found = face_crop(image, CropSpec(64, 0.125), None)
    given = face_crop(image, CropSpec(64, 0.125), [170.0, 75.0, 275.0, 185.0])
    blue, red = given[..., 0].astype(float), given[..., 2].astype(float)
    assert found.shape == (64, 64, 3)
    assert (red - blue).mean() > 20  # skin
    assert np.abs(found.astype(float) - given).mean() < 40
    with pytest.raises(InputError, match="no face"):
        face_crop(np.zeros((100, 100, 3), np.uint8), CropSpec(64, 0.125), None)


def test_the_command_writes_its_pictures(
    photo: Path, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "features",
        str(photo),
        "--model",
        str(checkpoint),
        "--out",
        str(tmp_path),
        "--points",
        "30",
        "8",
    ]
    assert main([*command, "--layers", "stem.0", "heads"]) == ExitCode.OK
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert {path.name for path in printed} == {
        "filters_stem.0.png", "maps_stem.0.png", "maps_heads.png", "saliency.png"
    }  # fmt: skip
    for path in printed:
        image = cv2.imread(str(path))
        assert image is not None
        assert image.std() > 5


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--points", "68"], ExitCode.USAGE),
        (["--layers", "nothing"], ExitCode.USAGE),
        (["--box", "9", "9", "3", "20"], ExitCode.USAGE),
        (["--model", "absent.pt"], ExitCode.MODEL),
    ],
)
def test_nonsense_is_refused(
    photo: Path, checkpoint: Path, tmp_path: Path, options: list[str], code: ExitCode
) -> None:
    command = ["features", str(photo), "--model", str(checkpoint), "--out", str(tmp_path / "f"), *options]
    assert main(command) == code
    assert not (tmp_path / "f").exists()
