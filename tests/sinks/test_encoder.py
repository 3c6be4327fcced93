"""The encoder: a file that is cut off plays, a finished one is ordinary, failures reach the caller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import number_of, numbered
from written import (
    frames_in,
    info,
    names,
    numbered_picture,
    partial,
    result_of,
    sound_packets,
    write_numbered,
)

from fkp_live.errors import OutputError
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


class Watched:
    """The encoder's stream; ``before(number)`` is called before each picture is encoded, in the encoder's thread."""

    def __init__(self, sink: VideoSink, before: Callable[[int], None]) -> None:
        self._stream, self._before, self._number = sink._encoder._stream, before, 0
        sink._encoder._stream = self  # type: ignore[assignment]

    def encode(self, picture: Any) -> Any:
        if picture is not None:
            self._before(self._number)
            self._number += 1
        return self._stream.encode(picture)


def boxes(path: Path) -> list[str]:
    """Kinds of an MP4 file's top-level boxes."""
    data, kinds, at = path.read_bytes(), [], 0
    while at < len(data):
        kinds.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    return kinds


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_file_cut_off_in_the_middle_plays_and_a_finished_one_is_ordinary(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path = make_clip(tmp_path / "in.mp4", [numbered(i % 256) for i in range(350)], sound="aac")
    out, cut = tmp_path / f"o{suffix}", tmp_path / f"cut{suffix}"

    def copy(number: int) -> None:
        if number == 340:
            cut.write_bytes(partial(out).read_bytes())  # what a power cut would leave

    with open_source(path) as source, VideoSink(out, source.info, audio_from=path) as sink:
        Watched(sink, copy)
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
    with open_source(cut) as source:
        read = [(number_of(f.image), f.time) for f in source]
    # From key frame to key frame: at most 250 pictures are in the making.
    assert len(read) >= 250
    assert [number for number, _ in read] == [i % 256 for i in range(len(read))]
    assert [seconds for _, seconds in read] == pytest.approx(np.arange(len(read)) / 30, abs=1e-3)
    heard = [p for p, _ in sound_packets(cut)]
    assert len(heard) > 350
    assert heard == [p for p, _ in sound_packets(path)][: len(heard)]
    if suffix != ".mkv":
        assert sorted({*boxes(out)} - {"free", "wide"}) == ["ftyp", "mdat", "moov"]


def test_no_room_for_the_index_in_the_end_leaves_a_file_that_plays(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    with VideoSink(tmp_path / "whole.mp4", info()) as whole:
        write_numbered(whole, 100)
    sink = VideoSink(tmp_path / "o.mp4", info())
    write_numbered(sink, 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "whole.mp4").stat().st_size - 100, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            sink.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sink.kept == tmp_path / "o.partial.mp4"
    assert [number_of(f.image) for f in frames_in(sink.kept)] == list(range(100))


def test_a_failing_encoder_raises_in_the_caller(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 5:
            raise RuntimeError("the encoder broke")

    sink = VideoSink(tmp_path / "o.mp4", info())
    Watched(sink, fail)
    with pytest.raises(OutputError, match="the encoder broke"):
        write_numbered(sink, 100)
    sink.abort()
    assert names(tmp_path) == ["o.partial.mp4"]


def test_a_failure_behind_the_last_write_raises_in_close(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise RuntimeError("the encoder broke")

    sink = VideoSink(tmp_path / "o.mp4", info())
    Watched(sink, fail)
    write_numbered(sink, 2)
    with pytest.raises(OutputError, match="the encoder broke"):  # noqa: PT012
        sink.write(result_of(2), numbered_picture(2))
        sink.close()
    assert not (tmp_path / "o.mp4").exists()


def test_ctrl_c_while_the_file_is_finished_is_raised_once_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = VideoSink(tmp_path / "o.mp4", info())
    write_numbered(sink, 5)
    thread, join = sink._encoder._thread, sink._encoder._thread.join
    interrupts = [KeyboardInterrupt(), KeyboardInterrupt()]

    def interrupted() -> None:
        if interrupts:
            raise interrupts.pop()
        join()

    monkeypatch.setattr(thread, "is_alive", lambda: bool(interrupts) or type(thread).is_alive(thread))
    monkeypatch.setattr(thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sink.close()
    assert not interrupts
    assert [number_of(f.image) for f in frames_in(tmp_path / "o.mp4")] == list(range(5))
    assert names(tmp_path) == ["o.mp4"]
