"""What the window alone says: rows of words, the red mark of a recording, and the list of keys.

For BGR pictures that are shown and not written. Files have none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fkp_live.display.canvas import Canvas, Colour
from fkp_live.display.keys import KEYS
from fkp_live.display.layers import CORE, PANEL
from fkp_live.display.text import packed, text_width
from fkp_live.types import Image

_RED: Colour = (50, 50, 240)
_KEY: Colour = (90, 220, 240)
# Room for the red dot at the beginning of its row.
_DOT_ROOM = "    "
_MOST_ROWS = 6
# Pixels of a side beyond which a picture is not enlarged: a strip has no room at any size.
_LARGEST = 2048


@dataclass(frozen=True, slots=True)
class Words:
    """What is said at the moment.

    Attributes
    ----------
    rows : sentences, the first one on top
    mark : how long a recording has lasted, such as "0:12"; empty where there is none
    keys : whether the list of keys is shown
    """

    rows: tuple[str, ...] = ()
    mark: str = ""
    keys: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.mark or self.keys)


def paint_words(image: Image, words: Words) -> Image:
    """Paint words INTO a (H, W, 3) uint8 BGR picture and return it, enlarged if the list of keys needs the room."""
    if words.keys:
        image = _paint_keys(image)
    canvas = Canvas(image)
    height = canvas.text_height()
    room = canvas.width - height
    rows = [row for said in words.rows for row in packed(said.split(), height, room, " ")][-_MOST_ROWS:]
    if words.mark:
        rows.insert(0, f"{_DOT_ROOM}{words.mark}")
    pitch = canvas.row(height)
    x, y = height // 2, canvas.height - height // 2 - len(rows) * pitch
    for number, row in enumerate(rows):
        # Readable also on what is painted of a face there.
        canvas.fill(x, y, text_width(row, height), pitch, PANEL)
        canvas.text(row, x, y, height, CORE)
        if number == 0 and words.mark:
            middle = np.array([[x + 1.2 * height, max(y, 0) + pitch / 2]], np.float32)
            canvas.dots(middle, _RED, max(3, height))
        y += pitch
    return image


def _paint_keys(image: Image) -> Image:
    # A small picture is enlarged until the list fits: the window scales it anyway.
    while True:
        canvas = Canvas(image)
        height = canvas.text_height()
        while height > canvas.least_text and not _fits(canvas, height):
            height -= 1
        if _fits(canvas, height) or max(canvas.width, canvas.height) > _LARGEST:
            break
        image = np.asarray(cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)
    row, (first, second) = canvas.row(height), _columns(height)
    x = (canvas.width - first - second) // 2 // 2 * 2
    y = (canvas.height - row * len(KEYS)) // 2 // 2 * 2
    canvas.fill(x - height, y - height // 2, first + second + 2 * height, row * len(KEYS) + height, PANEL)
    for key in KEYS:
        canvas.text(key.keys, x, y, height, _KEY)
        canvas.text(key.effect, x + first, y, height, CORE)
        y += row
    return image


def _columns(height: int) -> tuple[int, int]:
    """Pixels that the keys and what they do are wide."""
    return (
        max(text_width(key.keys, height) for key in KEYS) + height,
        max(text_width(key.effect, height) for key in KEYS),
    )


def _fits(canvas: Canvas, height: int) -> bool:
    return (
        sum(_columns(height)) + 2 * height <= canvas.width
        and canvas.row(height) * (len(KEYS) + 1) <= canvas.height
    )
