"""Pictures and videos that are too large are refused by their headers."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import numbered, read

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import open_source

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def png(width: int, height: int) -> bytes:
    """A PNG that declares a size, and holds nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header declares another size than it has."""
    data = bytearray(cv2.imencode(".jpg", numbered(1))[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    data = bytearray(cv2.imencode(".bmp", numbered(1))[1].tobytes())
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<IB3x", 10, 0) + sizes


LARGE = {
    "a.png": png(30_000, 30_000),
    "b.png": png(40_000, 30_000),
    "c.png": png(1_000_000, 100_000),
    "a.jpg": jpeg(30_000, 30_000),
    "a.bmp": bmp(30_000, -30_000),
    "a.webp": webp(100_000, 100_000),
    "a.ppm": b"P6 65535 65535 255\n",
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", never)
    (tmp_path / name).write_bytes(LARGE[name])
    with pytest.raises(InputError, match=r"has \d+x\d+ pixels, more than the limit of 268435456") as caught:
        open_source(tmp_path / name)
    assert "--max-pixels" in caught.value.hint
    if name == "a.png":  # a limit that allows it
        with pytest.raises(AssertionError, match="decoded"):
            open_source(tmp_path / name, max_pixels=1 << 30)


@pytest.mark.parametrize("length", [0xFF0B0549, 0x7FFFFFFF, 1 << 25])
def test_a_png_with_a_chunk_behind_its_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", never)
    data = bytearray(png(64, 48))
    data[33:37] = struct.pack(">I", length)
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="not a picture that can be read"):
        open_source(tmp_path / "a.png")


def test_an_animation_of_many_large_pictures_is_refused(tmp_path: Path) -> None:
    head = bytearray(webp(10_000, 10_000))
    head[20] = 2  # animated
    (tmp_path / "a.webp").write_bytes(bytes(head) + b"ANMF\0\0\0\0" * 10)
    with pytest.raises(InputError, match="has 10 pictures of 10000x10000"):
        open_source(tmp_path / "a.webp")


def test_a_large_picture_among_others_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), numbered(1))
    (tmp_path / "2.png").write_bytes(LARGE["a.png"])
    with open_source(tmp_path) as source:
        next(source)
        with pytest.raises(InputError, match=r"2\.png has 30000x30000 pixels"):
            next(source)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mjpeg"), ("a.webm", "libvpx")]
)
def test_a_video_is_refused_by_its_header(make_clip: MakeClip, tmp_path: Path, name: str, codec: str) -> None:
    path = make_clip(tmp_path / name, 5, codec=codec)
    with pytest.raises(InputError, match="has 160x96 pixels, more than the limit of 15359"):
        open_source(path, max_pixels=160 * 96 - 1)
    assert len(read(path, max_pixels=160 * 96)) == 5


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory of a process as on Linux")
@pytest.mark.parametrize("name", ["a.jpe", "a.jfif", "a.mkv"])
def test_looking_into_a_track_takes_no_memory_either(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(jpeg(30_000, 30_000))
    if name == "a.mkv":
        import av

        with av.open(str(tmp_path / name), "w") as output:
            stream: Any = output.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
            packet = av.Packet(jpeg(30_000, 30_000))
            packet.stream, packet.pts, packet.dts = stream, 0, 0
            output.mux(packet)
    code = (
        "import sys\nfrom fkp_live import open_source\nfrom fkp_live.errors import InputError\n"
        "from fkp_live.commands.bench.trial import peak_memory_mb\n"
        "try: open_source(sys.argv[1])\n"
        "except InputError as error: print(error)\n"
        "else: sys.exit('opened')\n"
        "print(round(peak_memory_mb()))"
    )
    words = [sys.executable, "-c", code, str(tmp_path / name)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert int(printed.stdout.split()[-1]) < 600  # MB; the libraries alone take 150


def test_a_larger_picture_on_the_way_is_skipped_and_noted(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuvj420p"
        for index in range(5):
            image = np.zeros((960, 1600, 3), np.uint8) if index == 2 else numbered(index)
            packet = av.Packet(cv2.imencode(".jpg", image)[1].tobytes())
            packet.stream, packet.pts, packet.dts = stream, index, index
            output.mux(packet)
    with open_source(path, max_pixels=100_000) as source:
        assert len(list(source)) == 4
        assert source.note == "1 damaged packets of a.avi were skipped"


def test_a_limit_that_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_pixels"):
        open_source(tmp_path, max_pixels=0)
