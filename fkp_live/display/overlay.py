"""The overlay: points, contour lines, boxes, ids and the HUD, painted into a picture.

Nothing here keeps state between pictures, and planes of a video are painted on one by one, with no conversion. All
strokes of a kind go to OpenCV in one call, and nothing is blended over the whole picture, so a face costs a fraction of
a millisecond. What changes is paid for again by the encoder: strokes are bare (on a face of 400 px at 720p dark rims
took twice the bits), and of the box there are only corners, which rest while the face hardly moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import BLACK, NO_COLOUR, ColourSpace, Yuv420Picture
from fkp_live.topology import CONTOURS
from fkp_live.types import Face, FloatArray, Image, Picture

Colour = tuple[int, int, int]
Strokes = Sequence[NDArray[np.int32]]

# Strokes are placed to 1/16 of a pixel, so that points glide when a face moves slowly.
_SHIFT = 4
_SUBPIXEL = 1 << _SHIFT
# Coordinates beyond this are cut off: outside every picture, and OpenCV's integers would overflow.
_FAR = 1 << 16

# BGR. The colour of a face is that of its id, so that a change of id shows.
_PALETTE: tuple[Colour, ...] = (
    (255, 200, 70),
    (90, 220, 120),
    (80, 180, 255),
    (220, 140, 255),
    (110, 240, 240),
    (255, 150, 150),
    (200, 220, 60),
    (140, 140, 255),
)
_DARK: Colour = (24, 20, 16)
_CORE: Colour = (255, 255, 255)

# Below this confidence a point is a guess: drawn smaller and dark.
_WEAK = 0.5
# Points of faces smaller than this are single pixels, or eyes and mouth would be filled with them.
_DOTTED = 100
# Space between the points and the box, as a fraction of the face, so that the box does not run along the jaw; length
# of a side of its corners; and the grid that they and the id are placed on.
_AIR, _CORNER, _GRID = 0.06, 0.18, 0.011

# Closed lines repeat their first point, so that one call draws closed and open ones.
_LINES = tuple(np.array((*numbers, numbers[0]) if closed else numbers) for _, numbers, closed in CONTOURS)

# Brightness that a text's plate keeps of the picture.
_PLATE = 0.35
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Text is drawn this many times too large and averaged down: OpenCV's own strokes are ragged at small sizes.
_SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Hud:
    """What the corner of the picture tells.

    Attributes
    ----------
    fps : frames per second over the last second or so
    age_ms : milliseconds from the arrival of the frame to now, None where it means nothing
    provider : the execution provider that runs
    faces : number of faces in the frame
    note : anything else, such as "paused"
    """

    fps: float
    age_ms: float | None
    provider: str
    faces: int
    note: str = ""

    def parts(self) -> list[str]:
        """The pieces of text, in reading order."""
        parts = [f"{self.fps:.1f} fps"]
        if self.age_ms is not None:
            parts.append(f"{self.age_ms:.0f} ms")
        parts.append(self.provider)
        parts.append("1 face" if self.faces == 1 else f"{self.faces} faces")
        if self.note:
            parts.append(self.note)
        return parts


Target = TypeVar("Target", bound=Image | Picture)


def draw(
    picture: Target,
    faces: Sequence[Face],
    hud: Hud | None = None,
    *,
    points: bool = True,
    contours: bool = True,
    box: bool = True,
    ids: bool = True,
) -> Target:
    """Paint the faces and the HUD INTO ``picture`` and return it.

    Parameters
    ----------
    picture : (H, W, 3) uint8, BGR, contiguous and writable, or a `Picture`; paint on a copy (`picture.copy()`) where
        the clean one is still needed
    faces : what `fkp_live.pipeline` found, in pixels of this picture
    hud : text for the upper left corner, or None for none
    points, contours, box, ids : which parts of a face to paint
    """
    canvas = _canvas_of(picture)
    for order, face in enumerate(faces):
        colour = _PALETTE[(order if face.id is None else face.id - 1) % len(_PALETTE)]
        size = float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))
        corners = _corners(face.box, size)
        if box:
            canvas.brackets(*corners, round(_CORNER * size), colour, _width(size))
        if contours:
            canvas.lines(face.points, _LINES, colour, size)
        if points:
            _paint_points(canvas, face.points, face.confidence, size)
        if ids and face.id is not None:
            _paint_id(canvas, face.id, corners[:2], colour, size)
    if hud is not None:
        _paint_hud(canvas, hud)
    return picture


def _canvas_of(picture: Image | Picture) -> _Canvas:
    if isinstance(picture, Yuv420Picture):
        return _Yuv420Canvas(picture)
    if isinstance(picture, BgrPicture):
        return _Canvas(picture.pixels)
    if isinstance(picture, np.ndarray):
        return _Canvas(picture)
    raise TypeError(f"cannot paint on a {type(picture).__name__}, expected a BGR array or a picture")


class _Canvas:
    """A BGR picture to paint on."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]

    def lines(
        self, points: FloatArray, lines: Sequence[NDArray[np.intp]], colour: Colour, size: float
    ) -> None:
        """Open lines through points (K, 2) of a face of ``size`` pixels, each given by their numbers."""
        _stroke(self.image, _chosen(_fixed(points), lines), False, colour, _width(size))

    def dots(self, points: FloatArray, colour: Colour, width: int) -> None:
        """Round dots ``width`` pixels wide."""
        _stroke(self.image, _single(_fixed(points)), True, colour, width)

    def pixels(self, points: FloatArray, colour: Colour) -> None:
        """Dots of one pixel."""
        self.image[_inside(points, self.image)] = colour

    def brackets(self, x0: int, y0: int, x1: int, y1: int, length: int, colour: Colour, width: int) -> None:
        """The four corners of a rectangle, each two sides of ``length`` pixels."""
        cv2.polylines(self.image, _brackets(x0, y0, x1, y1, length), False, colour, width)

    def text(self, text: str, height: int, x: int, y: int, colour: Colour) -> None:
        """Text on a dark plate whose upper left corner is at x, y, both even."""
        tinted = _tinted(text, height, colour)
        plate = self.image[y : y + tinted.shape[0], x : x + tinted.shape[1]]
        # The plate is dark enough that the brighter of plate and text is the text.
        rows, columns = plate.shape[:2]
        plate[:] = cv2.max(cv2.convertScaleAbs(plate, alpha=_PLATE), tinted[:rows, :columns])


