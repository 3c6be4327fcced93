"""Pictures as viewers get them: their sizes, the overlay, and their encodings."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from fkp_live.display.look import Look
from fkp_live.display.overlay import Hud, draw_look
from fkp_live.images.picture import BgrPicture
from fkp_live.server.newest import Shown
from fkp_live.types import Image, Picture

# Longer side in pixels of what pages get, which draw the overlay themselves, and of the painted picture.
PAGE_SIDE, PAINTED_SIDE = 1280, 3840
# Of JPEG: what a page shows is looked at once; a painted picture has fine strokes, and programs encode it again.
PAGE_QUALITY, PAINTED_QUALITY = 80, 88


def page_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height of the picture that pages get of one of this size."""
    return _within(size, PAGE_SIDE)


def page_jpeg(picture: Picture) -> bytes:
    """The picture as it is, in the size for pages."""
    size = page_size(picture.size)
    image = picture.bgr() if size == picture.size else picture.reduced(size, cv2.INTER_AREA)
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, PAGE_QUALITY])


def painted(shown: Shown, hud: Hud, look: Look) -> Image:
    """The picture with its overlay."""
    # Pages need the same conversion to BGR, which the picture keeps; painted on in samples, it would need another.
    copy = BgrPicture(shown.picture.bgr().copy())
    return draw_look(copy, shown.result.faces, hud, look).bgr()


def painted_jpeg(image: Image) -> bytes:
    """A painted picture as JPEG, reduced only where it is very large."""
    height, width = image.shape[:2]
    size = _within((width, height), PAINTED_SIDE)
    if size != (width, height):
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _encoded(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, PAINTED_QUALITY])


def png(image: Image) -> bytes:
    """A picture as PNG, in little time rather than few bytes."""
    return _encoded(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _within(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    width, height = (max(1, round(scale * each)) for each in size)
    return width, height


def _encoded(ending: str, image: Image, options: Sequence[int]) -> bytes:
    done, data = cv2.imencode(ending, image, options)
    if not done:
        raise ValueError(f"OpenCV cannot encode a picture of {image.shape[1]}x{image.shape[0]} as {ending}")
    return data.tobytes()
