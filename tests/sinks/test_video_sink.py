from __future__ import annotations

import csv
import itertools
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import MjpegServer, number_of, numbered

from fkp_live.errors import OutputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sinks import CsvSink, JsonlSink, VideoSink, check_output
from fkp_live.sinks.tables import CSV_COLUMNS
from fkp_live.sources import open_source
from fkp_live.types import Face, Frame, FrameResult, Image, Measures, Pose, SourceInfo

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def copy(source_path: str | Path, out: Path, sound: bool = True, **cut: Any) -> list[Frame]:
    """Source to video sink with nothing between."""
    with open_source(source_path, **cut) as source:
        audio = source.info.path if sound and source.info.has_audio else None
        frames = []
        with VideoSink(out, source.info, audio_from=audio) as sink:
            for frame in source:
                sink.write(FrameResult.of(frame, ()), frame.picture)
                frames.append(frame)
        assert sink.note == ""
    return frames


def origin_of(path: Path) -> float:
    """Where a player begins."""
    with open_source(path) as source:
        return source.info.origin


def packets(path: Path) -> list[tuple[bytes, float]]:
    """Bytes and time of every sound packet."""
    import av

    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        found: Any = container.demux(container.streams.audio[0])
        return [(bytes(p), float(p.pts * p.time_base)) for p in found if p.size]


def stream_of(path: Path) -> Any:
    import av

    with av.open(str(path)) as container:
        return container.streams.video[0]


def write_frame(sink: VideoSink, frame: Frame) -> None:
    sink.write(FrameResult.of(frame, ()), frame.picture)


def one_frame(image: Image | None = None, index: int = 0, seconds: float = 0.0) -> Frame:
    return Frame(BgrPicture(numbered(0) if image is None else image), index, seconds, 0.0)


# video


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_video_keeps_pictures_times_and_sound(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    path = make_clip(tmp_path / "in.mp4", 60, sound="aac")
    out = tmp_path / f"out{suffix}"
    written = copy(path, out)
    with open_source(out) as source:
        read = list(source)
    assert [number_of(f.image) for f in read] == list(range(60))
    assert [f.time for f in read] == pytest.approx([f.time for f in written], abs=1e-3)
    before, after = packets(path), packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []
    stream = stream_of(out)
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("first", "sound_start"), [(0, 0.7), (30_000, 0.0), (12_345, 0.25)])
def test_uneven_rate_and_late_starts_stay_in_step_with_the_sound(
    make_clip: MakeClip, tmp_path: Path, suffix: str, first: int, sound_start: float
) -> None:
    steps = np.random.default_rng(0).integers(300, 4000, 40)
    pts = [first + int(s) for s in np.cumsum(steps) - steps[0]]
    base = Fraction(1, 30_000)
    path = make_clip(tmp_path / "in.mp4", 40, pts=pts, time_base=base, sound="aac", sound_start=sound_start)
    out = tmp_path / f"out{suffix}"
    copy(path, out)
    with open_source(out) as source:
        read = list(source)
    begin = origin_of(path)
    assert [f.time for f in read] == pytest.approx([float(p * base) - begin for p in pts], abs=1e-3)
    before, after = packets(path), packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t - begin for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)


def test_cut_begins_at_0_and_the_sound_is_cut_with_it(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 90, sound="aac")
    out = tmp_path / "out.mp4"
    copy(path, out, start=1.0, end=2.0)
    with open_source(out) as source:
        read = list(source)
    assert [number_of(f.image) for f in read] == list(range(30, 60))
    assert [f.time for f in read] == pytest.approx(np.arange(30) / 30, abs=1e-3)
    after, before = packets(out), packets(path)
    wanted = [(p, t - 1.0) for p, t in before if 1.0 <= t < 2.0]
    assert [p for p, _ in after] == [p for p, _ in wanted]
    assert [t for _, t in after] == pytest.approx([t for _, t in wanted], abs=1e-3)


def test_stopping_early_stops_the_sound(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 90, sound="aac")
    out = tmp_path / "out.mp4"
    copy(path, out, max_frames=45)
    assert packets(out)[-1][1] == pytest.approx(1.5, abs=0.03)
    assert packets(out) == packets(path)[: len(packets(out))]