class _Yuv420Canvas(_Canvas):
    """A 4:2:0 picture: luma, and chroma at half the size both ways.

    The colour of dots is not smoothed at the edges: they are too small for it to be seen. That of lines is: else it
    jumped by two pixels at a time, which cost the encoder a third of the bits of all strokes.
    """

    def __init__(self, picture: Yuv420Picture) -> None:
        super().__init__(picture.luma)
        self._chroma = picture.chroma
        self._space = picture.colour

    def _samples(self, colour: Colour) -> tuple[int, ...]:
        """The colour's brightness, blue and red difference."""
        return _samples(self._space, colour)

    def lines(
        self, points: FloatArray, lines: Sequence[NDArray[np.intp]], colour: Colour, size: float
    ) -> None:
        bright, *tints = self._samples(colour)
        width = _width(size)
        _stroke(self.image, _chosen(_fixed(points), lines), False, bright, width)
        # At half the size the colour of small faces' lines would fill eyes and mouth, and of the smallest everything.
        kept = () if size < _DOTTED else lines if width > 1 else [one for one in lines if one[0] != one[-1]]
        halved = _chosen(_fixed(_halved(points)), kept)
        for plane, tint in zip(self._chroma, tints, strict=True):
            _stroke(plane, halved, False, tint, (width + 1) // 2)

    def dots(self, points: FloatArray, colour: Colour, width: int) -> None:
        bright, *tints = self._samples(colour)
        _stroke(self.image, _single(_fixed(points)), True, bright, width)
        halved = _single(_fixed(_halved(points)))
        for plane, tint in zip(self._chroma, tints, strict=True):
            _stroke(plane, halved, True, tint, max(2, (width + 1) // 2), cv2.LINE_8)

    def pixels(self, points: FloatArray, colour: Colour) -> None:
        bright, *tints = self._samples(colour)
        rows, columns = _inside(points, self.image)
        self.image[rows, columns] = bright
        for plane, tint in zip(self._chroma, tints, strict=True):
            plane[rows // 2, columns // 2] = tint

    def brackets(self, x0: int, y0: int, x1: int, y1: int, length: int, colour: Colour, width: int) -> None:
        bright, *tints = self._samples(colour)
        cv2.polylines(self.image, _brackets(x0, y0, x1, y1, length), False, bright, width)
        halved = _brackets(x0 // 2, y0 // 2, x1 // 2, y1 // 2, length // 2)
        for plane, tint in zip(self._chroma, tints, strict=True):
            cv2.polylines(plane, halved, False, tint, (width + 1) // 2)

    def text(self, text: str, height: int, x: int, y: int, colour: Colour) -> None:
        bright, *tints = self._samples(colour)
        tinted = _tinted(text, height, (bright,))
        plate = self.image[y : y + tinted.shape[0], x : x + tinted.shape[1]]
        rows, columns = plate.shape
        dark = cv2.convertScaleAbs(plate, alpha=_PLATE, beta=(1 - _PLATE) * BLACK)
        plate[:] = cv2.max(dark, tinted[:rows, :columns])
        for plane, tint in zip(self._chroma, tints, strict=True):
            offset = _offset(text, height, tint)[: (rows + 1) // 2, : (columns + 1) // 2]
            half = plane[y // 2 : y // 2 + offset.shape[0], x // 2 : x // 2 + offset.shape[1]]
            half[:] = cv2.addWeighted(half, _PLATE, offset, 1.0, 0.0)


def _width(size: float) -> int:
    """Of the strokes on a face of ``size`` pixels."""
    return max(1, round(size / 220))


def _halved(points: FloatArray) -> FloatArray:
    """Pixels of the whole size in pixels of the half size."""
    return np.asarray((points - 0.5) / 2.0, np.float32)


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    """(K, 2) pixels to OpenCV's fixed-point pixels."""
    return np.rint(np.clip(points, -_FAR, _FAR) * _SUBPIXEL).astype(np.int32)


def _chosen(places: NDArray[np.int32], lines: Sequence[NDArray[np.intp]]) -> Strokes:
    return [places[numbers] for numbers in lines]


def _single(places: NDArray[np.int32]) -> Strokes:
    # A single point as a closed line is a round dot as wide as the line (from 2 up; nothing at 1).
    return list(places.reshape(-1, 1, 1, 2))


def _inside(points: FloatArray, plane: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the points (K, 2) that lie in the picture."""
    columns, rows = np.rint(np.clip(points, -1, _FAR)).astype(np.intp).T
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


def _corners(box: FloatArray, size: float) -> tuple[int, int, int, int]:
    """The box with air around it, on whole pixels of a coarse grid."""
    grid = max(1, round(_GRID * size))
    around = box + _AIR * size * np.array([-1, -1, 1, 1])
    x0, y0, x1, y1 = (grid * np.rint(around / grid)).clip(-_FAR, _FAR).astype(int).tolist()
    return x0, y0, x1, y1


def _paint_points(canvas: _Canvas, points: FloatArray, confidence: FloatArray, size: float) -> None:
    sure = confidence >= _WEAK
    if size < _DOTTED:
        canvas.pixels(points[~sure], _DARK)
        canvas.pixels(points[sure], _CORE)
        return
    width = max(2, round(size / 75))
    if not sure.all():
        canvas.dots(points[~sure], _DARK, max(2, width - 1))
    canvas.dots(points[sure], _CORE, width)


def _paint_id(canvas: _Canvas, number: int, corner: tuple[int, int], colour: Colour, size: float) -> None:
    height = int(np.clip(size / 10, _smallest_text(canvas), _text_height(canvas)))
    _paint_text(canvas, f"#{number}", corner[0], round(corner[1] - 1.7 * height), height, colour)


def _paint_hud(canvas: _Canvas, hud: Hud) -> None:
    height = _text_height(canvas)
    x = y = height // 2
    for row in _rows(hud.parts(), height, canvas.width - height):
        y += _paint_text(canvas, row, x, y, height, _CORE)


def _rows(parts: Sequence[str], height: int, room: int) -> list[str]:
    """Pack the parts into as few rows as fit into ``room`` pixels."""
    rows = [parts[0]]
    for part in parts[1:]:
        longer = f"{rows[-1]}   {part}"
        if sum(_glyph(char, height).shape[1] for char in f" {longer} ") <= room:
            rows[-1] = longer
        else:
            rows.append(part)
    return rows


def _text_height(canvas: _Canvas) -> int:
    return max(_smallest_text(canvas), min(canvas.height, canvas.width) // 38)


def _smallest_text(canvas: _Canvas) -> int:
    return 8 if min(canvas.height, canvas.width) < 240 else 11


def _paint_text(canvas: _Canvas, text: str, x: int, y: int, height: int, colour: Colour) -> int:
    """Text on a plate with its upper left corner at x, y, or near it inside the picture; the plate's height."""
    rows, columns = _text_mask(text, height).shape
    x, y = max(0, min(x, canvas.width - columns)), max(0, min(y, canvas.height - rows))
    canvas.text(text, height, x - x % 2, y - y % 2, colour)
    return int(rows)


@lru_cache(maxsize=256)
def _samples(space: ColourSpace, colour: Colour) -> tuple[int, ...]:
    return tuple(np.rint(space.from_bgr @ np.array([*colour, 1.0])).astype(int).tolist())


@lru_cache(maxsize=64)
def _tinted(text: str, height: int, values: tuple[int, ...]) -> NDArray[np.uint8]:
    """The text with ``values`` where it is and 0 elsewhere: (rows, columns, values), or (rows, columns) for one."""
    mask = _text_mask(text, height)
    return np.asarray(cv2.merge([cv2.convertScaleAbs(mask, alpha=value / 255) for value in values]), np.uint8)


@lru_cache(maxsize=64)
def _offset(text: str, height: int, tint: int) -> NDArray[np.uint8]:
    """What text and plate add to a darkened plane of colour at half the size: (rows + 1) / 2, (columns + 1) / 2."""
    mask = _text_mask(text, height)
    rows, columns = mask.shape
    small = cv2.resize(mask, ((columns + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA)
    offset = (1 - _PLATE) * NO_COLOUR + small.astype(np.float32) * ((tint - NO_COLOUR) / 255)
    return np.rint(offset).astype(np.uint8)


@lru_cache(maxsize=64)
def _text_mask(text: str, height: int) -> NDArray[np.uint8]:
    """(rows, columns) uint8, 255 where the text is."""
    mask = np.concatenate([_glyph(char, height) for char in f" {text} "], 1)
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=512)
def _glyph(char: str, height: int) -> NDArray[np.uint8]:
    """One character, 255 where its strokes are; a capital is about ``0.8 height`` high.

    Kept, because rendering costs more than all else in the HUD, and its characters are few.
    """
    large = height * _SUPERSAMPLING
    scale = cv2.getFontScaleFromHeight(_FONT, int(0.8 * large))
    weight = max(1, round(large / 9))
    (width, ascent), descent = cv2.getTextSize(char, _FONT, scale, weight)
    pad = large // 4
    # OpenCV counts half a stroke on either side of a character as its own.
    advance = max(_SUPERSAMPLING, width - weight // 2)
    canvas = np.zeros((ascent + descent + 2 * pad, advance), np.uint8)
    cv2.putText(canvas, char, (0, pad + ascent), _FONT, scale, 255, weight, cv2.LINE_AA)
    size = (max(1, round(advance / _SUPERSAMPLING)), canvas.shape[0] // _SUPERSAMPLING)
    glyph = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
    glyph.setflags(write=False)
    return glyph
