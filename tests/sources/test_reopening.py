"""Live sources that are lost and opened again."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import MjpegServer, number_of, numbered, until
from streams import RtspCamera, served

from fkp_live.errors import FkpError, InputError, SourceLostError, UsageError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources import camera, container, live, open_source, reopening
from fkp_live.sources.reopening import Reopening
from fkp_live.sources.source import Frames, Opened, OpenedSource
from fkp_live.types import Frame, SourceInfo

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    made = FakeTime()
    monkeypatch.setattr(reopening, "time", made)
    return made


class Sender:
    """Makes connections: of each the number of frames and how it ends, 1/10 s a frame on the fake clock.

    An end that is an InputError is raised; None is a sender that hangs up. Where ``plan`` has an error itself, the
    connection cannot be made.
    """

    def __init__(self, clock: FakeTime, *plan: tuple[int, InputError | None] | FkpError) -> None:
        self._clock, self._plan = clock, [*plan]
        self.closed = 0
        self.size, self.live = (160, 96), True

    def connect(self) -> Opened:
        step = self._plan.pop(0) if self._plan else InputError("there is nobody.")
        if isinstance(step, FkpError):
            raise step
        return Opened(SourceInfo("sender", *self.size, live=self.live), self._frames(*step))

    def _frames(self, count: int, end: InputError | None) -> Frames:
        begun, width, height = self._clock.now, *self.size
        try:
            for index in range(count):
                picture = BgrPicture(np.zeros((height, width, 3), np.uint8))
                yield Frame(picture, index, self._clock.now - begun, self._clock.now)
                self._clock.now += 0.1
            if end is not None:
                raise end
        finally:
            self.closed += 1


def opened(sender: Sender, seconds: float | None, lines: list[str] | None = None) -> tuple[Opened, Reopening]:
    lost = Reopening(sender.connect(), sender.connect, seconds, ([] if lines is None else lines).append)
    return lost.whole(), lost


PULLED = InputError("The cable was pulled.", "Put it in.")


@pytest.mark.parametrize("end", [PULLED, None])
def test_index_and_time_go_on_over_a_gap(clock: FakeTime, end: InputError | None) -> None:
    sender = Sender(clock, (3, end), InputError("no"), UsageError("two of that name"), (4, end), (2, end))
    source, _ = opened(sender, 30.0)
    frames: list[Frame] = []
    with pytest.raises(SourceLostError, match="did not come back within 30 s: there is nobody"):
        frames.extend(source.frames)
    assert sender.closed == 3
    assert [frame.index for frame in frames] == list(range(9))
    assert [frame.connection for frame in frames] == [0] * 3 + [1] * 4 + [2] * 2
    gaps = np.diff([frame.time for frame in frames])
    # Three attempts and one attempt, each after half a second, and the tenth after the last frame.
    assert gaps == pytest.approx([0.1, 0.1, 1.6, 0.1, 0.1, 0.1, 0.6, 0.1])
    assert gaps == pytest.approx(np.diff([frame.arrived for frame in frames]))


def test_what_happens_is_reported_line_by_line(clock: FakeTime) -> None:
    lines: list[str] = []
    source, _ = opened(Sender(clock, (2, PULLED), (2, None)), 2.8, lines)
    frames = source.frames
    list(itertools.islice(frames, 2))
    assert (source.state(), source.note(), lines) == ("", "", [])
    next(frames)
    assert lines == ["The cable was pulled. Trying again for 2.8 s.", "sender is back after 0.6 s."]
    assert source.state() == ""
    assert source.note() == "sender was lost once, for 0.6 s"
    with pytest.raises(SourceLostError) as caught:
        list(frames)
    assert lines[2:] == ["sender closed the connection. Trying again for 2.1 s."]
    assert caught.value.exit_code == 3
    assert source.state() == "sender lost"
    clock.now += 100
    assert source.note() == "sender was lost 2 times, for 3.1 s in all"


def test_the_state_says_that_it_is_tried_again(clock: FakeTime, monkeypatch: pytest.MonkeyPatch) -> None:
    source, lost = opened(Sender(clock, (1, PULLED), (1, PULLED)), 3.0)
    states: list[str] = []
    monkeypatch.setattr(lost, "_pause", lambda seconds: states.append(source.state()))
    list(itertools.islice(source.frames, 2))
    assert states == ["sender lost, trying again"]
    assert source.state() == ""


@pytest.mark.parametrize(("seconds", "attempts"), [(0.2, 1), (2.2, 5), (30.2, 61)])
def test_it_is_tried_for_that_long(clock: FakeTime, seconds: float, attempts: int) -> None:
    sender = Sender(clock, (1, PULLED))
    made = 0
    real = sender.connect

    def connect() -> Opened:
        nonlocal made
        made += 1
        return real()

    source = Reopening(sender.connect(), connect, seconds, lambda line: None).whole()
    begun = clock.now
    with pytest.raises(SourceLostError):
        list(source.frames)
    assert made == attempts
    assert seconds <= clock.now - begun < seconds + 1.0


def test_a_source_that_comes_back_for_moments_only_is_given_up(clock: FakeTime) -> None:
    """It would go on for ever."""
    source, _ = opened(Sender(clock, *[(1, PULLED)] * 1000), 10.0)
    frames: list[Frame] = []
    with pytest.raises(SourceLostError, match="came back for moments only in 10 s"):
        frames.extend(source.frames)
    assert 10 < clock.now - 100.0 < 12
    assert len(frames) == pytest.approx(10 / 0.6, abs=2)
    assert f"was lost {len(frames)} times" in source.note()


def test_each_loss_has_its_own_time(clock: FakeTime) -> None:
    """What was back for some seconds is tried anew for as long."""
    plan = [(60, PULLED), *[InputError("no")] * 15, (60, PULLED), *[InputError("no")] * 15, (60, PULLED)]
    source, _ = opened(Sender(clock, *plan), 10.0)
    frames: list[Frame] = []
    with pytest.raises(SourceLostError, match="did not come back within 10 s: there is nobody"):
        frames.extend(source.frames)
    assert len(frames) == 180


@pytest.mark.parametrize("seconds", [0.0, None])
def test_without_retry_a_loss_is_an_error_at_once(clock: FakeTime, seconds: float | None) -> None:
    sender = Sender(clock, (1, PULLED), (1, None))
    source, _ = opened(sender, seconds)
    with pytest.raises(SourceLostError) as caught:
        list(source.frames)
    assert (caught.value.message, caught.value.hint) == (PULLED.message, PULLED.hint)
    assert clock.now == pytest.approx(100.1)


def test_a_sender_that_hangs_up_is_an_error_or_the_end(clock: FakeTime) -> None:
    source, _ = opened(Sender(clock, (1, None)), 0.0)
    with pytest.raises(SourceLostError, match="sender closed the connection"):
        list(source.frames)
    source, _ = opened(Sender(clock, (1, None)), None)
    assert len(list(source.frames)) == 1
    assert source.note() == "sender closed the connection"


def test_a_change_of_size_is_noted(clock: FakeTime) -> None:
    sender = Sender(clock, (1, PULLED), (1, PULLED))
    lines: list[str] = []
    source, _ = opened(sender, 5.0, lines)
    frames = source.frames
    next(frames)
    sender.size = (80, 48)
    assert next(frames).picture.size == (80, 48)
    assert "the picture size of sender changed from 160x96 to 80x48" in source.note()
    assert lines[-1] == "The picture size of sender changed from 160x96 to 80x48."
    assert source.info.width == 160


def test_a_broadcast_that_has_become_a_film_is_at_its_end(clock: FakeTime) -> None:
    sender = Sender(clock, (2, None), (5, None))
    source, _ = opened(sender, 5.0)
    sender.live = False
    assert len(list(source.frames)) == 2
    assert source.note() == "sender ended"
    assert source.state() == ""


def test_other_failures_are_passed_on(clock: FakeTime) -> None:
    def frames() -> Iterator[Frame]:
        raise RuntimeError("the decoder burst")
        yield

    broken = Opened(SourceInfo("sender", 1, 1, live=True), frames())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="burst"):
        list(Reopening(broken, lambda: broken, 5.0, lambda line: None).whole().frames)


@pytest.mark.parametrize("how", ["close", "interrupt", "drop"])
def test_a_consumer_that_leaves_ends_the_wait(how: str) -> None:
    """On the real clock: the pause between attempts ends soon, whoever asks."""
    sender = Sender(FakeTime(), (1, PULLED))
    lost = Reopening(sender.connect(), sender.connect, 600.0, lambda line: None)
    source = OpenedSource(lost.whole())
    next(source)
    until(lambda: source.state != "")
    begun, thread = time.monotonic(), source._thread
    if how == "close":
        source.close()
    elif how == "interrupt":
        source.interrupt()
        assert list(source) == []
        source.close()
    else:
        del source
    thread.join(5)
    assert not thread.is_alive()
    assert time.monotonic() - begun < 5


def test_who_waits_may_do_something_else_meanwhile() -> None:
    sender = Sender(FakeTime(), (1, PULLED))
    lost = Reopening(sender.connect(), sender.connect, 600.0, lambda line: None)
    with OpenedSource(lost.whole()) as source:
        assert source.ready(20)
        next(source)
        until(lambda: source.state != "")
        assert not source.ready(0.01)
        source.interrupt()
        assert source.ready(20)
        assert list(source) == []


# ----- real ones


def test_a_network_camera_that_dies_and_comes_back(mjpeg_server: Callable[..., MjpegServer]) -> None:
    lines: list[str] = []
    server = mjpeg_server(rate=60.0)
    frames: list[Frame] = []
    with open_source(server.url, retry=30, report=lines.append) as source:
        frames.extend(itertools.islice(source, 20))
        server.close()
        until(lambda: lines != [])
        assert source.state == f"{server.url} lost, trying again"
        # Another number, so that pictures of the two cannot be mixed up; smaller, which is a change of size.
        mjpeg_server(lambda i: numbered(200 + i % 50, 80, 48), rate=60.0, port=server.port)
        frames.extend(itertools.islice(source, 30))
        assert source.state == ""
        assert source.info.width == 160
    second = [frame for frame in frames if frame.connection]
    assert {frame.connection for frame in frames} == {0, 1}
    assert min(number_of(frame.image) for frame in second) >= 200
    assert all(b.index > a.index for a, b in itertools.pairwise(frames))
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))
    # The clock went on by as much as ours did.
    assert frames[-1].time - frames[0].time == pytest.approx(frames[-1].arrived - frames[0].arrived, abs=1e-3)
    assert frames[-1].index + 1 >= len(frames) + source.dropped - 1
    assert lines[0] == f"{server.url} closed the connection. Trying again for 30 s."
    assert "is back after" in lines[1]
    assert "changed from 160x96 to 80x48" in lines[2]
    assert "was lost once" in source.note


def test_a_stalled_network_camera_is_tried_again(
    mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "READ_TIMEOUT", 1.0)
    server = mjpeg_server(rate=60.0)
    lines: list[str] = []
    with open_source(server.url, retry=30, report=lines.append) as source:
        next(source)
        server.stall.set()
        until(lambda: lines != [])
        server.stall.clear()
        assert any(frame.connection for frame in itertools.islice(source, 100))
    assert "stopped sending: nothing came for 1 s" in lines[0]


def test_a_network_camera_that_does_not_come_back(mjpeg_server: Callable[..., MjpegServer]) -> None:
    server = mjpeg_server(rate=60.0)
    with open_source(server.url, retry=0.6) as source:
        next(source)
        server.close()
        with pytest.raises(SourceLostError, match=r"did not come back within 0\.6 s") as caught:
            list(source)
    assert server.url in caught.value.message


def test_rtsp_that_hangs_up_is_tried_again() -> None:
    lines: list[str] = []
    sender = RtspCamera(numbered)
    try:
        with open_source(sender.url, retry=0.6, report=lines.append) as source:
            next(source)
            sender.close()
            with pytest.raises(SourceLostError):
                list(source)
    finally:
        sender.close()
    assert "closed the connection" in lines[0]


def test_a_broadcast_in_segments_that_is_completed_is_at_its_end(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeTime
) -> None:
    import av

    playlist, segmented = tmp_path / "a.m3u8", {"hls_time": "1", "hls_flags": "omit_endlist"}
    with (
        av.open(str(make_clip(tmp_path / "a.mp4", 50, rate=25, options={"g": "25"}))) as clip,
        av.open(str(playlist), "w", format="hls", options=segmented) as output,
    ):
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    monkeypatch.setattr(live, "time", clock)
    lines: list[str] = []
    with (
        served(tmp_path) as address,
        open_source(f"{address}/a.m3u8", retry=30, report=lines.append) as source,
    ):
        assert source.info.live
        playlist.write_text(playlist.read_text() + "#EXT-X-ENDLIST\n")
        frames = list(source)
        assert {frame.connection for frame in frames} == {0}
        assert len(frames) + source.dropped == 50
        assert source.note == f"{address}/a.m3u8 ended"
    assert len(lines) == 1


class Hanging:
    """A camera that delivers so many pictures and then hangs until it is let go."""

    def __init__(self, pictures: int, let_go: threading.Event) -> None:
        self._left, self._let_go = pictures, let_go

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def get(self, what: int) -> float:
        return 0.0

    def set(self, what: int, value: float) -> bool:
        return True

    def release(self) -> None:
        pass

    def read(self) -> tuple[bool, Any]:
        self._left -= 1
        if self._left < 0:
            self._let_go.wait(30)
            return False, None
        return True, numbered(1)


@pytest.fixture
def capture_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Puts something in the place of OpenCV's cameras."""

    def put(make: Callable[[], Any]) -> None:
        monkeypatch.setattr(sys, "platform", "elsewhere")
        monkeypatch.setattr(camera.cv2, "VideoCapture", lambda *number: make())

    return put


