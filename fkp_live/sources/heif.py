"""Pictures of phones that are stored in tiles (HEIC, AVIF): FFmpeg gives the tiles, here they are put together.

ISO/IEC 23008-12 (HEIF), 6.6.2.3: a derived picture of type "grid" names its tiles, rows before columns, and the size to
which the whole is cropped.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sources.container import CURE_DAMAGED, Container
from fkp_live.sources.images import PICTURE_RATE
from fkp_live.sources.picture_header import check_pixels
from fkp_live.sources.source import Frames, Opened
from fkp_live.types import Frame, Image, SourceInfo

_LONGEST_META = 1 << 24  # bytes; that of a phone's picture has some thousand


@dataclass(frozen=True, slots=True)
class Grid:
    """How the tiles of a picture lie.

    Attributes
    ----------
    columns, rows : tiles across and down
    size : width and height of the whole in pixels, before it is turned
    tiles : numbers of the tiles, row by row
    turns : quarter turns counter-clockwise to the upright picture
    flip : then mirrored: 0 top to bottom, 1 left to right; None: not
    """

    columns: int
    rows: int
    size: tuple[int, int]
    tiles: Sequence[int]
    turns: int = 0
    flip: int | None = None


def open_tiled(path: Path, max_pixels: int) -> Opened | None:
    """Open a picture in tiles; None of any other file.

    Raises
    ------
    InputError : it is larger than ``max_pixels``, or a tile cannot be read
    """
    grid = read_grid(path)
    if grid is None:
        return None
    check_pixels(path.name, grid.size, max_pixels)
    image = _whole(path, grid, max_pixels)
    base = Fraction(1, PICTURE_RATE)

    def frames() -> Frames:
        yield Frame(BgrPicture(image), 0, 0.0, time.perf_counter(), 0, base)

    height, width = image.shape[:2]
    info = SourceInfo(
        path.name, width, height, fps=PICTURE_RATE, frames=1, duration=1 / PICTURE_RATE, time_base=base
    )
    return Opened(info, frames())


def _whole(path: Path, grid: Grid, max_pixels: int) -> Image:
    from av.error import FFmpegError

    damaged = InputError(f"{path.name} is stored in tiles, and not all of them can be read.", CURE_DAMAGED)
    places = {number: divmod(place, grid.columns) for place, number in enumerate(grid.tiles)}
    width, height = grid.size
    whole = np.zeros((height, width, 3), np.uint8)
    container = Container(str(path), path.name, max_pixels, remote=False, tiles=True)
    try:
        for picture, number in container.tiles():
            if number not in places:
                continue  # a thumbnail, a depth map
            row, column = places.pop(number)
            tile = picture.to_ndarray(format="bgr24")
            y, x = row * tile.shape[0], column * tile.shape[1]
            room = whole[y : y + tile.shape[0], x : x + tile.shape[1]]
            room[:] = tile[: room.shape[0], : room.shape[1]]
    except FFmpegError as exc:
        raise damaged from exc
    finally:
        container.close()
    if places:
        raise damaged
    turned: NDArray[np.uint8] = np.rot90(whole, grid.turns)
    if grid.flip is not None:
        turned = np.asarray(cv2.flip(np.ascontiguousarray(turned), grid.flip), np.uint8)
    return np.ascontiguousarray(turned)


def read_grid(path: Path) -> Grid | None:
    """The grid of a HEIF file whose main picture is one; None of any other file, and of a damaged one."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            if head[4:8] != b"ftyp":
                return None
            file.seek(struct.unpack(">I", head[:4])[0])
            while len(head := file.read(8)) == 8:
                length, name = struct.unpack(">I4s", head)
                if name == b"meta" and length <= _LONGEST_META:
                    return _grid(file.read(length - 8)[4:], file)
                if length < 8:
                    return None
                file.seek(length - 8, 1)
    except (OSError, struct.error, KeyError, IndexError, ValueError):
        pass
    return None


