from __future__ import annotations

import functools
import gc
import http.server
import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import streams
from conftest import MjpegServer, number_of, numbered

from fkp_live.errors import InputError, UsageError
from fkp_live.images.yuv420 import ColourSpace
from fkp_live.sources import Source, capture, open_source
from fkp_live.sources import video as sources
from fkp_live.types import Frame, Image

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def read(spec: str | int | Path, **options: Any) -> list[Frame]:
    with open_source(spec, **options) as source:
        return list(source)


# files


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", None),
        ("a.mkv", "libx264", "libopus"),
        ("a.webm", "libvpx", None),
        ("a.avi", "mpeg4", "libmp3lame"),
        ("a.ts", "libx264", "aac"),
    ],
)
def test_file_gives_every_frame_in_order(
    make_clip: MakeClip, tmp_path: Path, name: str, codec: str, sound: str | None
) -> None:
    path = make_clip(tmp_path / name, 40, codec=codec, sound=sound, rate=25)
    with open_source(path) as source:
        frames = list(source)
        assert source.note == ""
        assert source.dropped == 0
    assert [number_of(f.image) for f in frames] == list(range(40))
    assert [f.index for f in frames] == list(range(40))
    start = frames[0].time
    # The AVI that ffmpeg writes from B-frames is itself one picture off.
    off = 0.041 if name.endswith("avi") else 1e-3
    assert np.allclose([f.time - start for f in frames], np.arange(40) / 25, atol=off)
    assert (source.info.width, source.info.height, source.info.fps) == (160, 96, 25.0)
    assert source.info.has_audio == (sound is not None)
    assert not source.info.live


def test_b_frames_in_avi_come_in_order(make_clip: MakeClip, tmp_path: Path) -> None:
    """AVI knows decoding times only, and what ffmpeg guesses from them goes back and forth."""
    path = make_clip(tmp_path / "a.avi", 40, rate=25, options={"bf": "2", "b_strategy": "0"})
    frames = read(path)
    assert [number_of(f.image) for f in frames] == list(range(40))
    assert np.diff([f.time for f in frames]) == pytest.approx(np.full(39, 0.04), abs=1e-3)


def test_uneven_rate_and_late_start_are_kept_exactly(make_clip: MakeClip, tmp_path: Path) -> None:
    pts = [4500, 5000, 9000, 9001, 30000, 31500]
    path = make_clip(tmp_path / "vfr.mp4", 6, pts=pts, time_base=Fraction(1, 30000))
    frames = read(path)
    exact = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    assert exact == [Fraction(p, 30000) for p in pts]
    assert [f.time for f in frames] == pytest.approx([p / 30000 for p in pts], abs=1e-6)


