"""Pictures of phones that are stored in tiles."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import open_source
from fkp_live.sources.heif import Grid, read_grid
from fkp_live.types import Image

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

CODECS = {  # encoder and its options, raw format, type of the items
    "heic": ("libx265", {"x265-params": "log-level=none", "crf": "12"}, "hevc", b"hvc1"),
    "avif": ("libsvtav1", {"crf": "12"}, "mp4", b"av01"),
}
_PARAMETER_SETS = (32, 33, 34)  # types of units in HEVC


def box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), name) + data


def full(name: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *content)


def encoded(folder: Path, kind: str, image: Image) -> tuple[bytes, bytes]:
    """One picture: its data, and the box that configures its decoder."""
    import av

    encoder, options, raw, _ = CODECS[kind]
    path = folder / "tile"
    with av.open(str(path), "w", format=raw) as output:
        stream: Any = output.add_stream(encoder, rate=25, options=options)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        frame.pts = 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    data = path.read_bytes()
    if kind == "avif":
        at = data.index(b"av1C") - 4
        with av.open(str(path)) as clip:
            return bytes(next(clip.demux(video=0))), data[at : at + struct.unpack_from(">I", data, at)[0]]
    # PyAV's MP4 of HEVC fails now and then, so its configuration (ISO/IEC 14496-15, 8.3.3.1) is made here.
    units = [unit for unit in re.split(b"\0\0\0?\1", data) if unit]
    sets = [(unit[0] >> 1 & 63, unit) for unit in units if unit[0] >> 1 & 63 in _PARAMETER_SETS]
    arrays = b"".join(struct.pack(">BHH", number, 1, len(unit)) + unit for number, unit in sets)
    configuration = b"\1" + bytes(20) + b"\xff" + bytes([len(sets)]) + arrays
    others = (unit for unit in units if unit[0] >> 1 & 63 not in _PARAMETER_SETS)
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in others), box(b"hvcC", configuration)


def tiled(
    path: Path,
    image: Image,
    rows: int,
    columns: int,
    side: int,
    *,
    kind: str = "heic",
    properties: bytes = b"",
    inside: bool = True,
) -> Path:
    """A HEIF file whose main picture is a grid of square tiles, cut to the size of ``image``.

    ``inside``: the description of the grid lies in the header, as phones write it, and not behind the tiles.
    """
    item_type, brand = CODECS[kind][3], kind.encode()
    height, width = image.shape[:2]
    padding = ((0, rows * side - height), (0, columns * side - width), (0, 0))
    large = np.pad(image, padding, mode="edge")
    corners = [(row * side, column * side) for row in range(rows) for column in range(columns)]
    tiles = [encoded(path.parent, kind, large[y : y + side, x : x + side]) for y, x in corners]
    samples, main = [data for data, _ in tiles], len(tiles) + 1
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    turning = [properties[at : at + 9] for at in range(0, len(properties), 9)]
    shown = [full(b"ispe", struct.pack(">II", *size)) for size in ((side, side), (width, height))]
    ipco = box(b"ipco", tiles[0][1], *shown, *turning)
    associations = b"".join(struct.pack(">HBBB", number, 2, 0x81, 2) for number in range(1, main))
    associations += struct.pack(">HB", main, 1 + len(turning)) + bytes([3, *range(4, 4 + len(turning))])
    ipma = full(b"ipma", struct.pack(">I", main), associations)
    entries = [full(b"infe", struct.pack(">HH4sx", n, 0, item_type), version=2) for n in range(1, main)]
    entries.append(full(b"infe", struct.pack(">HH4sx", main, 0, b"grid"), version=2))
    dimg = box(b"dimg", struct.pack(f">HH{main - 1}H", main, main - 1, *range(1, main)))

    def head(begin: int) -> bytes:
        places = b""
        for number, data in enumerate(samples, 1):
            places += struct.pack(">HHHHII", number, 0, 0, 1, begin, len(data))
            begin += len(data)
        at = 0 if inside else begin
        places += struct.pack(">HHHHII", main, int(inside), 0, 1, at, len(grid))
        meta = full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", main)),
            full(b"iloc", struct.pack(">HH", 0x4400, main), places, version=1),
            full(b"iinf", struct.pack(">H", main), *entries),
            full(b"iref", dimg),
            box(b"iprp", ipco, ipma),
            box(b"idat", grid),
        )
        return box(b"ftyp", brand, bytes(4), b"mif1", brand) + meta

    path.write_bytes(head(len(head(0)) + 8) + box(b"mdat", *samples, grid))
    return path


@pytest.mark.parametrize(
    ("kind", "rows", "columns", "shape"),
    [
        ("heic", 2, 2, (256, 256)),
        ("heic", 1, 3, (120, 330)),
        ("heic", 3, 1, (300, 127)),
        ("avif", 2, 2, (200, 250)),
    ],
)
def test_tiles_are_put_together(
    tmp_path: Path, astronaut: Image, kind: str, rows: int, columns: int, shape: tuple[int, int]
) -> None:
    expected = astronaut[: shape[0], 100 : 100 + shape[1]]
    path = tiled(tmp_path / f"a.{kind}", expected, rows, columns, 128, kind=kind, inside=kind == "heic")
    with open_source(path) as source:
        frames = list(source)
        assert source.note == ""
    assert len(frames) == 1
    assert frames[0].image.shape == expected.shape
    assert (source.info.height, source.info.width) == expected.shape[:2]
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 6


TURNS = [  # properties of the picture, and what they do to it
    (box(b"irot", b"\1"), lambda image: np.rot90(image)),
    (box(b"irot", b"\3"), lambda image: np.rot90(image, 3)),
    (box(b"imir", b"\0"), lambda image: image[::-1]),
    (box(b"irot", b"\1") + box(b"imir", b"\1"), lambda image: np.rot90(image)[:, ::-1]),
]


@pytest.mark.parametrize(("properties", "turn"), TURNS)
def test_the_whole_is_turned_and_mirrored(
    tmp_path: Path, astronaut: Image, properties: bytes, turn: Any
) -> None:
    image = astronaut[:200, 100:350]
    path = tiled(tmp_path / "a.heic", image, 2, 2, 128, properties=properties)
    expected = turn(image)
    with open_source(path) as source:
        read = next(source).image
    assert read.shape == expected.shape
    assert np.abs(read.astype(int) - expected).mean() < 6


def test_a_missing_tile_is_an_error(tmp_path: Path, astronaut: Image) -> None:
    path = tiled(tmp_path / "a.heic", astronaut[:256, 100:356], 2, 2, 128)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match="tiles"):
        open_source(path)


def test_the_size_of_the_whole_is_limited(tmp_path: Path, astronaut: Image) -> None:
    path = tiled(tmp_path / "a.heic", astronaut[:256, 100:356], 2, 2, 128)
    with pytest.raises(InputError, match="256x256 pixels, more than the limit"):
        open_source(path, max_pixels=40_000)


def test_a_picture_has_no_range(tmp_path: Path, astronaut: Image) -> None:
    path = tiled(tmp_path / "a.heic", astronaut[:128, 100:228], 1, 1, 128)
    with pytest.raises(UsageError, match="--start"):
        open_source(path, start=1.0)


def test_a_damaged_header_is_never_a_traceback(tmp_path: Path, astronaut: Image) -> None:
    path = tiled(tmp_path / "a.heic", astronaut[:256, 100:356], 2, 2, 128)
    assert read_grid(path) == Grid(2, 2, (256, 256), [1, 2, 3, 4])
    data = path.read_bytes()
    end = data.index(b"mdat")
    random = np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(data)
        for at in random.integers(0, end, 3):
            broken[at] = random.integers(256)
        path.write_bytes(broken[: random.integers(end // 2, len(data))])
        read_grid(path)
