"""Covering faces: the outline of a face with its hair, and blur, blocks or black inside it.

`cover` is the one function that hides anything; which outlines a frame needs is in `display.cover_tracks`. Both forms
of pictures are painted on in place, 4:2:0 samples without a conversion. What is inside an outline is replaced by
averages over a fixed share of the face, so a large face keeps no more detail than a small one, and the edge is hard: a
soft one would let the picture through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.choices import COVERS
from fkp_live.colour import BLACK, NO_COLOUR
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.topology import CHIN, REGIONS
from fkp_live.types import FloatArray, Frame, FrameResult, Picture

# Averages across the shorter side of an outline: about 8 over a face.
_CELLS = 8
# The blur is made of as many averages, smoothed by this many of them (standard deviation), and interpolated.
_BLUR = 1.0
# The crown lies as far above the eyes as this many times the chin lies below them: with hair.
_CROWN = 1.2
# Least height from chin to eyes as a share of the width of the jaw, for heads that look down or up; and least width of
# a head as a share of that height, for heads that are turned.
_LEAST_HEIGHT, _LEAST_WIDTH = 0.7, 1.15
# Added all around, as a share of the distance from the middle.
_MARGIN = 0.12
# A detector's box ends at the brows; the outline reaches this share of its height above it, and this far beyond all
# sides.
_FOREHEAD, _BOX_MARGIN = 0.6, 0.12
# Outlines are made of the outermost point in each of these directions, so that any two can be interpolated.
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
_ARC = np.linspace(0.0, np.pi, 13)
_EYES = np.concatenate([REGIONS["right_eye"], REGIONS["left_eye"]])
_JAW = REGIONS["jaw"]
# Beyond this, coordinates are clipped: outside every picture, and OpenCV's integers would overflow.
_FAR = 1 << 15


def outline_of_points(points: FloatArray) -> FloatArray:
    """Outline (32, 2) of a head, hair and chin included, from its 68 points (68, 2); both in pixels."""
    right, left, chin = points[_JAW[0]], points[_JAW[-1]], points[CHIN]
    eyes = points[_EYES].mean(0)
    up = eyes - chin
    height, width = float(np.hypot(*up)), float(np.hypot(*(left - right)))
    if height < 1e-3:
        x0, y0 = points.min(0)
        x1, y1 = points.max(0)
        return outline_of_box(np.array([x0, y0, x1, y1], np.float32))
    up = up / height
    height = max(height, _LEAST_HEIGHT * width)
    half = max(width, _LEAST_WIDTH * height) / 2
    across = np.array([-up[1], up[0]])
    # Between the ends of the jaw, at the height of the eyes.
    middle = eyes + across * float(((left + right) / 2 - eyes) @ across)
    crown = middle + half * np.outer(np.cos(_ARC), across) + _CROWN * height * np.outer(np.sin(_ARC), up)
    return grown(outermost(np.concatenate([points, crown])), 1.0 + _MARGIN)


def outline_of_box(box: FloatArray) -> FloatArray:
    """Outline (32, 2) of a head from the box (4,) that a detector gives, tight around the 68 points; in pixels."""
    x0, y0, x1, y1 = box.tolist()
    y0 -= _FOREHEAD * (y1 - y0)
    # Between an ellipse and its box: a head fills the box's corners a little.
    share = 1.0 + _BOX_MARGIN
    wave = np.sign(_DIRECTIONS) * np.abs(_DIRECTIONS) ** 0.7
    x = (x0 + x1) / 2 + share * (x1 - x0) / 2 * wave[0]
    y = (y0 + y1) / 2 + share * (y1 - y0) / 2 * wave[1]
    return np.stack([x, y], 1).astype(np.float32)


def outermost(points: NDArray[np.floating]) -> FloatArray:
    """Of points (K, 2) the outermost in each of 32 directions: (32, 2), an outline."""
    return np.asarray(points[np.argmax(points @ _DIRECTIONS, axis=0)], np.float32)


def grown(outline: FloatArray, factor: float) -> FloatArray:
    """The outline, larger by ``factor`` about its middle."""
    middle = (outline.min(0) + outline.max(0)) / 2
    return np.asarray(middle + factor * (outline - middle), np.float32)


def cover(picture: Picture, outlines: Iterable[FloatArray], style: str) -> None:
    """Hide what is inside of the outlines, each (K, 2) in pixels, INTO the picture.

    Parameters
    ----------
    picture : in either form, writable: a copy (`picture.copy()`)
    outlines : convex, or their convex hull is meant; parts outside of the picture are left out
    style : "blur", "pixelate" or "black"

    Raises
    ------
    ValueError
        For another style.
    """
    check_style(style)
    planes = _planes(picture)
    for outline in outlines:
        _cover_one(planes, picture.size, outline, style)


def check_style(style: str) -> None:
    """Refuse what is no style of `cover`: ValueError."""
    if style not in COVERS:
        raise ValueError(f"the style is {style!r}, expected one of {', '.join(COVERS)}")


def blacken(picture: Picture) -> None:
    """Make the whole picture black, in place."""
    for plane, _, black in _planes(picture):
        plane[:] = black


class Blackout:
    """Makes every picture of a stream black: an edit of `look_ahead.LookAhead`."""

    def see(self, frame: Frame, result: FrameResult) -> None:
        """Nothing is needed of it."""

    def apply(self, picture: Picture, result: FrameResult) -> None:
        """Make the picture black, in place."""
        blacken(picture)


def _planes(picture: Picture) -> Sequence[tuple[NDArray[np.uint8], int, int]]:
    """Planes to paint on, each with pixels of the picture per sample (1 or 2) and what black is in it."""
    if isinstance(picture, Yuv420Picture):
        return [(picture.luma, 1, BLACK), *((plane, 2, NO_COLOUR) for plane in picture.chroma)]
    if isinstance(picture, BgrPicture):
        return [(picture.pixels, 1, 0)]
    raise TypeError(
        f"cannot cover faces in a {type(picture).__name__}, expected a BgrPicture or a Yuv420Picture"
    )


def _cover_one(
    planes: Sequence[tuple[NDArray[np.uint8], int, int]],
    size: tuple[int, int],
    outline: FloatArray,
    style: str,
) -> None:
    outline = np.clip(outline, -_FAR, _FAR)
    hull = cv2.convexHull(np.asarray(outline, np.float32))[:, 0]
    low, high = np.floor(hull.min(0)).astype(int), np.ceil(hull.max(0)).astype(int) + 1
    # From even pixels to even ones, so that half-size planes have the same region.
    x0, y0 = (max(int(v) - int(v) % 2, 0) for v in low)
    x1, y1 = (min(int(v) + int(v) % 2, most) for v, most in zip(high, size, strict=True))
    if x0 >= x1 or y0 >= y1:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull - [x0, y0]).astype(np.int32), 255)
    # Side of a cell in pixels, from the whole outline, also where only a part is in the picture.
    cell = max(float(min(high - low)) / _CELLS, 1.0)
    cells = (max(1, round((x1 - x0) / cell)), max(1, round((y1 - y0) / cell)))
    for plane, step, black in planes:
        region = plane[y0 // step : y1 // step, x0 // step : x1 // step]
        inside = mask if step == 1 else _any_of_four(mask)
        if style == "black":
            region[inside > 0] = black
        else:
            cv2.copyTo(_averaged(region, cells, style), inside, region)


def _averaged(region: NDArray[np.uint8], cells: tuple[int, int], style: str) -> NDArray[np.uint8]:
    """The region as (columns, rows) averages."""
    size = (region.shape[1], region.shape[0])
    small = cv2.resize(region, cells, interpolation=cv2.INTER_AREA)
    if style == "pixelate":
        return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _any_of_four(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half-size mask of every sample of which any pixel is inside."""
    return np.asarray(
        np.maximum(np.maximum(mask[::2, ::2], mask[1::2, ::2]), np.maximum(mask[::2, 1::2], mask[1::2, 1::2]))
    )