@pytest.mark.parametrize(("degrees", "hflip"), [*itertools.product((0, 90, 180, 270), (False, True))])
def test_display_matrix_is_applied(
    make_clip: MakeClip, tmp_path: Path, astronaut: Image, degrees: int, hflip: bool
) -> None:
    stored = np.ascontiguousarray(astronaut[:256, 100:420])
    path = make_clip(tmp_path / "r.mp4", [stored] * 2, rotation=degrees, hflip=hflip)
    expected = np.rot90(stored, degrees // 90)  # counter-clockwise, as the matrix is meant
    expected = expected[:, ::-1] if hflip else expected
    with open_source(path) as source:
        image = next(source).image
    assert (source.info.height, source.info.width) == expected.shape[:2] == image.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 6  # any other orientation is off by 40 and more


@pytest.mark.parametrize(
    ("start", "end", "limit", "expected"),
    [
        (None, None, None, range(0, 60)),
        (1.0, None, None, range(30, 60)),
        (None, 0.5, None, range(0, 15)),
        (0.5, 1.5, None, range(15, 45)),
        (0.51, None, 3, range(16, 19)),
        (None, None, 1, range(0, 1)),
    ],
)
@pytest.mark.parametrize("name", ["c.mp4", "c.ts"])
def test_cut(
    make_clip: MakeClip,
    tmp_path: Path,
    name: str,
    start: float | None,
    end: float | None,
    limit: int | None,
    expected: range,
) -> None:
    path = make_clip(tmp_path / name, 60, options={"g": "25"})
    with open_source(path, start=start, end=end, max_frames=limit) as source:
        frames = list(source)
    assert [number_of(f.image) for f in frames] == list(expected)
    assert frames[0].index == 0
    assert source.info.frames is not None
    assert abs(source.info.frames - len(expected)) <= 1
    if name == "c.mp4":  # a transport stream's clock does not begin at 0
        assert frames[0].time == pytest.approx(expected[0] / 30, abs=1e-3)


def test_mirror(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "m.mp4", 5)
    for plain, mirrored in zip(read(path), read(path, mirror=True), strict=True):
        assert np.array_equal(plain.image[:, ::-1], mirrored.image)
        assert plain.pts == mirrored.pts


def test_colours_survive(make_clip: MakeClip, tmp_path: Path, astronaut: Image) -> None:
    path = make_clip(tmp_path / "c.mp4", [astronaut] * 2, options={"crf": "5"})
    image = read(path)[0].image
    assert np.abs(image.astype(int).mean((0, 1)) - astronaut.astype(int).mean((0, 1))).max() < 4


# what is refused


def bad_input(kind: str, folder: Path, make_clip: MakeClip) -> str | int:
    path = folder / "in.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "random bytes":
        path.write_bytes(np.random.default_rng(0).bytes(100_000))
    elif kind == "text":
        path.write_text("no video at all\n" * 100)
    elif kind == "text named .txt":
        path = folder / "in.txt"
        path.write_text("no video at all\n" * 100)
    elif kind == "only sound":
        return str(sound_only(folder / "in.m4a"))
    elif kind == "truncated, index lost":
        path.write_bytes(make_clip(folder / "whole.mp4", 60).read_bytes()[:-3000])
    elif kind == "folder without pictures":
        (folder / "readme.txt").write_text("x")
        return str(folder)
    elif kind == "pattern without match":
        return str(folder / "*.png")
    elif kind == "damaged picture":
        path = folder / "in.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\nno")
    elif kind == "no camera":
        return 97
    elif kind == "nobody listens":
        return "http://user:secret@127.0.0.1:9/live"
    return str(path)


def sound_only(path: Path) -> Path:
    import av

    with av.open(str(path), "w", format="ipod") as output:
        stream: Any = output.add_stream("aac", rate=48000)
        for i in range(20):
            silence = np.zeros((1, 2048), np.int16)
            frame: Any = av.AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48000, i * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no file"),
        ("empty", "is empty"),
        ("random bytes", "not a video"),
        ("text", "not a video"),
        ("text named .txt", "not a video but text"),
        ("only sound", "only sound"),
        ("truncated, index lost", "not a video"),
        ("folder without pictures", "no picture in the folder"),
        ("pattern without match", "no picture in the pattern"),
        ("damaged picture", "not a picture"),
        ("no camera", "Camera 97 cannot be opened"),
        ("nobody listens", "Connection refused"),
    ],
)
def test_refused(
    kind: str, says: str, make_clip: MakeClip, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        open_source(bad_input(kind, tmp_path, make_clip))
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert "secret" not in str(caught.value)
    assert capfd.readouterr().err == ""  # no noise from the libraries beside our own sentence


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"start": -1.0}, "--start"),
        ({"end": float("nan")}, "--end"),
        ({"start": 2.0, "end": 1.0}, "greater than --start"),
        ({"max_frames": 0}, "--max-frames"),
    ],
)
def test_senseless_range(options: dict[str, Any], says: str, make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 3)
    with pytest.raises(UsageError, match=says):
        open_source(path, **options)