def _grid(meta: bytes, file: BinaryIO) -> Grid | None:
    boxes = dict(_boxes(meta))
    if b"pitm" not in boxes:
        return None
    main = _Reader(boxes[b"pitm"]).number_of_version()
    if _item_type(boxes[b"iinf"], main) != b"grid":
        return None
    data = _item_data(boxes[b"iloc"], BytesIO(boxes.get(b"idat", b"")), file, main)
    rows, columns = data[2] + 1, data[3] + 1
    width, height = struct.unpack_from(">II" if data[1] & 1 else ">HH", data, 4)
    tiles = _references(boxes[b"iref"], main)
    if len(tiles) != rows * columns or not width or not height:
        return None
    turns, flip = 0, None
    for name, content in _properties(boxes[b"iprp"], main):
        if name == b"irot":
            turns = content[0] & 3
        elif name == b"imir":
            flip = content[0] & 1
    return Grid(columns, rows, (width, height), tiles, turns, flip)


class _Reader:
    """Reads numbers from a box with version and flags (ISO/IEC 14496-12, 4.2)."""

    def __init__(self, content: bytes) -> None:
        self.version, self.flags = content[0], int.from_bytes(content[1:4], "big")
        self._content, self._at = content, 4

    def number(self, length: int) -> int:
        """An unsigned number of ``length`` bytes."""
        if self._at + length > len(self._content):
            raise ValueError("the box ends")
        self._at += length
        return int.from_bytes(self._content[self._at - length : self._at], "big")

    def number_of_version(self) -> int:
        """The number of an item: of 2 bytes in the first version of a box, else of 4."""
        return self.number(4 if self.version else 2)

    def rest(self) -> bytes:
        """What is left."""
        return self._content[self._at :]


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        if length < 8:
            return
        yield name, content[at + 8 : at + length]
        at += length


def _item_type(iinf: bytes, item: int) -> bytes | None:
    reader = _Reader(iinf)
    reader.number_of_version()
    for _, entry in _boxes(reader.rest()):
        version = entry[0]
        length = 4 if version == 3 else 2
        if int.from_bytes(entry[4 : 4 + length], "big") == item:
            return entry[6 + length : 10 + length]
    return None


def _item_data(iloc: bytes, idat: BinaryIO, file: BinaryIO, item: int) -> bytes:
    """The bytes of a small item, which lies in ``idat`` (phones) or elsewhere in the file (libavif)."""
    reader = _Reader(iloc)
    sizes = reader.number(2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if reader.version == 2 else 2
    for _ in range(reader.number(wide)):
        number = reader.number(wide)
        method = reader.number(2) & 15 if reader.version else 0
        reader.number(2)
        start = reader.number(base)
        parts = []
        for _ in range(reader.number(2)):
            if reader.version:
                reader.number(index)
            parts.append((start + reader.number(offset), reader.number(length)))
        if number == item:
            return b"".join(_part(idat if method == 1 else file, *part) for part in parts)
    raise KeyError(item)


def _part(file: BinaryIO, begin: int, length: int) -> bytes:
    file.seek(begin)
    return file.read(min(length, _LONGEST_META))


def _references(iref: bytes, item: int) -> list[int]:
    """The items of which an item is derived, in order."""
    reader = _Reader(iref)
    length = 4 if reader.version else 2
    for name, content in _boxes(reader.rest()):
        numbers = _Reader(b"\0\0\0\0" + content)
        if name == b"dimg" and numbers.number(length) == item:
            return [numbers.number(length) for _ in range(numbers.number(2))]
    return []


def _properties(iprp: bytes, item: int) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each property of an item."""
    boxes = dict(_boxes(iprp))
    known = list(_boxes(boxes[b"ipco"]))
    reader = _Reader(boxes[b"ipma"])
    for _ in range(reader.number(4)):
        number = reader.number_of_version()
        for _ in range(reader.number(1)):
            index = reader.number(2) & 0x7FFF if reader.flags & 1 else reader.number(1) & 0x7F
            if number == item and index:
                yield known[index - 1]