@pytest.mark.parametrize(("width", "height"), [(160, 96), (161, 96), (160, 97), (161, 97), (160, 98)])
def test_size_is_kept_and_odd_sides_grow_by_one(tmp_path: Path, width: int, height: int) -> None:
    info = SourceInfo("x", width, height, fps=30.0)
    out = tmp_path / "o.mp4"
    with VideoSink(out, info) as sink:
        for i in range(3):
            write_frame(sink, one_frame(numbered(i, width, height), i, i / 30))
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
    copy(path, tmp_path / "out.mp4")
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
    with VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, height, fps=25.0), crf=5) as sink:
        write_frame(sink, one_frame(picture))
    with open_source(tmp_path / "o.mp4") as source:
        difference = np.abs(next(source).image.astype(int) - picture).mean(2)
    assert difference.mean() < 3
    assert difference[[0, -1]].max() < 10


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2), (200, 2), (2, 200)])
def test_the_smallest_pictures_can_be_written(tmp_path: Path, width: int, height: int) -> None:
    picture = np.full((height, width, 3), 200, np.uint8)
    with VideoSink(tmp_path / "o.mp4", SourceInfo("x", width, height, fps=25.0)) as sink:
        for i in range(3):
            write_frame(sink, one_frame(picture, i, i / 25))
    with open_source(tmp_path / "o.mp4") as source:
        images = [f.image for f in source]
    assert len(images) == 3
    assert abs(images[0].mean() - 200) < 5


@pytest.mark.parametrize(("width", "height"), [(16_385, 20), (20, 16_386)])
def test_pictures_too_large_for_the_encoder_are_refused_at_once(
    tmp_path: Path, width: int, height: int
) -> None:
    with pytest.raises(OutputError, match=f"{width}x{height}.*16384") as caught:
        VideoSink(tmp_path / "o.mp4", SourceInfo("x", width, height))
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_pixels_that_are_not_square_stay_so(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"o{suffix}"
    with VideoSink(out, SourceInfo("x", 160, 96, fps=25.0, pixel_aspect=Fraction(16, 11))) as sink:
        write_frame(sink, one_frame())
    with open_source(out) as source:
        assert source.info.pixel_aspect == Fraction(16, 11)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_recording_whose_clock_is_late_begins_at_once(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path = make_clip(
        tmp_path / "in.ts", 30, pts=range(1_800_003, 1_800_033), sound="aac", sound_start=60_000.0
    )
    out = tmp_path / f"out{suffix}"
    written = copy(path, out)
    begin = origin_of(path)
    assert begin > 59_000
    with open_source(out) as source:
        read = [f.time for f in source]
    assert read == pytest.approx([f.time - begin for f in written], abs=1e-3)
    before, after = packets(path), packets(out)
    assert [t for _, t in after] == pytest.approx([t - begin for _, t in before], abs=1e-3)
    # A broadcast's AAC has a header of seven bytes before each packet.
    assert [p for p, _ in after] == [p[7:] for p, _ in before]


def test_the_caller_may_paint_on_its_picture_again(tmp_path: Path) -> None:
    picture = numbered(0)
    with VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, 96, fps=30.0)) as sink:
        for i in range(40):
            picture[:] = numbered(i)
            write_frame(sink, one_frame(picture, i, i / 30))
            picture[:] = 0
    with open_source(tmp_path / "o.mp4") as source:
        assert [number_of(f.image) for f in source] == list(range(40))


def test_pictures_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, 96, fps=25.0)) as sink:
        for i, (width, height) in enumerate([(160, 96), (320, 192), (64, 192)]):
            write_frame(sink, one_frame(numbered(5, width, height), i, i / 25))
    with open_source(tmp_path / "o.mp4") as source:
        images = [f.image for f in source]
    assert [i.shape for i in images] == [(96, 160, 3)] * 3
    assert number_of(images[1]) == 5
    assert number_of(images[2][:, 64:96]) == 5  # a third of the height, in the middle, black beside it
    assert images[2][:, :56].mean() < 5