def test_start_behind_the_end(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match=r"lasts 1\.00 s, but --start asks for 5"):
        open_source(path, start=5)


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        ({"start": 0.98}, r"no frame in the range that --start 0\.98 leaves; the nearest is at 0\.967 s"),
        (
            {"start": 0.51, "end": 0.52},
            r"that --start 0\.51 and --end 0\.52 leaves; the nearest is at 0\.533 s",
        ),
    ],
)
def test_a_range_between_two_frames(
    make_clip: MakeClip, tmp_path: Path, cut: dict[str, float], says: str
) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    with pytest.raises(InputError, match=says) as caught:
        open_source(path, **cut)
    assert "again" not in caught.value.hint  # nothing is damaged


@pytest.mark.parametrize("name", ["t.mp4", "t.mkv", "t.avi"])
def test_truncated_file_gives_what_it_has_then_says_so(
    make_clip: MakeClip, tmp_path: Path, name: str
) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    noise = np.random.default_rng(0).integers(0, 256, (90, 96, 160, 3), np.uint8)
    noise[:, 24:72] = np.stack([numbered(i) for i in range(90)])[:, 24:72]
    whole = make_clip(
        tmp_path / f"whole_{name}", list(noise), codec=codec, sound="aac", faststart=name == "t.mp4"
    )
    path = tmp_path / name
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    assert len(read(whole)) == 90
    numbers = []
    with open_source(path) as source, pytest.raises(InputError, match="ends") as caught:  # noqa: PT012
        for frame in source:
            numbers.append(number_of(frame.image))
    # A picture that is shown early but stored late may be among the lost ones.
    assert 40 < len(numbers) <= numbers[-1] + 1 < 60
    assert len(numbers) >= numbers[-1] - 2
    assert numbers == sorted(set(numbers))
    assert caught.value.exit_code == 3


