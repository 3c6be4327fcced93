"""Pictures that are BGR arrays, and making a `types.Picture` of what a caller has."""

from __future__ import annotations

import cv2
import numpy as np

from fkp_live.geometry import Matrix
from fkp_live.images import warping
from fkp_live.types import Image, Picture


class BgrPicture:
    """A BGR array as a picture. See `types.Picture` for what it can do.

    Parameters
    ----------
    image : (H, W, 3) uint8, BGR; taken over, not copied

    Attributes
    ----------
    pixels : the array as given; everything else sees it read-only
    """

    __slots__ = ("pixels",)

    def __init__(self, image: Image) -> None:
        self.pixels = image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def luma(self) -> Image:
        """(H, W) uint8: the green channel, which stands for luma."""
        return self.pixels[..., 1]

    def bgr(self) -> Image:
        """(H, W, 3) uint8, a read-only view."""
        image = self.pixels.view()
        image.setflags(write=False)
        return image

    def copy(self) -> BgrPicture:
        """A copy of its own pixels, to paint on."""
        return BgrPicture(self.pixels.copy())

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """The picture at ``size`` (width, height), by OpenCV's interpolation ``method``."""
        if size == self.size:
            return self.pixels
        return np.asarray(cv2.resize(self.pixels, size, interpolation=method), np.uint8)

    def warp(self, matrix: Matrix, size: int) -> Image:
        """The (size, size, 3) crop under an affine; see `warping.warp`."""
        return warping.warp(self.pixels, matrix, size)


def as_picture(image: Image | Picture) -> Picture:
    """A picture of what a caller has: a BGR array (H, W, 3) uint8, or a picture, which is returned as it is.

    Raises
    ------
    ValueError
        If ``image`` is anything else.
    """
    if not isinstance(image, np.ndarray):
        if callable(getattr(image, "warp", None)):
            return image
        raise ValueError(
            f"the picture is a {type(image).__name__}, expected a numpy array (H, W, 3) uint8, BGR"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"the picture has shape {image.shape} and type {image.dtype}, expected (H, W, 3) uint8, BGR; "
            "cv2.cvtColor makes it from a grey picture or one with an alpha channel"
        )
    return BgrPicture(image)
