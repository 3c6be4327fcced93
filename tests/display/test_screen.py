"""Whether a window can be opened: X servers that accept, refuse, hang or are missing, and Wayland."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from screen import Screen, virtual_screen

from fkp_live.display import screen as display_screen
from fkp_live.display.screen import screen_problem

COOKIE = bytes(range(1, 17))
# Looks for a screen and says so, then shows a window until a key is pressed.
LOOK_AND_SHOW = """
import numpy as np
from fkp_live.display.screen import screen_problem
from fkp_live.display.window import NO_KEY, Window
assert screen_problem() is None
print("looked", flush=True)
shown = Window("fkp-live test", (320, 240))
while shown.show(np.full((240, 320, 3), 128, np.uint8), 20) == NO_KEY:
    pass
"""


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as running:
        yield running


def authority(path: Path, number: bytes, cookie: bytes, host: bytes = b"") -> Path:
    """An .Xauthority file with one entry, for this host (FamilyLocal) or for every one (FamilyWild)."""
    fields = (host, number, b"MIT-MAGIC-COOKIE-1", cookie)
    family = b"\x01\x00" if host else b"\xff\xff"
    path.write_bytes(family + b"".join(len(field).to_bytes(2, "big") + field for field in fields))
    return path


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    if not sys.platform.startswith("linux"):
        pytest.skip("X servers are looked for on Linux only")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_server_that_lets_us_in_is_a_screen(screen: Screen, linux: pytest.MonkeyPatch) -> None:
    linux.setenv("DISPLAY", screen.display)
    assert screen_problem() is None
    linux.setenv("DISPLAY", f"unix{screen.display}.0")
    assert screen_problem() is None


def test_looking_does_not_make_the_server_start_afresh(linux: pytest.MonkeyPatch) -> None:
    """It would refuse the window that opens right afterwards."""
    with virtual_screen(restless=True) as restless:
        linux.setenv("DISPLAY", restless.display)
        assert [screen_problem() for _ in range(30)] == [None] * 30


def test_without_display_there_is_no_screen(linux: pytest.MonkeyPatch) -> None:
    assert "DISPLAY is not set" in (screen_problem() or "")
    assert screen_problem() is not None


@pytest.mark.parametrize("display", [":3999", "nonsense", ":", "127.0.0.1:3999", "localhost:x"])
def test_a_display_without_a_server_is_not_a_screen(linux: pytest.MonkeyPatch, display: str) -> None:
    linux.setenv("DISPLAY", display)
    assert display in (screen_problem() or "")


def test_a_server_that_accepts_and_hangs_is_not_a_screen(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(display_screen, "_ANSWER_WITHIN", 0.2)
    with socket.socket() as silent:
        # Display numbers are ports from 6000 up.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        if port < 6000:
            pytest.skip("the free port is too low for a display number")
        linux.setenv("DISPLAY", f"127.0.0.1:{port - 6000}")
        assert "does not answer" in (screen_problem() or "")


def test_a_server_that_refuses_us_is_not_a_screen(linux: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with virtual_screen(authority(tmp_path / "server", b"", COOKIE)) as guarded:
        linux.setenv("DISPLAY", guarded.display)
        linux.setenv("XAUTHORITY", str(tmp_path / "none"))
        assert screen_problem() is not None
        number = guarded.display.removeprefix(":").encode()
        linux.setenv("XAUTHORITY", str(authority(tmp_path / "wrong", number, COOKIE[::-1])))
        assert screen_problem() is not None
        linux.setenv("XAUTHORITY", str(authority(tmp_path / "other", number, COOKIE, b"another-host")))
        assert screen_problem() is not None
        linux.setenv("XAUTHORITY", str(authority(tmp_path / "right", number, COOKIE)))
        assert screen_problem() is None


def test_wayland_alone_does_not_suffice_with_qt(linux: pytest.MonkeyPatch) -> None:
    linux.setenv("WAYLAND_DISPLAY", "wayland-0")
    linux.setattr(cv2, "currentUIFramework", lambda: "QT5")
    assert "X server" in (screen_problem() or "")


def test_wayland_is_a_screen_where_opencv_can_use_it(linux: pytest.MonkeyPatch, tmp_path: Path) -> None:
    linux.setattr(cv2, "currentUIFramework", lambda: "GTK3")
    linux.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    linux.setenv("WAYLAND_DISPLAY", "wayland-7")
    assert "does not answer" in (screen_problem() or "")
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind(str(tmp_path / "wayland-7"))
        compositor.listen()
        assert screen_problem() is None


def test_a_build_without_windows_names_the_cure(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(cv2, "currentUIFramework", lambda: "")
    assert "pip install 'opencv-python>=" in (screen_problem() or "")


def test_other_systems_always_have_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert screen_problem() is None


def test_a_missing_libxcb_is_named_with_the_cure(linux: pytest.MonkeyPatch) -> None:
    linux.setenv("DISPLAY", ":0")
    linux.setattr(display_screen, "_LIBXCB", "libxcb-missing.so.1")
    assert "libxcb-missing.so.1 is missing" in (screen_problem() or "")
    assert "apt-get install" in (screen_problem() or "")


def test_the_window_finds_the_server_as_it_was_looked_at() -> None:
    """A server that starts afresh without clients would end the process."""
    with virtual_screen(restless=True) as restless:
        process = subprocess.Popen(
            [sys.executable, "-c", LOOK_AND_SHOW],
            env=restless.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Before that, a look of ours would be the server's first client, and the last when it leaves.
        assert process.stdout is not None
        assert process.stdout.readline() == "looked\n", process.communicate()
        restless.press(restless.wait_for_window("fkp-live test", process), "q")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
