"""The window of the command, on a virtual screen: how it is left, every key, and files beside it."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import numbered, until
from launched import ended, frames_of, launched, rows_of
from screen import Screen, virtual_screen

from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.sources import open_source


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with virtual_screen() as running:
        yield running


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory, make_clip: Callable[..., Path]) -> Path:
    """Forty seconds, so that there is time to press something."""
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", [numbered(i % 256) for i in range(1200)])


@pytest.mark.parametrize("how", ["q", "Escape", "the close button", "Ctrl-C"])
def test_the_window_can_be_left(screen: Screen, tmp_path: Path, long_clip: Path, how: str) -> None:
    process = launched("--video", long_clip, cwd=tmp_path, env=screen.environment)
    window = screen.wait_for_window("fkp-live: long.mp4", process)
    if how == "the close button":
        screen.press_close_button(window)
    elif how == "Ctrl-C":
        process.send_signal(signal.SIGINT)
    else:
        screen.press_until_it_ends(window, how, process)
    out, err = ended(process, 30)
    assert process.returncode == (130 if how == "Ctrl-C" else 0), err
    assert 0 < int(out.split(" frames")[0]) < 1200


# Key for xdotool, and what the title bar says then, in a paused run.
TITLED = [
    *(("1", "points off"), ("2", "contours off"), ("3", "boxes off"), ("4", "ids off")),
    *(("5", "pose on"), ("6", "measures on"), ("7", "hud off"), ("7", "hud on")),
    *(("m", "mirrored"), ("m", "not mirrored"), ("plus", "size 1.4"), ("minus", "size 1")),
    *(("bracketright", "smoothing strong"), ("bracketleft", "smoothing medium")),
    *(("c", "neutral face"), ("f", "full screen"), ("f", "no full screen")),
]


def test_every_key_of_the_window(screen: Screen, tmp_path: Path) -> None:
    """One run of the demo clip: what a key does is waited for in the title bar, the folder or the picture."""
    words = ("--demo", "--window-size", "800x600", "--csv", "a.csv", "--no-headless")
    process = launched(*words, cwd=tmp_path, env=screen.environment)
    try:
        press_every_key(screen, process, tmp_path)
    finally:
        process.kill()
        process.communicate()


def press_every_key(screen: Screen, process: subprocess.Popen[str], tmp_path: Path) -> None:
    window = screen.wait_for_window("fkp-live: demo.mp4", process)

    def press(key: str, happened: Callable[[], bool]) -> None:
        screen.press_until(window, key, happened, process)

    def titled(text: str) -> Callable[[], bool]:
        return lambda: screen.title(window).endswith(text) or f" {text}" in screen.title(window)

    def named(pattern: str) -> list[Path]:
        return sorted(tmp_path.glob(pattern))

    def middle() -> float:
        return float(screen.picture(window)[150:450, 100:700].mean())

    press("space", titled("paused"))
    assert screen.size(window) == (800, 600)
    # Before the full screen: a window that has just left it may show a part of the larger picture for a moment.
    until(lambda: middle() == middle() > 40)
    bright = middle()
    for key, text in TITLED:
        press(key, titled(text))
    press("h", lambda: middle() < 0.6 * bright)
    press("h", lambda: middle() > 0.8 * bright)
    press("s", lambda: len(named("demo-*-clean.png")) == 1)
    press("r", titled("recording"))
    press("space", lambda: len(named("demo-*.partial.mp4")) == 1)
    press("r", lambda: len(named("demo-*[0-9].mp4")) == 1)
    screen.press_until_it_ends(window, "q", process)
    out, err = ended(process)
    assert process.returncode == 0, err

    picture, clean = (cv2.imread(str(path)) for path in (*named("demo-*[0-9].png"), *named("*-clean.png")))
    with open_source(demo_clip()) as source:
        frames = {frame.time: frame.image.copy() for frame in source}
    assert picture.shape == clean.shape == (480, 640, 3)
    assert any(np.array_equal(clean, image) for image in frames.values())
    # The layers as they were switched: pose and measures, neither points nor contours.
    assert 0 < (picture != clean).any(2).mean() < 0.1
    # The recording: frames of the clip, one after the other, at the same distances, and the table's rows.
    (video,), (table,) = named("demo-*.mp4"), named("demo-*.csv")
    with open_source(video) as source:
        recorded = [(frame.time, frame.image) for frame in source]
    rows, all_rows = rows_of(table), rows_of(tmp_path / "a.csv")
    (first,) = (
        n for n, row in enumerate(all_rows) if row["x_30"] == rows[0]["x_30"] and row["y_8"] == rows[0]["y_8"]
    )
    assert len(rows) == len(recorded)
    for (seconds, image), row, whole in zip(recorded, rows, all_rows[first:], strict=False):
        when = float(whole["timestamp"])
        assert seconds == pytest.approx(when - float(all_rows[first]["timestamp"]), abs=0.001)
        assert float(row["timestamp"]) == pytest.approx(seconds, abs=0.001)
        source_image = frames[min(frames, key=lambda time, when=when: abs(time - when))]
        assert np.abs(image[200:, :100].astype(int) - source_image[200:, :100]).mean() < 6
    for path in named("demo-*"):
        assert f"written: {path.name}" in out


def test_a_file_in_the_window_plays_at_its_own_pace(screen: Screen, tmp_path: Path) -> None:
    process = launched("--demo", "--max-frames", 45, cwd=tmp_path, env=screen.environment)
    out, err = ended(process)
    assert process.returncode == 0, err
    (busy,) = re.findall(r"45 frames in ([\d.]+) s", out)
    # Absent where this machine is too slow to wait at all.
    idle = re.findall(r"([\d.]+) s more were spent waiting", out)
    assert float(busy) + sum(map(float, idle)) >= 44 / 30 - 0.02


def test_window_and_file_together(screen: Screen, tmp_path: Path) -> None:
    words = ("--demo", "--out", "a.mp4", "--no-headless", "--max-frames", 30)
    process = launched(*words, cwd=tmp_path, env=screen.environment)
    out, err = ended(process)
    assert process.returncode == 0, err
    assert "\nshow " in out
    assert frames_of(tmp_path / "a.mp4") == 30


def test_a_written_file_opens_no_window_of_itself(screen: Screen, tmp_path: Path) -> None:
    process = launched("--demo", "--max-frames", 30, "--csv", "a.csv", cwd=tmp_path, env=screen.environment)
    out, err = ended(process)
    assert process.returncode == 0, err
    assert "\nshow " not in out
