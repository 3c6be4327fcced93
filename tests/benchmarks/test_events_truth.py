"""How found events are compared with those that a person saw."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.events import KINDS, Seen, compare, truth
from fkp_live.event_options import EVENTS
from fkp_live.types import Event, Face, FrameResult

ONES = np.ones(68, np.float32)


def _results() -> list[FrameResult]:
    """Four seconds of two faces at 25 a second: number 1 on the left, number 2 on the right."""
    faces = tuple(
        Face(np.zeros((68, 2), np.float32), ONES, np.array([x, 0, x + 50, 50], np.float32), 1.0, number)
        for number, x in ((1, 0), (2, 100))
    )
    return [FrameResult(i, i / 25, (640, 480), faces) for i in range(100)]


def _seen(first: int, last: int, *, x: float = 25, counts: bool = True) -> Seen:
    return Seen("blink", first, (x, 25.0), first, last, counts)


def _blink(start: float, end: float, face: int = 1, name: str = "blink") -> Event:
    return Event(name, face, start, end, math.nan, end, 0)


def test_each_true_event_makes_one_found_one_right() -> None:
    seen = [_seen(25, 27), _seen(50, 52)]
    found = [_blink(1.0, 1.1), _blink(1.15, 1.2, name="slow_blink"), _blink(3.0, 3.1)]
    assert compare("blink", _results(), found, seen) == [1, 2, 1]


def test_the_face_must_be_the_one_that_was_seen() -> None:
    assert compare("blink", _results(), [_blink(1.0, 1.1, face=2)], [_seen(25, 27)]) == [0, 1, 1]
    assert compare("blink", _results(), [_blink(1.0, 1.1, face=2)], [_seen(25, 27, x=125)]) == [1, 0, 0]


def test_what_one_may_see_differently_is_neither_right_nor_wrong() -> None:
    assert compare("blink", _results(), [_blink(1.0, 1.1)], [_seen(25, 27, counts=False)]) == [0, 0, 0]


def test_a_found_event_may_be_a_fifth_of_a_second_off() -> None:
    for start, right in ((1.27, 1), (1.3, 0)):
        assert compare("blink", _results(), [_blink(start, start + 0.1)], [_seen(25, 27)])[0] == right


def test_the_truth_names_events_that_are_compared() -> None:
    assert set(KINDS) <= set(EVENTS)
    rows = [one for clip in truth().values() for one in clip]
    assert {one.kind for one in rows} <= set(KINDS.values())
    assert all(one.first <= one.last for one in rows)
