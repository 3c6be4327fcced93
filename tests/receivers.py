"""Receivers on loopback for the tests of senders, each with the other side's own understanding of the bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Receiver:
    """A UDP socket on loopback.

    Attributes
    ----------
    port : that it listens on
    """

    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        self._socket.settimeout(30)
        self.port = int(self._socket.getsockname()[1])

    def __call__(self) -> bytes:
        """The next datagram."""
        return self._socket.recv(1 << 17)

    @property
    def empty(self) -> bool:
        """Whether no datagram waits."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1 << 17, socket.MSG_PEEK)
            return False
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(30)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def receiver(family: socket.AddressFamily = socket.AF_INET) -> Iterator[Receiver]:
    made = Receiver(family)
    try:
        yield made
    finally:
        made.close()


def free_port() -> int:
    """A UDP port of loopback that nobody listens on."""
    with receiver() as made:
        return made.port


@dataclass(frozen=True)
class OpenSeeFace:
    """A face as programs for avatars read it from OpenSeeFace's datagram, by its published layout.

    Attributes
    ----------
    rotation : degrees about x, y and z in Unity's axes: nodding down, turning and tilting positive as Unity has them
    translation : in Unity's axes: to the right, up, away from the camera
    points3d : (70, 3) x to the person's right, y up, z into the picture
    """

    time: float
    number: int
    size: tuple[float, float]
    eyes: tuple[float, float]
    got_3d: bool
    error: float
    quaternion: Array
    euler: Array
    raw_translation: Array
    confidence: Array
    points: Array
    points3d: Array
    features: Array

    @property
    def rotation(self) -> tuple[float, float, float]:
        x, y, z = self.euler
        return -((x + 180 + 180) % 360 - 180), -y, (z - 90 + 180) % 360 - 180

    @property
    def translation(self) -> tuple[float, float, float]:
        x, y, z = self.raw_translation
        return -y, x, -z


def read_osf(datagram: bytes) -> list[OpenSeeFace]:
    """The faces of a datagram; none if its length is no multiple of a face's."""
    if len(datagram) % 1785:
        return []
    return [_read_face(datagram[at : at + 1785]) for at in range(0, len(datagram), 1785)]


def _read_face(data: bytes) -> OpenSeeFace:
    place = 0

    def take(kind: str, count: int = 1) -> Array:
        nonlocal place
        values = struct.unpack_from(f"<{count}{kind}", data, place)
        place += struct.calcsize(f"<{count}{kind}")
        return np.array(values, np.float64)

    (time,), (number,) = take("d"), take("i")
    width, height, right, left = take("f", 4)
    (got,), (error,) = take("B"), take("f")
    quaternion, euler, translation = take("f", 4), take("f", 3), take("f", 3)
    confidence, points, points3d = take("f", 68), take("f", 136), take("f", 210)
    features = take("f", 14)
    assert place == len(data)
    return OpenSeeFace(
        *(time, int(number), (width, height), (right, left), bool(got), error),
        *(quaternion, euler, translation, confidence, points.reshape(68, 2)),
        *(points3d.reshape(70, 3) * (1, -1, 1), features),
    )