def test_sound_that_does_not_fit_is_left_out_and_told(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.wmv", 10, codec="wmv2", sound="wmav2")
    with open_source(path) as source, VideoSink(tmp_path / "o.mp4", source.info, audio_from=path) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
    assert "wmav2" in sink.note
    assert packets(tmp_path / "o.mp4") == []
    with open_source(tmp_path / "o.mp4") as source:
        assert len(list(source)) == 10


def test_live_source_is_written_with_its_arrival_times(
    mjpeg_server: Callable[..., MjpegServer], tmp_path: Path
) -> None:
    out = tmp_path / "live.mp4"
    times = []
    server = mjpeg_server(rate=50.0)
    with open_source(server.url, max_frames=20) as source, VideoSink(out, source.info) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
            times.append(frame.time)
            time.sleep(0.03)
    with open_source(out) as source:
        read = [f.time for f in source]
    assert read == pytest.approx([t - times[0] for t in times], abs=1e-3)


def test_two_pictures_of_one_time_are_both_kept(tmp_path: Path) -> None:
    with VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, 96, fps=25.0)) as sink:
        for i, seconds in enumerate([0.0, 0.04, 0.04, 0.03, 0.12]):
            write_frame(sink, one_frame(numbered(i), i, seconds))
    with open_source(tmp_path / "o.mp4") as source:
        frames = list(source)
    assert [number_of(f.image) for f in frames] == [0, 1, 2, 3, 4]
    assert all(b.time > a.time for a, b in itertools.pairwise(frames))


# ends of every kind


