"""A screen of its own for the tests that need one: Xvfb, and hands (xdotool) to press keys and buttons."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray


class _XImage(ctypes.Structure):
    """The beginning of Xlib's structure."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("width", "height", "xoffset", "format")),
        ("data", ctypes.c_void_p),
        *((name, ctypes.c_int) for name in ("byte_order", "unit", "bit_order", "pad", "depth")),
        ("bytes_per_line", ctypes.c_int),
    )


@dataclass(frozen=True)
class Screen:
    """A running X server."""

    display: str

    @property
    def environment(self) -> dict[str, str]:
        """For a process that shall use this screen."""
        return {**os.environ, "DISPLAY": self.display}

    def _xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def wait_for_window(self, title: str, process: subprocess.Popen[str], seconds: float = 60.0) -> str:
        """The id of the window with this title, as soon as ``process`` shows it and has painted it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"ended with {process.returncode}: {process.communicate()}")
            found = self._xdotool("search", "--onlyvisible", "--name", title)
            if found:
                window = found.splitlines()[0]
                self._expose(window)
                return window
            time.sleep(0.05)
        raise AssertionError(f"no window {title!r} within {seconds} s")

    def _expose(self, window: str) -> None:
        """Put a window that stays black up once more.

        Qt, also in four lines of OpenCV alone, sometimes misses that its window is on a screen without a window manager
        (1 of 15 times on busy cores), and then never paints it.
        """
        for _ in range(3):
            again = time.monotonic() + 1.5
            while time.monotonic() < again:
                if self.picture(window).any():
                    return
                time.sleep(0.02)
            self._xdotool("windowunmap", window, "windowmap", window)

    def press(self, window: str, key: str) -> None:
        """Press a key with the focus on the window, which no window manager is there to give."""
        self._xdotool("windowfocus", "--sync", window, "key", key)

    def press_until(
        self, window: str, key: str, happened: Callable[[], bool], process: subprocess.Popen[str]
    ) -> None:
        """Press a key, and wait until ``process`` has done what it asks for.

        A window that has just appeared may lose a key: without an effect for ten seconds it is pressed again.
        """
        for _ in range(6):
            self.press(window, key)
            again = time.monotonic() + 10
            while time.monotonic() < again:
                if happened():
                    return
                assert process.poll() is None, process.communicate()
                time.sleep(0.02)
        raise AssertionError(f"{key} had no effect; the title is {self.title(window)!r}")

    def press_until_it_ends(self, window: str, key: str, process: subprocess.Popen[str]) -> None:
        """Press a key that quits, again where it was lost, until ``process`` has ended."""
        for _ in range(6):
            self.press(window, key)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue
            return
        process.kill()
        raise AssertionError(f"{key} did not end it: {process.communicate()}")

    def title(self, window: str) -> str:
        """Text of the title bar."""
        return self._xdotool("getwindowname", window)

    def size(self, window: str) -> tuple[int, int]:
        """Width and height of a window in pixels."""
        words = dict(
            line.split("=") for line in self._xdotool("getwindowgeometry", "--shell", window).splitlines()
        )
        return int(words["WIDTH"]), int(words["HEIGHT"])

    def picture(self, window: str) -> NDArray[np.uint8]:
        """(H, W, 3) BGR: what is on the screen in a window."""
        width, height = self.size(window)
        x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XGetImage.restype = ctypes.POINTER(_XImage)
        server = ctypes.c_void_p(x11.XOpenDisplay(self.display.encode()))
        everything, by_pixel = ctypes.c_ulong(-1), 2
        image = x11.XGetImage(server, ctypes.c_ulong(int(window)), 0, 0, width, height, everything, by_pixel)
        assert image, "the window is not on the screen"
        found = image.contents
        pixels = np.frombuffer(ctypes.string_at(found.data, found.bytes_per_line * height), np.uint8)
        x11.XCloseDisplay(server)
        return pixels.reshape(height, found.bytes_per_line // 4, 4)[:, :width, :3]

    def press_close_button(self, window: str) -> None:
        """What a window manager sends when its close button is pressed: WM_DELETE_WINDOW."""
        x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        server = ctypes.c_void_p(x11.XOpenDisplay(self.display.encode()))
        assert server.value, f"no X server at {self.display}"
        protocols, delete = (
            x11.XInternAtom(server, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        # XClientMessageEvent: type 33, serial, send_event, display, window, message type, format, data.
        event = (ctypes.c_long * 24)(33, 0, 1, server.value, int(window), protocols, 32, delete)
        assert x11.XSendEvent(server, ctypes.c_ulong(int(window)), 0, 0, ctypes.byref(event))
        x11.XCloseDisplay(server)


@contextmanager
def virtual_screen(authority: Path | None = None, *, restless: bool = False) -> Iterator[Screen]:
    """A fresh X server. Skips where there is no Xvfb.

    Parameters
    ----------
    authority : file with the cookies that it asks for; None: everybody is let in
    restless : whether it starts afresh when its last client leaves, refusing everybody for a moment
    """
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}, which is not installed")
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    if not restless:
        words.append("-noreset")
    if authority is not None:
        words += ["-auth", str(authority)]
    server = subprocess.Popen(words, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        # Xvfb picks a free number and tells it when it is ready; an empty answer means that it died.
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start here")
        yield Screen(f":{number}")
    finally:
        server.terminate()
        server.wait(30)
