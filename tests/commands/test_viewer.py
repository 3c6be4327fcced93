"""The viewer with a window that exists only here, whose clock moves only while it waits."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from ticking import Clock

from fkp_live.commands import viewer as viewers
from fkp_live.commands.cli import main
from fkp_live.commands.viewer import Viewer
from fkp_live.display.overlay import Hud
from fkp_live.display.window import ESCAPE, NO_KEY
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.sinks import VideoSink
from fkp_live.sources import SourceInfo, open_source
from fkp_live.stats import RunStats
from fkp_live.types import Frame, FrameResult, Image, Picture

INFO = SourceInfo("a.mp4", 320, 240, fps=30)
HUD = Hud(30.0, None, "cpu", 0)
SPACE = ord(" ")


class FakeWindow:
    """Keeps what it is shown and answers with ``keys``, one at each call, then `NO_KEY`."""

    def __init__(self, clock: Clock, keys: Sequence[int] = ()) -> None:
        self.shown: list[Image] = []
        self.closed = self.gone = False
        self.waited = 0.0
        self._clock, self._keys = clock, list(keys)

    def _key(self) -> int:
        return self._keys.pop(0) if self._keys else NO_KEY

    def show(self, image: Image, wait_ms: int = 1) -> int:
        self.shown.append(image.copy())
        return self._key()

    def wait(self, wait_ms: int) -> int:
        assert wait_ms <= 50, "a stop would be noticed late"
        self._clock.pass_(wait_ms / 1000)
        self.waited += wait_ms / 1000
        return self._key()

    def close(self) -> None:
        self.gone = True


def never() -> bool:
    return False


def frame(number: int) -> Frame:
    return Frame(BgrPicture(np.full((240, 320, 3), 90, np.uint8)), number, number / 30, 0.0)


def show(viewer: Viewer, number: int) -> None:
    """Show a frame as a run does: the painted picture has the HUD."""
    one = frame(number)
    viewer.show(one, FrameResult.of(one, ()), one.picture.copy())


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, *keys: int, paced: bool = True, hud_painted: bool = True) -> tuple[Viewer, FakeWindow]:
    window = FakeWindow(clock, keys)
    viewer = Viewer(INFO, paced=paced, hud=lambda: HUD, hud_painted=hud_painted, window=window, clock=clock)
    return viewer, window


def test_a_paced_file_takes_its_own_time(clock: Clock) -> None:
    viewer, window = made(clock)
    begin = clock()
    for number in range(31):
        show(viewer, number)
        clock.pass_(0.002)
        viewer.wait(never)
    assert clock() - begin == pytest.approx(1.0, abs=0.003)
    assert window.waited == pytest.approx(1.0 - 31 * 0.002, abs=0.003)


def test_a_file_that_is_written_does_not_wait(clock: Clock) -> None:
    viewer, window = made(clock, paced=False)
    for number in range(10):
        show(viewer, number)
        viewer.wait(never)
    assert window.waited == 0.0


def test_a_file_that_is_late_catches_up_only_a_little(clock: Clock) -> None:
    viewer, window = made(clock)
    show(viewer, 0)
    clock.pass_(10.0)
    show(viewer, 1)
    viewer.wait(never)
    # It goes on from here: the next frame waits for its 1/30 s, and no frame is skipped over in a rush.
    assert window.waited == 0.0
    show(viewer, 2)
    viewer.wait(never)
    assert window.waited == pytest.approx(1 / 30, abs=0.002)


@pytest.mark.parametrize("paced", [True, False])
def test_a_pause_lasts_until_space_is_pressed_again(clock: Clock, paced: bool) -> None:
    viewer, window = made(clock, SPACE, *[NO_KEY] * 99, SPACE, paced=paced)
    show(viewer, 0)
    viewer.wait(never)
    assert window.waited == pytest.approx(100 * 0.05)
    # The pace goes on where it stopped.
    show(viewer, 1)
    viewer.wait(never)
    assert window.waited == pytest.approx(5.0 + (1 / 30 if paced else 0.0), abs=0.002)


@pytest.mark.parametrize("key", [ord("q"), ESCAPE])
def test_a_key_quits_also_in_a_pause(clock: Clock, key: int) -> None:
    viewer, _ = made(clock, SPACE, NO_KEY, key)
    show(viewer, 0)
    assert not viewer.done
    viewer.wait(never)
    assert viewer.done


def test_the_close_button_quits(clock: Clock) -> None:
    viewer, window = made(clock)
    window.closed = True
    show(viewer, 0)
    assert viewer.done


def test_a_stop_ends_a_pause(clock: Clock) -> None:
    viewer, window = made(clock, SPACE)
    show(viewer, 0)
    viewer.wait(lambda: window.waited > 0.2)
    assert window.waited == pytest.approx(0.25)
    assert not viewer.done


def test_the_window_is_closed_in_the_end(clock: Clock) -> None:
    viewer, window = made(clock)
    with viewer:
        assert not window.gone
    assert window.gone


@pytest.mark.parametrize("painted", [True, False])
def test_h_switches_the_hud_of_the_window_alone(clock: Clock, painted: bool) -> None:
    viewer, window = made(clock, ord("h"), NO_KEY, ord("h"), paced=False, hud_painted=painted)
    pictures = [frame(0).picture.copy() for _ in range(4)]
    for picture in pictures:
        viewer.show(frame(0), FrameResult.of(frame(0), ()), picture)
    clean = frame(0).image
    # The first and the last are the painted picture, here without anything on it; between them the window differs.
    differs = [not np.array_equal(image, clean) for image in window.shown]
    assert differs == [False, not painted, not painted, False]
    assert all(np.array_equal(picture.bgr(), clean) for picture in pictures)


def test_s_saves_what_is_shown(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    viewer, window = made(clock, ord("s"))
    show(viewer, 0)
    assert viewer.snapshots == [path.name for path in tmp_path.iterdir()]
    saved = cv2.imread(viewer.snapshots[0])
    assert saved is not None
    assert np.array_equal(saved, window.shown[0])


def test_a_snapshot_that_cannot_be_written_is_reported(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(viewers.cv2, "imwrite", lambda *_: False)
    viewer, _ = made(clock, ord("s"))
    show(viewer, 0)
    assert viewer.snapshots == []
    assert "could not be written" in capsys.readouterr().err


# ----- in a run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[..., FakeWindow]:
    """Runs the command with a fake window and the given keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fkp_live.commands.run.screen_problem", lambda: None)

    def start(words: str, *keys: int) -> FakeWindow:
        window = FakeWindow(clock, keys)
        monkeypatch.setattr(viewers, "Window", lambda *_: window)
        assert main(words.split()) == 0
        return window

    return start