def boxes(path: Path) -> list[str]:
    """Kinds of an MP4 file's top-level boxes."""
    data, kinds, at = path.read_bytes(), [], 0
    while at < len(data):
        kinds.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_file_cut_off_in_the_middle_plays_and_a_finished_one_is_ordinary(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path = make_clip(tmp_path / "in.mp4", [numbered(i % 256) for i in range(300)], sound="aac")
    out, cut = tmp_path / f"o{suffix}", tmp_path / f"cut{suffix}"
    with open_source(path) as source, VideoSink(out, source.info, audio_from=path) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
        deadline = time.monotonic() + 20
        while partial(out).stat().st_size < 20_000 and time.monotonic() < deadline:
            time.sleep(0.01)  # for the encoder's thread
        time.sleep(0.1)
        cut.write_bytes(partial(out).read_bytes())  # what a power cut would leave
    with open_source(cut) as source:
        found = [(number_of(f.image), f.time) for f in source]
    # From key frame to key frame: at most 250 pictures are in the making.
    assert len(found) >= 240
    assert [number for number, _ in found] == [i % 256 for i in range(len(found))]
    assert [seconds for _, seconds in found] == pytest.approx(np.arange(len(found)) / 30, abs=1e-3)
    heard = [p for p, _ in packets(cut)]
    assert len(heard) > 300
    assert heard == [p for p, _ in packets(path)][: len(heard)]
    assert sorted({*boxes(out)} - {"free", "wide"}) == ["ftyp", "mdat", "moov"]


def test_no_room_for_the_index_in_the_end_leaves_a_file_that_plays(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def filled(path: Path) -> VideoSink:
        sink = VideoSink(path, SourceInfo("x", 160, 96, fps=25.0))
        for i in range(100):
            write_frame(sink, one_frame(numbered(i), i, i / 25))
        return sink

    filled(tmp_path / "whole.mp4").close()
    sink = filled(tmp_path / "o.mp4")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "whole.mp4").stat().st_size - 100, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sink.kept == tmp_path / "o.partial.mp4"
    with open_source(sink.kept) as source:
        assert [number_of(f.image) for f in source] == list(range(100))


def writers(folder: Path) -> Iterator[tuple[Path, Callable[..., Any]]]:
    yield folder / "o.mp4", lambda p, **k: VideoSink(p, SourceInfo("x", 160, 96, fps=25.0), **k)
    yield folder / "o.csv", CsvSink
    yield folder / "o.jsonl", lambda p, **k: JsonlSink(p, {}, **k)


def partial(path: Path) -> Path:
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def test_ctrl_c_leaves_whole_files(tmp_path: Path) -> None:
    for path, make in writers(tmp_path):
        with pytest.raises(KeyboardInterrupt), make(path) as sink:  # noqa: PT012
            for i in range(7):
                sink.write(result_with_face(i), BgrPicture(numbered(i)))
            raise KeyboardInterrupt
        assert path.exists()
        assert not partial(path).exists()
    with open_source(tmp_path / "o.mp4") as source:
        assert [number_of(f.image) for f in source] == list(range(7))
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 8
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 8


def test_failure_in_the_middle_leaves_a_partial_file_and_the_old_target(tmp_path: Path) -> None:
    for path, make in writers(tmp_path):
        path.write_text("what was here before")
        with pytest.raises(ZeroDivisionError), make(path, overwrite=True) as sink:  # noqa: PT012
            for i in range(7):
                sink.write(result_with_face(i), BgrPicture(numbered(i)))
            raise ZeroDivisionError
        assert path.read_text() == "what was here before"
        assert partial(path).stat().st_size > 0
    with open_source(tmp_path / "o.partial.mp4") as source:
        assert [number_of(f.image) for f in source] == list(range(7))


def test_abort_before_the_first_frame_leaves_nothing(tmp_path: Path) -> None:
    for path, make in writers(tmp_path):
        make(path).abort()
    assert list(tmp_path.iterdir()) == []


def test_video_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, 96)).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [0, 1, 2])
def test_full_disk_ends_promptly_with_its_own_message(tmp_path: Path, which: int) -> None:
    """A limit on the file size stands in for the full disk: the same failing write, from the same place."""
    resource = pytest.importorskip("resource")
    path, make = list(writers(tmp_path))[which]
    noise = np.random.default_rng(0).integers(0, 256, (96, 160, 3), np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = make(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written") as caught:  # noqa: PT012
            for i in range(2000):
                sink.write(result_with_face(i), BgrPicture(noise))
            sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sink.abort()
    assert caught.value.exit_code == 6
    assert "disk" not in caught.value.hint  # there is room; it is the file that may not grow
    assert not path.exists()
    if path.suffix == ".mp4":
        with open_source(partial(path)) as source:
            assert next(source).image.shape == noise.shape


def test_failing_encoder_raises_in_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = VideoSink(tmp_path / "o.mp4", SourceInfo("x", 160, 96, fps=25.0))

    class Broken:
        def encode(self, picture: Any) -> None:
            raise RuntimeError("the encoder broke")

    monkeypatch.setattr(sink, "_stream", Broken())
    with pytest.raises(OutputError, match="the encoder broke"):  # noqa: PT012
        for i in range(100):
            write_frame(sink, one_frame(index=i, seconds=i / 25))
    sink.abort()
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize(("width", "height", "frames", "most"), [(160, 96, 40, 18), (3840, 2160, 10, 6)])
def test_the_encoder_s_queue_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int, frames: int, most: int
) -> None:
    sink = VideoSink(tmp_path / "o.mp4", SourceInfo("x", width, height, fps=25.0))
    gate, stream = threading.Event(), sink._stream

    class Slow:
        def encode(self, picture: Any) -> Any:
            gate.wait()
            return stream.encode(picture)

    monkeypatch.setattr(sink, "_stream", Slow())
    written: list[int] = []

    def produce() -> None:
        for i in range(frames):
            write_frame(sink, one_frame(index=i, seconds=i / 25))
            written.append(i)

    producer = threading.Thread(target=produce)
    producer.start()
    try:
        time.sleep(0.5)
        assert len(written) <= most
    finally:
        gate.set()
        producer.join(20)
        sink.close()
    with open_source(tmp_path / "o.mp4") as source:
        assert len(list(source)) == frames


# what is refused


def link(kind: str, folder: Path) -> Path:
    name = folder / f"{kind}.mp4"
    if kind == "symlink":
        name.symlink_to("in.mp4")
    elif kind == "hardlink":
        os.link(folder / "in.mp4", name)
    elif kind == "detour":
        (folder / "sub").mkdir()
        return folder / "sub" / ".." / "in.mp4"
    elif kind == "becomes the input while it is written":
        (folder / "in.mp4").rename(folder / "x.partial.mp4")
        return folder / "x.mp4"
    else:
        return folder / "in.mp4"
    return name


@pytest.mark.parametrize(
    "kind", ["itself", "symlink", "hardlink", "detour", "becomes the input while it is written"]
)
def test_output_that_is_the_input(tmp_path: Path, kind: str) -> None:
    read = tmp_path / "in.mp4"
    read.write_text("precious")
    out = link(kind, tmp_path)
    read = read if read.exists() else tmp_path / "x.partial.mp4"
    with pytest.raises(OutputError, match="input") as caught:
        check_output(out, overwrite=True, inputs=[read])
    assert caught.value.exit_code == 6
    assert read.read_text() == "precious"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder", "is a folder"),
        ("no/such/o.mp4", "There is no folder"),
        ("there.mp4", "exists already"),
        ("file.txt/o.mp4", "There is no folder"),
        ("/proc/o.mp4", "takes no files"),
        ("o.avi", r"must be one of \.mp4, \.mov, \.mkv"),
        ("o", "has no extension"),
        ("pipe.mp4", "not a regular file"),
    ],
)
def test_refused(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "there.mp4").write_text("old")
    (tmp_path / "file.txt").write_text("x")
    os.mkfifo(tmp_path / "pipe.mp4")
    name = "folder.mp4" if name == "folder" else name
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=says) as caught:
        VideoSink(tmp_path / name, SourceInfo("x", 160, 96))
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "there.mp4").read_text() == "old"


