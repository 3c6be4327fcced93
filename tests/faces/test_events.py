"""Events of faces: results made of drawn faces, whose lids, mouth and pose are known."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from shapes import face_at

from fkp_live.event_options import EVENTS, EventOptions
from fkp_live.faces.events import EventFinder
from fkp_live.types import EXPRESSIONS, Event, Expression, Face, FrameResult, Measures, Pose

RATE = 30


@cache
def _face(
    eyes: float = 0.3, mouth: float = 0.05, yaw: float = 0.0, pitch: float = 0.0, size: float = 200.0
) -> Face:
    """A face with lids and lips so far apart, as shares of their width; angles in degrees."""
    points = face_at(300, 200, size).astype(np.float32)
    for corners, upper, lower in (((36, 39), (37, 38), (41, 40)), ((42, 45), (43, 44), (47, 46))):
        width = abs(points[corners[0], 0] - points[corners[1], 0])
        middle = points[list(corners), 1].mean()
        for above, below in zip(upper, lower, strict=True):
            points[below, 0] = points[above, 0]
            points[[above, below], 1] = middle + np.array([-0.5, 0.5]) * eyes * width
    width = points[64, 0] - points[60, 0]
    for above, below in ((61, 67), (62, 66), (63, 65)):
        points[below, 0] = points[above, 0]
        points[[above, below], 1] = points[60, 1] + np.array([-0.5, 0.5]) * mouth * width
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    pose = Pose(math.radians(pitch), math.radians(yaw), 0.0)
    return Face(points, np.ones(68, np.float32), box, 1.0, 1, points, pose)


def _result(index: int, *faces: Face, rate: float = RATE) -> FrameResult:
    return FrameResult(index, index / rate, (640, 480), faces)


def _events(faces: list[Face], options: EventOptions | None = None, rate: float = RATE) -> list[Event]:
    """All events of one face a frame, but for its first."""
    finder = EventFinder(options)
    found = [event for i, face in enumerate(faces) for event in finder(_result(i, face, rate=rate))]
    return [event for event in [*found, *finder.finish()] if event.name != "appear"]


def _names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def _blinking(frames: int, eyes: float = 0.15, before: float = 0.3) -> list[Face]:
    open_ = [_face(before)] * RATE
    return [*open_, *[_face(eyes)] * frames, *open_]


@pytest.mark.parametrize(
    ("frames", "name"), [(1, "blink"), (3, "blink"), (6, "blink"), (7, "slow_blink"), (29, "slow_blink")]
)
def test_a_blink_is_slow_over_200_ms(frames: int, name: str) -> None:
    events = _events(_blinking(frames))
    assert _names(events) == [name]
    assert (events[0].start, events[0].end) == pytest.approx((1.0, 1.0 + frames / RATE))
    assert events[0].value == pytest.approx(0.5, abs=0.02)


def test_a_quick_dip_is_a_blink_though_the_eyes_never_look_shut() -> None:
    assert _names(_events(_blinking(3, eyes=0.24, before=0.34))) == ["blink"]
    assert not _events(_blinking(3, eyes=0.29, before=0.34))
    # Eyes that look down for a second are just as low, but do not come back at once.
    assert not _events(_blinking(30, eyes=0.26, before=0.34))


def _looked(openness: float) -> Face:
    """A face whose eyes were looked at: its points stay as they are."""
    shut = openness < 0.1
    seen = Measures(openness, openness, 0.0, shut, openness, eyes_by_points=False)
    return replace(_face(0.3), measures=seen)


def test_eyes_that_were_looked_at_blink_by_what_was_seen_and_not_by_the_points() -> None:
    opened = [_looked(0.3)] * RATE
    (blink,) = _events([*opened, *[_looked(0.06)] * 4, *opened])
    assert blink.name == "blink"
    assert blink.value == pytest.approx(0.8)
    # A fall of 35 % at least: eyes that look down fall by less.
    assert _names(_events([*opened, *[_looked(0.2)] * 4, *opened])) == []
    assert _names(_events([*opened, *[_looked(0.19)] * 4, *opened])) == ["blink"]
    assert _names(_events([*opened, *[_looked(0.05)] * 60, *opened])) == ["eyes_shut", "eyes_shut_end"]


def test_a_blink_counts_alike_at_any_frame_rate() -> None:
    for rate in (10, 15, 60, 120):
        faces = [_face(0.15 if 1.0 <= i / rate < 1.2 else 0.3) for i in range(2 * rate)]
        assert _names(_events(faces, rate=rate)) == ["blink"]


def test_eyes_shut_for_a_minute_are_shut_once_and_raise_perclos() -> None:
    faces = [_face(0.15 if RATE <= i < 61 * RATE else 0.3) for i in range(63 * RATE)]
    events = _events(faces)
    assert _names(events) == ["eyes_shut", "perclos", "eyes_shut_end", "perclos_end"]
    assert (events[0].time, events[0].start) == pytest.approx((2.0, 1.0))
    assert events[1].time == pytest.approx(30.0, abs=0.1)  # half of the minute was seen
    assert events[2].seconds == pytest.approx(60.0)
    assert math.isnan(events[2].value)


def test_perclos_is_the_share_of_its_window() -> None:
    short = EventOptions(perclos_window=10.0)
    faces = [_face(0.15 if i % 50 < 10 else 0.3) for i in range(15 * RATE)]
    events = [event for event in _events(faces, short) if "perclos" in event.name]
    assert _names(events) == ["perclos", "perclos_end"]
    assert 0.2 <= events[1].value < 0.25
    turned = [_face(0.3, yaw=40.0)] * 3 * RATE  # does not count, and ends nothing
    assert _names(_events([*faces, *turned, *faces[: 2 * RATE]], short)).count("perclos") == 1
    rare = [_face(0.15 if i % 50 < 5 else 0.3) for i in range(15 * RATE)]
    assert "perclos" not in _names(_events(rare, short))


@pytest.mark.parametrize("turned", [{"yaw": 28.0}, {"pitch": -28.0}, {"size": 40.0}])
def test_eyes_of_turned_and_of_small_heads_do_not_count(turned: dict[str, float]) -> None:
    faces = [_face(0.15 if 30 <= i < 80 else 0.3, **turned) for i in range(90)]
    assert not _events(faces)


@pytest.mark.parametrize(
    ("begins", "goes_on"), [({"yaw": 24.0}, {"yaw": 26.0}), ({"size": 49.0}, {"size": 48.0})]
)
def test_a_blink_at_the_limit_of_what_is_judged_is_not_cut_in_two(
    begins: dict[str, float], goes_on: dict[str, float]
) -> None:
    def faces(first: dict[str, float]) -> list[Face]:
        return [
            _face(0.15 if 30 <= i < 36 else 0.3, **(goes_on if i in (32, 33) else first)) for i in range(60)
        ]

    assert _names(_events(faces(begins))) == ["blink"]
    assert not _events([_face(0.15 if 30 <= i < 36 else 0.3, **goes_on) for i in range(60)])


def test_a_yawn_is_a_mouth_wide_open_for_two_seconds() -> None:
    for seconds, names in ((1.5, []), (3.0, ["yawn", "yawn_end"])):
        faces = [_face(mouth=0.8 if 30 <= i < 30 + seconds * RATE else 0.05) for i in range(5 * RATE)]
        events = _events(faces)
        assert _names(events) == names
    assert (events[0].time, events[1].seconds) == pytest.approx((3.0, 3.0))
    assert events[1].value == pytest.approx(0.8, abs=0.01)


def test_a_value_must_stay_at_the_limit_and_not_only_touch_it() -> None:
    # Once over 0.6, then only over 0.45, where it would go on.
    faces = [_face(mouth=0.7 if i == 30 else 0.5 if 30 < i < 120 else 0.05) for i in range(150)]
    assert not _events(faces)


def test_looking_away_begins_at_30_degrees_and_ends_below_three_quarters() -> None:
    yaws = [0.0] * 10 + [-31.0] * 30 + [-26.0] * 10 + [-10.0] * 20
    events = _events([_face(yaw=yaw) for yaw in yaws])
    assert _names(events) == ["look_away", "look_away_end"]
    assert (events[1].start, events[1].end) == pytest.approx((10 / RATE, 50 / RATE))
    assert events[1].value == pytest.approx(-31.0)
    assert not _events([_face(yaw=29.0)] * 60)
    assert _names(_events([_face(yaw=29.0)] * 60, EventOptions(look_away=20.0))) == [
        "look_away",
        "look_away_end",
    ]


def test_a_moment_below_the_limit_does_not_end_what_lasts() -> None:
    yaws = [35.0] * 30 + [10.0] * 3 + [35.0] * 30
    assert _names(_events([_face(yaw=yaw) for yaw in yaws])) == ["look_away", "look_away_end"]


def _nodding(swings: int, degrees: float, frames: int) -> list[float]:
    """Angles of a head that rests, swings to and fro, ``frames`` frames a swing, and rests."""
    angles = [0.0] * RATE
    for number in range(swings):
        begin, end = (0.0, degrees) if number % 2 == 0 else (degrees, 0.0)
        angles += [begin + (end - begin) * (i + 1) / frames for i in range(frames)]
    return [*angles, *[angles[-1]] * 2 * RATE]


@pytest.mark.parametrize("sign", [1, -1])
def test_nods_and_shakes_are_three_swings_or_more(sign: int) -> None:
    for swings, found in ((2, 0), (3, 1), (6, 1)):
        angles = _nodding(swings, sign * 12.0, 8)
        nods, shakes = _events([_face(pitch=a) for a in angles]), _events([_face(yaw=a) for a in angles])
        assert _names(nods) == ["nod"] * found
        assert _names(shakes) == ["shake"] * found
    assert (nods[0].start, nods[0].end) == pytest.approx((1.0, 1.0 + 48 / RATE), abs=0.1)
    assert nods[0].value == pytest.approx(12.0, abs=0.5)


def test_slow_or_small_movements_are_neither_nods_nor_shakes() -> None:
    for swings, degrees, frames in ((6, 5.0, 8), (6, 20.0, 30), (1, 40.0, 8)):
        angles = _nodding(swings, degrees, frames)
        assert not _events([_face(pitch=a) for a in angles], EventOptions(turned=90.0))


def _smiling(happy: float) -> Face:
    probabilities = np.full(7, (1 - happy) / 6, np.float32)
    probabilities[EXPRESSIONS.index("happy")] = happy
    return replace(_face(), expression=Expression(probabilities, "happy"))


def test_a_smile_is_the_expression_where_there_is_one() -> None:
    faces = [_smiling(0.9 if 30 <= i < 90 else 0.1) for i in range(150)]
    events = _events(faces)
    assert _names(events) == ["smile", "smile_end"]
    assert events[1].seconds == pytest.approx(2.0, abs=0.26)
    assert not _events([replace(face, expression=None) for face in faces])


def test_a_smile_is_found_in_the_mouth_where_there_is_no_expression() -> None:
    def smiling() -> Face:
        face = _face()
        points = face.points.copy()
        points[[48, 54, 60, 64]] += np.array([[-14, -30], [14, -30], [-14, -30], [14, -30]], np.float32)
        return replace(face, points=points, raw=points)

    faces = [smiling() if 30 <= i < 90 else _face() for i in range(150)]
    assert _names(_events(faces)) == ["smile", "smile_end"]


def test_a_face_vanishes_after_half_a_second_and_its_events_end() -> None:
    finder = EventFinder()
    found = [event for i in range(40) for event in finder(_result(i, _face(eyes=0.15)))]
    for i in range(40, 70):
        found += finder(_result(i))
    assert _names(found) == ["appear", "eyes_shut", "eyes_shut_end", "vanish"]
    assert (found[3].start, found[3].end) == pytest.approx((0.0, 39 / RATE))
    assert found[3].time == pytest.approx(39 / RATE + 0.5, abs=0.05)
    assert finder.finish() == []


def test_two_faces_have_events_of_their_own() -> None:
    finder, found = EventFinder(), []
    for i, eyes in enumerate([0.3] * 30 + [0.15] * 4 + [0.3] * 30):
        found += finder(_result(i, _face(eyes), replace(_face(), id=2)))
    assert [(event.name, event.face_id) for event in found] == [("appear", 1), ("appear", 2), ("blink", 1)]


def test_each_event_is_known_at_its_time_and_in_order() -> None:
    faces = [*_blinking(4), *[_face(yaw=40.0)] * 40, *_blinking(9), *[_face(mouth=0.9)] * 90]
    events = _events(faces)
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert all(event.frame == round(event.time * RATE) for event in events)
    assert all(event.name in EVENTS and event.start <= event.time for event in events)


def test_a_new_stream_begins_where_time_goes_back() -> None:
    finder = EventFinder()
    for i in range(60):
        finder(_result(i, _face(yaw=40.0)))
    assert _names(finder(_result(0, _face()))) == ["look_away_end", "appear"]


def test_damaged_results_are_passed_over() -> None:
    nothing = replace(_face(), points=np.full((68, 2), np.nan, np.float32))
    one_point = replace(_face(), points=np.zeros((68, 2), np.float32), pose=None)
    huge = replace(_face(), points=np.full((68, 2), 3e38, np.float32))
    no_raw = replace(_face(), raw=np.full((68, 2), np.inf, np.float32))
    no_pose = replace(_face(), pose=Pose(math.nan, math.nan, math.nan))
    finder = EventFinder()
    with np.errstate(all="ignore"):
        for i, face in enumerate([_face(), nothing, one_point, huge, no_raw, no_pose] * 20):
            finder(_result(i, face))
    found = [
        event
        for i, angle in enumerate(_nodding(4, 12.0, 8))
        for event in finder(_result(200 + i, _face(pitch=angle)))
    ]
    assert "nod" in _names(found)
    assert finder(replace(_result(0, _face()), time=math.nan)) == []


def test_memory_does_not_grow() -> None:
    finder = EventFinder()
    for i in range(500):  # a new face each second, at one frame a second
        finder(_result(i, replace(_face(), id=i), rate=1))
    assert len(finder._faces) == 1


def test_limits_that_make_no_sense_are_refused() -> None:
    for limit, message in (
        ({"nod": math.nan}, "nod is nan, expected a number above 0"),
        ({"smile": 1.0}, "smile is 1.0, expected a share below 1"),
        ({"slow_blink": 2.0}, "slow_blink is 2.0, expected at most eyes_shut, 1.0"),
    ):
        with pytest.raises(ValueError, match=message):
            EventOptions(**limit)
    with pytest.raises(TypeError, match="yawn is '1', expected a number"):
        EventOptions(yawn="1")  # type: ignore[arg-type]