@pytest.mark.parametrize(
    ("pictures", "said"), [(0, "opens, but delivers no picture"), (3, "nothing came for 0.3 s")]
)
def test_a_camera_that_hangs_is_given_up(
    capture_of: Callable[[Callable[[], Any]], None], monkeypatch: pytest.MonkeyPatch, pictures: int, said: str
) -> None:
    # The one that is not tried stays as long as a busy machine may need.
    monkeypatch.setattr(camera, "FIRST_PICTURE", 20.0 if pictures else 0.3)
    monkeypatch.setattr(camera, "NEXT_PICTURE", 0.3)
    monkeypatch.setattr(camera, "_LEAVING", 0.1)
    let_go = threading.Event()
    capture_of(lambda: Hanging(pictures, let_go))
    try:
        with pytest.raises(InputError, match=said), open_source(0) as source:
            list(source)
    finally:
        let_go.set()


def test_a_camera_that_is_pulled_out_and_put_back(
    make_clip: MakeClip, tmp_path: Path, capture_of: Callable[[Callable[[], Any]], None]
) -> None:
    clips = [
        make_clip(tmp_path / f"{i}.avi", [numbered(100 * i + j) for j in range(20)], codec="mjpeg")
        for i in (0, 1)
    ]
    real, lines = cv2.VideoCapture, []
    captures = iter([real(str(clips[0])), real(), real(str(clips[1]))])  # the second time it cannot be opened
    capture_of(lambda: next(captures, real()))
    numbers = {}
    with open_source("0", retry=1.2, report=lines.append) as source:
        with pytest.raises(SourceLostError, match="Camera 0 cannot be opened"):  # noqa: PT012
            for frame in source:
                numbers[frame.index] = (frame.connection, number_of(frame.image))
        assert len(numbers) + source.dropped == 40
    assert numbers[39] == (1, 119)
    assert all(number // 100 == connection for connection, number in numbers.values())
    assert [line.split(".")[0] for line in lines[::2]] == ["camera 0 stopped delivering pictures"] * 2
    assert "is back after 1" in lines[1]


@pytest.mark.parametrize(
    "asked", [{"size": (0, 5)}, {"fps": 0.0}, {"fps": float("nan")}, {"retry": -1.0}, {"retry": float("inf")}]
)
def test_nonsense_is_refused(asked: Any) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(asked))}"):
        open_source(0, **asked)


@pytest.mark.parametrize("asked", [{"size": (640, 480)}, {"fps": 30.0}])
@pytest.mark.parametrize("spec", ["none.mp4", "http://127.0.0.1:9/?token=secret", "*.png"])
def test_size_and_rate_are_asked_of_cameras_only(spec: str, asked: Any) -> None:
    with pytest.raises(UsageError, match="--size and --fps are asked of a camera") as caught:
        open_source(spec, **asked)
    assert "secret" not in str(caught.value)
