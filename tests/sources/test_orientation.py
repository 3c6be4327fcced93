"""Pictures are handed out upright, whatever their file stores."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import MjpegServer

from fkp_live.sources import open_source
from fkp_live.types import Image

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


@pytest.mark.parametrize(("degrees", "hflip"), [*itertools.product((0, 90, 180, 270), (False, True))])
def test_display_matrix_is_applied(
    make_clip: MakeClip, tmp_path: Path, astronaut: Image, degrees: int, hflip: bool
) -> None:
    stored = np.ascontiguousarray(astronaut[:256, 100:420])
    path = make_clip(tmp_path / "r.mp4", [stored] * 2, rotation=degrees, hflip=hflip)
    expected = np.rot90(stored, degrees // 90)  # counter-clockwise, as the matrix is meant
    expected = expected[:, ::-1] if hflip else expected
    with open_source(path) as source:
        image = next(source).image
    assert (source.info.height, source.info.width) == expected.shape[:2] == image.shape[:2]
    assert np.abs(image.astype(int) - expected).mean() < 6  # any other orientation is off by 40 and more


def jpeg_with_exif(image: Image, orientation: int) -> bytes:
    """A JPEG whose Exif segment holds one tag: how it is to be turned and mirrored."""
    data = cv2.imencode(".jpg", image)[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHH4x", 1, 0x112, 3, 1, orientation, 0)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]


def assert_upright(image: Image, data: bytes) -> None:
    """As OpenCV decodes it, which follows Exif by itself."""
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jfif", ".jpe"])
def test_exif_of_a_picture_that_ffmpeg_reads(
    tmp_path: Path, astronaut: Image, suffix: str, orientation: int
) -> None:
    """PyAV does not know Exif among the side data of a picture."""
    data = jpeg_with_exif(np.ascontiguousarray(astronaut[:256, 100:420]), orientation)
    (tmp_path / f"a{suffix}").write_bytes(data)
    with open_source(tmp_path / f"a{suffix}") as source:
        frames = list(source)
    assert len(frames) == 1
    assert_upright(frames[0].image, data)


@pytest.mark.parametrize("orientation", [1, 3, 5])
def test_exif_in_every_picture_of_an_avi(tmp_path: Path, astronaut: Image, orientation: int) -> None:
    import av

    data = jpeg_with_exif(np.ascontiguousarray(astronaut[:256, 100:420]), orientation)
    with av.open(str(tmp_path / "a.avi"), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 320, 256, "yuvj420p"
        for index in range(5):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, index, index, Fraction(1, 15)
            output.mux(packet)
    with open_source(tmp_path / "a.avi") as source:
        frames = list(source)
    assert len(frames) == 5
    for frame in frames:
        assert_upright(frame.image, data)


def test_exif_of_a_live_camera(mjpeg_server: Callable[..., MjpegServer], astronaut: Image) -> None:
    data = jpeg_with_exif(np.ascontiguousarray(astronaut[:256, 100:420]), 6)
    server = mjpeg_server(lambda number: data, rate=60.0, count=40)
    with open_source(server.url) as source:
        assert_upright(next(source).image, data)
