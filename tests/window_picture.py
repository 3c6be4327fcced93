"""Makes docs/window.jpg: the window with every layer, recording, and with its list of keys.

    python -m tests.window_picture docs/window.jpg

Needs Xvfb and xdotool.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from screen import virtual_screen  # noqa: E402


def main(target: str) -> None:
    """Run the demo clip in a window, press keys, and write what is on the screen."""
    words = [sys.executable, "-m", "fkp_live", "--demo", "--layers", "all", "--window-size", "640x480"]
    with tempfile.TemporaryDirectory() as folder, virtual_screen() as screen:
        environment = {**screen.environment, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        window = screen.wait_for_window("fkp-live: demo.mp4", process)
        screen.press_until(window, "r", lambda: "recording" in screen.title(window), process)
        screen.press_until(window, "space", lambda: "paused" in screen.title(window), process)
        screen.press_until(window, "bracketright", lambda: "strong" in screen.title(window), process)
        plain = screen.picture(window)
        screen.press_until(
            window, "h", lambda: bool(screen.picture(window).mean() < 0.9 * plain.mean()), process
        )
        listed = screen.picture(window)
        screen.press(window, "q")
        process.communicate(timeout=60)
    if not cv2.imwrite(target, np.hstack([plain, listed]), [cv2.IMWRITE_JPEG_QUALITY, 82]):
        raise SystemExit(f"{target} cannot be written")


if __name__ == "__main__":
    main(*sys.argv[1:])
