"""Text as masks: rendered glyphs, and what a text adds to a plane of samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import NO_COLOUR

# Share of the picture's luma that stays visible on the dark plate behind a text.
PLATE = 0.35
_FONT = cv2.FONT_HERSHEY_SIMPLEX
# Text is rendered this many times larger and averaged down: OpenCV's own strokes are ragged at small sizes.
_SUPERSAMPLING = 4


def text_width(text: str, height: int) -> int:
    """Pixels that the plate of a text is wide; a capital is about ``0.8 height`` high."""
    return sum(_glyph(char, height).shape[1] for char in f" {text} ")


def packed(parts: Sequence[str], height: int, room: int, between: str = "   ") -> list[str]:
    """Pack the parts, ``between`` them the space given, into as few rows as fit into ``room`` pixels."""
    rows = list(parts[:1])
    for part in parts[1:]:
        longer = f"{rows[-1]}{between}{part}"
        if text_width(longer, height) <= room:
            rows[-1] = longer
        else:
            rows.append(part)
    return rows


@lru_cache(maxsize=64)
def text_mask(text: str, height: int) -> NDArray[np.uint8]:
    """(rows, columns) uint8 of the whole plate, 255 where the text is."""
    mask = np.concatenate([_glyph(char, height) for char in f" {text} "], 1)
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=64)
def tinted(text: str, height: int, values: tuple[int, ...]) -> NDArray[np.uint8]:
    """The text with ``values`` where it is and 0 elsewhere: (rows, columns, values), or (rows, columns) for one."""
    mask = text_mask(text, height)
    return np.asarray(cv2.merge([cv2.convertScaleAbs(mask, alpha=value / 255) for value in values]), np.uint8)


@lru_cache(maxsize=64)
def chroma_offset(text: str, height: int, tint: int) -> NDArray[np.uint8]:
    """What text and plate add to a chroma plane scaled by `PLATE`: ((rows + 1) // 2, (columns + 1) // 2)."""
    mask = text_mask(text, height)
    rows, columns = mask.shape
    small = cv2.resize(mask, ((columns + 1) // 2, (rows + 1) // 2), interpolation=cv2.INTER_AREA)
    offset = (1 - PLATE) * NO_COLOUR + small.astype(np.float32) * ((tint - NO_COLOUR) / 255)
    return np.rint(offset).astype(np.uint8)


@lru_cache(maxsize=512)
def _glyph(char: str, height: int) -> NDArray[np.uint8]:
    """One character, 255 where its strokes are.

    Cached, because rendering costs more than everything else in the HUD, and its characters are few.
    """
    large = height * _SUPERSAMPLING
    scale = cv2.getFontScaleFromHeight(_FONT, int(0.8 * large))
    weight = max(1, round(large / 9))
    (width, ascent), descent = cv2.getTextSize(char, _FONT, scale, weight)
    pad = large // 4
    # OpenCV adds half a stroke on either side of a character to its width.
    advance = max(_SUPERSAMPLING, width - weight // 2)
    canvas = np.zeros((ascent + descent + 2 * pad, advance), np.uint8)
    cv2.putText(canvas, char, (0, pad + ascent), _FONT, scale, 255, weight, cv2.LINE_AA)
    size = (max(1, round(advance / _SUPERSAMPLING)), canvas.shape[0] // _SUPERSAMPLING)
    glyph = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
    glyph.setflags(write=False)
    return glyph
