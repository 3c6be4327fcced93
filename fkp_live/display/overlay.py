"""The overlay: points, contour lines, boxes, ids and the HUD, painted into a picture.

Nothing here keeps state between pictures, and samples of a video are painted on in place, with no conversion. All
strokes of a kind go to OpenCV in one call, and nothing is blended over the whole picture, so a face costs a fraction of
a millisecond. Whatever changes costs the encoder bits: strokes are bare (on a face of 400 px at 720p dark rims took
twice the bits), and of the box there are only corners, which rest while the face hardly moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fkp_live.display.canvas import DOTTED, FAR, Canvas, Colour, canvas_of, stroke_width
from fkp_live.display.text import text_width
from fkp_live.topology import CONTOURS
from fkp_live.types import Face, FloatArray, Picture

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

# Points below this confidence are drawn smaller and dark.
_WEAK = 0.5
# Space between the points and the box, as a fraction of the face, so that the box does not run along the jaw; length
# of a side of its corners; and the grid that they and the id are placed on.
_AIR, _CORNER, _GRID = 0.06, 0.18, 0.011

# Closed lines repeat their first point, so that one call draws closed and open ones.
_LINES = tuple(np.array((*numbers, numbers[0]) if closed else numbers) for _, numbers, closed in CONTOURS)


@dataclass(frozen=True, slots=True)
class Hud:
    """What the corner of the picture shows.

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


Target = TypeVar("Target", bound=NDArray[Any] | Picture)


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
    faces : as `FaceLandmarker` or `Pipeline` returned them, in pixels of this picture
    hud : text for the upper left corner, or None for none
    points, contours, box, ids : which parts of a face to paint

    Example
    -------
    >>> painted = draw(image.copy(), landmarker(image))
    """
    canvas = canvas_of(picture)
    for order, face in enumerate(faces):
        colour = _PALETTE[(order if face.id is None else face.id - 1) % len(_PALETTE)]
        size = float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))
        corners = _corners(face.box, size)
        if box:
            canvas.brackets(*corners, round(_CORNER * size), colour, stroke_width(size))
        if contours:
            canvas.lines(face.points, _LINES, colour, size)
        if points:
            _paint_points(canvas, face.points, face.confidence, size)
        if ids and face.id is not None:
            _paint_id(canvas, face.id, corners[:2], colour, size)
    if hud is not None:
        _paint_hud(canvas, hud)
    return picture


def _corners(box: FloatArray, size: float) -> tuple[int, int, int, int]:
    """The box with air around it, on whole pixels of a coarse grid."""
    grid = max(1, round(_GRID * size))
    around = box + _AIR * size * np.array([-1, -1, 1, 1])
    x0, y0, x1, y1 = (grid * np.rint(around / grid)).clip(-FAR, FAR).astype(int).tolist()
    return x0, y0, x1, y1


def _paint_points(canvas: Canvas, points: FloatArray, confidence: FloatArray, size: float) -> None:
    sure = confidence >= _WEAK
    if size < DOTTED:
        canvas.pixels(points[~sure], _DARK)
        canvas.pixels(points[sure], _CORE)
        return
    width = max(2, round(size / 75))
    if not sure.all():
        canvas.dots(points[~sure], _DARK, max(2, width - 1))
    canvas.dots(points[sure], _CORE, width)


def _paint_id(canvas: Canvas, number: int, corner: tuple[int, int], colour: Colour, size: float) -> None:
    height = int(np.clip(size / 10, _smallest_text(canvas), _text_height(canvas)))
    canvas.text(f"#{number}", corner[0], round(corner[1] - 1.7 * height), height, colour)


def _paint_hud(canvas: Canvas, hud: Hud) -> None:
    height = _text_height(canvas)
    x = y = height // 2
    for row in _rows(hud.parts(), height, canvas.width - height):
        y += canvas.text(row, x, y, height, _CORE)


def _rows(parts: Sequence[str], height: int, room: int) -> list[str]:
    """Pack the parts into as few rows as fit into ``room`` pixels."""
    rows = [parts[0]]
    for part in parts[1:]:
        longer = f"{rows[-1]}   {part}"
        if text_width(longer, height) <= room:
            rows[-1] = longer
        else:
            rows.append(part)
    return rows


def _text_height(canvas: Canvas) -> int:
    return max(_smallest_text(canvas), min(canvas.height, canvas.width) // 38)


def _smallest_text(canvas: Canvas) -> int:
    return 8 if min(canvas.height, canvas.width) < 240 else 11
