"""Sound that is copied: tracks, times, and what is left out with a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2  # noqa: F401 before av: see docs/architecture.md
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Disposition
from written import copied, frames_in, info, sound_packets, write_numbered

from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import FrameResult

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def samples(path: Path) -> np.ndarray:
    """The first sound track, decoded, (channels, n)."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    planar = frames[0].format.is_planar
    return np.concatenate([f.to_ndarray().T if planar else f.to_ndarray().reshape(-1, 2) for f in frames]).T


Stamped = tuple[int, int]  # pts and dts of a packet


def again(
    path: Path,
    out: Path,
    languages: list[str],
    stamps: Callable[[Packet[Any]], Stamped | None] = lambda packet: (packet.pts, packet.dts),
) -> Path:
    """The same clip with its sound once for each of ``languages``.

    Parameters
    ----------
    stamps : new timestamps of each packet, None to leave it out
    """
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        picture, heard = source.streams.video[0], source.streams.audio[0]
        streams: dict[int, list[Any]] = {picture.index: [target.add_stream_from_template(picture)]}
        streams[heard.index] = [target.add_stream_from_template(heard) for _ in languages]
        for stream, language in zip(streams[heard.index], languages, strict=True):
            stream.metadata["language"] = language
        streams[heard.index][-1].disposition = Disposition.default
        for packet in source.demux():
            if packet.dts is not None and (moved := stamps(packet)) is not None:
                base = packet.time_base
                for stream in streams[packet.stream.index]:
                    packet.stream = stream
                    packet.pts, packet.dts, packet.time_base = *moved, base
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
def test_all_tracks_are_kept_with_their_language_and_the_default(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path = again(make_clip(tmp_path / "a.mp4", 30, sound="aac"), tmp_path / "in.mkv", ["eng", "ger"])
    out = tmp_path / f"out{suffix}"
    assert copied(path, out)[1] == ""
    with av.open(str(out)) as container:
        tracks = container.streams.audio
        assert [stream.language for stream in tracks] == ["eng", "ger"]
        assert [bool(stream.disposition & Disposition.default) for stream in tracks] == [False, True]


# tracks that do not fit


def test_the_note_names_a_container_that_holds_the_sound(make_clip: MakeClip, tmp_path: Path) -> None:
    path, out = make_clip(tmp_path / "in.mkv", 10, sound="wavpack"), tmp_path / "o.mp4"
    _, note = copied(path, out)
    assert note == "the sound of in.mkv (wavpack) does not fit into .mp4 and was left out; .mkv can hold it"
    assert sound_packets(out) == []
    assert len(frames_in(out)) == 10
    assert copied(path, tmp_path / "o.mkv")[1] == ""
    assert sound_packets(tmp_path / "o.mkv") == sound_packets(path)


@pytest.mark.parametrize(
    ("container", "codec", "more"),
    [
        (".avi", "pcm_mulaw", {}),
        (".mov", "pcm_alaw", {}),
        (".avi", "adpcm_ima_wav", {}),
        (".avi", "adpcm_ms", {}),
        (".wmv", "wmav2", {"codec": "wmv2"}),
    ],
)
def test_codecs_that_cannot_be_copied_to_matroska_become_pcm(
    make_clip: MakeClip, tmp_path: Path, container: str, codec: str, more: dict[str, str]
) -> None:
    path, out = make_clip(tmp_path / f"in{container}", 30, sound=codec, **more), tmp_path / "o.mkv"
    _, note = copied(path, out)
    assert note == f"the sound of in{container} ({codec}) was decoded and written as PCM"
    with av.open(str(path)) as before, av.open(str(out)) as after:
        assert after.streams.audio[0].codec_context.name == "pcm_s16le"
        assert after.streams.audio[0].rate == before.streams.audio[0].rate
        first = next(before.decode(audio=0)).time
        assert next(after.decode(audio=0)).time == pytest.approx(first, abs=1e-3)
    heard, written = samples(path), samples(out)
    if heard.dtype != np.int16:
        heard = np.clip(np.round(heard * 32768), -32768, 32767)
    # A decoder may hold the last of it back.
    assert heard.shape[1] - written.shape[1] <= 4096
    assert np.abs(written - heard[:, : written.shape[1]]).max() <= 1
    path = make_clip(tmp_path / f"in{container}", 3, sound=codec, **more)
    assert copied(path, tmp_path / "o.mp4")[1].endswith(
        "does not fit into .mp4 and was left out; .mkv can hold it"
    )


def test_a_track_that_does_not_fit_leaves_the_others(make_clip: MakeClip, tmp_path: Path) -> None:
    wave = make_clip(tmp_path / "a.mkv", 10, sound="wavpack")
    clip = make_clip(tmp_path / "b.mp4", 10, sound="aac")
    path, out = tmp_path / "in.mkv", tmp_path / "o.mp4"
    with av.open(str(clip)) as b, av.open(str(wave)) as a, av.open(str(path), "w") as target:
        packets = [p for p in (*b.demux(), *a.demux(audio=0)) if p.size]
        added = {s: target.add_stream_from_template(s) for s in (*b.streams, a.streams.audio[0])}
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            packet.stream = added[packet.stream]
            target.mux(packet)
    _, note = copied(path, out)
    assert note == "the sound of in.mkv (wavpack) does not fit into .mp4 and was left out; .mkv can hold it"
    assert len(sound_packets(out)) == len(sound_packets(clip))
    assert len(frames_in(out)) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_of_an_unknown_codec_is_left_out_with_a_note(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    path, out = make_clip(tmp_path / "in.mov", 10, sound="pcm_s16le"), tmp_path / f"o{suffix}"
    path.write_bytes(path.read_bytes().replace(b"sowt", b"zzzz"))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context is None
    _, note = copied(path, out)
    assert note == "sound of in.mov was left out: FFmpeg does not know its codec"
    assert sound_packets(out) == []
    assert len(frames_in(out)) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_sound_that_a_container_refuses_at_the_end_is_left_out_at_the_beginning(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    """A header of Opus that is missing is found only when the index of an MP4 is written."""
    path, out = make_clip(tmp_path / "in.mkv", 10, sound="libopus"), tmp_path / f"o{suffix}"
    data = path.read_bytes()
    assert b"\x63\xa2\x93OpusHead" in data
    path.write_bytes(
        data.replace(b"\x63\xa2\x93OpusHead", b"\xec\x94\x00OpusHead")
    )  # an element to be skipped
    _, note = copied(path, out)
    assert "in.mkv (opus) does not fit" in note
    assert sound_packets(out) == []
    assert len(frames_in(out)) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_sound_ends_at_a_packet_that_the_container_refuses(
    make_clip: MakeClip, tmp_path: Path, suffix: str
) -> None:
    """MP4 reads the headers of AC-3; an error there came up later, with a picture, and cost the file."""
    path, out = make_clip(tmp_path / "in.mkv", 60, sound="ac3"), tmp_path / f"o{suffix}"
    data = path.read_bytes()
    starts = [i for i in range(len(data)) if data.startswith(b"\x0b\x77", i)]
    at = next(i for i in starts if i > len(data) // 2)
    path.write_bytes(data[:at] + b"K" + data[at + 1 :])
    _, note = copied(path, out)
    assert "the sound of in.mkv is damaged at" in note
    assert 10 < len(sound_packets(out)) < len(sound_packets(path))
    assert len(frames_in(out)) == 60


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_track_without_a_packet_costs_nothing(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    """Its header cannot be written to MP4, where that of AC-3 takes what is known from packets."""

    def silent(packet: Packet[Any]) -> Stamped | None:
        return (packet.pts, packet.dts) if packet.stream.type == "video" else None

    clip = make_clip(tmp_path / "a.mkv", 10, sound="ac3")
    path, out = again(clip, tmp_path / "in.mkv", ["eng"], silent), tmp_path / f"o{suffix}"
    with VideoSink(out, info(), audio_from=path) as sink:
        write_numbered(sink, 10)
    assert ("left out" in sink.note) == (suffix != ".mkv")
    assert len(frames_in(out)) == 10


def test_a_title_in_another_encoding_costs_no_sound(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", 10, sound="aac")
    data, packets = path.read_bytes(), sound_packets(path)
    assert b"SoundHandler" in data
    path.write_bytes(data.replace(b"SoundHandler", b"S\xf6undHandler"))
    with VideoSink(tmp_path / "o.mp4", info(), audio_from=path) as sink:
        write_numbered(sink, 10)
    assert sink.note == ""
    assert sound_packets(tmp_path / "o.mp4") == packets


# where it begins and ends


def test_sound_ends_with_the_last_picture_that_was_written(make_clip: MakeClip, tmp_path: Path) -> None:
    """Also where it was the last but three of the source."""
    path, out = make_clip(tmp_path / "in.mp4", 60, sound="aac"), tmp_path / "o.mp4"
    copied(path, out, max_frames=57)
    assert sound_packets(out)[-1][1] == pytest.approx(57 / 30, abs=1024 / 48_000)
    assert sound_packets(out)[-1][1] < 57 / 30


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("pictures", [False, True])
def test_sound_ends_where_its_clock_jumps_forward(
    make_clip: MakeClip, tmp_path: Path, suffix: str, pictures: bool
) -> None:
    def jumping(packet: Packet[Any]) -> Stamped:
        seconds = packet.pts * packet.time_base
        jumps = seconds >= 1 and (pictures or packet.stream.type == "audio")
        moved = round(30_000_000 / packet.time_base) if jumps else 0
        return packet.pts + moved, packet.dts + moved

    clip = make_clip(tmp_path / "a.mp4", 60, sound="aac", options={"bf": "0"})
    path, out = again(clip, tmp_path / "in.mkv", ["eng"], jumping), tmp_path / f"o{suffix}"
    with VideoSink(out, info(), audio_from=path) as sink:
        write_numbered(sink, 60)
    assert "the sound ends where the clock of the file jumps forward" in sink.note
    assert sound_packets(out)[-1][1] == pytest.approx(1.0, abs=0.03)
    assert len(frames_in(out)) == 60


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
    def earlier(packet: Packet[Any]) -> Stamped:
        # As a cutter does that copies from 0.5 s on: what begins before 0 is written, and hidden.
        moved = round(0.5 / packet.time_base)
        return packet.pts - moved, packet.dts - moved

    path = make_clip(tmp_path / "a.mp4", 90, sound="aac")
    cut, out = again(path, tmp_path / "cut.mp4", ["eng"], earlier), tmp_path / "out.mkv"
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
