"""Expressions: what faces show, by a network on aligned crops and points, relative to each person's neutral face.

A face at rest may look sad or cross to people and to the network alike. So whatever is known of a person's neutral face
is taken off: ``logits - share * (neutral's logits - those of the average neutral face)``. Where the neutral face was
given, a linear classifier of the difference between its points and the face's is added, as far as both heads are seen
from the same side: in a turned head the points differ whatever the face shows.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live import geometry
from fkp_live.geometry import Matrix
from fkp_live.inference.metadata import EXPRESSION
from fkp_live.inference.session import Session
from fkp_live.topology import LEFT_EYE_OUTER, MIRROR, RIGHT_EYE_OUTER
from fkp_live.types import EXPRESSIONS, Expression, Face, FloatArray, Image, Picture

# How much of a neutral face that was given is taken off, and of one that was learnt: see docs/expression.md.
GIVEN_SHARE, LEARNT_SHARE = 0.5, 0.5
# How much the difference of points counts. Less from where points that expressions hardly move lie this far apart, in
# eye distances, and not at all from the second number on: also there.
DIFFERENCE_SHARE, _SAME, _OTHER = 0.5, 0.10, 0.16
# Sides of the jaw, bridge and wings of the nose, corners of the eyes.
_STILL = [*range(5), *range(12, 17), 27, 28, 29, 30, 31, 35, 36, 39, 42, 45]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What the network says of a face, and where its points lie.

    Attributes
    ----------
    logits : (7,) float32, of `EXPRESSIONS`
    placed : (68, 2) float32, its points in pixels of the aligned crop
    """

    logits: FloatArray
    placed: FloatArray


class ExpressionNetwork:
    """A network of schema ``fkp-expression/1``. Several threads may use it and take turns.

    Parameters
    ----------
    session : an open expression model

    Raises
    ------
    ModelError
        If the session holds another kind of model.
    """

    def __init__(self, session: Session) -> None:
        session.require(EXPRESSION)
        metadata = session.metadata
        self._session = session
        self._names = (metadata["input"]["name"], metadata["points"]["name"])
        self._output = (metadata["output"]["logits"],)
        self._size = int(metadata["input"]["size"])
        self._template = np.array(metadata["crop"]["template"], np.float64)
        # (7,) float32: the mean logits of neutral faces.
        self.neutral = np.array(metadata["neutral"], np.float32)
        # (7, 136) and (7,): logits from the difference of two faces' points, in pixels of the crop.
        self._weights = np.array(metadata["difference"]["weights"], np.float32)
        self._bias = np.array(metadata["difference"]["bias"], np.float32)
        self._lock = threading.Lock()

    def __call__(
        self, picture: Picture, points: Sequence[FloatArray], *, mirrored: bool = False
    ) -> list[Answer]:
        """The answers for the faces with these points (68, 2) of a picture, in one batch.

        ``mirrored``: the mean with those for the crops' mirror images, at twice the time.
        """
        count, size = len(points), self._size
        if not count:
            return []
        matrices = [similarity(each, self._template) for each in points]
        crops = np.empty((count, 3, size, size), np.float32)
        for crop, matrix in zip(crops, matrices, strict=True):
            for target, plane in zip(crop, cv2.split(aligned(picture, matrix, size)), strict=True):
                target[...] = plane
        placed = geometry.apply(np.stack(matrices), np.stack(points))
        given = placed
        if mirrored:
            reflected = placed[:, MIRROR] * (-1, 1) + (size - 1, 0)
            crops, given = (
                np.concatenate([crops, crops[..., ::-1]]),
                np.concatenate([placed, reflected], dtype=np.float32),
            )
        with self._lock:
            (logits,) = self._session.run({self._names[0]: crops, self._names[1]: given}, self._output)
        logits = logits.reshape(-1, count, logits.shape[-1]).mean(0)
        return [Answer(*each) for each in zip(logits, placed, strict=True)]

    def placed(self, points: FloatArray) -> FloatArray:
        """Points (68, 2) of a picture in pixels of their aligned crop."""
        matrix = similarity(points, self._template)
        return np.asarray(geometry.apply(matrix[None], points[None])[0], np.float32)

    def against(self, answer: Answer, neutral: Answer) -> FloatArray:
        """Logits (7,) of a face seen against a neutral face of the same person."""
        difference = (answer.placed - neutral.placed).ravel()
        moved = self._weights @ difference + self._bias
        eyes = float(np.linalg.norm(self._template[LEFT_EYE_OUTER] - self._template[RIGHT_EYE_OUTER]))
        weight = difference_weight((answer.placed - neutral.placed) / eyes)
        return np.asarray(
            answer.logits - GIVEN_SHARE * (neutral.logits - self.neutral) + weight * moved, np.float32
        )


