"""Sizes from the headers of pictures, without decoding them."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from fkp_live.sources.picture_header import picture_size

IMAGE = np.random.default_rng(0).integers(0, 256, (45, 67, 3), np.uint8)


def encoded(suffix: str, *options: int) -> bytes:
    image = cv2.cvtColor(IMAGE, cv2.COLOR_BGR2GRAY) if suffix in (".pgm", ".pbm") else IMAGE
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".jp2"])
def test_the_size_is_that_of_the_decoded_picture(suffix: str) -> None:
    assert picture_size(encoded(suffix)) == (67, 45)


@pytest.mark.parametrize("quality", [80, 101])
def test_both_kinds_of_webp(quality: int) -> None:
    assert picture_size(encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, quality)) == (67, 45)


def test_an_extended_webp() -> None:
    head = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<IB3x", 10, 2) + b"\x3f\x42\x0f" + b"\x09\0\0"
    assert picture_size(head) == (1_000_000, 10)


def test_a_progressive_jpeg_behind_exif() -> None:
    data = encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    # A thumbnail in the Exif segment has a size of its own.
    exif = b"Exif\0\0" + encoded(".jpg")[:600]
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff" + data[2:]
    assert picture_size(data) == (67, 45)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_either_byte_order(order: str) -> None:
    entries = [(256, 3, 1, 30_000), (257, 4, 1, 70_000)]
    data = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, kind, count, value in entries:
        data += struct.pack(order + ("HHIHxx" if kind == 3 else "HHII"), tag, kind, count, value)
    assert picture_size(data) == (30_000, 70_000)


def test_comments_in_a_pnm() -> None:
    assert picture_size(b"P6\n# made by hand 1 2\n12 # wide\n34\n255\n") == (12, 34)
    assert picture_size(b"P7\nWIDTH 12\nHEIGHT 34\nDEPTH 1\n") == (12, 34)


def test_a_bmp_from_the_top() -> None:
    data = bytearray(encoded(".bmp"))
    data[22:26] = struct.pack("<i", -45)
    assert picture_size(bytes(data)) == (67, 45)


def test_the_largest_of_the_sizes_in_an_avif() -> None:
    box = struct.pack(">I4s4xII", 20, b"ispe", 64, 64) + struct.pack(">I4s4xII", 20, b"ispe", 4000, 3000)
    assert picture_size(struct.pack(">I4s4s4x", 16, b"ftyp", b"avif") + box) == (4000, 3000)


@pytest.mark.parametrize("suffix", [".bmp", ".jpg", ".png", ".ppm", ".tif", ".webp", ".jp2"])
def test_a_cut_header_is_no_failure(suffix: str) -> None:
    data = encoded(suffix)
    for length in range(200):
        assert picture_size(data[:length]) in (None, (67, 45))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8" + b"\xff" * 9, b"#?RADIANCE\n", b"no picture"]
)
def test_what_is_not_a_picture_has_no_size(data: bytes) -> None:
    assert picture_size(data) is None
