"""Turned pictures: where pixels lie, at any size."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from fkp_live import geometry
from fkp_live.images.picture import BgrPicture
from fkp_live.images.turned import TurnedPicture


def spotted(x: int, y: int) -> BgrPicture:
    """120 x 80 pixels with one bright spot."""
    image = np.zeros((80, 120, 3), np.uint8)
    cv2.circle(image, (x, y), 6, (255, 255, 255), -1)
    return BgrPicture(image)


def spot(image: np.ndarray) -> np.ndarray:
    """Where the spot is: x, y."""
    rows, columns = np.nonzero(image[..., 1] > 127)
    return np.array([columns.mean(), rows.mean()])


@pytest.mark.parametrize("degrees", [90, -90, 180, 45, -135])
def test_a_spot_is_where_the_affine_says(degrees: float) -> None:
    turned = TurnedPicture(spotted(100, 20), math.radians(degrees))
    assert turned.bgr().shape == (turned.size[1], turned.size[0], 3)
    assert geometry.apply(turned.onto, spot(turned.bgr())[None])[0] == pytest.approx((100, 20), abs=0.3)
    small = turned.reduced((turned.size[0] // 2, turned.size[1] // 2), cv2.INTER_LINEAR)
    assert spot(small) * 2 + 0.5 == pytest.approx(spot(turned.bgr()), abs=1.0)
    matrix = np.array([[1.0, 0.0, 30.0], [0.0, 1.0, 30.0]])
    assert spot(turned.warp(matrix, 200)) == pytest.approx(spot(turned.bgr()) + 30, abs=0.5)


def test_what_is_turned_clockwise_becomes_upright() -> None:
    # A face that is turned by 90 degrees clockwise has its top on the right of the picture.
    turned = TurnedPicture(spotted(110, 40), math.radians(90))
    assert turned.size == (80, 120)
    assert spot(turned.bgr()) == pytest.approx((40, 9), abs=0.3)
