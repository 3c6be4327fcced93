"""Colour spaces of video samples, by the numbers of ITU-T H.273."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Shares of red and blue in luma, by ITU-T H.273's number of the matrix: BT.709, BT.601 under its two names.
_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}
_UNSPECIFIED = 2
# Luma and chroma of black, as outside of a picture.
BLACK, NO_COLOUR = 16, 128


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """What the samples of a video mean, in limited range (16 to 235); numbers are those of ITU-T H.273, as in ffmpeg.

    Attributes
    ----------
    matrix : from luma and chroma to red, green and blue; unspecified (2) is taken as BT.601, as ffmpeg does
    primaries, transfer : only handed on
    """

    matrix: int = 6
    primaries: int = 1
    transfer: int = 1

    @property
    def known(self) -> bool:
        """Whether pictures can be converted."""
        return self.matrix in _WEIGHTS or self.matrix == _UNSPECIFIED

    @property
    def to_bgr(self) -> NDArray[np.float32]:
        """(3, 4): luma, Cb, Cr, 1 -> BGR, all 0 to 255."""
        return _matrices(self.matrix)[0]

    @property
    def from_bgr(self) -> NDArray[np.float32]:
        """(3, 4), the inverse of `to_bgr`."""
        return _matrices(self.matrix)[1]


@lru_cache
def _matrices(matrix: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    red, blue = _WEIGHTS.get(matrix, _WEIGHTS[6])
    green = 1.0 - red - blue
    to_blue, to_red = 2.0 * (1.0 - blue), 2.0 * (1.0 - red)
    linear = np.array(
        [[1.0, to_blue, 0.0], [1.0, -to_blue * blue / green, -to_red * red / green], [1.0, 0.0, to_red]]
    ) * (255.0 / np.array([219.0, 224.0, 224.0]))
    offset = np.array([BLACK, NO_COLOUR, NO_COLOUR])
    inverse = np.linalg.inv(linear)
    return (
        np.column_stack([linear, -linear @ offset]).astype(np.float32),
        np.column_stack([inverse, offset]).astype(np.float32),
    )
