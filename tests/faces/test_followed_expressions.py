"""Expressions of followed faces: real ones are plausible, labels are steady, the own neutral face is taken off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from written import frames_in

from fkp_live import FaceLandmarker, Pipeline, PipelineOptions
from fkp_live.commands.run import _demo_clip
from fkp_live.faces.expression import Answer
from fkp_live.faces.followed_expressions import FollowedExpressions
from fkp_live.images.picture import BgrPicture
from fkp_live.types import EXPRESSIONS

PICTURE = BgrPicture(np.zeros((4, 4, 3), np.uint8))
POINTS = [np.zeros((68, 2), np.float32)]


class Says:
    """Stands for the network."""

    def __init__(self) -> None:
        self.neutral = np.zeros(7, np.float32)
        self.next = np.zeros(7, np.float32)
        self.runs = 0

    def __call__(self, picture: object, points: Sequence[object]) -> list[Answer]:
        self.runs += bool(points)
        return [Answer(self.next, np.zeros((68, 2), np.float32)) for _ in points]

    def against(self, answer: Answer, neutral: Answer) -> np.ndarray:
        return answer.logits - 0.75 * (neutral.logits - self.neutral)


def logits(name: str, height: float = 4.0) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[EXPRESSIONS.index(name)] * np.float32(height)


def test_a_smile_is_happy_and_nothing_is_computed_unasked() -> None:
    frame = next(iter(frames_in(_demo_clip())))
    (face, *_) = FaceLandmarker(provider="cpu", expression=True)(frame.image)
    assert face.expression is not None
    assert face.expression.label == "happy"
    assert face.expression.probabilities.sum() == pytest.approx(1, abs=1e-5)
    pipeline = Pipeline(PipelineOptions(provider="cpu"))
    assert pipeline.process(frame).faces[0].expression is None
    assert pipeline.engine._expressions == {}


def test_labels_that_alternate_quickly_do_not_flicker() -> None:
    network = Says()
    followed = FollowedExpressions(network)  # type: ignore[arg-type]
    labels = []
    for step in range(200):
        network.next = logits("sad" if step % 4 < 2 else "angry", 3.0)
        labels.append(followed(PICTURE, [1], POINTS, step * 0.1)[0].label)
    stays = np.diff([i for i in range(1, 200) if labels[i] != labels[i - 1]])
    assert not len(stays) or stays.min() >= 5


def test_who_looks_sad_at_rest_is_neutral_once_that_was_said() -> None:
    network = Says()
    followed = FollowedExpressions(network)  # type: ignore[arg-type]
    network.next = logits("sad", 2.0) + logits("neutral", 1.2)
    assert followed(PICTURE, [1], POINTS, 0.0)[0].label == "sad"
    assert followed.set_neutral() == [1]
    assert followed(PICTURE, [1], POINTS, 0.2)[0].probabilities.argmax() in (0, 3)
    assert followed.set_neutral(5) == []
    runs = network.runs
    followed(PICTURE, [1], POINTS, 0.21)
    assert network.runs == runs
