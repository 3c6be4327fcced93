"""A network's points as a data set: averaged, filtered, readable again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from steady import Steady

from fkp_live.geometry import CropSpec
from fkp_live.types import Image
from train.__main__ import main
from train.augment import LABELS_RIGHT
from train.data import read_csv
from train.judge import TorchNetwork
from train.label import ask
from train.model import LandmarkNet, ModelOptions, save_checkpoint

OPTIONS = ModelOptions(size=32, channels=(4, 4, 8, 8), blocks=(0, 0, 0), decoder=(8, 8))


def test_straight_and_mirrored_answers_are_averaged_in_the_labels_convention(astronaut: Image) -> None:
    points = np.tile(np.array([[10.0, 12.0]], np.float32), (68, 1))
    box = np.array([100.0, 100.0, 164.0, 164.0], np.float32)
    opinion = ask(TorchNetwork(Steady(points, CropSpec(32, 0.125))), astronaut, box, 1, 0)
    # One answer at x = 10, one at 31 - 10 plus twice what the labels sit to the right; 2.5 image pixels each.
    side = CropSpec(32, 0.125).face_side
    x = (10.0 + 21.0 + 2 * LABELS_RIGHT * side) / 2.0
    assert opinion.points[0, 0] == pytest.approx(132.0 + (x - 15.5) * 64.0 / side, abs=0.01)
    assert opinion.confidence == pytest.approx(0.75)


@pytest.fixture(name="checkpoint")
def _checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "net.pt", LandmarkNet(OPTIONS))
    return tmp_path / "net.pt"


def test_the_file_is_a_data_set_of_the_faces_found(
    checkpoint: Path, astronaut: Image, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    cv2.imwrite(str(folder / "face.png"), astronaut)
    cv2.imwrite(str(folder / "nobody.png"), np.full((200, 200, 3), 90, np.uint8))
    out = tmp_path / "faces.csv"
    arguments = [
        "label",
        str(checkpoint),
        str(folder),
        "--out",
        str(out),
        "--confidence",
        "0",
        "--spread",
        "1e9",
    ]
    assert main(arguments) == 0
    faces = read_csv(out)
    assert faces.names == ["face.png"]
    assert np.isfinite(faces.points).all()
    assert main(arguments) == 6
    assert main([*arguments, "--overwrite", "--confidence", "1"]) == 0
    assert len(out.read_text().splitlines()) == 1  # an untrained network is sure of nothing


def test_a_folder_without_images_is_an_input_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["label", str(checkpoint), str(tmp_path / "empty"), "--out", str(tmp_path / "x.csv")]) == 3