def similarity(points: ArrayLike, template: NDArray[np.float64]) -> Matrix:
    """The (2, 3) shift, turn and scale that brings points (68, 2) nearest to a template, in the least-squares sense."""
    points = np.asarray(points, np.float64)
    here, there = points.mean(0), template.mean(0)
    a, b = points - here, template - there
    size = max(float((a * a).sum()), 1e-9)
    cos = float((a * b).sum()) / size
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / size
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (there - linear @ here)[:, None]], 1)


def aligned(picture: Picture, matrix: Matrix, size: int) -> Image:
    """The (size, size, 3) crop under a similarity; beyond the picture its border is repeated."""
    crop = picture.warp(matrix, size)
    width, height = picture.size
    (a, b, x), (c, d, y) = geometry.invert(matrix).tolist()
    last = size - 1
    left, right = x + last * (min(a, 0) + min(b, 0)), x + last * (max(a, 0) + max(b, 0))
    top, bottom = y + last * (min(c, 0) + min(d, 0)), y + last * (max(c, 0) + max(d, 0))
    if left >= 0 and top >= 0 and right <= width - 1 and bottom <= height - 1:
        return crop
    # Each pixel of the crop that lies beyond takes the one where the nearest pixel of the picture is. A pixel of the
    # crop inside the border, because the outermost are mixed with what lies beyond.
    v, u = np.mgrid[:size, :size].astype(np.float64)
    inset = min(1.0 / max(geometry.scale_of(matrix), 1e-6), (width - 1) / 2, (height - 1) / 2)
    seen_x = (a * u + b * v + x).clip(inset, width - 1 - inset)
    seen_y = (c * u + d * v + y).clip(inset, height - 1 - inset)
    (a, b, x), (c, d, y) = matrix.tolist()
    columns = np.rint(a * seen_x + b * seen_y + x).clip(0, last).astype(int)
    rows = np.rint(c * seen_x + d * seen_y + y).clip(0, last).astype(int)
    return crop[rows, columns]


def difference_weight(difference: FloatArray) -> float:
    """Weight of the difference (68, 2) of two faces' points, in eye distances: the less, the more a head turned."""
    apart = float(np.linalg.norm(difference[_STILL], axis=1).mean())
    return DIFFERENCE_SHARE * min(max((_OTHER - apart) / (_OTHER - _SAME), 0.0), 1.0)


def probabilities(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis."""
    power = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(power / power.sum(-1, keepdims=True), np.float32)


def shown_by(network: ExpressionNetwork, answers: Sequence[Answer], neutral: Face | None) -> list[Expression]:
    """The expressions of faces, seen against a neutral face of the same person where one is given.

    Raises
    ------
    ValueError
        If the neutral face is of a recording, without logits, or has no expression.
    """
    own = None
    if neutral is not None:
        if neutral.expression is None or neutral.expression.logits is None:
            raise ValueError("a neutral face of a recording has no logits, so nothing can be seen against it")
        own = Answer(neutral.expression.logits, network.placed(neutral.points))
    shown = []
    for answer in answers:
        shares = probabilities(answer.logits if own is None else network.against(answer, own))
        shown.append(Expression(shares, EXPRESSIONS[int(shares.argmax())], answer.logits))
    return shown
