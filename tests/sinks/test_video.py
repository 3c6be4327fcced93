"""The video sink: pictures, their size and colour, timestamps and sound of the file that comes out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import number_of, numbered
from written import (
    copied,
    frames_in,
    info,
    names,
    numbered_picture,
    result_of,
    sound_packets,
    write_numbered,
    write_picture,
)

from fkp_live.errors import OutputError
from fkp_live.sinks import VideoSink
from fkp_live.sinks import encoder as encoders
from fkp_live.sources import open_source
from fkp_live.types import FrameResult, Image

MakeClip = Callable[..., Path]
SUFFIXES = [".mp4", ".mov", ".mkv"]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def coded_as(path: Path) -> tuple[str, str]:
    """Codec and pixel format of the pictures."""
    import av

    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        return context.name, str(context.pix_fmt)


def origin_of(path: Path) -> float:
    """Where a player begins."""
    with open_source(path) as source:
        return source.info.origin


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_video_keeps_pictures_times_and_sound(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / "in.mp4", 60, sound="aac")
    out = tmp_path / f"out{suffix}"
    written, note = copied(path, out)
    assert note == ""
    read = frames_in(out)
    assert [number_of(f.image) for f in read] == list(range(60))
    assert [f.time for f in read] == pytest.approx([f.time for f in written], abs=1e-3)
    before, after = sound_packets(path), sound_packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)
    assert coded_as(out) == ("h264", "yuv420p")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("first", "sound_start"), [(0, 0.7), (30_000, 0.0), (12_345, 0.25)])
def test_uneven_rate_and_late_starts_stay_in_step_with_the_sound(
    make_clip: MakeClip, tmp_path: Path, suffix: str, first: int, sound_start: float
) -> None:
    steps = np.random.default_rng(0).integers(300, 4000, 40)
    pts = [first + int(s) for s in np.cumsum(steps) - steps[0]]
    base = Fraction(1, 30_000)
    path = make_clip(tmp_path / "in.mp4", 40, pts=pts, time_base=base, sound="aac", sound_start=sound_start)
    out = tmp_path / f"out{suffix}"
    copied(path, out)
    read = frames_in(out)
    begin = origin_of(path)
    assert [f.time for f in read] == pytest.approx([float(p * base) - begin for p in pts], abs=1e-3)
    before, after = sound_packets(path), sound_packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t - begin for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)


def test_cut_begins_at_0_and_the_sound_is_cut_with_it(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 90, sound="aac")
    out = tmp_path / "out.mp4"
    copied(path, out, start=1.0, end=2.0)
    read = frames_in(out)
    assert [number_of(f.image) for f in read] == list(range(30, 60))
    assert [f.time for f in read] == pytest.approx(np.arange(30) / 30, abs=1e-3)
    after, before = sound_packets(out), sound_packets(path)
    wanted = [(p, t - 1.0) for p, t in before if 1.0 <= t < 2.0]
    assert [p for p, _ in after] == [p for p, _ in wanted]
    assert [t for _, t in after] == pytest.approx([t for _, t in wanted], abs=1e-3)


def test_stopping_early_stops_the_sound(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 90, sound="aac")
    out = tmp_path / "out.mp4"
    copied(path, out, max_frames=45)
    assert sound_packets(out)[-1][1] == pytest.approx(1.5, abs=0.03)
    assert sound_packets(out) == sound_packets(path)[: len(sound_packets(out))]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recording_whose_clock_is_late_begins_at_once(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path = make_clip(
        tmp_path / "in.ts", 30, pts=range(1_800_003, 1_800_033), sound="aac", sound_start=60_000.0
    )
    out = tmp_path / f"out{suffix}"
    written, note = copied(path, out)
    assert note == ""
    begin = origin_of(path)
    assert begin > 59_000
    assert [f.time for f in frames_in(out)] == pytest.approx([f.time - begin for f in written], abs=1e-3)
    before, after = sound_packets(path), sound_packets(out)
    assert [t for _, t in after] == pytest.approx([t - begin for _, t in before], abs=1e-3)
    # A broadcast's AAC has a header of seven bytes before each packet.
    assert [p for p, _ in after] == [p[7:] for p, _ in before]


@pytest.mark.parametrize(("width", "height"), [(160, 96), (161, 96), (160, 97), (161, 97), (160, 98)])
def test_size_is_kept_and_odd_sides_grow_by_one(tmp_path: Path, width: int, height: int) -> None:
    out = tmp_path / "o.mp4"
    with VideoSink(out, info(width, height)) as sink:
        for i in range(3):
            write_picture(sink, numbered(i, width, height), i, i / 30)
    with open_source(out) as source:
        frames = list(source)
    assert (source.info.width, source.info.height) == (width + width % 2, height + height % 2)
    assert [number_of(f.image[:height, :width]) for f in frames] == [0, 1, 2]
    # The row and column added repeat their neighbours instead of showing a black line.
    assert np.abs(frames[0].image[-1, -1].astype(int) - 128).max() < 12


def test_rotated_clip_comes_out_upright_without_a_flag(
    make_clip: MakeClip, tmp_path: Path, astronaut: Image
) -> None:
    stored = np.ascontiguousarray(astronaut[:256, 100:420])
    path = make_clip(tmp_path / "in.mp4", [stored] * 3, rotation=90)
    copied(path, tmp_path / "out.mp4")
    import av

    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.rotation == 0
    assert (frame.width, frame.height) == (256, 320)
    shown = frame.to_ndarray(format="bgr24").astype(int)
    assert np.abs(shown - np.rot90(stored)).mean() < 8


def test_colours_survive_reading_and_writing(make_clip: MakeClip, tmp_path: Path, astronaut: Image) -> None:
    path = make_clip(tmp_path / "in.mp4", [astronaut] * 3, options={"crf": "5"})
    with open_source(path) as source, VideoSink(tmp_path / "o.mp4", source.info, crf=5) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
    with open_source(tmp_path / "o.mp4") as again:
        difference = next(again).image.mean((0, 1)) - frame.image.mean((0, 1))
    assert np.abs(difference).max() < 3


@pytest.mark.parametrize("height", [94, 96])
def test_colours_stay_where_they_are_at_every_height(tmp_path: Path, height: int) -> None:
    picture = np.full((height, 160, 3), (200, 60, 60), np.uint8)
    picture[height // 2 :] = 60, 60, 200
    with VideoSink(tmp_path / "o.mp4", info(160, height), crf=5) as sink:
        write_picture(sink, picture)
    with open_source(tmp_path / "o.mp4") as source:
        difference = np.abs(next(source).image.astype(int) - picture).mean(2)
    assert difference.mean() < 3
    assert difference[[0, -1]].max() < 10


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (200, 2), (2, 200)])
def test_the_smallest_pictures_can_be_written(tmp_path: Path, width: int, height: int) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)
    with VideoSink(tmp_path / "o.mp4", info(width, height)) as sink:
        for i in range(3):
            write_picture(sink, picture, i, i / 25)
    with open_source(tmp_path / "o.mp4") as source:
        images = [f.image for f in source]
    assert len(images) == 3
    assert abs(images[0].mean() - 200) < 5


@pytest.mark.parametrize(("width", "height"), [(16_385, 20), (20, 16_386)])
def test_pictures_too_large_for_the_encoder_are_refused_at_once(
    tmp_path: Path, width: int, height: int
) -> None:
    with pytest.raises(OutputError, match=f"{width}x{height}.*16384") as caught:
        VideoSink(tmp_path / "o.mp4", info(width, height))
    assert caught.value.hint
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pixels_that_are_not_square_stay_so(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"o{suffix}"
    with VideoSink(out, info(pixel_aspect=Fraction(16, 11))) as sink:
        write_picture(sink, numbered(0))
    with open_source(out) as source:
        assert source.info.pixel_aspect == Fraction(16, 11)


def test_the_caller_may_paint_on_its_picture_again(tmp_path: Path) -> None:
    picture = numbered(0)
    with VideoSink(tmp_path / "o.mp4", info()) as sink:
        for i in range(40):
            picture[:] = numbered(i)
            write_picture(sink, picture, i, i / 30)
            picture[:] = 0
    with open_source(tmp_path / "o.mp4") as source:
        assert [number_of(f.image) for f in source] == list(range(40))


def test_pictures_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "o.mp4", info()) as sink:
        for i, (width, height) in enumerate([(160, 96), (320, 192), (64, 192)]):
            write_picture(sink, numbered(5, width, height), i, i / 25)
    with open_source(tmp_path / "o.mp4") as source:
        images = [f.image for f in source]
    assert [i.shape for i in images] == [(96, 160, 3)] * 3
    assert number_of(images[1]) == 5
    assert number_of(images[2][:, 64:96]) == 5  # a third of the height, in the middle, black beside it
    assert images[2][:, :56].mean() < 5


@pytest.mark.parametrize("name", ["no_face.mp4", "tiny_carphone.mp4", "vfr_face_then_none.mov"])
def test_real_clip_keeps_count_times_size_and_sound(shared: Path, tmp_path: Path, name: str) -> None:
    path, out = shared / "data" / "videos" / name, tmp_path / "out.mp4"
    written, note = copied(path, out)
    assert note == ""
    with open_source(out) as source:
        times = [f.time for f in source]
        height, width = written[0].image.shape[:2]
        assert (source.info.width, source.info.height) == (width, height)
    assert times == pytest.approx([f.time for f in written], abs=1e-3)
    before, after = sound_packets(path), sound_packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)


# defaults and limits


@pytest.mark.parametrize(
    ("given", "setting"),
    [({}, b"crf=23.0"), ({"crf": 31}, b"crf=31.0"), ({}, b"subme=2"), ({"preset": "slow"}, b"subme=8")],
)
def test_quality_and_preset(tmp_path: Path, given: dict[str, Any], setting: bytes) -> None:
    """x264 writes its settings into the first picture; veryfast is the only preset with subme=2 and one reference."""
    with VideoSink(tmp_path / "o.mkv", info(), **given) as sink:
        write_numbered(sink, 2)
    assert setting in (tmp_path / "o.mkv").read_bytes()


@pytest.mark.parametrize(
    ("width", "height", "queued"),
    [(160, 96, 16), (1920, 1080, 16), (2560, 1440, 9), (3840, 2160, 4), (7680, 4320, 4)],
)
def test_fewer_large_pictures_wait_for_the_encoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int, queued: int
) -> None:
    capacities = []

    class Recorded(encoders.Handoff[Any]):
        def __init__(self, capacity: int) -> None:
            capacities.append(capacity)
            super().__init__(capacity)

    monkeypatch.setattr(encoders, "Handoff", Recorded)
    VideoSink(tmp_path / "o.mp4", info(width, height)).abort()
    assert capacities == [queued]


def test_a_video_needs_pictures(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "o.mp4", info()) as sink, pytest.raises(ValueError, match="needs the picture"):
        sink.write(result_of(0), None)
    assert names(tmp_path) == []


def test_a_live_source_is_written_with_its_own_times_from_0_on(tmp_path: Path) -> None:
    times = [3.0, 3.02, 3.1, 3.111, 4.5]
    with VideoSink(tmp_path / "o.mp4", info(live=True)) as sink:
        for i, seconds in enumerate(times):
            write_picture(sink, numbered(i), i, seconds)
    frames = frames_in(tmp_path / "o.mp4")
    assert [number_of(f.image) for f in frames] == list(range(5))
    assert [f.time for f in frames] == pytest.approx([t - 3.0 for t in times], abs=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_times_that_are_equal_or_go_back_grow_in_the_file(tmp_path: Path, suffix: str) -> None:
    out, base = tmp_path / f"o{suffix}", Fraction(1, 10_240)
    times = [0.0, 0.04, 0.04, 0.03, 0.12, 0.1205, 0.121, 0.5]
    with VideoSink(out, info(time_base=base)) as sink:
        for i, seconds in enumerate(times):
            sink.write(result_of(i, pts=round(seconds / base), base=base), numbered_picture(i))
    frames = frames_in(out)
    assert [number_of(f.image) for f in frames] == list(range(8))
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))
    assert [f.time for f in frames] == pytest.approx(times, abs=0.013)
    assert frames[-1].time == pytest.approx(0.5, abs=6e-4)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("at", [1, 20])
def test_a_wild_time_costs_nothing_but_a_note(tmp_path: Path, suffix: str, at: int) -> None:
    out = tmp_path / f"o{suffix}"
    with VideoSink(out, info(time_base=Fraction(1, 1000))) as sink:
        for i in range(24):
            stamp = 40 * i + (30_000_000_000 if i >= at else 0)
            sink.write(result_of(i, pts=stamp, base=Fraction(1, 1000)), numbered_picture(i))
    assert "jumps forward" in sink.note
    frames = frames_in(out)
    assert [number_of(f.image) for f in frames] == list(range(24))
    assert [f.time for f in frames] == pytest.approx(np.arange(24) / 25, abs=1e-3)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_single_picture_of_a_source_of_any_rate_is_there(tmp_path: Path, suffix: str) -> None:
    with VideoSink(tmp_path / f"o{suffix}", info(fps=1e6)) as sink:
        write_numbered(sink, 1)
    assert len(frames_in(tmp_path / f"o{suffix}")) == 1
