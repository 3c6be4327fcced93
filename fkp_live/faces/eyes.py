"""Eyes looked at: how far each is open, and whether it is shut, by a small network on a patch around it.

The lids of the 68 points hardly meet in shut eyes, because the landmark network sees the whole face at a few pixels an
eye. Here each eye is cut out by its own corners, turned level and scaled to one width, the person's left one mirrored.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.images import warping
from fkp_live.inference.metadata import EYES
from fkp_live.inference.session import Session
from fkp_live.topology import LEFT_EYE_INNER, LEFT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_EYE_OUTER
from fkp_live.types import FloatArray, Image, Picture

Affine: TypeAlias = tuple[float, float, float, float, float, float]

# Of the wider eye: an eye is not taken for narrower, in profiles whose far corners lie on each other.
_LEAST_WIDTH = 0.3
_CORNERS = np.array([RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_OUTER, LEFT_EYE_INNER])
_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class EyeNetwork:
    """A network of schema ``fkp-eyes/1``. Several threads may use it and take turns.

    Parameters
    ----------
    session : an open model

    Raises
    ------
    ModelError
        If the session holds another kind of model.
    """

    def __init__(self, session: Session) -> None:
        session.require(EYES)
        metadata = session.metadata
        self._session = session
        self._input = metadata["input"]["name"]
        self._outputs = (metadata["output"]["openness"], metadata["output"]["shut"])
        self._size = (int(metadata["input"]["width"]), int(metadata["input"]["height"]))
        self._eye = float(metadata["crop"]["eye"])
        self._batch = np.empty((2, 1, *reversed(self._size)), np.float32)
        self._lock = threading.Lock()

    def __call__(self, picture: Picture, points: Sequence[FloatArray]) -> NDArray[np.float32]:
        """(N, 2, 2): openness, and probability of being shut, of the right and the left eye of each face (68, 2).

        Openness is the distance of the lids over the width of the eye, as in `openness.measures`. All eyes go through
        the network in one run.
        """
        count = 2 * len(points)
        if not count:
            return np.empty((0, 2, 2), np.float32)
        with self._lock:
            if count > len(self._batch):
                self._batch = np.empty((count, *self._batch.shape[1:]), np.float32)
            batch, luma = self._batch[:count], picture.luma
            for place, each in enumerate(points):
                batch[2 * place, 0], batch[2 * place + 1, 0] = eye_patches(luma, each, self._size, self._eye)
            openness, shut = self._session.run({self._input: batch}, self._outputs)
        looks = np.empty((count, 2), np.float32)
        looks[:, 0], looks[:, 1] = openness, shut
        return looks.reshape(-1, 2, 2)


def eye_patches(luma: Image, points: FloatArray, size: tuple[int, int], eye: float) -> list[Image]:
    """The patches of the right and the left eye, (H, W) uint8 of ``size`` (width, height), cut from luma.

    The outer corner comes to lie on the left and the inner one on the right, ``eye`` pixels apart about the middle.
    Beyond the picture its border is repeated.
    """
    return [_patch(luma, affine, size) for affine in eye_affines(points, size, eye)]


def eye_affines(points: FloatArray, size: tuple[int, int], eye: float) -> tuple[Affine, Affine]:
    """Where pixels of the two patches lie in the picture: a, b, x, c, d, y of (a u + b v + x, c u + d v + y)."""
    corners = points[_CORNERS].tolist()
    widths = [math.dist(*corners[:2]), math.dist(*corners[2:])]
    least = max(_LEAST_WIDTH * max(widths), 1e-3)
    right, left = (max(width, least) / eye for width in widths)
    return (
        _affine(corners[0], corners[1], right, 1.0, size),
        _affine(corners[2], corners[3], left, -1.0, size),
    )


def _affine(
    outer: list[float], inner: list[float], step: float, side: float, size: tuple[int, int]
) -> Affine:
    """The affine of one eye; a pixel of the patch is ``step`` of the picture, and ``side`` -1 for a mirrored eye."""
    dx, dy = inner[0] - outer[0], inner[1] - outer[1]
    apart = math.hypot(dx, dy)
    a, c = (dx / apart * step, dy / apart * step) if apart > 0.0 else (side * step, 0.0)
    b, d = -side * c, side * a
    u, v = (size[0] - 1) / 2.0, (size[1] - 1) / 2.0
    return a, b, outer[0] + dx / 2.0 - a * u - b * v, c, d, outer[1] + dy / 2.0 - c * u - d * v


def _patch(luma: Image, affine: Affine, size: tuple[int, int]) -> Image:
    a, b, x, c, d, y = affine
    if not math.isfinite(a + b + x + c + d + y):
        return np.zeros(size[::-1], np.uint8)
    # The picture is halved as often as it takes for a bilinear warp not to skip pixels; whole blocks only.
    step = math.hypot(a, c)
    halvings = math.ceil(math.log2(step / 2.0)) if step > 2.0 else 0
    factor = 2**halvings
    width, height = size
    left, top = x + min(a, 0.0) * width + min(b, 0.0) * height, y + min(c, 0.0) * width + min(d, 0.0) * height
    x0, y0 = max(int(left) - factor, 0), max(int(top) - factor, 0)
    right, bottom = left + (abs(a) * width + abs(b) * height), top + (abs(c) * width + abs(d) * height)
    columns = (min(int(right) + factor + 1, luma.shape[1]) - x0) // factor
    rows = (min(int(bottom) + factor + 1, luma.shape[0]) - y0) // factor
    if columns < 1 or rows < 1:
        return np.zeros(size[::-1], np.uint8)
    # A copy: of a view OpenCV would copy all of the picture that lies between.
    part = luma[y0 : y0 + rows * factor, x0 : x0 + columns * factor].copy()
    if halvings:
        part = warping.halved(part, halvings)
    # A pixel of the copy, halved or not, lies in the middle of its block.
    x, y = (x - x0 + 0.5) / factor - 0.5, (y - y0 + 0.5) / factor - 0.5
    onto = np.array([[a / factor, b / factor, x], [c / factor, d / factor, y]])
    return np.asarray(
        cv2.warpAffine(part, onto, size, flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
