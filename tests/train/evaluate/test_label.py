"""A network's points as a data set: averaged, filtered, readable again."""

from __future__ import annotations

import errno
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from shapes import face_at
from steady import Steady

from fkp_live.geometry import CropSpec
from fkp_live.types import Image
from train.__main__ import main
from train.data.faces import read_csv
from train.evaluate.label import PseudoLabel, label_face
from train.network.checkpoint import save_checkpoint
from train.network.model import LandmarkNet
from train.network.opening import TorchNetwork
from train.options import LABELS_RIGHT, ModelOptions

OPTIONS = ModelOptions(size=32, channels=(4, 4, 8, 8), blocks=(0, 0, 0), decoder=(8, 8))
# A frontal face in a crop of 32 px.
FACE = face_at(16, 11, 14)


def test_straight_and_mirrored_views_are_averaged_in_the_labels_convention(astronaut: Image) -> None:
    points = np.tile(np.array([[10.0, 12.0]], np.float32), (68, 1))
    box = np.array([100.0, 100.0, 164.0, 164.0], np.float32)
    label = label_face([TorchNetwork(Steady(points, CropSpec(32, 0.125)))], astronaut, box, 1, 0)
    # One view at x = 10, one at 31 - 10 plus twice the offset of the labels; 2.5 image pixels each.
    side = CropSpec(32, 0.125).face_side
    x = (10.0 + 21.0 + 2 * LABELS_RIGHT * side) / 2.0
    assert label.points[0, 0] == pytest.approx(132.0 + (x - 15.5) * 64.0 / side, abs=0.01)
    assert label.confidence == pytest.approx(0.75)


def test_the_label_of_several_networks_is_their_mean(astronaut: Image) -> None:
    box = np.array([100.0, 100.0, 164.0, 164.0], np.float32)
    networks = [steady_network(FACE + np.array([0.0, down])) for down in (0.0, 2.0)]
    first, second = (label_face([network], astronaut, box, 2, 0) for network in networks)
    both = label_face(networks, astronaut, box, 2, 0)
    assert both.points == pytest.approx((first.points + second.points) / 2.0, abs=1e-3)
    # Networks that disagree are views that disagree.
    assert both.spread > max(first.spread, second.spread)


@pytest.fixture(name="checkpoint")
def _checkpoint(tmp_path: Path) -> Path:
    """An untrained network whose points at least differ from one another."""
    torch.manual_seed(0)
    network = LandmarkNet(OPTIONS)
    with torch.no_grad():
        network.heads.weight.mul_(100.0)
    save_checkpoint(tmp_path / "net.pt", network)
    return tmp_path / "net.pt"


def steady_network(points: np.ndarray) -> TorchNetwork:
    return TorchNetwork(Steady(np.array(points, np.float32, order="C"), CropSpec(32, 0.125)))


def test_points_that_are_not_a_face_are_not_written(
    checkpoint: Path,
    astronaut: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever their confidence: such a file could not be trained on."""
    cv2.imwrite(str(tmp_path / "face.png"), astronaut)
    for wrong in (FACE.round(-2), FACE[::-1], FACE / 100 + 16, FACE[:, ::-1]):
        network = steady_network(wrong)
        monkeypatch.setattr("train.evaluate.label.open_network", lambda _, n=network: (n, {}))
        words = [str(checkpoint), str(tmp_path), "--out", str(tmp_path / "x.csv"), "--spread", "1e9"]
        assert main(["label", *words]) == 1
        assert "none of 1 picture labelled" in capsys.readouterr().err
        assert not (tmp_path / "x.csv").exists()


def test_the_file_is_a_data_set_of_the_faces_found(
    checkpoint: Path,
    astronaut: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    network = steady_network(FACE)
    monkeypatch.setattr("train.evaluate.label.open_network", lambda _: (network, {}))
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
    before = out.read_text()
    assert main([*arguments, "--also", str(checkpoint), "--overwrite"]) == 0
    assert out.read_text() == before
    assert main([*arguments, "--overwrite", "--confidence", "0.8"]) == 1
    assert "none of 2 pictures" in capsys.readouterr().err
    assert out.read_text() == before


def test_an_output_that_cannot_be_written_is_refused_first(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "face.png").touch()
    monkeypatch.setattr("train.evaluate.label.label", lambda *_: pytest.fail("predicted"))
    assert main(["label", str(checkpoint), str(tmp_path), "--out", str(checkpoint / "x.csv")]) == 6
    assert main(["label", str(checkpoint), str(tmp_path), "--out", str(tmp_path), "--overwrite"]) == 6


def test_a_full_disk_leaves_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "face.png").touch()
    label = PseudoLabel(FACE * 10, 1.0, 0.0)
    monkeypatch.setattr("train.evaluate.label.label", lambda *_: [label])

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    before = set(tmp_path.iterdir())
    assert main(["label", str(checkpoint), str(tmp_path), "--out", str(tmp_path / "x.csv")]) == 6
    assert set(tmp_path.iterdir()) == before


def test_a_folder_without_images_is_an_input_error(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["label", str(checkpoint), str(tmp_path / "empty"), "--out", str(tmp_path / "x.csv")]) == 3