def samples_of(path: Path) -> list[Image]:
    with open_source(path) as source:
        pictures = [frame.picture for frame in source]
    assert all(isinstance(picture, Yuv420Picture) for picture in pictures)
    return [picture.samples for picture in pictures if isinstance(picture, Yuv420Picture)]


def test_a_window_changes_nothing_in_the_file(
    run: Callable[..., FakeWindow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Picture | None] = []
    write = VideoSink.write

    def observed(self: VideoSink, result: FrameResult, picture: Picture | None) -> None:
        written.append(picture)
        write(self, result, picture)

    monkeypatch.setattr(VideoSink, "write", observed)
    words = "--demo --no-hud --max-frames 12 --quiet"
    run(f"{words} --headless --out plain.mp4")
    keys = [NO_KEY, ord("h"), ord("s"), NO_KEY, ord("h"), SPACE, NO_KEY, SPACE]
    window = run(f"{words} --no-headless --out shown.mp4", *keys)
    assert len(window.shown) == 12
    plain, shown = samples_of(tmp_path / "plain.mp4"), samples_of(tmp_path / "shown.mp4")
    assert len(plain) == len(shown) == 12
    assert all(np.array_equal(a, b) for a, b in zip(plain, shown, strict=True))
    # Painted in the planes of the video, not by way of BGR, which changes every sample a little.
    assert [type(picture) for picture in written] == [Yuv420Picture] * 24


def test_a_pause_and_the_pace_are_not_run_time(
    run: Callable[..., FakeWindow],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("fkp_live.commands.run.RunStats", functools.partial(RunStats, clock))
    monkeypatch.setattr("fkp_live.commands.run.Viewer", functools.partial(Viewer, clock=clock))
    # The clock moves only while the window waits: ten seconds of pause, and one of pace.
    run("--demo --max-frames 31 --quiet", SPACE, *[NO_KEY] * 199, SPACE)
    out = capsys.readouterr().out
    assert "31 frames in 0.00 s" in out
    (waited,) = re.findall(r"([\d.]+) s more were spent waiting", out)
    assert float(waited) == pytest.approx(11.0, abs=0.1)
