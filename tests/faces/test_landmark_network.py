"""Crops in, points out: geometry with a network that gives known points, and the shipped one on a real face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analytic import SIZE, centroid_network

from fkp_live import geometry
from fkp_live.errors import ExitCode, ModelError
from fkp_live.faces.landmark_network import LandmarkNetwork, check_boxes
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import Session, open_session
from fkp_live.types import Landmarks


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return open_session(centroid_network(tmp_path_factory.mktemp("model") / "analytic.onnx"), "cpu")


@pytest.fixture
def network(session: Session) -> LandmarkNetwork:
    return LandmarkNetwork(session)


def spots(
    *places: tuple[float, float], radius: float = 3.0, size: tuple[int, int] = (240, 320)
) -> np.ndarray:
    """A black picture with a soft blue, green and red spot at the three places (x, y)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    picture = np.zeros((*size, 3), np.uint8)
    for channel, (x, y) in enumerate(places):
        light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
        picture[..., channel] = np.round(250 * light)
    return picture


PLACES = ((100.0, 80.0), (140.0, 84.0), (118.0, 125.0))
BOX = (85.0, 60.0, 155.0, 140.0)
MOVE = np.array([130, 60])


def test_points_come_back_to_frame_pixels(network: LandmarkNetwork) -> None:
    found = network(spots(*PLACES), BOX)
    assert found.points.shape == (1, 68, 2)
    assert found.points.dtype == found.confidence.dtype == np.float32
    np.testing.assert_allclose(found.points[0, :3], PLACES, atol=0.1)
    assert network.spec == geometry.CropSpec(SIZE, 0.125)


@pytest.mark.parametrize("angle", [-0.7, 0.4, 3.0])
def test_turned_crops_come_back_too(network: LandmarkNetwork, angle: float) -> None:
    turn, spec = geometry.rotation(angle), geometry.CropSpec(SIZE, 0.4)
    upright = geometry.crop_matrix(geometry.box_of(geometry.apply(turn, PLACES)), spec)
    found = network.run_matrices(spots(*PLACES, radius=2.0), [geometry.compose(upright, turn)])
    np.testing.assert_allclose(found.points[0, :3], PLACES, atol=0.15)


def test_large_faces_are_averaged_not_sampled(network: LandmarkNetwork) -> None:
    large = spots((500, 400), (700, 420), (590, 625), radius=12, size=(1000, 1200))
    found = network(large, (425, 300, 775, 700))
    np.testing.assert_allclose(found.points[0, :3], [(500, 400), (700, 420), (590, 625)], atol=0.5)


def test_channels_stay_in_order_and_scale(network: LandmarkNetwork) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[..., 0] = 51
    found = network(picture, (16, 16, 48, 48))
    np.testing.assert_allclose(found.confidence, 0.2, atol=1e-6)


def test_all_faces_go_in_one_run_and_order_is_kept(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []

    def run(self: Session, inputs: dict[str, np.ndarray], outputs: Any = None) -> list[np.ndarray]:
        batches.append(inputs["image"].shape[0])
        return list(self.ort.run(outputs, inputs))

    monkeypatch.setattr(Session, "run", run)
    network = LandmarkNetwork(session)
    picture = np.maximum(spots(*PLACES), spots(*(np.array(PLACES) + MOVE)))
    boxes = np.array([BOX, np.array(BOX) + np.tile(MOVE, 2)])
    both = network(picture, boxes)
    one = network(picture, boxes[1])
    swapped = network(picture, boxes[::-1])
    assert batches == [2, 1, 2]
    np.testing.assert_allclose(both.points[1, :3], np.array(PLACES) + MOVE, atol=0.1)
    np.testing.assert_allclose(one.points[0], both.points[1], atol=1e-4)
    np.testing.assert_allclose(swapped.points[::-1], both.points, atol=1e-4)


def test_earlier_landmarks_are_not_overwritten(network: LandmarkNetwork) -> None:
    first = network(spots(*PLACES), BOX)
    kept = first.points.copy()
    network(spots(*(np.array(PLACES) + 20)), np.array(BOX) + 20)
    np.testing.assert_array_equal(first.points, kept)


def test_without_boxes_the_network_does_not_run(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "run", lambda *_: pytest.fail("the network ran"))
    network = LandmarkNetwork(session)
    picture = spots(*PLACES)
    for found in (
        network(picture, []),
        network(picture, np.empty((0, 4))),
        network.run_matrices(picture, []),
    ):
        assert isinstance(found, Landmarks)
        assert found.points.shape == (0, 68, 2)
        assert found.confidence.shape == (0, 68)


def test_a_box_beyond_the_picture_is_legal(network: LandmarkNetwork) -> None:
    found = network(spots(*PLACES), (-400, -400, -300, -300))
    assert np.isfinite(found.points).all()
    assert found.confidence.max() == 0


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([1, 2, 3], r"shape \(1, 3\)"),
        (np.zeros((2, 2, 4)) + 1, r"shape \(2, 2, 4\)"),
        ([[0, 0, 5, 5], [9, 0, 5, 5]], "box 1 is"),
        ([0, 0, 5, 0], "x0 < x1 and y0 < y1"),
        ([0, 0, np.nan, 5], "finite"),
        ([0, 0, np.inf, 5], "finite"),
        ([[10**400] * 4], "boxes are not numbers"),
        ({}, "boxes are not numbers"),
        ([[0, 0, 5, None, "x"]], "boxes are not numbers"),
    ],
)
def test_wrong_boxes_are_named(boxes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_boxes(boxes)


def test_a_wrong_picture_is_named(network: LandmarkNetwork) -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 4, 3\) and type float32"):
        network(np.zeros((4, 4, 3), np.float32), BOX)


def test_a_detector_is_not_a_landmark_network() -> None:
    with pytest.raises(ModelError, match="expected a landmark network") as caught:
        LandmarkNetwork(open_session(models_dir() / "yunet.onnx", "cpu"))
    assert caught.value.exit_code == ExitCode.MODEL


def test_the_shipped_network_finds_a_real_face(astronaut: np.ndarray) -> None:
    network = LandmarkNetwork(open_session(models_dir() / "fkp68.onnx", "cpu"))
    points = network(astronaut, (182, 88, 267, 176)).points[0]
    eyes, nose, mouth = points[36:48].mean(0), points[30], points[48:68].mean(0)
    assert eyes[1] < nose[1] < mouth[1] < points[8, 1]
    assert points[36:42, 0].mean() < nose[0] < points[42:48, 0].mean()
    assert points[0, 0] < points[36, 0] < points[45, 0] < points[16, 0]
    moved = network(np.roll(astronaut, (7, 5), (0, 1)), (187, 95, 272, 183)).points[0]
    np.testing.assert_allclose(moved - points, np.tile([5, 7], (68, 1)), atol=0.3)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"turned": True}, 1.0),
        ({"turned": False}, 0.0),
        ({"turned": 0.5}, 0.5),
        ({"turned": 7}, 0.0),
        ({"turned": "yes"}, 0.0),
        ({"turned": float("nan")}, 0.0),
        ({}, 0.0),
        ("yes", 0.0),
    ],
)
def test_a_network_says_how_much_of_it_knows_turned_faces(
    tmp_path: Path, said: object, expected: float
) -> None:
    session = open_session(centroid_network(tmp_path / "one.onnx", confidence=said), "cpu")
    assert LandmarkNetwork(session).knows_turned == expected
