"""The benchmark of hard faces: what counts as right, wrong and upside down."""

from __future__ import annotations

import math

import numpy as np
import pytest
from shapes import face_at

from benchmarks.faceless import made
from benchmarks.hard_faces import Tally, darkened, rolled


def test_right_wrong_missed_and_upside_down() -> None:
    truth = face_at(100, 100, 50)
    tally = Tally()
    tally.add([truth], truth)
    tally.add([truth + 12], truth)
    tally.add([], truth)
    tally.add([(2 * truth.mean(0) - truth).astype(np.float32), truth], truth)
    row = tally.row()
    assert [row[name] for name in ("right", "wrong", "upside down")] == [50, 25, 25]
    assert row["error"] == pytest.approx(0)


def test_a_picture_turns_with_its_points() -> None:
    image = np.zeros((80, 120, 3), np.uint8)
    image[20, 100] = 255
    for degrees in (45, 90, 180):
        turned, points = rolled(image, np.array([[100, 20]], np.float32), degrees)
        row, column = np.unravel_index(turned[..., 0].argmax(), turned.shape[:2])
        assert math.dist(points[0], (column, row)) < 1
    assert rolled(image, np.zeros((1, 2), np.float32), 90)[0].shape == (120, 80, 3)


def test_the_same_number_gives_the_same_picture() -> None:
    first, again = (list(made(6)) for _ in range(2))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(first, again, strict=True))
    assert len({name.split()[0] for name, _ in first}) == 6
    image = first[0][1]
    assert np.array_equal(darkened(image, 0.1, 3), darkened(image, 0.1, 3))
    assert darkened(image, 0.06, 0).mean() < 0.1 * image.mean() + 2
