"""Pictures as video files store them: luma at full size, chroma at half the size both ways (4:2:0).

Decoder and encoder use this form, and of a picture only crops, reduced copies and painted regions are ever needed as
BGR. Keeping the samples saves two conversions of the whole picture, and what is not painted on reaches the encoder
sample for sample as it was decoded.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live import geometry
from fkp_live.colour import BLACK, NO_COLOUR, ColourSpace
from fkp_live.geometry import Matrix
from fkp_live.images import warping
from fkp_live.types import Image

# Half-size sample u lies between pixels 2 u and 2 u + 1.
_ONTO_FULL = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]])
_CACHING = threading.Lock()


class Yuv420Picture:
    """A picture in 4:2:0 samples, of even width and height. See `types.Picture` for what it can do.

    Parameters
    ----------
    samples : (H * 3 / 2, W) uint8, contiguous: H rows of luma, then Cb and Cr, each (H / 2, W / 2)
    colour : what the samples mean

    Attributes
    ----------
    samples, colour : as given
    luma : (H, W), a view of ``samples``
    chroma : (2, H / 2, W / 2), Cb and Cr, a view of ``samples``
    """

    __slots__ = ("_bgr", "chroma", "colour", "luma", "samples")

    def __init__(self, samples: NDArray[np.uint8], colour: ColourSpace) -> None:
        height, width = samples.shape[0] * 2 // 3, samples.shape[1]
        self.samples, self.colour = samples, colour
        self.luma = samples[:height]
        self.chroma = samples[height:].reshape(2, height // 2, width // 2)
        self._bgr: Image | None = None

    @classmethod
    def from_bgr(cls, image: Image, colour: ColourSpace) -> Yuv420Picture:
        """A BGR picture (H, W, 3) of even sides in this form."""
        height, width = image.shape[:2]
        picture = cls(np.empty((height * 3 // 2, width), np.uint8), colour)
        picture.luma[:], *full = cv2.split(cv2.transform(image, colour.from_bgr))
        for target, plane in zip(picture.chroma, full, strict=True):
            cv2.resize(plane, (width // 2, height // 2), dst=target, interpolation=cv2.INTER_AREA)
        return picture

    def __reduce__(self) -> tuple[type[Yuv420Picture], tuple[NDArray[np.uint8], ColourSpace]]:
        return Yuv420Picture, (self.samples, self.colour)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.luma.shape[1], self.luma.shape[0]

    def bgr(self) -> Image:
        """(H, W, 3) uint8, read-only, converted once."""
        if self._bgr is None:
            image = self.reduced(self.size, cv2.INTER_LINEAR)
            image.setflags(write=False)
            with _CACHING:
                # Two threads may both have converted; both get the array of the first.
                self._bgr = image if self._bgr is None else self._bgr
        return self._bgr

    def copy(self) -> Yuv420Picture:
        """A copy of its own samples, to paint on."""
        return Yuv420Picture(self.samples.copy(), self.colour)

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """The picture as BGR at ``size`` (width, height), by OpenCV's interpolation ``method``."""
        planes = (self.luma, *self.chroma)
        return self._in_bgr(_merged([cv2.resize(plane, size, interpolation=method) for plane in planes]))

    def warp(self, matrix: Matrix, size: int) -> Image:
        """The (size, size, 3) BGR crop under an affine, as `warping.warp` cuts it from BGR."""
        if halvings := warping.halvings_for(matrix):
            # Averages of 2 x 2 luma samples lie where the chroma samples do, so one warp takes all three.
            region, onto = warping.blocks_under(matrix, size, self.luma.shape, halvings, start=2)
            if region is not None:
                half = tuple(slice(part.start // 2, part.stop // 2) for part in region)
                averages = [warping.halved(self.luma[region], halvings)]
                averages += [warping.halved(plane[half], halvings - 1) for plane in self.chroma]
                outside = (BLACK, NO_COLOUR, NO_COLOUR)
                return self._in_bgr(warping.warp_as_it_is(_merged(averages), onto, size, outside))
        halved = geometry.compose(matrix, _ONTO_FULL)
        crops = (
            warping.warp(self.luma, matrix, size, BLACK),
            *(warping.warp(plane, halved, size, NO_COLOUR) for plane in self.chroma),
        )
        return self._in_bgr(_merged(crops))

    def _in_bgr(self, samples: Image) -> Image:
        return np.asarray(cv2.transform(samples, self.colour.to_bgr), np.uint8)


def _merged(planes: Sequence[NDArray[Any]]) -> Image:
    return np.asarray(cv2.merge(planes), np.uint8)
