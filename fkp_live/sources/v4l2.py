"""Cameras of Linux: their names, and the sizes and rates that they offer, asked of the kernel (Video4Linux 2)."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from fkp_live.sources.modes import Camera, Mode

SYSTEM, DEVICES = Path("/sys/class/video4linux"), Path("/dev")
Ioctl = Callable[[int, int, bytearray], object]

# Of linux/videodev2.h. A request holds direction, size of the structure, the letter V and a number.
_QUERYCAP = 0x80685600
_ENUM_FMT, _ENUM_FRAMESIZES, _ENUM_FRAMEINTERVALS = 0xC0405602, 0xC02C564A, 0xC034564B
_DEVICE_CAPS = 1 << 31
_BUFFERS = ((1, 1), (1 << 12, 9))  # capability and type of buffer, of one plane and of several
_DISCRETE = 1
# A driver that never says "no more" must not hold the list up.
_MOST = 64
_CLOSED = 'it cannot be opened: {reason}. On most systems the group "video" may; see ls -l {path}'


def cameras(ioctl: Ioctl | None = None) -> list[Camera]:
    """Cameras of this machine by their number, without nodes that give no pictures."""
    # Containers may have one without the other.
    names = {path.name for folder in (SYSTEM, DEVICES) for path in folder.glob("video*")}
    numbers = sorted(int(number[1]) for name in names if (number := re.fullmatch(r"video(\d+)", name)))
    found = (_camera(number, ioctl or _system_ioctl()) for number in numbers)
    return [camera for camera in found if camera is not None]


def _system_ioctl() -> Ioctl:
    import fcntl

    return fcntl.ioctl


def _camera(number: int, ioctl: Ioctl) -> Camera | None:
    """None: it is no camera, but an encoder's or metadata's node."""
    try:
        name = " ".join((SYSTEM / f"video{number}" / "name").read_text("utf-8", "replace").split()) or None
    except OSError:
        name = None
    path = DEVICES / f"video{number}"
    try:
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return Camera(number, name, problem=_CLOSED.format(reason=error.strerror, path=path))
    try:
        kind = _buffer_type(node, ioctl)
        return None if kind is None else Camera(number, name, tuple(_modes(node, kind, ioctl)))
    except OSError as error:
        return Camera(number, name, problem=f"it cannot be asked: {error.strerror}")
    finally:
        os.close(node)


def _buffer_type(node: int, ioctl: Ioctl) -> int | None:
    """The type of buffer that a camera's pictures come in, None if it is no camera."""
    answer = bytearray(104)
    ioctl(node, _QUERYCAP, answer)
    whole, own = struct.unpack_from("=II", answer, 84)
    able = own if whole & _DEVICE_CAPS else whole
    return next((kind for capability, kind in _BUFFERS if able & capability), None)


def _modes(node: int, kind: int, ioctl: Ioctl) -> Iterator[Mode]:
    for answer in _listed(node, _ENUM_FMT, 64, (kind,), ioctl):
        (code,) = struct.unpack_from("=I", answer, 44)
        name = code.to_bytes(4, "little").decode("latin-1").strip()
        for size in _listed(node, _ENUM_FRAMESIZES, 44, (code,), ioctl):
            # Of sizes in steps the largest: width and height of 0 stand where there is only one size.
            is_one = struct.unpack_from("=I", size, 8)[0] == _DISCRETE
            width, height = struct.unpack_from("=II", size, 12) if is_one else _largest(size)
            yield Mode(name, width, height, _fastest(node, code, width, height, ioctl))
            if not is_one:
                break


def _largest(size: bytes) -> tuple[int, int]:
    _, width, _, _, height, _ = struct.unpack_from("=6I", size, 12)
    return width, height


def _fastest(node: int, code: int, width: int, height: int, ioctl: Ioctl) -> float | None:
    """Pictures a second at most, None where the driver does not say."""
    rates = [0.0]
    for answer in _listed(node, _ENUM_FRAMEINTERVALS, 52, (code, width, height), ioctl):
        # The shortest interval comes first, of those in steps too.
        seconds, parts = struct.unpack_from("=II", answer, 20)
        rates.append(parts / seconds if seconds else 0.0)
    return max(rates) or None


def _listed(node: int, request: int, size: int, about: tuple[int, ...], ioctl: Ioctl) -> Iterator[bytes]:
    """Answers to a request that counts from 0 until the driver refuses a number."""
    for index in range(_MOST):
        answer = bytearray(size)
        struct.pack_into(f"={1 + len(about)}I", answer, 0, index, *about)
        try:
            ioctl(node, request, answer)
        except OSError:
            return
        yield bytes(answer)
