"""Playlists are followed only where they are named as what they are, and never from a server to a local file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import number_of, numbered, read
from streams import served

from fkp_live.errors import InputError
from fkp_live.sources import container, open_source, playlists

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n"
PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile {0}\n",
    "hls": HLS,
    "dash": '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{0}</BaseURL></MPD>\n',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "imf": '<?xml version="1.0"?>\n<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016"/>\n',
}


@pytest.fixture
def clip(make_clip: MakeClip, tmp_path: Path) -> Path:
    return make_clip(tmp_path / "secret.ts", 5)


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a", "a.txt"])
@pytest.mark.parametrize("front", ["", "\n \n", "\ufeff"])
def test_a_playlist_in_disguise_is_refused(
    clip: Path, tmp_path: Path, kind: str, name: str, front: str
) -> None:
    (tmp_path / name).write_text(front + PLAYLISTS[kind].format("secret.ts"), encoding="utf-8")
    with pytest.raises(InputError, match=rf"is not a video but a playlist \({kind}\)") as caught:
        open_source(tmp_path / name)
    assert "name the file ." in caught.value.hint


def test_one_kind_named_as_another_is_refused(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "a.m3u8").write_text(PLAYLISTS["concat"].format("secret.ts"))
    with pytest.raises(InputError, match=r"a playlist \(concat\)"):
        open_source(tmp_path / "a.m3u8")


@pytest.mark.parametrize("kind", ["concat", "hls", "sdp"])
def test_ffmpeg_refuses_it_too(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Where the look at the first lines misses one."""
    monkeypatch.setattr(container, "check_not_a_playlist", lambda *_: None)
    (tmp_path / "a.mp4").write_text(PLAYLISTS[kind].format("secret.ts"))
    with pytest.raises(InputError, match="not a video that can be read"):
        open_source(tmp_path / "a.mp4")


@pytest.mark.parametrize(("kind", "name"), [("concat", "a.ffconcat"), ("hls", "a.m3u8"), ("hls", "A.M3U8")])
def test_a_playlist_that_is_named_as_one_is_followed(
    clip: Path, tmp_path: Path, kind: str, name: str
) -> None:
    (tmp_path / name).write_text(PLAYLISTS[kind].format("secret.ts"))
    assert [number_of(frame.image) for frame in read(tmp_path / name)] == list(range(5))


@pytest.mark.parametrize("name", ["a.m3u8", "a.ffconcat", "a.mp4"])
def test_a_server_cannot_name_a_local_file(clip: Path, tmp_path: Path, name: str) -> None:
    kind = "concat" if name.endswith("concat") else "hls"
    (tmp_path / name).write_text(PLAYLISTS[kind].format(f"file://{clip}"))
    with served(tmp_path) as address, pytest.raises(InputError):
        open_source(f"{address}/{name}")


@pytest.mark.parametrize(
    "url", ["concat://a.mp4", "pipe://0", "subfile://a.mp4", "crypto+file://a.mp4", "fd://0"]
)
def test_protocols_that_lead_to_local_files_are_refused(clip: Path, url: str) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        open_source(url.replace("a.mp4", str(clip)))


def test_a_pattern_in_the_name_of_a_picture_stands_for_itself(tmp_path: Path) -> None:
    import cv2

    for number in (1, 2, 3):
        (tmp_path / f"a{number}.jpe").write_bytes(cv2.imencode(".jpg", numbered(number))[1].tobytes())
    (tmp_path / "a%d.jpe").write_bytes(cv2.imencode(".jpg", numbered(9))[1].tobytes())
    assert [number_of(frame.image) for frame in read(tmp_path / "a%d.jpe")] == [9]


def test_formats_that_run_scripts_are_never_allowed() -> None:
    for remote in (False, True):
        allowed = playlists.limits("a.avs", remote=remote)["format_whitelist"].split(",")
        assert "mp4" in allowed
        assert not {"lavfi", "avisynth", "vapoursynth"} & set(allowed)
