"""Ids by place: who sits where keeps the number, whoever comes and goes."""

from __future__ import annotations

import numpy as np

from fkp_live.faces.places import LeftToRight
from fkp_live.types import Face

POINTS, CONFIDENCE = np.zeros((68, 2), np.float32), np.ones(68, np.float32)


def face(track: int, x: float, side: float = 40.0) -> Face:
    """A face of the tracker's, with its centre at ``x``."""
    box = np.array([x - side / 2, 10, x + side / 2, 10 + side], np.float32)
    return Face(POINTS, CONFIDENCE, box, 0.9, track)


def numbers(places: LeftToRight, time: float, **at: float) -> dict[str, int | None]:
    """Numbers of the faces, by track: ``numbers(places, 0.0, t3=100)`` for track 3 at x = 100."""
    faces = [face(int(name[1:]), x) for name, x in at.items()]
    return {name: given.id for name, given in zip(at, places(faces, time), strict=True)}


def test_faces_are_numbered_from_left_to_right_whatever_their_track() -> None:
    places = LeftToRight()
    assert numbers(places, 0.0, t7=300, t2=100, t5=200) == {"t7": 3, "t2": 1, "t5": 2}


def test_only_the_id_changes() -> None:
    given = face(9, 100)
    (changed,) = LeftToRight()([given], 0.0)
    assert changed.id == 1
    assert changed.points is given.points
    assert changed.box is given.box


def test_who_leaves_keeps_the_place_and_comes_back_to_it() -> None:
    places = LeftToRight()
    for time in (0.0, 1.0):
        numbers(places, time, t1=100, t2=300)
    assert numbers(places, 60.0, t2=310) == {"t2": 2}
    # Found again after a minute, under another track.
    assert numbers(places, 61.0, t2=310, t3=120) == {"t2": 2, "t3": 1}


def test_who_joins_shifts_those_to_the_right() -> None:
    places = LeftToRight()
    for time in (0.0, 1.0):
        numbers(places, time, t1=100, t2=300)
    assert numbers(places, 2.0, t1=100, t2=300, t3=200) == {"t1": 1, "t3": 2, "t2": 3}
    assert numbers(places, 3.0, t1=100, t2=300, t3=200, t4=400) == {"t1": 1, "t3": 2, "t2": 3, "t4": 4}


def test_a_face_keeps_its_number_when_it_moves_past_another() -> None:
    places = LeftToRight()
    for step in range(11):
        moved = numbers(places, step / 10, t1=100 + 40 * step, t2=300)
        assert moved == {"t1": 1, "t2": 2}


def test_a_find_of_a_moment_shifts_nobody_for_good() -> None:
    places = LeftToRight()
    for time in (0.0, 1.0):
        numbers(places, time, t1=300)
    assert numbers(places, 1.1, t1=300, t2=50) == {"t1": 2, "t2": 1}
    assert numbers(places, 1.2, t1=300) == {"t1": 1}


def test_two_who_appear_do_not_share_a_place() -> None:
    places = LeftToRight()
    for time in (0.0, 1.0):
        numbers(places, time, t1=100)
    numbers(places, 2.0)
    # Both are near the empty place; the left one is looked at first.
    assert numbers(places, 3.0, t2=95, t3=110) == {"t2": 1, "t3": 2}


def test_after_a_reset_everything_begins_anew() -> None:
    places = LeftToRight()
    for time in (0.0, 1.0):
        numbers(places, time, t1=100, t2=300)
    places.reset()
    assert numbers(places, 2.0, t2=300) == {"t2": 1}
