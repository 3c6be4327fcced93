"""The overlay: points, contour lines, boxes, ids and the HUD, painted into a picture.

Nothing here keeps state between pictures. All strokes of a kind go to OpenCV in one call, and nothing is
blended over the whole picture, so a face costs a fraction of a millisecond. Strokes are bare, without a dark rim:
every edge is paid for again by the encoder (on a face of 400 px at 720p rims took twice the bits of bare strokes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.topology import CONTOURS
from fkp_live.types import Face, FloatArray, Image

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
# Space between the points and the box, as a fraction of the face, so that the box does not run along the jaw.
_AIR = 0.06

# Closed lines repeat their first point, so that one call draws closed and open ones.
_LINES = tuple(np.array((*numbers, numbers[0]) if closed else numbers) for _, numbers, closed in CONTOURS)

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


def draw(
    image: Image,
    faces: Sequence[Face],
    hud: Hud | None = None,
    *,
    points: bool = True,
    contours: bool = True,
    box: bool = True,
    ids: bool = True,
) -> Image:
    """Paint the faces and the HUD INTO ``image`` and return it.

    Parameters
    ----------
    image : (H, W, 3) uint8, BGR, contiguous and writable; copy it first if the clean picture is still needed
    faces : what `fkp_live.pipeline` found, in pixels of this image
    hud : text for the upper left corner, or None for none
    points, contours, box, ids : which parts of a face to paint
    """
    for order, face in enumerate(faces):
        colour = _PALETTE[(order if face.id is None else face.id - 1) % len(_PALETTE)]
        size = float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))
        if box:
            _paint_box(image, face.box, colour, size)
        if contours:
            _paint_contours(image, face.points, colour, size)
        if points:
            _paint_points(image, face.points, face.confidence, size)
        if ids and face.id is not None:
            _paint_id(image, face, colour, size)
    if hud is not None:
        _paint_hud(image, hud)
    return image


def _fixed(points: FloatArray) -> NDArray[np.int32]:
    """(K, 2) pixels to OpenCV's fixed-point pixels."""
    return np.rint(np.clip(points, -_FAR, _FAR) * _SUBPIXEL).astype(np.int32)


def _stroke(image: Image, lines: Strokes, closed: bool, colour: Colour, width: int) -> None:
    cv2.polylines(image, lines, closed, colour, width, cv2.LINE_AA, _SHIFT)


def _width(size: float) -> int:
    """Of the lines of a face ``size`` pixels large."""
    return max(1, round(size / 220))


def _paint_box(image: Image, box: FloatArray, colour: Colour, size: float) -> None:
    # On whole pixels: sharp, and for an encoder the same from frame to frame while the face rests.
    x0, y0, x1, y1 = (
        np.rint(box + _AIR * size * np.array([-1, -1, 1, 1])).clip(-_FAR, _FAR).astype(int).tolist()
    )
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, _width(size))


def _paint_contours(image: Image, points: FloatArray, colour: Colour, size: float) -> None:
    places = _fixed(points)
    _stroke(image, [places[numbers] for numbers in _LINES], False, colour, _width(size))


def _paint_points(image: Image, points: FloatArray, confidence: FloatArray, size: float) -> None:
    sure = confidence >= _WEAK
    if size < _DOTTED:
        _paint_pixels(image, points[~sure], _DARK)
        _paint_pixels(image, points[sure], _CORE)
        return
    # A single point as a closed line is a round dot as wide as the line (from 2 up; nothing at 1).
    dots = _fixed(points).reshape(-1, 1, 1, 2)
    width = max(2, round(size / 75))
    _stroke(image, list(dots[~sure]), True, _DARK, max(2, width - 1))
    _stroke(image, list(dots[sure]), True, _CORE, width)


def _paint_pixels(image: Image, points: FloatArray, colour: Colour) -> None:
    columns, rows = np.rint(np.clip(points, -1, _FAR)).astype(int).T
    inside = (columns >= 0) & (rows >= 0) & (columns < image.shape[1]) & (rows < image.shape[0])
    image[rows[inside], columns[inside]] = colour


def _paint_id(image: Image, face: Face, colour: Colour, size: float) -> None:
    x0, y0 = face.box[:2] - _AIR * size
    height = int(np.clip(size / 10, _smallest_text(image), _text_height(image)))
    _paint_text(image, f"#{face.id}", round(float(x0)), round(float(y0) - 1.7 * height), height, colour)


def _paint_hud(image: Image, hud: Hud) -> None:
    height = _text_height(image)
    x = y = height // 2
    for row in _rows(hud.parts(), height, image.shape[1] - height):
        y += _paint_text(image, row, x, y, height, _CORE)


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


def _text_height(image: Image) -> int:
    return max(_smallest_text(image), int(min(image.shape[:2])) // 38)


def _smallest_text(image: Image) -> int:
    return 8 if min(image.shape[:2]) < 240 else 11


def _paint_text(image: Image, text: str, x: int, y: int, height: int, colour: Colour) -> int:
    """Text on a dark plate with its upper left corner at x, y, but inside the picture; the plate's height."""
    mask = _text_mask(text, height)
    rows, columns = mask.shape
    x = max(0, min(x, image.shape[1] - columns))
    y = max(0, min(y, image.shape[0] - rows))
    plate = image[y : y + rows, x : x + columns]
    mask = mask[: plate.shape[0], : plate.shape[1]]
    # The plate is dark enough that the brighter of plate and text is the text.
    tinted = cv2.merge([cv2.convertScaleAbs(mask, alpha=channel / 255) for channel in colour])
    plate[:] = cv2.max(cv2.convertScaleAbs(plate, alpha=0.35), tinted)
    return int(rows)


def _text_mask(text: str, height: int) -> NDArray[np.uint8]:
    """(rows, columns) uint8, 255 where the text is."""
    return np.concatenate([_glyph(char, height) for char in f" {text} "], 1)


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
