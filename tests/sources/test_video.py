"""Video files: every picture, upright, in its colours."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import joined, number_of, read
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
