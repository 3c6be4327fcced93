"""Live sources: cameras and streams."""

from __future__ import annotations

import itertools
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import streams
from conftest import MjpegServer, number_of, numbered, read, until
from streams import served

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import Source, camera, container, decoding, live, open_source
from fkp_live.sources.damage import Damage

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def test_live_stream_keeps_only_the_newest_frame(mjpeg_server: Callable[..., MjpegServer]) -> None:
    server = mjpeg_server(rate=None)
    server.send(60)
    frames = []
    with open_source(server.url) as source:
        assert source.info.live
        assert (source.info.width, source.info.height, source.info.path) == (160, 96, None)
        for taken, sent in enumerate((60, 90, 120)):
            until(lambda others=sent - 1 - taken: source.dropped == others)  # type: ignore[misc]
            frames.append(next(source))
            server.send(30)
    assert [number_of(frame.image) for frame in frames] == [59, 89, 119]
    assert [frame.index for frame in frames] == [59, 89, 119]
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))


def test_a_live_stream_cannot_be_cut(mjpeg_server: Callable[..., MjpegServer]) -> None:
    with pytest.raises(UsageError, match="--end"):
        open_source(mjpeg_server().url, end=1.0)


def follow(source: Source, count: int) -> None:
    """A live source hands out pictures in order, stamped by the sender's clock."""
    assert source.info.live
    assert (source.info.width, source.info.height, source.info.path) == (160, 96, None)
    numbers, times = [], []
    for frame in itertools.islice(source, count):
        numbers.append(number_of(frame.image))
        times.append(frame.time)
    assert all(b > a for a, b in itertools.pairwise(numbers))
    # By the camera's clock: what piled up while the stream was opened keeps its distances too. The first is left out,
    # because ffmpeg gives the first packet of RTP no timestamp.
    sent = [(number - numbers[1]) / streams.RATE for number in numbers[1:]]
    assert [moment - times[1] for moment in times[1:]] == pytest.approx(sent, abs=1e-3)


def test_rtsp_is_live_and_ends_when_the_camera_hangs_up() -> None:
    camera = streams.RtspCamera(numbered)
    try:
        with open_source(camera.url) as source:
            follow(source, 60)
            camera.hang_up()
            assert sum(1 for _ in source) < 10
    finally:
        camera.close()


def test_a_transport_stream_over_udp_is_live_until_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "READ_TIMEOUT", 1.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stop = threading.Event()
    sender = threading.Thread(target=streams.send_by_udp, args=(numbered, port, stop))
    sender.start()
    try:
        with open_source(f"udp://127.0.0.1:{port}") as source:
            follow(source, 60)
            stop.set()
            with pytest.raises(InputError, match="stopped sending: nothing came for 1 s"):
                list(source)
    finally:
        stop.set()
        sender.join()


def test_live_stream_that_ends_is_the_end(mjpeg_server: Callable[..., MjpegServer]) -> None:
    server = mjpeg_server(rate=100.0, count=60)
    frames = read(server.url)
    assert number_of(frames[-1].image) == 59


def test_limit_of_a_live_stream_counts_what_was_handed_out(
    mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "READ_TIMEOUT", 1.0)
    server = mjpeg_server(rate=None)
    server.send(60)
    with open_source(server.url, max_frames=2) as source:
        until(lambda: source.dropped == 59)
        next(source)
        server.send(1)
        assert len(list(source)) == 1
    assert source.dropped == 59


def test_stalled_stream_ends_with_a_message(
    mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "READ_TIMEOUT", 1.0)
    server = mjpeg_server(rate=60.0)
    with open_source(server.url) as source:
        next(source)
        server.stall.set()
        with pytest.raises(InputError, match="stopped sending: nothing came for 1 s"):
            list(source)


@pytest.fixture
def waiting(mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """A live source from which no more frames come."""
    monkeypatch.setattr(container, "READ_TIMEOUT", 3.0)
    server = mjpeg_server(rate=None)
    server.send(60)
    source = open_source(server.url)
    until(lambda: source.dropped == 59)
    next(source)
    yield source
    source.close()


def test_close_frees_a_waiting_consumer(waiting: Source) -> None:
    consumer = threading.Thread(target=list, args=(waiting,))
    consumer.start()
    waiting.close()
    consumer.join(1)
    assert not consumer.is_alive()


def test_interrupt_ends_the_iteration_and_closing_is_quick(waiting: Source) -> None:
    consumer = threading.Thread(target=list, args=(waiting,))
    consumer.start()
    waiting.interrupt()
    consumer.join(1)
    assert not consumer.is_alive()
    begun = time.monotonic()
    waiting.close()
    assert time.monotonic() - begun < 2.0  # of the 3 s that the stalled stream takes


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")
def test_interrupt_in_a_signal_handler(waiting: Source) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: waiting.interrupt())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert list(waiting) == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


class FakeTime:
    """A clock that only sleeping moves."""

    now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_stream_in_segments_is_shown_at_its_pace(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HLS: a second of film comes at once, and is not dropped but for its newest picture."""
    import av

    segmented = {"hls_time": "1", "hls_flags": "omit_endlist"}
    with (
        av.open(str(make_clip(tmp_path / "a.mp4", 75, rate=25, options={"g": "25"}))) as clip,
        av.open(str(tmp_path / "a.m3u8"), "w", format="hls", options=segmented) as output,
    ):
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    monkeypatch.setattr(live, "time", FakeTime())
    with served(tmp_path) as address:
        opened = container.Container(f"{address}/a.m3u8", "a.m3u8", 1 << 28, remote=True)
        assert opened.live
        generator = live.live_frames(opened, Damage(opened), decoding.Converter())
        frames = list(itertools.islice(generator, 40))
        generator.close()
    assert [number_of(frame.image) for frame in frames] == list(range(40))
    assert np.diff([frame.time for frame in frames]) == pytest.approx(np.full(39, 0.04), abs=1e-3)
    assert np.diff([frame.arrived for frame in frames]) == pytest.approx(np.full(39, 0.04), abs=1e-3)


def test_camera_that_is_pulled_out(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No camera here: OpenCV reads a clip in its place, and the clip's end is the unplugged cable."""
    clip = make_clip(tmp_path / "camera.avi", 50, codec="mjpeg")
    real = cv2.VideoCapture
    monkeypatch.setattr(sys, "platform", "elsewhere")
    monkeypatch.setattr(camera.cv2, "VideoCapture", lambda number: real(str(clip)))
    numbers = []
    with open_source("0") as source:
        assert source.info.live
        assert source.info.name == "camera 0"
        with pytest.raises(InputError, match="camera 0 stopped delivering"):  # noqa: PT012
            for frame in source:
                numbers.append(number_of(frame.image))
    assert numbers[-1] == 49
    assert len(numbers) + source.dropped == 50
