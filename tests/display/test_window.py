from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from screen import Screen, virtual_screen

from fkp_live.display import window

COOKIE = bytes(range(1, 17))

# Shows a picture until a key is pressed or the window is closed, and says which.
SHOW = """
import numpy as np
from fkp_live.display.window import NO_KEY, Window
shown = Window("fkp-live test", (320, 240))
picture = np.full((240, 320, 3), 90, np.uint8)
key = NO_KEY
while key == NO_KEY and not shown.closed:
    key = shown.show(picture, 20)
print("key", key, "closed", shown.closed, flush=True)
shown.close()
shown.close()
print("gone", shown.closed)
"""


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as running:
        yield running


def authority(path: Path, number: bytes, cookie: bytes) -> Path:
    """An .Xauthority file with one entry."""
    fields = (b"host", number, b"MIT-MAGIC-COOKIE-1", cookie)
    path.write_bytes(b"\x01\x00" + b"".join(len(field).to_bytes(2, "big") + field for field in fields))
    return path


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    if not sys.platform.startswith("linux"):
        pytest.skip("X servers are asked on Linux only")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def shows(screen: Screen) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SHOW],
        env=screen.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("key", "code"), [("q", ord("q")), ("Escape", window.ESCAPE), ("space", ord(" "))])
def test_a_key_pressed_is_returned(screen: Screen, key: str, code: int) -> None:
    process = shows(screen)
    screen.press(screen.wait_for_window("fkp-live test", process), key)
    out, err = process.communicate(timeout=60)
    assert out.split("\n")[:2] == [f"key {code} closed False", "gone False"], err
    assert process.returncode == 0


def test_the_close_button_is_noticed(screen: Screen) -> None:
    process = shows(screen)
    screen.press_close_button(screen.wait_for_window("fkp-live test", process))
    out, err = process.communicate(timeout=60)
    assert out.split("\n")[0] == "key -1 closed True", err
    assert process.returncode == 0


def test_a_screen_that_answers_is_found(screen: Screen, linux: pytest.MonkeyPatch) -> None:
    linux.setenv("DISPLAY", screen.display)
    assert window.screen_problem() is None
    linux.setenv("DISPLAY", f"unix{screen.display}.0")
    assert window.screen_available()


def test_looking_does_not_make_the_server_start_afresh(linux: pytest.MonkeyPatch) -> None:
    """It would refuse the window that opens right afterwards."""
    with virtual_screen(restless=True) as restless:
        linux.setenv("DISPLAY", restless.display)
        assert [window.screen_problem() for _ in range(30)] == [None] * 30


def test_no_display_is_no_screen(linux: pytest.MonkeyPatch) -> None:
    assert "DISPLAY is not set" in (window.screen_problem() or "")
    assert not window.screen_available()


@pytest.mark.parametrize("display", [":3999", "nonsense", ":", "127.0.0.1:3999", "localhost:x"])
def test_a_display_that_does_not_answer_is_no_screen(linux: pytest.MonkeyPatch, display: str) -> None:
    linux.setenv("DISPLAY", display)
    assert display in (window.screen_problem() or "")


def test_a_server_that_accepts_and_says_nothing_is_no_screen(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(window, "_ANSWER_WITHIN", 0.2)
    with socket.socket() as silent:
        # Display numbers are ports from 6000 up.
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        if port < 6000:
            pytest.skip("the free port is too low for a display number")
        linux.setenv("DISPLAY", f"127.0.0.1:{port - 6000}")
        begin = time.monotonic()
        assert not window.screen_available()
        assert time.monotonic() - begin < 20


def test_a_server_that_refuses_us_is_no_screen(linux: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with virtual_screen(authority(tmp_path / "server", b"", COOKIE)) as guarded:
        linux.setenv("DISPLAY", guarded.display)
        linux.setenv("XAUTHORITY", str(tmp_path / "none"))
        assert not window.screen_available()
        number = guarded.display.removeprefix(":").encode()
        linux.setenv("XAUTHORITY", str(authority(tmp_path / "wrong", number, COOKIE[::-1])))
        assert not window.screen_available()
        linux.setenv("XAUTHORITY", str(authority(tmp_path / "right", number, COOKIE)))
        assert window.screen_available()


def test_wayland_alone_will_not_do_with_qt(linux: pytest.MonkeyPatch) -> None:
    linux.setenv("WAYLAND_DISPLAY", "wayland-0")
    linux.setattr(cv2, "currentUIFramework", lambda: "QT5")
    assert "X server" in (window.screen_problem() or "")


def test_wayland_is_asked_where_opencv_can_use_it(linux: pytest.MonkeyPatch, tmp_path: Path) -> None:
    linux.setattr(cv2, "currentUIFramework", lambda: "GTK3")
    linux.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    linux.setenv("WAYLAND_DISPLAY", "wayland-7")
    assert "does not answer" in (window.screen_problem() or "")
    with socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind(str(tmp_path / "wayland-7"))
        compositor.listen()
        assert window.screen_problem() is None


def test_a_build_without_windows_names_the_cure(linux: pytest.MonkeyPatch) -> None:
    linux.setattr(cv2, "currentUIFramework", lambda: "")
    assert "install opencv-python" in (window.screen_problem() or "")


def test_other_systems_always_have_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert window.screen_available()


def test_opencv_is_imported_before_av() -> None:
    """The other way round, imshow hangs for ever on Linux."""
    code = """
import sys
order = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("cv2", "av"):
            order.append(name)
sys.meta_path.insert(0, Watch())
import fkp_live.commands.run, fkp_live.commands.doctor
from fkp_live import open_source
assert "av" not in sys.modules, "av has to wait until a file is opened"
print(order[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "cv2", done.stderr
