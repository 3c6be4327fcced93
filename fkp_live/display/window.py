"""The window, and finding out beforehand whether there can be one.

The only module that calls ``cv2.imshow``: without a screen that answers, OpenCV ends the whole process (exit
134, no exception), so `screen_problem` looks first. Nothing may import ``av`` before OpenCV, or ``imshow``
hangs on Linux.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2

from fkp_live.types import Image

NO_KEY = -1
ESCAPE = 27
# A window is first shown at most this large; the user can pull it to any size.
_LARGEST = (1280, 800)
_ANSWER_WITHIN = 3.0
_COOKIE = b"MIT-MAGIC-COOKIE-1"
# The connection by which an X server last let us in. It stays open: a server without clients may start
# afresh (Xvfb does), and would refuse the window that is about to connect.
_held: list[socket.socket] = []


class Window:
    """One window for one stream of pictures of any size.

    Parameters
    ----------
    title : str
        What the title bar says.
    size : (width, height) of the pictures in pixels
    """

    def __init__(self, title: str, size: tuple[int, int]) -> None:
        self.title = title
        self._open = False
        shrink = min(1.0, _LARGEST[0] / size[0], _LARGEST[1] / size[1])
        self._size = (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))

    def show(self, image: Image, wait_ms: int = 1) -> int:
        """Show a BGR picture, let the window live for ``wait_ms``; the key pressed, `NO_KEY` for none."""
        if not self._open:
            # Without the toolbar and status bar that the Qt backend adds.
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self.title, *self._size)
            self._open = True
        cv2.imshow(self.title, image)
        return self.wait(wait_ms)

    def wait(self, wait_ms: int) -> int:
        """Let the window live for a while with the picture it has; returns at once when a key is pressed."""
        key = cv2.waitKey(max(1, wait_ms))
        return key if key == NO_KEY else key & 0xFF

    @property
    def closed(self) -> bool:
        """Whether somebody pressed the close button."""
        return self._open and not self._visible()

    def close(self) -> None:
        """Take the window off the screen. May be called twice."""
        if not self._open:
            return
        self._open = False
        if self._visible():
            cv2.destroyWindow(self.title)
            # The event loop has to turn once for it to go.
            cv2.waitKey(1)

    def _visible(self) -> bool:
        try:
            return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            # With its last window the Qt backend goes away altogether, and says so in this way.
            return False


def screen_available() -> bool:
    """Whether a window can be opened here."""
    return screen_problem() is None


def screen_problem() -> str | None:
    """Why no window can be opened here, in one sentence; None where one can."""
    backend = cv2.currentUIFramework()
    if not backend:
        return "this build of OpenCV has no windows (opencv-python-headless?); install opencv-python instead"
    if not sys.platform.startswith("linux"):
        return None
    display = os.environ.get("DISPLAY", "")
    if display:
        return None if _x_server_answers(display) else f"the X server at DISPLAY={display} does not let us in"
    if not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no screen (DISPLAY is not set)"
    # PyPI's wheel is built with Qt and carries its X11 plugin only.
    if backend.startswith("QT"):
        return "this build of OpenCV needs an X server, and DISPLAY is not set (Wayland alone will not do)"
    return None if _wayland_answers() else "the Wayland compositor at WAYLAND_DISPLAY does not answer"


def _x_server_answers(display: str) -> bool:
    """Whether the X server accepts a connection: the handshake of the X11 protocol, chapter 8.

    Connecting alone is not enough: a server that refuses us (a foreign cookie) would end the process as well.
    """
    match = re.fullmatch(r"(?:(?P<host>[^:]*|\[.*\]|unix))?:(?P<number>\d+)(?:\.\d+)?", display)
    if match is None:
        return False
    host, number = match["host"] or "", int(match["number"])
    for cookie in (b"", *_cookies(number)):
        try:
            connection = _connect(host, number)
        except OSError:
            return False
        if _handshake(connection, cookie):
            _hold(connection)
            return True
        connection.close()
    return False


def _hold(connection: socket.socket) -> None:
    while _held:
        _held.pop().close()
    _held.append(connection)


def _connect(host: str, number: int) -> socket.socket:
    if host and host != "unix":
        return socket.create_connection((host.strip("[]"), 6000 + number), _ANSWER_WITHIN)
    path = f"/tmp/.X11-unix/X{number}"
    for address in (path, "\0" + path):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_ANSWER_WITHIN)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
        else:
            return connection
    raise ConnectionRefusedError(f"no X server at :{number}")


def _handshake(connection: socket.socket, cookie: bytes) -> bool:
    name = _COOKIE if cookie else b""
    padded = b"".join(part + b"\0" * (-len(part) % 4) for part in (name, cookie))
    try:
        connection.sendall(struct.pack("<cxHHHHxx", b"l", 11, 0, len(name), len(cookie)) + padded)
        return connection.recv(1) == b"\x01"
    except OSError:
        return False


def _cookies(number: int) -> Iterator[bytes]:
    """The magic cookies that ~/.Xauthority holds for a display of this number."""
    file = Path(os.environ.get("XAUTHORITY") or Path.home() / ".Xauthority")
    try:
        content = file.read_bytes()
    except OSError:
        return
    while len(content) > 2:
        # An entry: family, then address, display number, method and key, each with its length before it.
        fields, content = [], content[2:]
        for _ in range(4):
            length = int.from_bytes(content[:2], "big")
            fields.append(content[2 : 2 + length])
            content = content[2 + length :]
        if fields[1] in (b"", str(number).encode()) and fields[2] == _COOKIE:
            yield fields[3]


def _wayland_answers() -> bool:
    name = os.environ["WAYLAND_DISPLAY"]
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/")) / name
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_WITHIN)
        return connection.connect_ex(str(path)) == 0
