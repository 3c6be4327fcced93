"""A picture turned by quarters, without copying more of it than is read."""

from __future__ import annotations

import numpy as np

from fkp_live import geometry
from fkp_live.geometry import Matrix
from fkp_live.images.picture import BgrPicture
from fkp_live.types import Image, Picture


class TurnedPicture:
    """A picture turned by 90, 180 or 270 degrees. See `types.Picture` for what it can do.

    Parameters
    ----------
    picture : as it is
    quarters : how many quarters it is turned by, anticlockwise as seen

    Attributes
    ----------
    onto : (2, 3) affine from pixels of this picture to those of the picture as it is
    angle : by which the affine turns, in radians, clockwise as seen
    """

    __slots__ = ("_bgr", "_picture", "_quarters", "angle", "onto")

    def __init__(self, picture: Picture, quarters: int) -> None:
        self._picture, self._quarters = picture, quarters % 4
        self._bgr: Image | None = None
        width, height = picture.size
        self.angle = self._quarters * np.pi / 2
        turn = np.rint(geometry.rotation(self.angle))
        # The corner that becomes the upper left one of the turned picture.
        corner = [(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)][self._quarters]
        turn[:, 2] = corner
        self.onto: Matrix = turn

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._turned_size(self._picture.size)

    @property
    def luma(self) -> Image:
        """(H, W) uint8."""
        return np.rot90(self._picture.luma, self._quarters)

    def bgr(self) -> Image:
        """(H, W, 3) uint8, read-only, turned once."""
        if self._bgr is None:
            image = np.ascontiguousarray(np.rot90(self._picture.bgr(), self._quarters))
            image.setflags(write=False)
            self._bgr = image
        return self._bgr

    def copy(self) -> BgrPicture:
        """A copy of the turned pixels, to paint on."""
        return BgrPicture(self.bgr().copy())

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """The turned picture at ``size`` (width, height)."""
        image = self._picture.reduced(self._turned_size(size), method)
        return np.ascontiguousarray(np.rot90(image, self._quarters))

    def warp(self, matrix: Matrix, size: int) -> Image:
        """The (size, size, 3) crop under an affine from pixels of this picture."""
        return self._picture.warp(geometry.compose(matrix, geometry.invert(self.onto)), size)

    def _turned_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return (size[1], size[0]) if self._quarters % 2 else size
