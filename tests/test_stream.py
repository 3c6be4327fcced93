"""The loop over a stream, with sources, pipelines and sinks made for the purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ticking import Clock

from fkp_live import process_stream
from fkp_live.colour import ColourSpace
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.sinks import CsvSink
from fkp_live.stats import RunStats
from fkp_live.stream import paint_faces, settled
from fkp_live.types import Face, Frame, FrameResult, Picture

WIDTH, HEIGHT = 64, 48


def yuv() -> Yuv420Picture:
    return Yuv420Picture(np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8), ColourSpace())


def face() -> Face:
    points = np.random.default_rng(0).uniform(10, 38, (68, 2)).astype(np.float32)
    return Face(points, np.ones(68, np.float32), np.array([10, 10, 38, 38], np.float32), 1.0, 1)


class Frames:
    """A source: ``count`` frames (None: endless), each of which takes ``seconds`` to read."""

    def __init__(self, count: int | None, clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.read, self.closed = 0, False
        self._count, self._clock, self._seconds = count, clock or Clock(), seconds

    def __iter__(self) -> Iterator[Frame]:
        while self.read != self._count:
            self._clock.pass_(self._seconds)
            self.read += 1
            yield Frame(yuv(), self.read - 1, (self.read - 1) / 30, self._clock())

    def close(self) -> None:
        self.closed = True


class OneFace:
    """A pipeline that sees one face in every frame and takes ``seconds`` for it."""

    def __init__(self, clock: Clock | None = None, seconds: float = 0.0, fail_at: int | None = None) -> None:
        self._clock, self._seconds, self._fail_at = clock or Clock(), seconds, fail_at

    def process(self, frame: Frame) -> FrameResult:
        if frame.index == self._fail_at:
            raise RuntimeError("the network failed")
        self._clock.pass_(self._seconds)
        return FrameResult.of(frame, (face(),), timings={"detect": self._seconds})


class Taker:
    """A sink that keeps what it gets; each write takes ``seconds``."""

    kept: Path | None = None

    def __init__(self, wants_picture: bool = False, clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.wants_picture = wants_picture
        self.written: list[tuple[FrameResult, Picture | None]] = []
        self.ended = ""
        self._clock, self._seconds = clock or Clock(), seconds

    def write(self, result: FrameResult, picture: Picture | None) -> None:
        self._clock.pass_(self._seconds)
        self.written.append((result, picture))

    def close(self) -> None:
        self.ended += "closed"

    def abort(self) -> None:
        self.ended += "aborted"


def test_every_result_goes_to_every_sink_in_order() -> None:
    sinks = [Taker(), Taker()]
    seen: list[tuple[Frame, FrameResult]] = []
    stats = process_stream(
        Frames(5), OneFace(), sinks, on_frame=lambda frame, result, _: seen.append((frame, result))
    )
    assert [result.index for result, _ in sinks[0].written] == [0, 1, 2, 3, 4]
    assert [frame.index for frame, _ in seen] == [0, 1, 2, 3, 4]
    assert [result for result, _ in sinks[0].written] == [result for result, _ in sinks[1].written]
    assert [result for _, result in seen] == [result for result, _ in sinks[0].written]
    assert (stats.frames, stats.faces, stats.detections) == (5, 5, 5)


def test_nothing_is_painted_where_nobody_wants_pictures() -> None:
    painted: list[Picture | None] = []
    sink = Taker()
    stats = process_stream(Frames(3), OneFace(), [sink], on_frame=lambda _f, _r, p: painted.append(p))
    assert painted == [None, None, None] == [picture for _, picture in sink.written]
    assert "draw" not in stats.stages


def test_a_picture_is_painted_once_in_its_own_form_and_the_frame_stays_clean() -> None:
    one, two, plain = Taker(wants_picture=True), Taker(wants_picture=True), Taker()
    seen: list[tuple[Frame, Picture | None]] = []
    process_stream(Frames(2), OneFace(), [one, plain, two], on_frame=lambda f, _r, p: seen.append((f, p)))
    for (frame, painted), (_, first), (_, second), (_, none) in zip(
        seen, one.written, two.written, plain.written, strict=True
    ):
        assert first is second is painted
        assert none is None
        assert isinstance(painted, Yuv420Picture)
        assert isinstance(frame.picture, Yuv420Picture)
        assert np.array_equal(frame.picture.samples, yuv().samples)
        assert not np.array_equal(painted.samples, frame.picture.samples)


def test_a_painter_of_the_caller_paints_every_frame() -> None:
    mine = BgrPicture(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    painted: list[Picture | None] = []
    process_stream(
        Frames(2), OneFace(), paint=lambda frame, result: mine, on_frame=lambda _f, _r, p: painted.append(p)
    )
    assert painted == [mine, mine]


def test_paint_faces_paints_the_faces() -> None:
    (frame,) = Frames(1)
    with_face = paint_faces(frame, FrameResult.of(frame, (face(),)))
    without = paint_faces(frame, FrameResult.of(frame, ()))
    assert isinstance(with_face, Yuv420Picture)
    assert isinstance(without, Yuv420Picture)
    assert not np.array_equal(with_face.samples, yuv().samples)
    assert np.array_equal(without.samples, yuv().samples)


def test_max_frames_reads_no_frame_too_many() -> None:
    source = Frames(None)
    assert process_stream(source, OneFace(), max_frames=7).frames == 7
    assert source.read == 7


def test_max_frames_counts_this_call_alone() -> None:
    stats = RunStats()
    for _ in range(2):
        assert process_stream(Frames(None), OneFace(), max_frames=3, stats=stats) is stats
    assert stats.frames == 6


@pytest.mark.parametrize("as_event", [True, False])
def test_stop_is_looked_at_between_frames(as_event: bool) -> None:
    event, sink = threading.Event(), Taker()

    def stop_at_third(frame: Frame, result: FrameResult, painted: Picture | None) -> None:
        if frame.index == 2:
            event.set()

    process_stream(
        Frames(None), OneFace(), [sink], on_frame=stop_at_third, stop=event if as_event else event.is_set
    )
    assert len(sink.written) == 3


def test_stop_that_is_set_already_reads_nothing() -> None:
    source = Frames(None)
    assert process_stream(source, OneFace(), stop=lambda: True).frames == 0
    assert source.read == 0


def test_it_runs_in_any_thread() -> None:
    frames: list[int] = []
    worker = threading.Thread(
        target=lambda: frames.append(process_stream(Frames(4), OneFace(), [Taker(True)]).frames)
    )
    worker.start()
    worker.join(60)
    assert frames == [4]


def test_a_failure_is_raised_and_nothing_of_the_caller_s_is_closed() -> None:
    source, sink = Frames(None), Taker()
    with pytest.raises(RuntimeError, match="the network failed"):
        process_stream(source, OneFace(fail_at=2), [sink])
    assert len(sink.written) == 2
    assert not source.closed
    assert sink.ended == ""


def test_the_time_of_a_frame_is_the_sum_of_its_stages() -> None:
    clock = Clock()
    stats = process_stream(
        Frames(4, clock, 0.010),
        OneFace(clock, 0.020),
        [Taker(True, clock, 0.005)],
        on_frame=lambda *_: clock.pass_(0.001),
        stats=RunStats(clock),
    )
    totals = {name: stage.total for name, stage in stats.stages.items()}
    assert totals == pytest.approx({"read": 0.040, "detect": 0.080, "draw": 0.0, "write": 0.020})
    assert stats.elapsed == pytest.approx(4 * 0.036)
    # From its arrival on, so without the reading.
    assert stats.age.mean == pytest.approx(0.026)
    assert stats.summary().fps == pytest.approx(1 / 0.036)


def test_what_happens_between_frames_is_not_counted() -> None:
    clock = Clock()
    stats = process_stream(
        Frames(4, clock, 0.010),
        OneFace(clock, 0.020),
        between=lambda: clock.pass_(5.0),
        stats=RunStats(clock),
    )
    assert stats.elapsed == pytest.approx(4 * 0.030)
    assert stats.idle == pytest.approx(20.0)
    assert stats.age.largest == pytest.approx(0.020)
    assert max(stage.largest for stage in stats.stages.values()) == pytest.approx(0.020)


def test_settled_closes_a_sink_of_a_run_that_ends_well() -> None:
    sink = Taker()
    with settled(sink) as given:
        assert given is sink
    assert sink.ended == "closed"


@pytest.mark.parametrize(("error", "end"), [(RuntimeError, "aborted"), (KeyboardInterrupt, "closed")])
def test_settled_aborts_a_sink_of_a_run_that_fails(error: type[BaseException], end: str) -> None:
    sink = Taker()
    with pytest.raises(error), settled(sink):
        raise error
    assert sink.ended == end


def test_a_failure_names_what_was_kept(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="the network failed") as caught,
        settled(CsvSink(tmp_path / "a.csv")) as sink,
    ):
        process_stream(Frames(None), OneFace(fail_at=2), [sink])
    assert caught.value.__notes__ == [f"What was written until then is in {tmp_path / 'a.partial.csv'}."]
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial.csv"]
