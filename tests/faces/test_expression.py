"""Expressions against a person's own neutral face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from written import frames_in

from fkp_live import FaceLandmarker
from fkp_live.commands.run import _demo_clip
from fkp_live.engine import Engine
from fkp_live.faces.expression import DIFFERENCE_SHARE, difference_weight
from fkp_live.images.picture import as_picture
from fkp_live.topology import MIRROR, REGIONS


def test_points_count_only_where_both_heads_are_seen_from_the_same_side() -> None:
    difference = np.zeros((68, 2), np.float32)
    difference[REGIONS["mouth"]] = 0.3
    assert difference_weight(difference) == DIFFERENCE_SHARE
    weights = [
        difference_weight(difference + np.array([apart, 0], np.float32)) for apart in (0.05, 0.12, 0.14, 0.2)
    ]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] == DIFFERENCE_SHARE
    assert 0 < weights[1] < DIFFERENCE_SHARE
    assert weights[-1] == 0


def test_a_face_against_itself_is_as_neutral_as_it_gets() -> None:
    image = next(iter(frames_in(_demo_clip()))).image
    landmarker = FaceLandmarker(provider="cpu", expression=True)
    alone = landmarker(image)[0]
    own = landmarker(image, neutral=alone)[0]
    assert alone.expression is not None
    assert own.expression is not None
    assert own.expression.probabilities[0] > 2 * alone.expression.probabilities[0]
    assert own.expression.probabilities[1] < alone.expression.probabilities[1]
    np.testing.assert_array_equal(own.expression.logits, alone.expression.logits)
    recorded = replace(alone, expression=replace(alone.expression, logits=None))
    with pytest.raises(ValueError, match="recording"):
        landmarker(image, neutral=recorded)


def test_a_mirrored_picture_has_the_same_answers() -> None:
    image = next(iter(frames_in(_demo_clip()))).image
    engine = Engine("cpu")
    (face,) = FaceLandmarker(engine=engine)(image)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    points = face.points[MIRROR] * np.float32([-1, 1]) + np.float32([image.shape[1] - 1, 0])
    network = engine.picture_expressions
    (one,) = network(as_picture(image), [face.points], mirrored=True)
    (other,) = network(as_picture(mirrored), [points], mirrored=True)
    (alone,) = network(as_picture(image), [face.points])
    np.testing.assert_allclose(one.logits, other.logits, atol=0.05)
    np.testing.assert_array_equal(one.placed, alone.placed)
    assert np.abs(one.logits - alone.logits).max() > 0.05
