"""Whether a video file was cut off, by the structure of its container: lengths that point behind its end.

Independent of times: a header may declare a duration that the pictures do not fill (a last picture that is shown for
long, a clock that begins late), and a file may be cut so near its end that its times show nothing.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_MASTER_IDS = {0x1A45DFA3, 0x18538067}  # EBML header and segment; others at the top level are padding
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_OGG_LARGEST_PAGE = 65_307
_Y4M_CHROMA = {"420": (2, 2), "411": (4, 1), "422": (2, 1), "444": (1, 1)}  # pixels a sample, across and down
_FLV_HEADER, _FLV_TAG = 13, 11
_IVF_HEADER, _IVF_FRAME = 32, 12


def is_truncated(path: str | Path, kinds: set[str]) -> bool | None:
    """Whether the end of a file is missing; None where its container does not show it.

    Parameters
    ----------
    kinds : FFmpeg's names of the container
    """
    for kind, check in _CHECKS.items():
        if kind in kinds:
            try:
                with open(path, "rb") as file:
                    return check(file, os.fstat(file.fileno()).st_size)
            except (OSError, struct.error, IndexError):
                return None
    return None


def _mp4(file: BinaryIO, size: int) -> bool:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return True
        length, name = struct.unpack_from(">I4s", head)
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8 or not re.fullmatch(rb"[ -~\xa9]{4}", name):  # 0: to the end of the file; else padding
            return False
        at += length
    return at > size


def _matroska(file: BinaryIO, size: int) -> bool | None:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        id_length = 9 - head[0].bit_length()
        if id_length > 4 or int.from_bytes(head[:id_length], "big") not in _MASTER_IDS:
            return False
        if len(head) <= id_length:
            return True
        length = 9 - head[id_length].bit_length()
        if length > 8 or len(head) < id_length + length:
            return None
        mask = (1 << 7 * length) - 1
        content = int.from_bytes(head[id_length : id_length + length], "big") & mask
        if content == mask:
            return None  # a stream whose length was never filled in
        at += id_length + length + content
    return at > size


def _avi(file: BinaryIO, size: int) -> bool | None:
    at = 0
    while at < size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":
            return False
        if length in (0, 0xFFFFFFFF):
            return None  # never filled in
        at += 8 + length + length % 2
    return at > size + 1  # the last padding byte may be missing


def _flv(file: BinaryIO, size: int) -> bool:
    if size < _FLV_HEADER + _FLV_TAG + 4:
        return True
    file.seek(size - 4)
    (length,) = struct.unpack(">I", file.read(4))
    start = size - 4 - length
    if length < _FLV_TAG or start < _FLV_HEADER:
        return True
    file.seek(start)
    return int.from_bytes(file.read(4)[1:], "big") + _FLV_TAG != length


def _asf(file: BinaryIO, size: int) -> bool | None:
    head = file.read(1 << 16)
    at = head.find(_ASF_PROPERTIES)
    if at < 0:
        return None
    (declared,) = struct.unpack_from("<Q", head, at + 40)
    (flags,) = struct.unpack_from("<I", head, at + 88)
    return None if flags & 1 or not declared else size < declared  # 1: a broadcast, of unknown length


def _gif(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    head = file.read(13)
    at = 13 + _gif_palette(head[10])
    while at < size:
        file.seek(at)
        block = file.read(10)
        if block[:1] == b"!":
            at += 2
        elif block[:1] == b"," and len(block) == 10:
            at += 11 + _gif_palette(block[9])
        else:
            return block[:1] != b";"
        length = -1
        while length:
            file.seek(at)
            part = file.read(1)
            if not part:
                return True
            length = part[0]
            at += 1 + length
    return True


def _gif_palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _ogg(file: BinaryIO, size: int) -> bool | None:
    file.seek(max(size - 2 * _OGG_LARGEST_PAGE, 0))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0:
        return None
    page = tail[at:]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    whole = len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    return not (whole and page[5] & 4)  # the flag of the last page of a track


def _y4m(file: BinaryIO, size: int) -> bool | None:
    header = file.readline(4096).decode("ascii", "replace")
    words = {word[0]: word[1:] for word in header.split()[1:]}
    found = re.fullmatch(r"(mono|4\d\d)(jpeg|mpeg2|paldv)?(p?\d+)?", words.get("C", "420"))
    if found is None or not (words.get("W", "").isdecimal() and words.get("H", "").isdecimal()):
        return None
    width, height = int(words["W"]), int(words["H"])
    samples = width * height
    if found[1] in _Y4M_CHROMA:
        across, down = _Y4M_CHROMA[found[1]]
        samples += 2 * -(-width // across) * -(-height // down)
    frame = len("FRAME\n") + samples * (2 if found[3] else 1)
    return bool((size - len(header)) % frame)


def _ivf(file: BinaryIO, size: int) -> bool:
    at = _IVF_HEADER
    while at + _IVF_FRAME <= size:
        file.seek(at)
        at += _IVF_FRAME + int.from_bytes(file.read(4), "little")
    return at != size


_CHECKS: dict[str, Callable[[BinaryIO, int], bool | None]] = {
    "mov": _mp4,
    "matroska": _matroska,
    "avi": _avi,
    "flv": _flv,
    "asf": _asf,
    "gif": _gif,
    "ogg": _ogg,
    "yuv4mpegpipe": _y4m,
    "ivf": _ivf,
}
