"""Frames that a program hands in."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import number_of, numbered, until

from fkp_live import process_stream
from fkp_live.sinks import VideoSink
from fkp_live.sources import PushSource, open_source
from fkp_live.types import Frame, FrameResult

pytestmark = pytest.mark.timeout(60)


class Nobody:
    """A pipeline that sees no face."""

    def process(self, frame: Frame) -> FrameResult:
        return FrameResult.of(frame, ())


def pushed(source: PushSource, count: int) -> threading.Thread:
    """A thread that pushes so many numbered pictures, 1/10 s apart from second 5 on, and closes the source."""

    def work() -> None:
        for i in range(count):
            if not source.push(numbered(i), 5.0 + i / 10):
                return
        source.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_frames_that_are_not_live_all_arrive_in_order(tmp_path: Path) -> None:
    source = PushSource(160, 96, 10, live=False)
    thread = pushed(source, 50)
    with VideoSink(tmp_path / "a.mp4", source.info) as sink:
        assert process_stream(source, Nobody(), [sink]).frames == 50
    thread.join(10)
    assert source.dropped == 0
    with open_source(tmp_path / "a.mp4") as film:
        frames = list(film)
    assert [number_of(frame.image) for frame in frames] == list(range(50))
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in range(50)], abs=1e-3)


def test_pushing_waits_for_the_reader() -> None:
    source, count = PushSource(live=False), itertools.count()
    accepted = 0

    def work() -> None:
        nonlocal accepted
        while source.push(numbered(0), next(count)):
            accepted += 1

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: accepted == 4)
    for _ in range(3):
        next(source)
    until(lambda: accepted == 7)
    with source:
        pass
    thread.join(10)
    assert not thread.is_alive()
    assert accepted == 7
    assert list(source) == []


def test_live_frames_are_dropped_but_for_the_newest() -> None:
    with PushSource() as source:
        for i in range(10):
            assert source.push(numbered(i), i)
        frame = next(source)
        assert (frame.index, frame.time, number_of(frame.image)) == (9, 9.0, 9)
        assert source.dropped == 9
        assert source.info.live


def test_frames_that_wait_are_read_after_close() -> None:
    source = PushSource(live=False)
    for i in range(3):
        source.push(numbered(i), i)
    source.close()
    assert source.push(numbered(3), 3) is False
    assert [number_of(frame.image) for frame in source] == [0, 1, 2]
    source.close()


@pytest.mark.parametrize("live", [True, False])
def test_a_waiting_reader_sees_the_end(live: bool) -> None:
    source, seen = PushSource(live=live), []
    reader = threading.Thread(target=lambda: seen.extend(source))
    reader.start()
    source.close()
    reader.join(5)
    assert not reader.is_alive()
    assert seen == []


@pytest.mark.parametrize("end", ["close", "interrupt"])
def test_the_end_frees_a_pusher_that_waits(end: str) -> None:
    source = PushSource(live=False)
    results: list[bool] = []
    thread = threading.Thread(
        target=lambda: results.extend(source.push(numbered(0), i) for i in range(5)), daemon=True
    )
    thread.start()
    until(lambda: len(results) == 4)
    getattr(source, end)()
    thread.join(10)
    assert results == [True] * 4 + [False]


def test_the_array_may_be_used_again() -> None:
    image = numbered(1)
    with PushSource() as source:
        source.push(image, 0)
        image[:] = 0
        assert number_of(next(source).image) == 1


def test_without_times_arrival_counts() -> None:
    with PushSource(live=False) as source:
        for _ in range(4):
            source.push(numbered(0))
        frames = list(itertools.islice(source, 4))
    assert frames[0].time == 0.0
    assert all(0 < b.time - a.time < 10 for a, b in itertools.pairwise(frames))


def test_the_size_is_given_or_taken_from_the_first_frame() -> None:
    with PushSource(fps=25) as source:
        with pytest.raises(ValueError, match="size of the frames is not known"):
            source.info  # noqa: B018
        source.push(numbered(0), 0)
        assert (source.info.width, source.info.height, source.info.fps) == (160, 96, 25)
        source.push(numbered(0, 80, 48), 1)
        assert next(source).picture.size == (80, 48)
        assert source.info.width == 160
    assert PushSource(3, 2, name="mine").info.name == "mine"


@pytest.mark.parametrize(
    ("image", "time", "said"),
    [
        (np.zeros((4, 4), np.uint8), 1.0, "shape"),
        (np.zeros((4, 4, 3), np.float32), 1.0, "float32"),
        ("a.png", 1.0, "str"),
        (numbered(0), float("nan"), "nan"),
        (numbered(0), float("inf"), "inf"),
        (numbered(0), 0.0, "after the last frame's 0.0"),
        (numbered(0), -1.0, "after the last frame's 0.0"),
    ],
)
def test_what_is_no_frame_is_refused_and_the_source_goes_on(image: Any, time: float, said: str) -> None:
    with PushSource(live=False) as source:
        source.push(numbered(0), 0.0)
        with pytest.raises(ValueError, match=said):
            source.push(image, time)
        source.push(numbered(1), 0.5)
        assert [next(source).index, next(source).index] == [0, 1]


@pytest.mark.parametrize(
    "options", [{"width": 5}, {"height": 5}, {"width": 0, "height": 4}, {"fps": 0}, {"fps": float("nan")}]
)
def test_options_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        PushSource(**options)


def test_a_buffer_with_rows_farther_apart_or_turned_is_taken() -> None:
    wide = np.zeros((96, 200, 3), np.uint8)
    wide[:, :160] = numbered(5)
    with PushSource(live=False) as source:
        source.push(wide[:, :160], 0)
        source.push(wide[:, 159::-1][:, ::-1], 1)
        assert [number_of(next(source).image) for _ in range(2)] == [5, 5]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"width": "a", "height": "b"}, "width is 'a', expected a whole number of pixels, or None"),
        ({"width": 64, "height": 4.5}, "height is 4.5"),
        ({"fps": "30"}, "fps is '30', expected a number, or None"),
    ],
)
def test_arguments_of_another_kind_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        PushSource(**given)
