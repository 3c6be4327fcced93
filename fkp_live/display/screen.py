"""Whether a window can be opened here.

Without a screen that lets us in, OpenCV's ``imshow`` ends the whole process (exit 134, no exception), so
`screen_problem` finds out beforehand.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import threading
from pathlib import Path

import cv2

# Seconds in which an X server or a Wayland compositor must have let us in.
_ANSWER_WITHIN = 3.0
_LIBXCB = "libxcb.so.1"
# What xcb_connection_has_error returns (xcb.h) for a DISPLAY that is malformed or names a missing screen.
_XCB_ERRORS = {
    5: "DISPLAY={display} is not the name of an X server",
    6: "the X server at DISPLAY={display} has no screen of that number",
}

# The connection by which an X server last let us in. It stays open: a server without clients may start
# afresh (Xvfb does), and would refuse the window that is about to connect.
_held: list[ctypes.c_void_p] = []


def screen_problem() -> str | None:
    """Why no window can be opened here, as a clause for a message; None where one can."""
    backend = cv2.currentUIFramework()
    if not backend:
        return (
            "this build of OpenCV has no windows (opencv-python-headless?); remove all of them: pip uninstall -y "
            "opencv-python opencv-python-headless opencv-contrib-python, then install one: pip install "
            "'opencv-python>=4.12,<5'"
        )
    if not sys.platform.startswith("linux"):
        return None
    display = os.environ.get("DISPLAY", "")
    if display:
        return _x_server_problem(display)
    if not os.environ.get("WAYLAND_DISPLAY"):
        return "there is no screen (DISPLAY is not set)"
    # PyPI's wheel is built with Qt and carries its X11 plugin only.
    if backend.startswith("QT"):
        return (
            "this build of OpenCV needs an X server, and DISPLAY is not set (Wayland alone does not suffice)"
        )
    return None if _wayland_answers() else "the Wayland compositor at WAYLAND_DISPLAY does not answer"


def _x_server_problem(display: str) -> str | None:
    """Why the X server does not let us in, None if it does: libxcb connects as the window will.

    ``xcb_connect`` has no time limit and waits for ever for a server that accepts and then hangs, so it runs in a
    thread, which is left behind in that case. A child process could be killed instead, but its connection would
    close with it, and `_held` must stay open.
    """
    try:
        xcb = ctypes.CDLL(_LIBXCB)
    except OSError:
        # OpenCV's windows need the same library (no wheel carries it).
        return f"the library {_LIBXCB} is missing; install it, on Debian and Ubuntu with: apt-get install libxcb1"
    xcb.xcb_connect.restype = ctypes.c_void_p
    connections: list[ctypes.c_void_p] = []

    def connect() -> None:
        connections.append(ctypes.c_void_p(xcb.xcb_connect(os.fsencode(display), None)))

    thread = threading.Thread(target=connect, name="xcb-connect", daemon=True)
    thread.start()
    thread.join(_ANSWER_WITHIN)
    if not connections:
        return f"the X server at DISPLAY={display} does not answer"
    # xcb_connect returns an object for a failed connection, too; xcb_disconnect frees either.
    (connection,) = connections
    error = xcb.xcb_connection_has_error(connection)
    if error:
        xcb.xcb_disconnect(connection)
        reason = _XCB_ERRORS.get(
            error, "the X server at DISPLAY={display} does not run or does not let us in"
        )
        return reason.format(display=display)
    _held.append(connection)
    while len(_held) > 1:
        xcb.xcb_disconnect(_held.pop(0))
    return None


def _wayland_answers() -> bool:
    name = os.environ["WAYLAND_DISPLAY"]
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/")) / name
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_WITHIN)
        return connection.connect_ex(str(path)) == 0
