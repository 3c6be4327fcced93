"""Video files: every picture, upright, in its colours."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import joined, number_of, numbered, read
from streams import served

from fkp_live.colour import ColourSpace
from fkp_live.errors import InputError
from fkp_live.sources import container, open_source
from fkp_live.types import Image

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


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


def test_mirror(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "m.mp4", 5)
    for plain, mirrored in zip(read(path), read(path, mirror=True), strict=True):
        assert np.array_equal(plain.image[:, ::-1], mirrored.image)
        assert plain.pts == mirrored.pts


def test_colours_survive(make_clip: MakeClip, tmp_path: Path, astronaut: Image) -> None:
    path = make_clip(tmp_path / "c.mp4", [astronaut] * 2, options={"crf": "5"})
    image = read(path)[0].image
    assert np.abs(image.astype(int).mean((0, 1)) - astronaut.astype(int).mean((0, 1))).max() < 4


def test_a_stream_that_appears_on_the_way_costs_no_picture(make_clip: MakeClip, tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 256, (60, 96, 160, 3), np.uint8))
    silent = make_clip(tmp_path / "silent.ts", noise, options={"bf": "3", "crf": "10"})
    sound = make_clip(tmp_path / "sound.ts", 40, sound="aac", options={"bf": "3"})
    times = 6_000_000 // silent.stat().st_size + 1  # ffmpeg looks at the first 5 MB before it begins
    frames = read(joined(tmp_path / "appears.ts", *[silent] * times, sound))
    assert len(frames) == times * 60 + 40


def test_a_demuxer_that_fails_at_the_end_costs_no_picture(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PyAV does where a stream has appeared on the way, if the memory behind its list of streams is not 0."""
    opened = container._open_container

    class Stumbling:
        def __init__(self, container: Any) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self) -> Any:
            yield from itertools.takewhile(lambda packet: packet.size, self._container.demux())
            raise IndexError("list index out of range")

    monkeypatch.setattr(container, "_open_container", lambda *args: Stumbling(opened(*args)))
    path = make_clip(tmp_path / "a.ts", 40, options={"bf": "3"})
    assert [number_of(f.image) for f in read(path)] == list(range(40))


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
def test_pixel_aspect_is_that_of_the_upright_picture(
    make_clip: MakeClip, tmp_path: Path, rotation: int, aspect: str, expected: str | None
) -> None:
    options = {"sar": aspect} if aspect != "0/1" else None
    path = make_clip(tmp_path / "a.mp4", 3, rotation=rotation, options=options, codec="libx264")
    with open_source(path) as source:
        assert source.info.pixel_aspect == (Fraction(expected) if expected else None)


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


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 18), (1, 1)])
def test_turned_pictures_keep_what_their_colours_mean(
    make_clip: MakeClip, tmp_path: Path, primaries: int, transfer: int
) -> None:
    """HDR of phones: the BGR of their pictures is still BT.2020 and HLG."""
    tags = {"color_primaries": str(primaries), "color_trc": str(transfer)}
    path = make_clip(tmp_path / "a.mp4", 5, rotation=90, options=tags)
    with open_source(path) as source:
        assert source.info.colour == ColourSpace(6, primaries, transfer)


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


@pytest.mark.parametrize(("default", "expected"), [(0, 64), (1, 160), (None, 64)])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_default_of_several_tracks_is_read(
    tmp_path: Path, suffix: str, default: int | None, expected: int
) -> None:
    """A preview may come first."""
    import av
    from av.stream import Disposition

    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as output:
        tracks: list[Any] = [output.add_stream("libx264", rate=25) for _ in range(2)]
        for number, (track, width) in enumerate(zip(tracks, (64, 160), strict=True)):
            track.width, track.height, track.pix_fmt = width, width // 2, "yuv420p"
            track.disposition = Disposition.default if number == default else Disposition.original
        for index in range(5):
            for track in tracks:
                frame = av.VideoFrame.from_ndarray(numbered(index, track.width, track.height), format="bgr24")
                frame.pts = index
                output.mux(track.encode(frame))
        for track in tracks:
            output.mux(track.encode(None))
    with open_source(path) as source:
        assert source.info.width == expected
        assert len(list(source)) == 5
        number = 0 if expected == 64 else 1
        assert source.note == f"a.{suffix} has 2 picture tracks; only number {number} was read"


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "avi"])
def test_a_title_that_is_not_utf_8(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    import av

    plain, titled = (
        make_clip(tmp_path / f"plain.{suffix}", 5, options={"bf": "0"}),
        tmp_path / f"titled.{suffix}",
    )
    with av.open(str(plain)) as clip, av.open(str(titled), "w") as output:
        output.metadata["title"] = "Cafeteria"
        stream = output.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    data = titled.read_bytes()
    assert b"Cafeteria" in data
    titled.write_bytes(data.replace(b"Cafeteria", b"Caf\xe9teria"))
    assert len(read(titled)) == 5


@pytest.mark.parametrize(
    ("sizes", "note"),
    [
        ([(160, 96)] * 4, ""),
        ([(160, 96)] * 2 + [(320, 192)] * 2, "from 160x96 to 320x192 at 0.08 s"),
        (
            [(320, 192), (160, 96), (160, 96), (320, 192)],
            "from 320x192 to 160x96 at 0.04 s, from 160x96 to 320x192 at 0.12 s",
        ),
        ([(160, 96), (96, 160)] * 3, "at 0.12 s and 2 times more"),
    ],
)
def test_a_size_that_changes_midway_is_noted(tmp_path: Path, sizes: list[tuple[int, int]], note: str) -> None:
    import av

    with av.open(str(tmp_path / "a.avi"), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=25)
        (stream.width, stream.height), stream.pix_fmt = sizes[0], "yuvj420p"
        for index, (width, height) in enumerate(sizes):
            packet = av.Packet(cv2.imencode(".jpg", numbered(index, width, height))[1].tobytes())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 25)
            output.mux(packet)
    with open_source(tmp_path / "a.avi") as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(len(sizes)))
    assert [frame.picture.size for frame in frames] == sizes
    assert note in source.note
    assert source.note.startswith("the picture size of a.avi changes") == bool(note)
