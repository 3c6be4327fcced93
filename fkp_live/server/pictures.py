"""The newest frame in the forms that viewers take: encoded once for all of them, in a thread, and only if one asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np

from fkp_live.display.look import Look
from fkp_live.display.overlay import Hud, draw_look
from fkp_live.server.newest import Newest, Shown
from fkp_live.types import Image, Picture

# Longer side in pixels of what pages get, which draw the overlay themselves, and of the painted picture.
PAGE_SIDE, PAINTED_SIDE = 1280, 3840
# Of JPEG: what a page shows is looked at once; a painted picture has fine strokes, and programs encode it again.
PAGE_QUALITY, PAINTED_QUALITY = 80, 88


@dataclass(frozen=True, slots=True)
class Encoded:
    """A frame in one form.

    Attributes
    ----------
    number : of the frame, see `newest.Line`
    data : its bytes
    """

    number: int
    data: bytes


class Encoder:
    """One form of the newest frame, for coroutines of one event loop.

    Whoever asks while a frame is being encoded waits for that one: a form is encoded once a frame, however many ask.

    Parameters
    ----------
    newest : where frames come from
    form : makes the bytes of a frame, in a thread of ``pool``
    pool : runs it
    """

    def __init__(self, newest: Newest, form: Callable[[Shown], bytes], pool: Executor) -> None:
        self._newest, self._form, self._pool = newest, form, pool
        self._last: Encoded | None = None
        self._task: asyncio.Task[Encoded] | None = None

    async def after(self, number: int) -> Encoded | None:
        """A frame whose number is higher than this one, the newest that can be had at once; None at the end."""
        while (shown := await self._newest.after(number)) is not None:
            if self._last is None or self._last.number != shown.number:
                if self._task is None:
                    self._task = asyncio.create_task(self._encode())
                # A viewer who leaves must not take the picture from the others.
                await asyncio.shield(self._task)
            if self._last is not None and self._last.number > number:
                return self._last
        return None

    async def _encode(self) -> Encoded:
        try:
            shown = self._newest.shown
            assert shown is not None
            data = await asyncio.get_running_loop().run_in_executor(self._pool, self._form, shown)
            self._last = Encoded(shown.number, data)
            return self._last
        finally:
            self._task = None


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
    return draw_look(shown.picture.copy(), shown.result.faces, hud, look).bgr()


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
