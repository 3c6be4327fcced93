"""Sound that is copied: tracks, times, and what is left out with a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written import copied, frames_in, sound_packets

from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def samples(path: Path) -> np.ndarray:
    """The first sound track, decoded, (channels, n)."""
    import av

    with av.open(str(path)) as container:
        parts = [frame.to_ndarray().reshape(-1, 2) for frame in container.decode(audio=0)]
    return np.concatenate(parts).T


def again(path: Path, out: Path, languages: list[str]) -> Path:
    """The same clip with its sound once for each of ``languages``."""
    import av

    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        picture, heard = source.streams.video[0], source.streams.audio[0]
        streams: dict[int, list[Any]] = {picture.index: [target.add_stream_from_template(picture)]}
        streams[heard.index] = [target.add_stream_from_template(heard) for _ in languages]
        for stream, language in zip(streams[heard.index], languages, strict=True):
            stream.metadata["language"] = language
        for packet in source.demux():
            if packet.dts is not None:
                pts, dts, base = packet.pts, packet.dts, packet.time_base
                for stream in streams[packet.stream.index]:
                    packet.stream = stream
                    packet.pts, packet.dts, packet.time_base = pts, dts, base
                    target.mux(packet)
    return out


@pytest.mark.parametrize("container", [".avi", ".mkv"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_pcm_without_a_channel_layout_is_copied(
    make_clip: MakeClip, tmp_path: Path, container: str, suffix: str
) -> None:
    path = make_clip(tmp_path / f"in{container}", 30, sound="pcm_s16le")
    out = tmp_path / f"out{suffix}"
    assert copied(path, out)[1] == ""
    assert np.array_equal(samples(out), samples(path))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_languages_are_kept(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    import av

    path = again(make_clip(tmp_path / "a.mp4", 30, sound="aac"), tmp_path / "in.mkv", ["eng", "ger"])
    out = tmp_path / f"out{suffix}"
    assert copied(path, out)[1] == ""
    with av.open(str(out)) as container:
        assert [stream.language for stream in container.streams.audio] == ["eng", "ger"]


def test_sound_that_does_not_fit_is_left_out_with_a_note(make_clip: MakeClip, tmp_path: Path) -> None:
    path, out = make_clip(tmp_path / "in.wmv", 10, codec="wmv2", sound="wmav2"), tmp_path / "o.mp4"
    _, note = copied(path, out)
    assert "in.wmv (wmav2)" in note
    assert sound_packets(out) == []
    assert len(frames_in(out)) == 10


def test_sound_ends_where_recordings_were_joined(make_clip: MakeClip, tmp_path: Path) -> None:
    """Pictures go on there; sound that went on unmoved would be out of step."""
    part = make_clip(tmp_path / "a.ts", 45, sound="aac").read_bytes()
    path, out = tmp_path / "in.ts", tmp_path / "out.mp4"
    path.write_bytes(part + part)
    assert "the sound ends where the clock of the file jumped back" in copied(path, out)[1]
    assert samples(out).shape[1] == pytest.approx(1.5 * 48_000, abs=5000)
    assert len(frames_in(out)) == 90


def test_sound_that_cannot_be_read_is_left_out_with_a_note(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 10, sound="aac")
    gone = "http://me:secret@127.0.0.1:9/in.mp4"  # no server listens there
    out = tmp_path / "out.mp4"
    with open_source(path) as source, VideoSink(out, source.info, audio_from=gone) as sink:
        for frame in source:
            sink.write(FrameResult.of(frame, ()), frame.picture)
    assert sink.note == "the sound of in.mp4 could not be read and was left out: Connection refused"
    assert len(frames_in(out)) == 10


def test_sound_that_an_edit_list_hides_stays_hidden_in_matroska(make_clip: MakeClip, tmp_path: Path) -> None:
    import av

    path, cut, out = (
        make_clip(tmp_path / "a.mp4", 90, sound="aac"),
        tmp_path / "cut.mp4",
        tmp_path / "out.mkv",
    )
    with av.open(str(path)) as source, av.open(str(cut), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                # As a cutter does that copies from 0.5 s on: what begins before 0 is written, and hidden.
                moved = round(0.5 / packet.time_base)
                packet.pts, packet.dts = packet.pts - moved, packet.dts - moved
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    with av.open(str(cut)) as container:
        assert sum(bool(packet.is_discard) for packet in container.demux(audio=0)) > 15
    copied(cut, out)
    with av.open(str(out)) as container:
        assert container.start_time is not None
        assert container.start_time / 1e6 > -0.11


def test_a_track_that_appears_in_the_middle_ends_nothing(make_clip: MakeClip, tmp_path: Path) -> None:
    def part(name: str, begin: int) -> Path:
        pts = range(30 * begin, 30 * begin + 30)
        return make_clip(tmp_path / name, 30, pts=pts, sound="aac", sound_start=float(begin))

    parts = [part("a.ts", 0), again(part("b.ts", 1), tmp_path / "bb.ts", ["eng", "ger"]), part("c.ts", 2)]
    # Null packets between them: FFmpeg looks at the beginning and at the end of a file when it opens it.
    padding = bytes([0x47, 0x1F, 0xFF, 0x10, *[0xFF] * 184]) * 40_000
    path = tmp_path / "in.ts"
    path.write_bytes(padding.join(part.read_bytes() for part in parts))
    assert copied(path, tmp_path / "out.mp4")[1] == ""
    assert samples(tmp_path / "out.mp4").shape[1] > 2.8 * 48_000
