"""Canvases: how lines, dots, box corners and text are painted on BGR and on 4:2:0 samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import BLACK, ColourSpace
from fkp_live.display.text import PLATE, chroma_offset, text_mask, tinted
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.types import FloatArray, Image, Picture

Colour = tuple[int, int, int]
Strokes = Sequence[NDArray[np.int32]]

# Points of faces smaller than this, in pixels, are single pixels: dots would fill the eyes and the mouth.
DOTTED = 100
# Coordinates beyond this are clipped: outside every picture, and OpenCV's integers would overflow.
FAR = 1 << 16
# Strokes are placed to 1/16 of a pixel, so that points glide when a face moves slowly.
_SHIFT = 4
_SUBPIXEL = 1 << _SHIFT


def canvas_of(picture: Image | Picture) -> Canvas:
    """A canvas that paints into a BGR array (H, W, 3) or a picture, without a copy.

    Raises
    ------
    TypeError
        If ``picture`` is anything else.
    ValueError
        If it must not be changed, as the frames of a source.
    """
    pixels = getattr(picture, "pixels", picture)
    if isinstance(pixels, np.ndarray) and not pixels.flags.writeable:
        raise ValueError(
            "the picture is read-only, as the frames of a source are; paint on a copy: picture.copy()"
        )
    if isinstance(picture, Yuv420Picture):
        return _Yuv420Canvas(picture)
    if isinstance(picture, BgrPicture):
        return Canvas(picture.pixels)
    if isinstance(picture, np.ndarray):
        return Canvas(picture)
    raise TypeError(f"cannot paint on a {type(picture).__name__}, expected a BGR array or a picture")


class Canvas:
    """A BGR picture to paint on. Points are (K, 2) x, y in its pixels, colours are BGR."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]

    @property
    def least_text(self) -> int:
        """Height in pixels of the smallest text that can be read."""
        return 8 if min(self.height, self.width) < 240 else 11

    def text_height(self, scale: float = 1.0) -> int:
        """Height in pixels of the usual text, times ``scale``."""
        return max(self.least_text, round(scale * (min(self.height, self.width) // 38)))

    def row(self, height: int) -> int:
        """Pixels that the plate of a text is high."""
        return int(text_mask("", height).shape[0])

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        """A rectangle of one colour, the part of it that lies in the picture."""
        self.image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = colour

    def lines(
        self, points: FloatArray, lines: Sequence[NDArray[np.intp]], colour: Colour, size: float
    ) -> None:
        """Open lines through points of a face of ``size`` pixels, each given by the points' numbers."""
        _stroke(self.image, _chosen(_fixed(points), lines), False, colour, stroke_width(size))

    def dots(self, points: FloatArray, colour: Colour, width: int) -> None:
        """Round dots ``width`` pixels wide."""
        _stroke(self.image, _single(_fixed(points)), True, colour, width)

    def pixels(self, points: FloatArray, colour: Colour) -> None:
        """Dots of one pixel."""
        self.image[_inside(points, self.image)] = colour

    def brackets(self, x0: int, y0: int, x1: int, y1: int, length: int, colour: Colour, width: int) -> None:
        """The four corners of a rectangle, each two sides of ``length`` pixels."""
        cv2.polylines(self.image, _brackets(x0, y0, x1, y1, length), False, colour, width)

    def text(self, text: str, x: int, y: int, height: int, colour: Colour) -> int:
        """Text on a dark plate with its upper left corner at x, y, moved into the picture; the plate's height."""
        rows, columns = text_mask(text, height).shape
        x, y = max(0, min(x, self.width - columns)), max(0, min(y, self.height - rows))
        self._text(text, height, x - x % 2, y - y % 2, colour)
        return int(rows)

    def _text(self, text: str, height: int, x: int, y: int, colour: Colour) -> None:
        """As `text`, at x, y exactly, both even and in the picture."""
        letters = tinted(text, height, colour)
        plate = self.image[y : y + letters.shape[0], x : x + letters.shape[1]]
        # The plate is dark enough that the lighter of plate and text is the text.
        rows, columns = plate.shape[:2]
        plate[:] = cv2.max(cv2.convertScaleAbs(plate, alpha=PLATE), letters[:rows, :columns])


class _Yuv420Canvas(Canvas):
    """A 4:2:0 picture: luma, and chroma at half the size both ways.

    The chroma of dots is not anti-aliased: they are too small for it to be seen. That of lines is: without it the
    colour jumped by two pixels at a time, which cost the encoder a third of the bits of all strokes.
    """

    def __init__(self, picture: Yuv420Picture) -> None:
        super().__init__(picture.luma)
        self._chroma = picture.chroma
        self._space = picture.colour

    def lines(
        self, points: FloatArray, lines: Sequence[NDArray[np.intp]], colour: Colour, size: float
    ) -> None:
        luma, *tints = _samples(self._space, colour)
        width = stroke_width(size)
        _stroke(self.image, _chosen(_fixed(points), lines), False, luma, width)
        # At half the size the colour of small faces' lines would fill eyes and mouth, and of the smallest everything.
        kept = () if size < DOTTED else lines if width > 1 else [one for one in lines if one[0] != one[-1]]
        halved = _chosen(_fixed(_halved(points)), kept)
        for plane, tint in zip(self._chroma, tints, strict=True):
            _stroke(plane, halved, False, tint, (width + 1) // 2)

    def dots(self, points: FloatArray, colour: Colour, width: int) -> None:
        luma, *tints = _samples(self._space, colour)
        _stroke(self.image, _single(_fixed(points)), True, luma, width)
        halved = _single(_fixed(_halved(points)))
        for plane, tint in zip(self._chroma, tints, strict=True):
            _stroke(plane, halved, True, tint, max(2, (width + 1) // 2), cv2.LINE_8)

    def pixels(self, points: FloatArray, colour: Colour) -> None:
        luma, *tints = _samples(self._space, colour)
        rows, columns = _inside(points, self.image)
        self.image[rows, columns] = luma
        for plane, tint in zip(self._chroma, tints, strict=True):
            plane[rows // 2, columns // 2] = tint

    def brackets(self, x0: int, y0: int, x1: int, y1: int, length: int, colour: Colour, width: int) -> None:
        luma, *tints = _samples(self._space, colour)
        cv2.polylines(self.image, _brackets(x0, y0, x1, y1, length), False, luma, width)
        halved = _brackets(x0 // 2, y0 // 2, x1 // 2, y1 // 2, length // 2)
        for plane, tint in zip(self._chroma, tints, strict=True):
            cv2.polylines(plane, halved, False, tint, (width + 1) // 2)

    def fill(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        luma, *tints = _samples(self._space, colour)
        x0, y0, x1, y1 = (max(edge, 0) for edge in (x, y, x + width, y + height))
        self.image[y0:y1, x0:x1] = luma
        for plane, tint in zip(self._chroma, tints, strict=True):
            plane[y0 // 2 : (y1 + 1) // 2, x0 // 2 : (x1 + 1) // 2] = tint

    def _text(self, text: str, height: int, x: int, y: int, colour: Colour) -> None:
        luma, *tints = _samples(self._space, colour)
        letters = tinted(text, height, (luma,))
        plate = self.image[y : y + letters.shape[0], x : x + letters.shape[1]]
        rows, columns = plate.shape
        dark = cv2.convertScaleAbs(plate, alpha=PLATE, beta=(1 - PLATE) * BLACK)
        plate[:] = cv2.max(dark, letters[:rows, :columns])
        for plane, tint in zip(self._chroma, tints, strict=True):
            offset = chroma_offset(text, height, tint)[: (rows + 1) // 2, : (columns + 1) // 2]
            half = plane[y // 2 : y // 2 + offset.shape[0], x // 2 : x // 2 + offset.shape[1]]
            half[:] = cv2.addWeighted(half, PLATE, offset, 1.0, 0.0)


def stroke_width(size: float) -> int:
    """Width in pixels of the lines of a face of ``size`` pixels."""
    return max(1, round(size / 220))


@lru_cache(maxsize=256)
def _samples(space: ColourSpace, colour: Colour) -> tuple[int, ...]:
    """Luma, Cb and Cr of a BGR colour."""
    return tuple(np.rint(space.from_bgr @ np.array([*colour, 1.0])).astype(int).tolist())


def _halved(points: FloatArray) -> FloatArray:
    """Points in luma pixels as points in chroma pixels."""
    return np.asarray((points - 0.5) / 2.0, np.float32)


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    """(K, 2) pixels as OpenCV's fixed-point pixels."""
    return np.rint(np.clip(points, -FAR, FAR) * _SUBPIXEL).astype(np.int32)


def _chosen(places: NDArray[np.int32], lines: Sequence[NDArray[np.intp]]) -> Strokes:
    return [places[numbers] for numbers in lines]


def _single(places: NDArray[np.int32]) -> Strokes:
    # A closed line of a single point is a round dot as wide as the line (from 2 up; nothing at 1).
    return list(places.reshape(-1, 1, 1, 2))


def _inside(points: FloatArray, plane: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the points that lie in the picture."""
    columns, rows = np.rint(np.clip(points, -1, FAR)).astype(np.intp).T
    inside = (columns >= 0) & (rows >= 0) & (columns < plane.shape[1]) & (rows < plane.shape[0])
    return rows[inside], columns[inside]


def _stroke(
    plane: NDArray[np.uint8],
    lines: Strokes,
    closed: bool,
    colour: Colour | int,
    width: int,
    kind: int = cv2.LINE_AA,
) -> None:
    cv2.polylines(plane, lines, closed, colour, width, kind, _SHIFT)


def _brackets(x0: int, y0: int, x1: int, y1: int, length: int) -> Strokes:
    corners = (
        ((x, y), (x + dx, y), (x, y + dy))
        for x, dx in ((x0, length), (x1, -length))
        for y, dy in ((y0, length), (y1, -length))
    )
    return [np.array((one, corner, other), np.int32) for corner, one, other in corners]