def test_two_outputs_that_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "real.csv").touch()
    (tmp_path / "link.csv").symlink_to("real.csv")
    for a, b in (
        ("a.csv", "a.csv"),
        ("./a.csv", "a.csv"),
        ("link.csv", "real.csv"),
        ("a.csv", "a.partial.csv"),
    ):
        with pytest.raises(OutputError, match="are the same file"):
            check_output(tmp_path / a, overwrite=True, others=[tmp_path / b])
    check_output(tmp_path / "a.csv", overwrite=False, others=[tmp_path / "a.jsonl"])


def test_output_through_a_link_replaces_what_the_link_means(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("far/real.csv")
    CsvSink(tmp_path / "link.csv", overwrite=True).close()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "far" / "real.csv").read_text().startswith("frame,")


# text


def face(offset: float = 0.0, **more: Any) -> Face:
    points = np.random.default_rng(0).uniform(10, 90, (68, 2)).astype(np.float32) + np.float32(offset)
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    return Face(points, np.linspace(0.5, 1.0, 68).astype(np.float32), box, 0.98765, **more)


def result_with_face(index: int) -> FrameResult:
    found = face(index, id=3, raw=face(index + 0.5).points, pose=Pose(0.1, -0.2, 0.3))
    bare = face(index + 100)
    return FrameResult.of(
        one_frame(numbered(index % 256), index, index / 25), (found, bare)[: 1 if index < 50 else 2]
    )


def test_csv_reads_back(tmp_path: Path) -> None:
    blinking = Measures(0.1234, 0.3, 0.05, True, 0.2)
    full = face(id=7, pose=Pose(pitch=0.1, yaw=-0.2, roll=0.3), measures=blinking)
    bare = face(5)
    with CsvSink(tmp_path / "o.csv") as sink:
        assert not sink.wants_picture
        sink.write(FrameResult.of(one_frame(index=0, seconds=0.0), ()), None)
        sink.write(FrameResult.of(one_frame(index=1, seconds=1001 / 30000), (full, bare)), None)
    with (tmp_path / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["frame"], r["face_id"], r["success"]) for r in rows] == [("2", "7", "1"), ("2", "1", "1")]
    assert float(rows[0]["timestamp"]) == pytest.approx(1001 / 30000, abs=1e-6)
    assert float(rows[0]["confidence"]) == pytest.approx(0.75, abs=1e-3)
    for i in range(68):
        assert float(rows[0][f"x_{i}"]) == pytest.approx(full.points[i, 0], abs=0.0051)
        assert float(rows[1][f"y_{i}"]) == pytest.approx(bare.points[i, 1], abs=0.0051)
    # OpenFace: looking up is a negative Rx, turning to the person's own right (picture's left) a positive Ry.
    assert [float(rows[0][f"pose_R{a}"]) for a in "xyz"] == [-0.1, 0.2, 0.3]
    assert [rows[0][k] for k in ("right_eye_open", "blink")] == ["0.123", "1"]
    assert [rows[1][k] for k in ("pose_Rx", "mouth_open", "blink")] == ["", "", ""]
    assert float(rows[1]["box_x1"]) == pytest.approx(bare.box[2], abs=0.0051)


