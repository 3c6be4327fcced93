"""Strokes on 4:2:0 samples: luma and chroma lie on one another, and colours are those of BGR."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from fkp_live.colour import ColourSpace
from fkp_live.display.canvas import Canvas, canvas_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture

YELLOW = (40, 220, 240)
# A ring around a place between two samples, in luma pixels.
CENTRE = np.array([100.3, 70.8])
ANGLE = np.linspace(0, 2 * np.pi, 40, endpoint=False)
RING = (CENTRE + 30 * np.stack([np.cos(ANGLE), np.sin(ANGLE)], 1)).astype(np.float32)
CLOSED = [np.array([*range(40), 0])]
STROKES: dict[str, Callable[[Canvas], object]] = {
    "lines": lambda canvas: canvas.lines(RING, CLOSED, YELLOW, 400.0),
    "dots": lambda canvas: canvas.dots(RING, YELLOW, 4),
    "pixels": lambda canvas: canvas.pixels(RING, YELLOW),
    "fill": lambda canvas: canvas.fill(70, 40, 60, 30, YELLOW),
    "brackets": lambda canvas: canvas.brackets(70, 40, 131, 102, 20, YELLOW, 2),
}


def grey() -> np.ndarray:
    return np.full((144, 200, 3), 90, np.uint8)


def painted(stroke: str) -> tuple[np.ndarray, Yuv420Picture, Yuv420Picture]:
    """A stroke on BGR and on 4:2:0, and the clean 4:2:0 picture."""
    image, clean = grey(), Yuv420Picture.from_bgr(grey(), ColourSpace())
    picture = clean.copy()
    STROKES[stroke](canvas_of(image))
    STROKES[stroke](canvas_of(picture))
    return image, picture, clean


def centroid(weights: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(weights.shape)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


@pytest.mark.parametrize("stroke", STROKES)
def test_luma_and_chroma_of_a_stroke_lie_on_one_another(stroke: str) -> None:
    image, picture, clean = painted(stroke)
    expected = centroid(np.abs(image.astype(float) - grey()).sum(2))
    np.testing.assert_allclose(centroid(np.abs(picture.luma.astype(float) - clean.luma)), expected, atol=0.2)
    for plane, before in zip(picture.chroma, clean.chroma, strict=True):
        # A chroma sample lies between the pixels 2 u and 2 u + 1.
        found = 2 * centroid(np.abs(plane.astype(float) - before)) + 0.5
        np.testing.assert_allclose(found, expected, atol=0.7)


@pytest.mark.parametrize("space", [ColourSpace(6), ColourSpace(1)], ids=["BT.601", "BT.709"])
def test_a_dot_has_its_colour_in_every_colour_space(space: ColourSpace) -> None:
    picture = Yuv420Picture.from_bgr(grey(), space)
    canvas_of(picture).dots(np.array([[60.0, 50.0]], np.float32), YELLOW, 12)
    np.testing.assert_allclose(picture.bgr()[50, 60], YELLOW, atol=4)


def test_text_on_both_forms_looks_alike() -> None:
    image, picture = grey(), Yuv420Picture.from_bgr(grey(), ColourSpace())
    heights = {canvas_of(target).text("#7 a", 20, 30, 24, YELLOW) for target in (image, picture)}
    assert len(heights) == 1
    assert np.abs(picture.bgr().astype(int) - image).mean() < 2
    np.testing.assert_allclose(
        centroid(255.0 - image.min(2)), centroid(255.0 - picture.bgr().min(2)), atol=0.5
    )


def test_text_is_moved_into_the_picture() -> None:
    image, moved = grey(), grey()
    height = canvas_of(image).text("far", 1000, 1000, 20, YELLOW)
    width = np.flatnonzero((image != 90).any((0, 2)))
    assert width.max() >= 198  # plates begin at even pixels
    assert np.flatnonzero((image != 90).any((1, 2))).max() >= 142
    canvas_of(moved).text("far", -50, -50, 20, YELLOW)
    assert np.flatnonzero((moved != 90).any((1, 2))).max() == height - 1


@pytest.mark.parametrize("target", [cv2.imencode, [[1, 2]], None])
def test_what_is_not_a_picture_is_named(target: object) -> None:
    with pytest.raises(TypeError, match=f"cannot paint on a {type(target).__name__}, expected a BGR array"):
        canvas_of(target)  # type: ignore[arg-type]


def test_a_bgr_picture_is_painted_on_its_own_pixels() -> None:
    picture = BgrPicture(grey())
    canvas_of(picture).pixels(np.array([[5.0, 6.0]], np.float32), YELLOW)
    assert tuple(picture.pixels[6, 5]) == YELLOW
