"""Damaged and truncated files."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from conftest import number_of, numbered, read
from written import copied

from fkp_live.errors import InputError
from fkp_live.sources import container, open_source, video
from fkp_live.sources.truncation import is_truncated

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.mark.parametrize("name", ["t.mp4", "t.mkv", "t.avi"])
def test_truncated_file_gives_what_it_has_then_an_error(
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


def test_damage_in_the_middle_is_skipped_and_noted(make_clip: MakeClip, tmp_path: Path) -> None:
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


def test_a_damaged_picture_in_the_middle_of_an_index_is_noted(make_clip: MakeClip, tmp_path: Path) -> None:
    # Each picture in a chunk of its own, so that the place of the next one is known.
    path = make_clip(tmp_path / "d.mp4", 12, codec="mpeg4", sound="aac", faststart=True)
    data = bytearray(path.read_bytes())
    sizes = data.index(b"stsz") + 16
    data[sizes + 8 : sizes + 12] = struct.pack(">I", len(data))  # the third picture reaches beyond the file
    path.write_bytes(data)
    with open_source(path) as source:
        assert len(list(source)) == 11
    assert source.note == "1 damaged packets of d.mp4 were skipped"


def test_a_picture_before_the_beginning_is_read(
    make_clip: MakeClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The beginning that FFmpeg names may be that of another track, or, in damaged files, of a later picture."""
    path = make_clip(tmp_path / "early.mkv", 5, rate=25)
    real = video.Container

    def named_later(*given: Any, **more: Any) -> container.Container:
        made = real(*given, **more)
        made.origin = 0.1
        return made

    monkeypatch.setattr(video, "Container", named_later)
    with open_source(path) as source:
        assert [number_of(frame.image) for frame in source] == [0, 1, 2, 3, 4]
        assert source.info.origin == 0.0
    copied(path, tmp_path / "out.mp4")
    with open_source(path, start=0.03) as source:
        assert [number_of(frame.image) for frame in source] == [4]
        assert source.info.origin == 0.1
    monkeypatch.undo()
    assert [number_of(frame.image) for frame in read(tmp_path / "out.mp4")] == [0, 1, 2, 3, 4]


FORMATS = {  # codec and sound of each; a picture is cut in half at 60 %
    "a.mkv": ("libx264", "libopus"),
    "a.webm": ("libvpx", None),
    "a.mp4": ("libx264", "aac"),
    "a.mov": ("mpeg4", None),
    "a.avi": ("mpeg4", None),
    "a.flv": ("flv1", None),
    "a.asf": ("wmv2", None),
    "a.ogg": ("libvpx", "libopus"),
    "a.y4m": ("rawvideo", None),
    "a.ivf": ("libvpx", None),
}


@pytest.mark.parametrize("name", [*FORMATS, "a.gif"])
def test_a_cut_is_seen_in_the_structure(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    if name == "a.gif":
        pictures = [PIL.Image.fromarray(numbered(i)) for i in range(20)]
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=40)
        kinds = {"gif"}
    else:
        codec, sound = FORMATS[name]
        faststart = name.endswith(("mp4", "mov"))
        make_clip(tmp_path / name, 20, codec=codec, sound=sound, rate=25, faststart=faststart)
        opened = container.Container(str(tmp_path / name), name, 1 << 28, remote=False)
        kinds = opened.kinds
        opened.close()
    data = (tmp_path / name).read_bytes()
    assert is_truncated(tmp_path / name, kinds) is False
    for length in range(len(data) // 3, len(data) - 2, max(len(data) // 40, 1)):
        (tmp_path / name).write_bytes(data[:length])
        assert is_truncated(tmp_path / name, kinds)
    for length in range(0, 200):
        (tmp_path / name).write_bytes(data[:length])
        is_truncated(tmp_path / name, kinds)  # never raises


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.flv", "a.asf", "a.ogg", "a.y4m", "a.ivf", "a.gif"])
def test_a_cut_near_the_end_is_noted_or_an_error(make_clip: MakeClip, tmp_path: Path, name: str) -> None:
    """Less than the half second that times alone may be off by."""
    if name == "a.gif":
        pictures = [PIL.Image.fromarray(numbered(i)) for i in range(20)]
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:], duration=40)
    else:
        make_clip(tmp_path / name, 20, codec=FORMATS[name][0], rate=25)
    data = (tmp_path / name).read_bytes()
    with open_source(tmp_path / name) as source:
        assert len(list(source)) == 20
        assert source.note == ""
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.87)])
    said, count = "", 0
    with open_source(tmp_path / name) as source:
        try:
            count = sum(1 for _ in source)
            said = source.note
        except InputError as error:
            said = str(error)
    assert "missing" in said or "ends" in said
    assert count <= 20


def test_a_last_picture_that_is_shown_for_long_is_no_cut(make_clip: MakeClip, tmp_path: Path) -> None:
    """Matroska keeps no duration of its last picture; a header may declare the end of what is shown."""
    path = make_clip(tmp_path / "a.mkv", 20, rate=25)
    data = path.read_bytes()
    at = data.index(b"\x44\x89\x88") + 3  # the duration, a float of 8 bytes, in milliseconds
    path.write_bytes(data[:at] + struct.pack(">d", 10_000.0) + data[at + 8 :])
    with open_source(path) as source:
        assert len(list(source)) == 20
        assert source.note == "a.mkv declares 10.00 s, but its data ends at 0.80 s"


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mkv", "libx264", None),
        ("b.mkv", "libx264", "aac"),
        ("a.webm", "libvpx", None),
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "mpeg4", None),
        ("a.ts", "libx264", None),
        ("a.flv", "libx264", None),
    ],
)
@pytest.mark.parametrize("late", [2, 500])
def test_a_clock_that_begins_late_is_no_cut(
    make_clip: MakeClip, tmp_path: Path, name: str, codec: str, sound: str | None, late: int
) -> None:
    """As in every part but the first of a recording in segments."""
    pts = range(late * 25, late * 25 + 50)
    path = make_clip(tmp_path / name, 50, rate=25, codec=codec, pts=pts, sound=sound, sound_start=late)
    with open_source(path) as source:
        assert [number_of(frame.image) for frame in source] == list(range(50))
        assert source.note == ""
        assert source.info.duration == pytest.approx(2.0, abs=0.15)
        assert source.info.frames == pytest.approx(50, abs=4)
        assert source.info.origin == pytest.approx(late, abs=1.5)
    first = read(path, start=1.0)[0]
    assert number_of(first.image) == 25
