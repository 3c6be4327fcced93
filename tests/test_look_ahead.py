"""Look-ahead: order, what sees a frame when, the end, and failures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fkp_live import process_stream
from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.look_ahead import LookAhead
from fkp_live.types import Frame, FrameResult, Picture

RATE = 25


def frames(count: int, size: tuple[int, int] = (8, 6), rate: float = RATE) -> Iterator[Frame]:
    for index in range(count):
        picture = BgrPicture(np.full((size[1], size[0], 3), index % 256, np.uint8))
        yield Frame(picture, index, index / rate, 0.0, index)


class Pipeline:
    """Notes which frames it processed."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def process(self, frame: Frame) -> FrameResult:
        assert frame.picture.luma[0, 0] == frame.index % 256, "the pipeline sees pictures as they came"
        self.seen.append(frame.index)
        return FrameResult.of(frame, (), timings={"detect": 0.5})


class Adding:
    """Adds to every picture, and notes how far it had seen when it did."""

    def __init__(self, more: int = 100) -> None:
        self.more, self.seen, self.ahead = more, 0, [-1]

    def see(self, frame: Frame, result: FrameResult) -> None:
        assert frame.index == result.index == self.seen
        self.seen += 1

    def apply(self, picture: Picture, result: FrameResult) -> None:
        assert isinstance(picture, BgrPicture)
        picture.pixels += np.uint8(self.more)
        self.ahead.append(self.seen - 1 - result.index)


@pytest.mark.parametrize("count", [0, 1, 3, 40])
@pytest.mark.parametrize("seconds", [0.0, 0.2, 1.0, 100.0])
def test_every_frame_comes_in_order_with_its_result_and_an_edited_copy(count: int, seconds: float) -> None:
    source = list(frames(count))
    ahead = LookAhead(source, Pipeline(), [Adding(), Adding(50)], seconds=seconds)
    got: list[tuple[int, int, int | None]] = []

    def on_frame(frame: Frame, result: FrameResult, painted: Picture | None) -> None:
        got.append((frame.index, int(frame.picture.luma[0, 0]), result.pts))
        assert (result.index, result.time) == (frame.index, frame.time)
        assert result.timings["detect"] == 0.5
        assert result.timings["edit"] >= 0.0

    stats = process_stream(ahead, ahead, on_frame=on_frame)
    assert got == [(i, (i + 150) % 256, i) for i in range(count)]
    assert stats.frames == count
    assert [frame.picture.luma[0, 0] for frame in source] == list(range(count)), (
        "the source's are as they were"
    )


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.48])
def test_the_pipeline_is_ahead_by_the_seconds_asked_for(seconds: float) -> None:
    edit = Adding()
    ahead = LookAhead(frames(60), Pipeline(), [edit], seconds=seconds)
    process_stream(ahead, ahead)
    steps = round(seconds * RATE)
    for i, found in enumerate(edit.ahead[1:]):
        # One more where the times of the frames round down.
        assert min(steps, 59 - i) <= found <= min(steps + (steps > 0), 59 - i)


def test_where_frames_are_rare_at_least_three_wait() -> None:
    edit = Adding()
    ahead = LookAhead(frames(20, rate=1.0), Pipeline(), [edit], seconds=0.5)
    process_stream(ahead, ahead)
    assert edit.ahead[1] == 3


def test_large_pictures_wait_in_smaller_numbers() -> None:
    edit = Adding()
    one = next(frames(1, size=(8000, 4000)))
    ahead = LookAhead([Frame(one.picture, i, i / 60, 0.0) for i in range(9)], _Blind(), [edit], seconds=1.0)
    next(ahead)
    assert 3 <= len(ahead._read) <= 4


class _Blind:
    def process(self, frame: Frame) -> FrameResult:
        return FrameResult.of(frame, ())


def test_a_live_source_is_read_frame_by_frame() -> None:
    read = []

    def noted() -> Iterator[Frame]:
        for frame in frames(5):
            read.append(frame.index)
            yield frame

    ahead = LookAhead(noted(), Pipeline(), [])
    for index, frame in enumerate(ahead):
        assert read == list(range(index + 1))
        ahead.process(frame)


def test_a_failure_of_the_source_comes_after_the_frames_before_it() -> None:
    def failing() -> Iterator[Frame]:
        yield from frames(7)
        raise InputError("The file ends in the middle.")

    ahead, got = LookAhead(failing(), Pipeline(), [Adding()], seconds=0.2), []

    def walk() -> None:
        for frame in ahead:
            got.append(ahead.process(frame).index)

    with pytest.raises(InputError, match="in the middle"):
        walk()
    assert got == list(range(7))
    with pytest.raises(StopIteration):
        next(ahead)


def test_a_frame_is_processed_once_and_in_its_turn() -> None:
    ahead = LookAhead(frames(5), Pipeline(), [])
    first = next(ahead)
    with pytest.raises(RuntimeError, match="not processed"):
        next(ahead)
    ahead.process(first)
    with pytest.raises(RuntimeError, match="before"):
        ahead.process(first)
    with pytest.raises(ValueError, match="seconds"):
        LookAhead([], Pipeline(), [], seconds=float("nan"))
