"""A picture turned about by any angle, of which no more is computed than is read."""

from __future__ import annotations

import cv2
import numpy as np

from fkp_live import geometry
from fkp_live.geometry import Matrix
from fkp_live.images.picture import BgrPicture
from fkp_live.types import Image, Picture


class TurnedPicture:
    """A picture turned on a canvas that holds all of it, black around it. See `types.Picture` for what it can do.

    Parameters
    ----------
    picture : as it is
    angle : radians by which it is turned, anticlockwise as seen: what is turned clockwise by as much becomes upright

    Attributes
    ----------
    size : width and height in pixels
    angle : as given
    onto : (2, 3) affine from pixels of this picture to those of the picture as it is
    """

    __slots__ = ("_bgr", "_picture", "angle", "onto", "size")

    def __init__(self, picture: Picture, angle: float) -> None:
        self._picture, self.angle = picture, angle
        self._bgr: Image | None = None
        width, height = picture.size
        turn = geometry.rotation(-angle)
        corners = [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]
        x0, y0, x1, y1 = geometry.box_of(geometry.apply(turn, corners)).tolist()
        turn[:, 2] = -x0, -y0
        self.size = round(x1 - x0) + 1, round(y1 - y0) + 1
        self.onto: Matrix = geometry.invert(turn)

    @property
    def luma(self) -> Image:
        """(H, W) uint8: the green channel, which stands for luma."""
        return self.bgr()[..., 1]

    def bgr(self) -> Image:
        """(H, W, 3) uint8, read-only, turned once."""
        if self._bgr is None:
            image = _turned(self._picture.bgr(), geometry.invert(self.onto), self.size)
            image.setflags(write=False)
            self._bgr = image
        return self._bgr

    def copy(self) -> BgrPicture:
        """A copy of the turned pixels, to paint on."""
        return BgrPicture(self.bgr().copy())

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """The turned picture at ``size`` (width, height)."""
        width, height = self._picture.size
        scale = max(size[0] / self.size[0], size[1] / self.size[1])
        small = max(round(width * scale), 1), max(round(height * scale), 1)
        image = self._picture.reduced(small, method)
        enlarge = _scaling(width / small[0], height / small[1])
        reduce = _scaling(size[0] / self.size[0], size[1] / self.size[1])
        return _turned(
            image, geometry.compose(reduce, geometry.compose(geometry.invert(self.onto), enlarge)), size
        )

    def warp(self, matrix: Matrix, size: int) -> Image:
        """The (size, size, 3) crop under an affine from pixels of this picture."""
        return self._picture.warp(geometry.compose(matrix, geometry.invert(self.onto)), size)


def _scaling(x: float, y: float) -> Matrix:
    """Affine of a resize by these factors: edges onto edges, pixel centres at integers."""
    return np.array([[x, 0.0, (x - 1) / 2], [0.0, y, (y - 1) / 2]])


def _turned(image: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)