def test_damage_in_the_middle_is_passed_over_and_told(make_clip: MakeClip, tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 256, (60, 96, 160, 3), np.uint8))
    path = make_clip(tmp_path / "d.mp4", noise, faststart=True, options={"g": "10", "bf": "0"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
    assert 40 <= len(frames) < 60
    assert frames[-1].time == pytest.approx(59 / 30, abs=1e-3)
    assert "damaged" in source.note


# clocks and containers


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_parts_of_a_joined_stream_follow_each_other_in_time(make_clip: MakeClip, tmp_path: Path) -> None:
    """The clock of the second part begins anew; B-frames, which are stored out of order, are no jump."""
    part = make_clip(tmp_path / "part.ts", 40, options={"bf": "3", "g": "20"})
    with open_source(joined(tmp_path / "j.ts", part, part, part)) as source:
        frames = list(source)
        assert source.note == "the clock of j.ts jumped back 2 times; its parts were joined"
    assert [number_of(f.image) for f in frames] == [*range(40)] * 3
    assert [f.time - source.info.origin for f in frames] == pytest.approx(np.arange(120) / 30, abs=1e-3)
    exact = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    assert [float(stamp) for stamp in exact] == pytest.approx([f.time for f in frames])


@pytest.mark.parametrize("start", [0.5, 1.0, 2.0, 3.5])
def test_a_cut_of_a_joined_stream_is_where_it_is_read(
    make_clip: MakeClip, tmp_path: Path, start: float
) -> None:
    """All parts have the same times on their clocks, so a seek by them lands in any."""
    part = make_clip(tmp_path / "part.ts", 40, options={"bf": "3", "g": "20"})
    with open_source(joined(tmp_path / "j.ts", part, part, part), start=start) as source:
        first = next(source)
        assert first.time - source.info.origin == pytest.approx(start, abs=1e-3)
        assert number_of(first.image) == round(30 * start) % 40
        assert first.index == 0


def test_a_gap_in_the_clock_stays(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "gap.ts", 20, pts=[*range(10), *range(100, 110)])
    with open_source(path) as source:
        times = [frame.time for frame in source]
        assert source.note == ""
    assert times[10] - times[9] == pytest.approx(91 / 30, abs=1e-3)


def test_a_stream_that_appears_on_the_way_costs_no_picture(make_clip: MakeClip, tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 256, (60, 96, 160, 3), np.uint8))
    silent = make_clip(tmp_path / "silent.ts", noise, options={"bf": "3", "crf": "10"})
    sound = make_clip(tmp_path / "sound.ts", 40, sound="aac", options={"bf": "3"})
    times = 6_000_000 // silent.stat().st_size + 1  # ffmpeg looks at the first 5 MB before it begins
    frames = read(joined(tmp_path / "appears.ts", *[silent] * times, sound))
    assert len(frames) == times * 60 + 40


def test_a_demuxer_that_stumbles_at_the_end_costs_no_picture(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyAV does where a stream has appeared on the way, if the memory behind its list of streams is not 0."""
    opened = sources._open_container

    class Stumbling:
        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self) -> Any:
            yield from itertools.takewhile(lambda packet: packet.size, self._container.demux())
            raise IndexError("list index out of range")

    monkeypatch.setattr(sources, "_open_container", lambda *args: Stumbling(opened(*args)))
    path = make_clip(tmp_path / "a.ts", 40, options={"bf": "3"})
    assert [number_of(f.image) for f in read(path)] == list(range(40))


def test_where_a_player_begins_is_told(make_clip: MakeClip, tmp_path: Path) -> None:
    with open_source(make_clip(tmp_path / "a.ts", 5)) as source:
        assert 0.0 < source.info.origin == pytest.approx(next(source).time, abs=1e-3)
    with open_source(make_clip(tmp_path / "a.mp4", 5)) as source:
        assert source.info.origin == 0.0


@pytest.mark.parametrize(
    ("rotation", "aspect", "expected"),
    [
        (0, "16/11", "16/11"),
        (90, "16/11", "11/16"),
        (180, "16/11", "16/11"),
        (0, "1/1", None),
        (90, "0/1", None),
    ],
)
def test_oblong_pixels_are_told_as_they_are_handed_out(
    make_clip: MakeClip, tmp_path: Path, rotation: int, aspect: str, expected: str | None
) -> None:
    options = {"sar": aspect} if aspect != "0/1" else None
    path = make_clip(tmp_path / "a.mp4", 3, rotation=rotation, options=options, codec="libx264")
    with open_source(path) as source:
        assert source.info.pixel_aspect == (Fraction(expected) if expected else None)


def test_a_raw_stream_is_cut_although_it_cannot_seek(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264", 60, rate=25, options={"g": "15"})
    frames = read(path, start=0.6, end=1.0)
    assert [number_of(f.image) for f in frames] == list(range(15, 25))
    assert [f.time for f in frames] == pytest.approx(np.arange(15, 25) / 25, abs=1e-3)


def test_a_seek_that_finds_nothing_is_made_good(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Matroska files that begin before 0: after a seek they give nothing any more."""
    opened = sources._open_container

    class Spent:
        def __init__(self, container: Any) -> None:
            self._container, self._spent = container, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def seek(self, *args: Any, **options: Any) -> None:
            self._spent = True

        def demux(self) -> Any:
            return iter(()) if self._spent else self._container.demux()

    monkeypatch.setattr(sources, "_open_container", lambda *args: Spent(opened(*args)))
    path = make_clip(tmp_path / "a.mkv", 60)
    assert [number_of(f.image) for f in read(path, start=1.0)] == list(range(30, 60))


# pictures


def test_pictures(tmp_path: Path, astronaut: Image) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"p{number}.png"), numbered(number))
    (tmp_path / "notes.txt").write_text("not a picture")
    for spec in (tmp_path, tmp_path / "p*.png"):
        with open_source(spec) as source:
            frames = list(source)
        assert [number_of(f.image) for f in frames] == [1, 2, 10]
        assert [f.time for f in frames] == [0.0, 0.04, 0.08]
        assert source.info.frames == 3
        assert not source.info.live
    single = read(tmp_path / "p10.png")
    assert len(single) == 1
    assert np.array_equal(single[0].image, numbered(10))
    with pytest.raises(UsageError, match="--start"):
        open_source(tmp_path, start=1.0)


