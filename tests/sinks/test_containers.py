"""What a muxer wrote is checked: at its first bytes, and before the file gets its final name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from written import info, names, numbered_picture, partial, result_of, write_numbered

from fkp_live.errors import OutputError
from fkp_live.sinks import VideoSink
from fkp_live.sinks.containers import MUXER_OPTIONS

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]
SUFFIXES = [".mp4", ".mov", ".mkv"]


class Misbehaving:
    """A container that damages its file when it is closed, without an error."""

    def __init__(self, sink: VideoSink, path: Path, front: bytes) -> None:
        self._container, self._path, self._front = sink._encoder._container, path, front
        sink._encoder._container = self  # type: ignore[assignment]

    def mux(self, packets: Any) -> None:
        self._container.mux(packets)

    def close(self) -> None:
        self._container.close()
        with self._path.open("r+b") as file:
            file.write(self._front)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_muxer_that_writes_no_file_type_is_refused_before_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """As FFmpeg 8.0 does with a delayed header."""
    monkeypatch.setitem(MUXER_OPTIONS, suffix[1:], {"movflags": "delay_moov+frag_keyframe"})
    with pytest.raises(OutputError, match=f"would not write a {suffix} that plays") as caught:
        VideoSink(tmp_path / f"o{suffix}", info())
    assert "17.1" in caught.value.hint
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_finished_file_that_cannot_be_opened_keeps_its_partial_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"o{suffix}"
    sink = VideoSink(path, info())
    Misbehaving(sink, partial(path), b"\0\0\0\x08free\0\0\x03\x38mdat" + bytes(4000))
    write_numbered(sink, 5)
    with pytest.raises(OutputError, match="cannot be read back") as caught:
        sink.close()
    assert caught.value.exit_code == 6
    assert str(partial(path)) in caught.value.hint
    assert names(tmp_path) == [partial(path).name]


def test_a_finished_file_that_lacks_pictures_keeps_its_partial_name(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "o.mp4", info())
    stream = sink._encoder._stream

    class Losing:
        def encode(self, picture: Any) -> Any:
            return [] if picture is not None and picture.pts == 0 else stream.encode(picture)

    sink._encoder._stream = Losing()  # type: ignore[assignment]
    write_numbered(sink, 5)
    with pytest.raises(OutputError, match="it has 4 pictures, expected 5"):
        sink.close()
    assert names(tmp_path) == ["o.partial.mp4"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_partial_file_is_kept_only_if_it_plays(tmp_path: Path, suffix: str) -> None:
    sink = VideoSink(tmp_path / f"o{suffix}", info())

    class Broken:
        def encode(self, picture: Any) -> Any:
            raise RuntimeError("the encoder broke")

    sink._encoder._stream = Broken()  # type: ignore[assignment]
    with pytest.raises(OutputError, match="the encoder broke"):  # noqa: PT012
        sink.write(result_of(0), numbered_picture(0))
        sink.close()
    sink.abort()
    assert sink.kept is None
    assert names(tmp_path) == []
