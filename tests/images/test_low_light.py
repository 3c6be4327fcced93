"""Dark pictures: what the networks see of them, and that a stream does not change to and fro."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from photos import photographs

from fkp_live import FaceLandmarker
from fkp_live.colour import ColourSpace
from fkp_live.images.low_light import BRIGHT, DARK, LowLight, StretchedPicture, brightened, level_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.metrics import nme
from fkp_live.types import Image


def grey(level: float) -> BgrPicture:
    """A ramp whose 99th percentile is about ``level``."""
    ramp = np.linspace(0, level / 0.99, 256).clip(0, 255).astype(np.uint8)
    return BgrPicture(np.repeat(np.tile(ramp, (256, 1))[..., None], 3, -1))


def test_the_level_is_the_99th_percentile() -> None:
    for level in (10, 60, 130):
        assert level_of(grey(level)) == pytest.approx(level, abs=3)
        yuv = Yuv420Picture.from_bgr(grey(level).pixels, ColourSpace(6))
        assert level_of(yuv) == pytest.approx(level, abs=4)
    one_lamp = grey(60).pixels.copy()
    one_lamp[:16, :16] = 255
    assert level_of(BgrPicture(one_lamp)) == pytest.approx(60, abs=3)


def test_a_bright_picture_is_itself_and_a_dark_one_reaches_white() -> None:
    bright, dark = grey(200), grey(60)
    assert brightened(bright) is bright
    seen = brightened(dark)
    before = dark.pixels.copy()
    assert isinstance(seen, StretchedPicture)
    assert np.percentile(seen.bgr(), 99) > 240
    assert np.percentile(seen.reduced((64, 64), cv2.INTER_LINEAR), 99) > 235
    assert seen.warp(np.array([[0.5, 0, 0], [0, 0.5, 0]]), 112).max() > 200
    # What is painted on and written is the picture itself.
    assert np.array_equal(dark.pixels, before)
    assert np.array_equal(seen.copy().bgr(), before)


def test_black_is_not_stretched_to_noise() -> None:
    noise = np.random.default_rng(0).integers(0, 3, (100, 100, 3)).astype(np.uint8)
    assert brightened(BgrPicture(noise)).bgr().max() < 80


def test_a_stream_near_the_limit_stays_in_one_way() -> None:
    low_light = LowLight()
    swinging = [DARK + 8 * (-1) ** (index // 4) for index in range(40)]
    ways = [isinstance(low_light(grey(level)), StretchedPicture) for level in swinging]
    assert sum(a != b for a, b in pairwise(ways)) <= 1
    for _ in range(8):
        kept = low_light(grey(BRIGHT + 20))
    assert not isinstance(kept, StretchedPicture)
    low_light.reset()
    assert isinstance(low_light(grey(50)), StretchedPicture)


def test_a_stream_follows_the_light_without_jumps() -> None:
    low_light = LowLight()
    seen = [low_light(grey(60 if index < 4 else 80)).bgr().mean() for index in range(40)]
    steps = np.abs(np.diff(seen))
    assert steps.max() < 45
    assert steps[-4:].max() < 1.0


@pytest.mark.parametrize("name", photographs.NAMES)
def test_a_face_in_the_dark_is_found(name: str) -> None:
    image: Image = photographs.photograph(name)
    level = 0.06 * image.astype(float)
    noise = np.random.default_rng(0).normal(size=image.shape) * np.sqrt(6 + 0.3 * level)
    dark = np.clip(np.rint(level + noise), 0, 255).astype(np.uint8)
    (face,) = FaceLandmarker("cpu", "fkp68-int8")(dark)
    truth = photographs.checked_points()[name]
    assert nme(face.points[None].astype(float), truth[None])[0] < 6