def test_damaged_picture_in_the_middle_is_named(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        cv2.imwrite(str(tmp_path / f"p{number}.png"), numbered(number))
    (tmp_path / "p2.png").write_bytes(b"no")
    with open_source(tmp_path) as source:
        assert number_of(next(source).image) == 1
        with pytest.raises(InputError, match=r"p2\.png is not a picture"):
            next(source)


# live


def test_live_stream_keeps_only_the_newest_frame(mjpeg_server: Callable[..., MjpegServer]) -> None:
    server = mjpeg_server(rate=60.0)
    with open_source(server.url) as source:
        assert source.info.live
        assert (source.info.width, source.info.height, source.info.path) == (160, 96, None)
        indices, times = [], []
        for frame in itertools.islice(source, 8):
            # What is handed out is what was sent last, give or take what is on its way.
            assert server.sent - number_of(frame.image) < 20
            indices.append(frame.index)
            times.append(frame.time)
            time.sleep(0.2)
        dropped = source.dropped
    skipped = indices[-1] - indices[0] + 1 - len(indices)
    assert skipped > 20  # 12 frames arrive while the consumer sleeps
    assert dropped >= skipped
    assert all(b > a for a, b in itertools.pairwise(times))
    with pytest.raises(UsageError, match="--end"):
        open_source(server.url, end=1.0)


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
    # because ffmpeg gives the first packet of RTP no time stamp.
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
    monkeypatch.setattr(sources, "_READ_TIMEOUT", 1.0)
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


def test_limit_of_a_live_stream_counts_what_was_handed_out(mjpeg_server: Callable[..., MjpegServer]) -> None:
    seen = 0
    with open_source(mjpeg_server(rate=60.0).url, max_frames=3) as source:
        for _ in source:
            seen += 1
            time.sleep(0.1)
    assert seen == 3
    assert source.dropped > 3


def test_stalled_stream_ends_with_a_sentence(
    mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_READ_TIMEOUT", 1.0)
    server = mjpeg_server(rate=60.0)
    with open_source(server.url) as source:
        next(source)
        server.stall.set()
        with pytest.raises(InputError, match="stopped sending: nothing came for 1 s"):
            list(source)


def test_close_frees_a_waiting_consumer(
    mjpeg_server: Callable[..., MjpegServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_READ_TIMEOUT", 2.0)
    server = mjpeg_server(rate=60.0)
    source = open_source(server.url)
    next(source)
    server.stall.set()
    consumer = threading.Thread(target=list, args=(source,))
    consumer.start()
    time.sleep(0.3)
    assert consumer.is_alive()
    source.close()
    consumer.join(5)
    assert not consumer.is_alive()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a web server on loopback that gives the files of a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_video_file_on_a_web_server_is_read_like_a_file(make_clip: MakeClip, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 45, sound="aac", faststart=True)
    with served(tmp_path) as address:
        with open_source(f"{address}/a.mp4") as source:
            time.sleep(0.3)  # a live source would drop frames meanwhile
            numbers = [number_of(f.image) for f in source]
        with pytest.raises(InputError, match="404"):
            open_source(f"{address}/none.mp4")
    assert numbers == list(range(45))
    assert not source.info.live
    assert source.info.has_audio


def test_a_stream_in_segments_is_shown_at_its_pace(make_clip: MakeClip, tmp_path: Path) -> None:
    """HLS: a second of film comes at once, and is not dropped but for its newest picture."""
    import av

    live = {"hls_time": "1", "hls_flags": "omit_endlist"}
    with (
        av.open(str(make_clip(tmp_path / "a.mp4", 75, rate=25, options={"g": "25"}))) as clip,
        av.open(str(tmp_path / "a.m3u8"), "w", format="hls", options=live) as output,
    ):
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    with served(tmp_path) as address, open_source(f"{address}/a.m3u8") as source:
        assert source.info.live
        frames = list(itertools.islice(source, 40))
        dropped = source.dropped
    assert dropped < 5
    assert np.diff([f.time for f in frames]) == pytest.approx(
        np.diff([f.index for f in frames]) / 25, abs=1e-3
    )


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 18), (1, 1)])
def test_turned_pictures_keep_what_their_colours_mean(
    make_clip: MakeClip, tmp_path: Path, primaries: int, transfer: int
) -> None:
    """HDR of phones: the BGR of their pictures is still BT.2020 and HLG."""
    tags = {"color_primaries": str(primaries), "color_trc": str(transfer)}
    path = make_clip(tmp_path / "a.mp4", 5, rotation=90, options=tags)
    with open_source(path) as source:
        assert source.info.colour == ColourSpace(6, primaries, transfer)


def test_camera_that_is_pulled_out(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No camera here: OpenCV reads a clip in its place, and the clip's end is the unplugged cable."""
    clip = make_clip(tmp_path / "camera.avi", 50, codec="mjpeg")
    real = cv2.VideoCapture
    monkeypatch.setattr(capture.sys, "platform", "elsewhere")
    monkeypatch.setattr(capture.cv2, "VideoCapture", lambda number: real(str(clip)))
    numbers = []
    with open_source("0") as source:
        assert source.info.live
        assert source.info.name == "camera 0"
        with pytest.raises(InputError, match="camera 0 stopped delivering"):  # noqa: PT012
            for frame in source:
                numbers.append(number_of(frame.image))
    assert numbers[-1] == 49
    assert len(numbers) + source.dropped == 50


# threads


def test_failing_reader_ends_the_consumer_with_its_own_message(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "a.mp4", 30)
    count = itertools.count()
    make_frame = sources._Video._frame

    def fails(self: Any, *args: Any) -> Frame:
        if next(count) == 10:
            raise RuntimeError("the eleventh picture is cursed")
        return make_frame(self, *args)

    monkeypatch.setattr(sources._Video, "_frame", fails)
    seen = 0
    with open_source(path) as source, pytest.raises(RuntimeError, match="eleventh"):  # noqa: PT012
        for _ in source:
            seen += 1
    assert seen == 10


def test_a_source_that_is_dropped_lets_go_of_its_file(make_clip: MakeClip, tmp_path: Path) -> None:
    source = open_source(make_clip(tmp_path / "a.mp4", 60))
    next(source)
    thread = source._thread
    assert thread.is_alive()
    del source
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_leaving_in_the_middle_leaves_no_thread(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 60)
    with open_source(path) as source:
        assert number_of(next(source).image) == 0
    assert list(source) == []
    open_source(path).close()


def test_cv2_is_imported_before_av() -> None:
    """``import av`` before ``import cv2`` makes cv2.imshow hang on Linux."""
    code = "import sys, fkp_live.sinks; assert 'cv2' in sys.modules; assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# real clips

CLIPS = {  # pictures that really come, and their size upright
    "group.mp4": (329, 1280, 720),
    "hand_on_face.mp4": (472, 640, 360),
    "no_face.mp4": (95, 960, 540),
    "rotated_90.mp4": (180, 720, 1280),
    "talking_head.mp4": (448, 512, 512),
    "tiny_carphone.mp4": (120, 176, 144),
    "vfr_face_then_none.mov": (169, 960, 540),
    "webcam_long.mp4": (1337, 400, 300),
}


@pytest.mark.parametrize("name", CLIPS)
def test_real_clip_is_read_cleanly_to_its_end(shared: Path, name: str) -> None:
    count, width, height = CLIPS[name]
    with open_source(shared / "data" / "videos" / name) as source:
        assert (source.info.width, source.info.height) == (width, height)
        times = []
        for frame in source:
            assert frame.image.shape == (height, width, 3)
            times.append(frame.time)
    assert len(times) == count
    assert all(b > a for a, b in itertools.pairwise(times))
    assert source.note == ""
    if name.startswith("vfr"):
        assert np.ptp(np.diff(times)) > 0.01


def test_frames_let_go_of_their_memory_by_themselves(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", 60)
    with open_source(path) as source:
        next(source)
        gc.collect()
        gc.disable()
        try:
            assert sum(1 for _ in source) == 59
            # A decoded picture in a reference cycle would wait here for the collector, with all its megabytes.
            assert gc.collect() < 30
        finally:
            gc.enable()
