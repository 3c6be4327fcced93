"""A picture as video files store it: brightness at full size, colour at half the size both ways (4:2:0).

Decoder and encoder speak this form, and of a picture only crops, reduced copies and painted regions are ever needed as
BGR. Leaving the rest alone saves two conversions of the whole picture, and what nobody paints on reaches the encoder
sample for sample as it was decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live import geometry
from fkp_live.geometry import Matrix
from fkp_live.images import warping
from fkp_live.types import Frame, Image

# Brightness that red and blue contribute, by ITU-T H.273's number of the matrix: BT.709, BT.601 under its two names.
_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}
_UNSPECIFIED = 2
# Half-size sample u lies between pixels 2 u and 2 u + 1.
_ONTO_FULL = np.array([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]])
# What is outside the picture: black.
BLACK, NO_COLOUR = 16, 128


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """What the samples of a video mean, in limited range (16 to 235); numbers are those of ITU-T H.273, as in ffmpeg.

    Attributes
    ----------
    matrix : from brightness and colour to red, green and blue; unspecified (2) is taken as BT.601, as ffmpeg does
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
        """(3, 4): brightness, blue and red difference, 1 -> BGR, all 0 to 255."""
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


class Planes:
    """One picture of even width and height.

    Parameters
    ----------
    samples : (H * 3 / 2, W) uint8, contiguous: H rows of brightness, then blue and red difference, each (H / 2, W / 2)
    colour : what they mean

    Attributes
    ----------
    brightness, blue, red : views of ``samples``
    halves : blue and red in one view, (2, H / 2, W / 2)
    shape : (H, W, 3), as of the same picture in BGR
    """

    __slots__ = ("blue", "brightness", "colour", "halves", "red", "samples", "shape")

    def __init__(self, samples: NDArray[np.uint8], colour: ColourSpace) -> None:
        height, width = samples.shape[0] * 2 // 3, samples.shape[1]
        self.samples, self.colour, self.shape = samples, colour, (height, width, 3)
        self.brightness = samples[:height]
        self.halves = samples[height:].reshape(2, height // 2, width // 2)
        self.blue, self.red = self.halves[0], self.halves[1]

    @classmethod
    def of(cls, image: Image, colour: ColourSpace) -> Planes:
        """A BGR picture (H, W, 3) of even sides in this form."""
        height, width = image.shape[:2]
        planes = cls(np.empty((height * 3 // 2, width), np.uint8), colour)
        planes.brightness[:], *tints = cv2.split(cv2.transform(image, colour.from_bgr))
        for plane, full in zip((planes.blue, planes.red), tints, strict=True):
            cv2.resize(full, (width // 2, height // 2), dst=plane, interpolation=cv2.INTER_AREA)
        return planes

    def bgr(self) -> Image:
        """The whole picture as (H, W, 3) BGR, a copy."""
        return self.reduced((self.shape[1], self.shape[0]), cv2.INTER_LINEAR)

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """The picture as BGR at ``size`` (width, height), by OpenCV's ``method``."""
        planes = (self.brightness, self.blue, self.red)
        return self._in_bgr(_merged([cv2.resize(plane, size, interpolation=method) for plane in planes]))

    def warp(self, matrix: Matrix, size: int) -> Image:
        """The (size, size, 3) BGR crop under an affine, as `warping.warp` cuts it from BGR."""
        if halvings := warping.halvings_for(matrix):
            # Averages of 2 x 2 brightness samples lie where the samples of colour do, so one warp takes all three.
            region, onto = warping.blocks_under(matrix, size, self.brightness.shape, halvings, start=2)
            if region is not None:
                half = tuple(slice(part.start // 2, part.stop // 2) for part in region)
                averages = [warping.halved(self.brightness[region], halvings)]
                averages += [warping.halved(plane[half], halvings - 1) for plane in (self.blue, self.red)]
                outside = (BLACK, NO_COLOUR, NO_COLOUR)
                return self._in_bgr(warping.warp_as_it_is(_merged(averages), onto, size, outside))
        halved = geometry.compose(matrix, _ONTO_FULL)
        crops = (
            warping.warp(self.brightness, matrix, size, BLACK),
            warping.warp(self.blue, halved, size, NO_COLOUR),
            warping.warp(self.red, halved, size, NO_COLOUR),
        )
        return self._in_bgr(_merged(crops))

    def _in_bgr(self, samples: Image) -> Image:
        return np.asarray(cv2.transform(samples, self.colour.to_bgr), np.uint8)


def _merged(planes: Sequence[NDArray[Any]]) -> Image:
    return np.asarray(cv2.merge(planes), np.uint8)


class PlanarFrame(Frame):
    """A frame that is still in the form it was decoded to; `image` is converted when it is first asked for.

    Parameters
    ----------
    planes : the picture; whoever paints on it must have no further use of `image`
    convert : makes `image`

    The rest as in `Frame`. Copies (`copy`, `pickle`, `dataclasses.replace`) are a plain `Frame`.
    """

    __slots__ = ("_convert", "_image", "planes")
    planes: Planes
    _convert: Callable[[], Image]
    _image: Image | None

    def __new__(cls, *args: Any, **values: Any) -> Any:
        # `dataclasses.replace` makes its copy from the fields of a Frame, and that is what it gets.
        return Frame(**values) if "image" in values else super().__new__(cls)

    def __init__(
        self,
        planes: Planes,
        convert: Callable[[], Image],
        index: int,
        time: float,
        arrived: float,
        pts: int | None = None,
        time_base: Fraction | None = None,
    ) -> None:
        values = {"planes": planes, "_convert": convert, "_image": None, "index": index, "time": time}
        values |= {"arrived": arrived, "pts": pts, "time_base": time_base}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[type[Frame], tuple[Any, ...]]:
        return Frame, (self.image, self.index, self.time, self.arrived, self.pts, self.time_base)

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, BGR."""
        if self._image is None:
            object.__setattr__(self, "_image", self._convert())
        assert self._image is not None
        return self._image

    @property
    def untouched(self) -> bool:
        """Whether nobody was given `image` so far; who was may have changed it, and the planes know nothing of that."""
        return self._image is None

    @property
    def picture(self) -> Image | Planes:
        """`planes` while `image` is untouched, else `image`."""
        return self.planes if self.untouched else self.image
