"""The window: keys, the close button, and the order of imports that it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from screen import Screen, virtual_screen

from fkp_live.display.window import ESCAPE

# Shows a picture until a key is pressed or the window is closed, and prints which.
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


def show_window(screen: Screen) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SHOW],
        env=screen.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("key", "code"), [("q", ord("q")), ("Escape", ESCAPE), ("space", ord(" "))])
def test_a_key_pressed_is_returned(screen: Screen, key: str, code: int) -> None:
    process = show_window(screen)
    screen.press_until_it_ends(screen.wait_for_window("fkp-live test", process), key, process)
    out, err = process.communicate(timeout=60)
    assert out.split("\n")[:2] == [f"key {code} closed False", "gone False"], err
    assert process.returncode == 0


def test_the_close_button_is_noticed(screen: Screen) -> None:
    process = show_window(screen)
    screen.press_close_button(screen.wait_for_window("fkp-live test", process))
    out, err = process.communicate(timeout=60)
    assert out.split("\n")[0] == "key -1 closed True", err
    assert process.returncode == 0


@pytest.mark.parametrize("package", ["sources", "sinks", "commands.run", "commands.doctor"])
def test_opencv_is_imported_before_av(package: str) -> None:
    """The other way round, imshow hangs for ever on Linux; so av has to wait until a file is opened."""
    code = f"import sys, fkp_live.{package}; print({{'av', 'cv2'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    # The doctor looks for both once it runs, OpenCV first.
    expected = "set()" if package == "commands.doctor" else "{'cv2'}"
    assert done.stdout.strip() == expected, done.stderr
