"""The size of a picture from its header, so that a huge one is refused before memory is taken for it."""

from __future__ import annotations

import re
import struct

from fkp_live.errors import InputError

_PNG, _GIF, _TIFF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), {b"II*\0": "<", b"MM\0*": ">"}
_LONGEST_CHUNK = 1 << 24  # bytes of a PNG's chunk that may lie behind the end of the file
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG and DAC
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_SHORT = 3


def picture_size(data: bytes | memoryview) -> tuple[int, int] | None:
    """Width and height that the header of an image file declares, as stored (before an Exif rotation).

    Parameters
    ----------
    data : the whole file: BMP, GIF, JPEG, PNG, PNM, TIFF, WebP, AVIF or JPEG 2000

    Returns None for any other format, and where the header is damaged.
    """
    head = bytes(data[:32])
    try:
        if head.startswith(_PNG) and head[12:16] == b"IHDR":
            return _png(data)
        if head.startswith(_GIF):
            return _unpack("<HH", data, 6)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if head.startswith(b"BM"):
            return _bmp(data)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(data)
        if head[:4] in _TIFF:
            return _tiff(data, _TIFF[head[:4]])
        if re.match(rb"P[1-7]\s", head):
            return _pnm(bytes(data[:4096]))
        if head[4:8] == b"ftyp":
            return _largest_box(bytes(data[:65_536]), b"ispe", ">4xII")
        if head[4:8] == b"jP  ":
            size = _largest_box(bytes(data[:65_536]), b"ihdr", ">II")
            return size and size[::-1]
    except (struct.error, ValueError):
        pass
    return None


def has_more_pages(data: bytes | memoryview) -> bool:
    """Whether a file is a TIFF of more than one picture."""
    order = _TIFF.get(bytes(data[:4]))
    if order is None:
        return False
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (entries,) = struct.unpack_from(order + "H", data, at)
        (following,) = struct.unpack_from(order + "I", data, at + 2 + 12 * entries)
    except struct.error:
        return False
    return following > 0


def check_pixels(name: str, size: tuple[int, int], most: int) -> None:
    """Refuse a size (width, height) of more than ``most`` pixels.

    Raises
    ------
    InputError : for the picture or video ``name``
    """
    width, height = size
    if width * height > most:
        raise InputError(
            f"{name} has {width}x{height} pixels, more than the limit of {most}.",
            "Scale it down, or raise the limit (--max-pixels) if there is memory for it.",
        )


def _unpack(layout: str, data: bytes | memoryview, at: int) -> tuple[int, int]:
    width, height = struct.unpack_from(layout, data, at)
    return width, height


def _png(data: bytes | memoryview) -> tuple[int, int] | None:
    at = len(_PNG)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if length > max(len(data) - at, _LONGEST_CHUNK):
            return None  # OpenCV takes memory for a chunk before it reads it
        at += 12 + length
    return _unpack(">II", data, 16)


def _jpeg(data: bytes | memoryview) -> tuple[int, int] | None:
    at = 2
    while True:
        while data[at : at + 1] == b"\xff" == data[at + 1 : at + 2]:  # padding
            at += 1
        prefix, marker = _unpack(">BB", data, at)
        if prefix != 0xFF:
            return None
        if marker in _JPEG_FRAMES:
            height, width = _unpack(">HH", data, at + 5)
            return width, height
        at += 2 if marker in _JPEG_BARE else 2 + struct.unpack_from(">H", data, at + 2)[0]


def _bmp(data: bytes | memoryview) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:  # OS/2
        return _unpack("<HH", data, 18)
    width, height = _unpack("<ii", data, 18)
    return abs(width), abs(height)  # a negative height: stored from the top


def _webp(data: bytes | memoryview) -> tuple[int, int] | None:
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return low_width + (high_width << 16) + 1, low_height + (high_height << 16) + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = _unpack("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(data: bytes | memoryview, order: str) -> tuple[int, int] | None:
    (at,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, at)
    found = {}
    for entry in range(entries):
        tag, kind, _, value = struct.unpack_from(order + "HHII", data, at + 2 + 12 * entry)
        if kind == _TIFF_SHORT:
            (value,) = struct.unpack_from(order + "H", data, at + 2 + 12 * entry + 8)
        found[tag] = value
    if _TIFF_WIDTH not in found or _TIFF_HEIGHT not in found:
        return None
    return found[_TIFF_WIDTH], found[_TIFF_HEIGHT]


def _pnm(head: bytes) -> tuple[int, int] | None:
    text = re.sub(rb"#[^\n]*\n", b"\n", head)
    found = re.match(rb"P[1-6]\s+(\d{1,9})\s+(\d{1,9})\s", text)
    if found is None:
        found = re.match(rb"P7\s+WIDTH\s+(\d{1,9})\s+HEIGHT\s+(\d{1,9})\s", text)
    return (int(found[1]), int(found[2])) if found else None


def _largest_box(head: bytes, name: bytes, layout: str) -> tuple[int, int] | None:
    """The largest size in the boxes of this name: a picture may come with a thumbnail, or in tiles."""
    sizes = [_unpack(layout, head, found.end()) for found in re.finditer(re.escape(name), head)]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
