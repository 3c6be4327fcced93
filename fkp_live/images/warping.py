"""Crops of a picture under an affine, without aliasing.

Training and the live loop crop with this very code, so a network never sees a crop that it was not trained on.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.geometry import Matrix, invert, scale_of

# Below this scale a bilinear warp skips source pixels (aliasing shows as jitter), so the region is shrunk first.
_SHRINK_BELOW = 0.5
# OpenCV warps pictures of shorter sides only.
_TOO_LONG = 2**15 - 1


def warp(image: NDArray[np.uint8], matrix: Matrix, size: int, outside: int = 0) -> NDArray[np.uint8]:
    """The (size, size, 3) crop of ``image`` under ``matrix``, or (size, size) of one plane; ``outside`` beyond it.

    A face much larger than the crop is first halved, as often as it takes, with area averaging, because a bilinear
    warp alone would skip pixels.
    """
    if halvings := halvings_for(matrix):
        region, onto = blocks_under(matrix, size, image.shape[:2], halvings)
        if region is not None:
            image, matrix = halved(image[region], halvings), onto
    return warp_as_it_is(image, matrix, size, outside)


def warp_as_it_is(
    image: NDArray[np.uint8], matrix: Matrix, size: int, outside: int | tuple[int, ...] = 0
) -> NDArray[np.uint8]:
    """A bilinear warp and nothing else, for one that does not reduce; see `warp`."""
    if max(image.shape[:2]) >= _TOO_LONG:
        region, matrix = blocks_under(matrix, size, image.shape[:2], halvings=0)
        image = image[region or np.s_[:1, :1]]  # of a crop beside the picture any pixel is outside
    crop = cv2.warpAffine(
        image,
        matrix,
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=outside,
    )
    return np.asarray(crop, np.uint8)


def halvings_for(matrix: Matrix) -> int:
    """How often a picture is to be halved before it is warped by ``matrix``."""
    scale = max(scale_of(matrix), 1e-6)
    return 0 if scale >= _SHRINK_BELOW else math.ceil(math.log2(_SHRINK_BELOW / scale))


def blocks_under(
    matrix: Matrix, size: int, shape: tuple[int, int], halvings: int, start: int = 1
) -> tuple[tuple[slice, slice] | None, Matrix]:
    """Rows and columns that a crop needs, in whole blocks to be averaged, and the affine from the averages to the crop.

    Parameters
    ----------
    matrix, size : the crop
    shape : height and width of the picture
    halvings : blocks are 2 ** halvings pixels wide
    start : the region begins at a multiple of this

    None and ``matrix`` where no whole block lies in the picture.
    """
    factor = 2**halvings
    # Where the corners of the crop are in the frame; plain numbers, because this runs for every face.
    (a, b, x), (c, d, y) = invert(matrix).tolist()
    left, right = x + size * (min(a, 0) + min(b, 0)), x + size * (max(a, 0) + max(b, 0))
    top, bottom = y + size * (min(c, 0) + min(d, 0)), y + size * (max(c, 0) + max(d, 0))
    height, width = shape
    x0, y0 = max(math.floor(left) - factor, 0), max(math.floor(top) - factor, 0)
    x0, y0 = x0 - x0 % start, y0 - y0 % start
    x1, y1 = min(math.ceil(right) + factor, width), min(math.ceil(bottom) + factor, height)
    # Whole blocks only, so that every shrunk pixel averages exactly factor x factor pixels.
    columns, rows = (x1 - x0) // factor, (y1 - y0) // factor
    if columns < 1 or rows < 1:
        return None, matrix
    # Shrunk pixel u sits at x0 + (u + 0.5) * factor - 0.5 of the frame.
    offset = (factor - 1) / 2.0
    (a, b, x), (c, d, y) = matrix.tolist()
    u, v = x0 + offset, y0 + offset
    onto = [[factor * a, factor * b, a * u + b * v + x], [factor * c, factor * d, c * u + d * v + y]]
    return (slice(y0, y0 + rows * factor), slice(x0, x0 + columns * factor)), np.array(onto)


def halved(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """Averages of blocks of 2 ** times pixels both ways; the sides are multiples of that."""
    # OpenCV averages 2 x 2 five times as fast as any other block; in steps it comes to the same.
    for _ in range(times):
        size = (image.shape[1] // 2, image.shape[0] // 2)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image