def test_csv_columns_are_openface_s_first() -> None:
    xs, ys = [f"x_{i}" for i in range(68)], [f"y_{i}" for i in range(68)]
    openface = ["frame", "face_id", "timestamp", "confidence", "success", "pose_Rx", "pose_Ry", "pose_Rz"]
    assert list(CSV_COLUMNS[:144]) == openface + xs + ys
    assert len(set(CSV_COLUMNS)) == len(CSV_COLUMNS)


def test_jsonl_reads_back(tmp_path: Path) -> None:
    full = face(
        id=7, raw=face(1).points, pose=Pose(0.1, -0.2, 0.3), measures=Measures(0.1, 0.2, 0.3, False, 0.15)
    )
    broken = face()
    broken.points[3, 1] = math.nan
    with JsonlSink(tmp_path / "o.jsonl", {"source": Path("clip.mp4"), "provider": "cpu"}) as sink:
        sink.write(FrameResult.of(one_frame(index=0, seconds=0.0), ()), None)
        sink.write(FrameResult.of(one_frame(index=1, seconds=1 / 30), (full, broken), detected=False), None)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    lines = [json.loads(x, parse_constant=refuse) for x in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert lines[0] == {"schema": "fkp-live/1", "source": "clip.mp4", "provider": "cpu"}
    assert lines[1] == {"frame": 0, "time": 0.0, "detected": True, "faces": []}
    assert lines[2]["time"] == pytest.approx(1 / 30, abs=1e-6)
    found = lines[2]["faces"][0]
    assert found["id"] == 7
    assert np.allclose(found["points"], full.points, atol=0.0051)
    assert np.allclose(found["raw"], full.points + 1, atol=0.0051)
    assert np.allclose(found["confidence"], full.confidence, atol=0.00051)
    assert found["pose"] == {"pitch": 0.1, "yaw": -0.2, "roll": 0.3}
    assert found["measures"]["blink"] is False
    assert lines[2]["faces"][1]["points"][3][1] is None
    assert max(len(str(v)) for p in found["points"] for v in p) <= 6  # rounded, not 12.34000015258789


# real clips


@pytest.mark.parametrize("name", ["no_face.mp4", "tiny_carphone.mp4", "vfr_face_then_none.mov"])
def test_real_clip_keeps_count_times_size_and_sound(shared: Path, tmp_path: Path, name: str) -> None:
    path, out = shared / "data" / "videos" / name, tmp_path / "out.mp4"
    written = copy(path, out)
    with open_source(out) as source:
        times = [f.time for f in source]
        height, width = written[0].image.shape[:2]
        assert (source.info.width, source.info.height) == (width, height)
    assert times == pytest.approx([f.time for f in written], abs=1e-3)
    before, after = packets(path), packets(out)
    assert [p for p, _ in before] == [p for p, _ in after]
    assert [t for _, t in before] == pytest.approx([t for _, t in after], abs=1e-3)


def test_demo_clip_is_small_and_moves() -> None:
    path = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"
    assert path.stat().st_size < 1_000_000
    with open_source(path) as source:
        frames = [f.image for f in source]
    assert 150 <= len(frames) <= 180
    small = [cv2.resize(f, (64, 48)).astype(int) for f in frames]
    assert min(np.abs(b - a).mean() for a, b in itertools.pairwise(small)) > 0.2
