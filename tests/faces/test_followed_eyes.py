"""Eyes of followed faces: in which frames they are looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from shapes import face_at

from fkp_live.faces.followed_eyes import FollowedEyes, _openness
from fkp_live.faces.openness import measures
from fkp_live.images.picture import BgrPicture

PICTURE = BgrPicture(np.zeros((8, 8, 3), np.uint8))


class Network:
    """Counts the faces of each run, and says that all eyes are as open as it is told."""

    def __init__(self) -> None:
        self.openness, self.runs = 0.3, list[int]()

    def __call__(self, picture: BgrPicture, points: Sequence[np.ndarray]) -> np.ndarray:
        self.runs.append(len(points))
        return np.full((len(points), 2, 2), [self.openness, 0.0], np.float32)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def eyes(network: Network) -> FollowedEyes:
    return FollowedEyes(network)


def lids(openness: float, size: float = 200.0) -> np.ndarray:
    face = face_at(100, 100, size)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        middle, width = (face[upper] + face[lower]) / 2, abs(face[39, 0] - face[36, 0])
        half = np.array([0.0, openness * width / 2])
        face[upper], face[lower] = middle - half, middle + half
    return face.astype(np.float32)


def test_openness_by_the_points_is_that_of_the_measures() -> None:
    for openness in (0.0, 0.1, 0.35):
        assert _openness(lids(openness)) == pytest.approx(measures(lids(openness)).eyes_open, abs=1e-6)


def test_eyes_at_rest_are_looked_at_four_times_a_second(network: Network, eyes: FollowedEyes) -> None:
    for i in range(30):
        (look,) = eyes(PICTURE, [1], [lids(0.3 + 0.01 * (i % 2))], 7.0 + i / 30)
        assert look == pytest.approx(np.array([[0.3, 0.0]] * 2))
    assert len(network.runs) == 4


@pytest.mark.parametrize(("openness", "runs"), [(0.28, 1), (0.272, 2), (0.328, 2)])
def test_lids_that_moved_are_looked_at_at_once(
    network: Network, eyes: FollowedEyes, openness: float, runs: int
) -> None:
    eyes(PICTURE, [1], [lids(0.3)], 0.0)
    network.openness = 0.1
    (look,) = eyes(PICTURE, [1], [lids(openness)], 0.033)
    assert len(network.runs) == runs
    assert look[0, 0] == pytest.approx(0.3 if runs == 1 else 0.1)


def test_narrow_eyes_are_looked_at_in_every_frame_until_they_are_usual(
    network: Network, eyes: FollowedEyes
) -> None:
    eyes(PICTURE, [1], [lids(0.3)], 0.0)
    network.openness = 0.1
    for i in range(1, 31):
        eyes(PICTURE, [1], [lids(0.2)], i / 30)
    assert len(network.runs) == 31
    for i in range(31, 600):
        eyes(PICTURE, [1], [lids(0.2)], i / 30)
    before = len(network.runs)
    for i in range(600, 630):
        eyes(PICTURE, [1], [lids(0.2)], i / 30)
    assert len(network.runs) - before == pytest.approx(4, abs=1)


def test_faces_are_due_by_themselves_and_looked_at_in_one_run(network: Network, eyes: FollowedEyes) -> None:
    assert eyes(PICTURE, [], [], 0.0) == []
    assert network.runs == []
    eyes(PICTURE, [1, 2], [lids(0.3), lids(0.3)], 0.0)
    eyes(PICTURE, [2, 3, 1], [lids(0.1), lids(0.3), lids(0.3)], 0.033)
    assert network.runs == [2, 2]
    eyes.forget(3)
    eyes(PICTURE, [1, 3], [lids(0.3), lids(0.3)], 0.067)
    assert network.runs == [2, 2, 1]
    eyes.reset()
    eyes(PICTURE, [1, 2], [lids(0.3), lids(0.3)], 0.1)
    assert network.runs == [2, 2, 1, 2]


def test_a_time_that_goes_back_and_points_that_are_no_numbers_are_no_reason_to_wait(
    network: Network, eyes: FollowedEyes
) -> None:
    for i, (time, points) in enumerate(
        [(5.0, lids(0.3)), (1.0, lids(0.3)), (1.01, np.full((68, 2), np.nan, np.float32)), (1.02, lids(0.3))]
    ):
        assert len(eyes(PICTURE, [1], [points], time)) == 1
        assert len(network.runs) == i + 1
