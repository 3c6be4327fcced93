"""The viewer with a window that exists only here, whose clock moves only while it waits."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapes import face_at
from ticking import Clock

from fkp_live.commands import viewer as viewers
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.commands.cli import main
from fkp_live.commands.viewer import Controls, Viewer
from fkp_live.commands.window_controls import mirrored_at_first
from fkp_live.display.keys import HINT
from fkp_live.display.look import LAYERS, Look
from fkp_live.display.overlay import Hud
from fkp_live.display.window import ESCAPE, NO_KEY
from fkp_live.display.words import Words
from fkp_live.geometry import box_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import VideoSink
from fkp_live.sources import SourceInfo, open_source
from fkp_live.stats import RunStats
from fkp_live.types import Face, Frame, FrameResult, Image, Measures, Picture, Pose

FILE = SourceInfo("a.mp4", 320, 240, fps=30, path="a.mp4")
CAMERA = SourceInfo("camera 0", 320, 240, fps=30, live=True)
HUD = Hud(30.0, None, "cpu", 1)
SPACE = ord(" ")
POINTS = face_at(140, 80, 50)
FACE = Face(
    POINTS,
    np.full(68, 0.95, np.float32),
    box_of(POINTS),
    0.9,
    1,
    pose=Pose(0.1, 0.3, 0.1),
    measures=Measures(0.3, 0.3, 0.2, False, 0.3),
)


class FakeWindow:
    """Keeps what it is shown and answers with ``keys``, one at each call, then `NO_KEY`."""

    def __init__(self, clock: Clock, keys: Sequence[int] = ()) -> None:
        self.shown: list[Image] = []
        self.titles: list[str] = []
        self.closed = self.gone = self.fullscreen = False
        self.waited = 0.0
        self._clock, self.keys = clock, list(keys)

    def _key(self) -> int:
        return self.keys.pop(0) if self.keys else NO_KEY

    def show(self, image: Image, wait_ms: int = 1) -> int:
        self.shown.append(image.copy())
        return self._key()

    def wait(self, wait_ms: int) -> int:
        assert wait_ms <= 50, "a stop would be noticed late"
        self._clock.pass_(wait_ms / 1000)
        self.waited += wait_ms / 1000
        return self._key()

    def entitle(self, text: str) -> None:
        self.titles.append(text)

    def toggle_fullscreen(self) -> bool:
        self.fullscreen = not self.fullscreen
        return self.fullscreen

    def close(self) -> None:
        self.gone = True


class FakeRecorder:
    """Is switched on and off."""

    mark = ""

    def toggle(self) -> None:
        self.mark = "" if self.mark else "0:07"


def never() -> bool:
    return False


def frame(number: int, shade: int = 90) -> Frame:
    image = np.full((240, 320, 3), shade, np.uint8)
    image[:, :100] //= 2  # left and right differ
    return Frame(BgrPicture(image), number, number / 30, 0.0)


def show(viewer: Viewer, number: int, painted: Picture | None = None, shade: int = 90) -> Frame:
    """Show a frame as a run does."""
    one = frame(number, shade)
    viewer.paint(FrameResult.of(one, [FACE]), one.picture, HUD, painted)
    viewer.show(one)
    return one


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(
    clock: Clock, *keys: int, info: SourceInfo = FILE, paced: bool = True, hinted: bool = False, **more: Any
) -> tuple[Viewer, FakeWindow]:
    """A viewer and its window; without ``hinted`` the three seconds of hints are over."""
    window = FakeWindow(clock)
    viewer = Viewer(info, paced=paced, look=Look(), window=window, clock=clock, **more)
    if not hinted:
        viewer.paint(FrameResult.of(frame(0), ()), frame(0).picture, HUD, None)
        clock.pass_(3.0)
    window.keys = list(keys)
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
def test_a_pause_of_a_file_lasts_until_space_is_pressed_again(clock: Clock, paced: bool) -> None:
    viewer, window = made(clock, SPACE, *[NO_KEY] * 98, SPACE, paced=paced)
    show(viewer, 0)
    viewer.wait(never)
    # Of the 100 answers one came when the frame was shown, and one when "paused" was.
    assert window.waited == pytest.approx(98 * 0.05)
    # The pace goes on where it stopped.
    show(viewer, 1)
    viewer.wait(never)
    assert window.waited == pytest.approx(4.9 + (1 / 30 if paced else 0.0), abs=0.002)


@pytest.mark.parametrize("key", [ord("q"), ord("Q"), ESCAPE])
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


# ----- what is shown


class Seen(list[Words]):
    """The words on each picture that had some; those with nothing but the hint are left out."""

    hints = 0


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What was painted on the window's pictures, as words; nothing else is changed."""
    seen = Seen()
    real = viewers.paint_words

    def observed(image: Image, said: Words) -> Image:
        if said == Words((HINT,)):
            seen.hints += 1
        else:
            seen.append(said)
        return real(image, said)

    monkeypatch.setattr(viewers, "paint_words", observed)
    return seen


def test_the_keys_are_hinted_at_for_three_seconds(clock: Clock, words: Seen) -> None:
    viewer, window = made(clock, paced=False, hinted=True)
    for number in range(40):
        show(viewer, number)
        clock.pass_(0.1)
    assert words == []
    assert words.hints == 30
    assert (window.shown[29] != window.shown[30]).any()
    assert np.array_equal(window.shown[30], window.shown[39])


def test_a_pause_of_a_camera_holds_the_picture_and_nothing_else(clock: Clock, words: Seen) -> None:
    recorder, state = FakeRecorder(), ""
    viewer, window = made(
        clock, SPACE, info=CAMERA, paced=False, controls=Controls(recorder, status=lambda: state)
    )
    show(viewer, 0, shade=90)
    for number in range(1, 4):
        show(viewer, number, shade=90 + 40 * number)
        viewer.wait(never)
    # The loop is never held up, and the picture is shown once more, with the word on it.
    assert window.waited == pytest.approx(0.003)
    assert len(window.shown) == 2
    assert np.array_equal(window.shown[0][100, 200:], window.shown[1][100, 200:])
    assert words == [Words(("paused",))]
    # Keys and words go on: a layer is switched on the picture that is held, a recording marked.
    window.keys = [ord("1")]
    show(viewer, 4, shade=250)
    recorder.mark, state = "0:01", "camera 0 lost, trying again"
    show(viewer, 5, shade=250)
    assert words[1:] == [
        Words(("paused", "points off")),
        Words(("camera 0 lost, trying again", "paused", "points off"), "0:01"),
    ]
    assert window.titles[-1] == (
        "fkp-live: camera 0 | camera 0 lost, trying again | paused | recording | points off"
    )
    assert window.shown[-1][5, -5].tolist() == window.shown[0][5, -5].tolist()
    window.keys = [SPACE]
    show(viewer, 6, shade=250)
    show(viewer, 7, shade=250)
    assert window.shown[-1][5, -5].tolist() == [250] * 3


def test_words_go_after_some_seconds(clock: Clock, words: Seen) -> None:
    viewer, window = made(clock, SPACE)
    show(viewer, 0)
    viewer.say("one")
    viewer.say("two")
    viewer.say("three")
    viewer.wait(lambda: window.waited > 6)
    assert words == [Words(("paused", "two", "three")), Words(("paused",))]


def test_h_shows_the_keys_and_hides_them(clock: Clock, words: Seen) -> None:
    viewer, window = made(clock, ord("h"), NO_KEY, ord("H"), paced=False)
    for number in range(4):
        show(viewer, number)
    assert words == [Words(keys=True)] * 2
    shown = window.shown
    assert [image.shape for image in shown] == [(240, 320, 3), (480, 640, 3), (480, 640, 3), (240, 320, 3)]
    assert np.array_equal(shown[0], shown[3])


def test_a_camera_is_shown_mirrored_and_its_text_is_not(clock: Clock) -> None:
    plain, straight = made(clock, paced=False, info=CAMERA)
    mirrored, window = made(clock, ord("m"), paced=False, info=CAMERA, mirror=True)
    show(plain, 0)
    show(mirrored, 0)
    show(mirrored, 1)
    # The corner of the HUD, the background, the face.
    shown, as_it_is = window.shown[0], straight.shown[0]
    assert np.array_equal(shown[4:16, :60] > 100, as_it_is[4:16, :60] > 100)
    assert (shown[230, 230:] == 45).all()
    assert (shown[230, :210] == 90).all()
    x, y = np.rint(POINTS[30]).astype(int)
    assert shown[y, 319 - x].min() > 200
    assert as_it_is[y, x].min() > 200
    # m turns it back, with a word about it below.
    assert np.array_equal(window.shown[1][:180], as_it_is[:180])


def test_the_written_picture_is_shown_as_it_is_while_the_window_looks_the_same(clock: Clock) -> None:
    viewer, window = made(clock, NO_KEY, ord("+"), NO_KEY, paced=False)
    written = BgrPicture(np.full((240, 320, 3), 7, np.uint8))
    for number in range(3):
        show(viewer, number, written)
    assert [(image == 7).all() for image in window.shown] == [True, True, False]
    assert (window.shown[2] != 7).any(axis=2).mean() > 0.9
    assert (written.pixels == 7).all()


@pytest.mark.parametrize(("number", "layer"), list(enumerate(LAYERS, 1)))
def test_a_number_switches_a_layer_of_the_window(clock: Clock, words: Seen, number: int, layer: str) -> None:
    key = ord(str(number))
    viewer, window = made(clock, key, key, paced=False)
    for index in range(3):
        show(viewer, index)
    before, switched, back = (image[:180] for image in window.shown)
    assert (before != switched).any()
    assert np.array_equal(before, back)
    was_on = layer not in ("pose", "measures")
    assert words[0].rows == (f"{layer} {'off' if was_on else 'on'}",)


def test_plus_and_minus_change_the_size_of_what_is_drawn(clock: Clock, words: Seen) -> None:
    viewer, window = made(clock, *map(ord, "++-_=-"), *map(ord, "-----"), paced=False)
    for index in range(12):
        show(viewer, index)
    painted = [(image != frame(0).image)[:180].any(2).sum() for image in window.shown]
    assert painted[0] < painted[1] < painted[2]
    assert painted[3] == painted[1]
    assert words[-1].rows[-1] == "size 0.5"


def test_the_other_keys_reach_their_controls(clock: Clock, words: Seen) -> None:
    asked: list[int] = []

    def smooth(steps: int) -> str:
        asked.append(steps)
        return f"smoothed {steps}"

    recorder = FakeRecorder()
    viewer, window = made(clock, *map(ord, "[]cfrr"), paced=False, controls=Controls(recorder, smooth))
    for index in range(7):
        show(viewer, index)
        clock.pass_(3.0)
    assert asked == [-1, 1]
    assert window.fullscreen
    assert recorder.mark == ""
    said = [word.mark or word.rows for word in words]
    assert said == [
        ("smoothed -1",),
        ("smoothed 1",),
        ("nothing uses a neutral face yet",),
        ("full screen",),
        "0:07",
    ]


def test_keys_without_a_meaning_do_nothing(clock: Clock, words: Seen) -> None:
    keys = [code for code in range(256) if chr(code).lower() not in "q\x1b srmfh1234567[]c+=-_"]
    viewer, window = made(clock, *keys, paced=False)
    for index in range(len(keys) + 1):
        show(viewer, index)
    assert not viewer.done
    assert words == []
    assert all(np.array_equal(image, window.shown[0]) for image in window.shown)


def test_the_window_stays_awake_while_no_frame_comes(clock: Clock, words: Seen) -> None:
    """A camera that is lost for a while: its words are shown, and keys are obeyed."""

    class Stalls:
        waits = 0

        def ready(self, seconds: float) -> bool:
            self.waits += 1
            clock.pass_(seconds)
            return self.waits > 100

        def __next__(self) -> Frame:
            raise StopIteration

    source = Stalls()
    status = "camera 0 lost, trying again"
    viewer, window = made(clock, info=CAMERA, paced=False, controls=Controls(status=lambda: status))
    assert list(viewer.frames(source, never)) == []
    assert source.waits == 101
    assert words == [Words((status,))]
    source.waits, window.keys = 0, [NO_KEY, ord("m"), NO_KEY, ord("q")]
    assert list(viewer.frames(source, never)) == []
    assert viewer.done
    assert source.waits < 6
    assert words[-1].rows[0] == status
    assert len(window.shown) == 2
    source.waits, viewer.done = 0, False
    assert list(viewer.frames(source, lambda: source.waits > 3)) == []
    assert source.waits == 4


# ----- saving


def test_s_saves_the_picture_and_the_clean_frame(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    viewer, window = made(clock, NO_KEY, *[ord("s")] * 3, NO_KEY, info=CAMERA, paced=False)
    for _ in range(5):
        one = show(viewer, 0)
    assert len(set(viewer.snapshots)) == 6
    assert sorted(viewer.snapshots) == sorted(path.name for path in tmp_path.iterdir())
    assert all(re.fullmatch(r"camera-0-\d{8}-\d{6}(-\d)?(-clean)?\.png", n) for n in viewer.snapshots)
    for picture, clean in zip(viewer.snapshots[::2], viewer.snapshots[1::2], strict=True):
        # Without the words that the window has by then.
        assert np.array_equal(cv2.imread(picture), window.shown[0])
        assert np.array_equal(cv2.imread(clean), one.image)


def test_a_saved_picture_has_the_look_of_the_window_but_is_never_mirrored(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    viewer, window = made(clock, ord("s"), ord("m"), ord("s"), ord("7"), ord("s"), mirror=True, paced=False)
    for number in range(6):
        show(viewer, number)
    first, second, third = (cv2.imread(name) for name in viewer.snapshots[::2])
    assert np.array_equal(first, second)
    assert not np.array_equal(second, third)
    assert np.array_equal(second[:180], window.shown[3][:180])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("why", ["no folder", "full"])
def test_a_picture_that_cannot_be_saved_is_reported_and_leaves_nothing(
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: Seen,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if why == "full":
        full = functools.partial(open, "/dev/full", "wb")
        monkeypatch.setattr("fkp_live.commands.snapshots.open", lambda *_: full(), raising=False)
    else:
        monkeypatch.setattr("fkp_live.commands.snapshots.stamped", lambda *_: "gone/a")
    viewer, _ = made(clock, ord("s"), paced=False)
    show(viewer, 0)
    show(viewer, 1)
    assert viewer.snapshots == []
    assert "cannot be written" in capsys.readouterr().err
    assert words[-1].rows[0].startswith("not saved: ")
    assert list(tmp_path.iterdir()) == []


# ----- in a run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[..., FakeWindow]:
    """Runs the command with a fake window and the given keys."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fkp_live.commands.run.screen_problem", lambda: None)

    def start(words: str, *keys: int) -> FakeWindow:
        window = FakeWindow(clock, keys)
        monkeypatch.setattr(viewers, "Window", lambda *_, **__: window)
        assert main(words.split()) == 0
        return window

    return start


def samples_of(path: Path) -> list[Image]:
    with open_source(path) as source:
        pictures = [frame.picture for frame in source]
    assert all(isinstance(picture, Yuv420Picture) for picture in pictures)
    return [picture.samples for picture in pictures if isinstance(picture, Yuv420Picture)]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Image], bytes]:
    """What is written without a window: the samples of the video, and the table."""
    folder = tmp_path_factory.mktemp("plain")
    words = "--demo --no-hud --max-frames 12 --quiet --headless"
    assert main([*words.split(), "--out", str(folder / "a.mp4"), "--csv", str(folder / "a.csv")]) == 0
    return samples_of(folder / "a.mp4"), (folder / "a.csv").read_bytes()


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([SPACE, NO_KEY, SPACE], id="pause"),
        pytest.param([ord("m")], id="mirror"),
        pytest.param([*map(ord, "1234567")], id="layers"),
        pytest.param([*map(ord, "56+++")], id="size"),
        pytest.param([ord("r"), *[NO_KEY] * 5, ord("r")], id="record"),
        pytest.param([ord("s"), ord("h"), ord("f"), ord("s")], id="the others"),
    ],
)
def test_a_window_changes_nothing_in_the_files(
    run: Callable[..., FakeWindow],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plain: tuple[list[Image], bytes],
    keys: list[int],
) -> None:
    """But for `c`: measures are relative to the neutral face."""
    written: list[Picture | None] = []
    write = VideoSink.write

    def observed(self: VideoSink, result: FrameResult, picture: Picture | None) -> None:
        written.append(picture)
        write(self, result, picture)

    monkeypatch.setattr(VideoSink, "write", observed)
    words = "--demo --no-hud --max-frames 12 --quiet --no-headless --out shown.mp4 --csv shown.csv"
    window = run(words, NO_KEY, *keys)
    assert len(window.shown) >= 12
    samples, table = plain
    shown = samples_of(tmp_path / "shown.mp4")
    assert len(samples) == len(shown) == 12
    assert all(np.array_equal(a, b) for a, b in zip(samples, shown, strict=True))
    assert (tmp_path / "shown.csv").read_bytes() == table
    # Painted in the planes of the video, not by way of BGR, which changes every sample a little.
    assert {type(picture) for picture in written} == {Yuv420Picture}


def test_layers_are_those_of_the_file_too(
    run: Callable[..., FakeWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Picture] = []
    monkeypatch.setattr(VideoSink, "_write", lambda self, result, picture: written.append(picture))
    words = "--demo --quiet --max-frames 2 --headless --out"
    for number, look in enumerate(("--layers none --no-hud", "--no-hud", "--layers all --no-hud")):
        run(f"{words} {number}.mp4 {look}")
    with open_source(demo_clip()) as source:
        clean = next(source).image
    painted = [int((picture.bgr() != clean).any(2).sum()) for picture in written[::2]]
    assert painted[0] == 0 < 2 * painted[1] < painted[2]


def test_smoothing_is_changed_in_the_pipeline(
    run: Callable[..., FakeWindow], monkeypatch: pytest.MonkeyPatch, words: Seen
) -> None:
    levels: list[str] = []
    process = Pipeline.process

    def observed(self: Pipeline, one: Frame) -> FrameResult:
        result = process(self, one)
        levels.append(self.options.smooth)
        raw = all(face.raw is not None and np.array_equal(face.raw, face.points) for face in result.faces)
        # A filter that starts afresh gives its first points as they are.
        assert raw == (levels[-1] == "off" or levels[-2:-1] != levels[-1:])
        return result

    monkeypatch.setattr(Pipeline, "process", observed)
    run(
        "--demo --max-frames 14 --quiet --csv a.csv --no-headless",
        NO_KEY,
        *map(ord, "]]["),
        NO_KEY,
        *map(ord, "[[["),
        NO_KEY,
    )
    assert levels == ["medium"] * 2 + ["strong"] * 2 + ["medium"] * 2 + ["light"] + ["off"] * 7
    assert {row for word in words for row in word.rows} >= {"smoothing strong", "smoothing off"}


def test_a_pause_and_the_pace_are_not_run_time(
    run: Callable[..., FakeWindow],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("fkp_live.commands.run.RunStats", functools.partial(RunStats, clock))
    monkeypatch.setattr("fkp_live.commands.run.Viewer", functools.partial(Viewer, clock=clock))
    # The clock moves only while the window waits: ten seconds of pause, and one of pace.
    run("--demo --max-frames 31 --progress off", SPACE, *[NO_KEY] * 200, SPACE)
    out = capsys.readouterr().out
    assert "31 frames in 0.00 s" in out
    (waited,) = re.findall(r"([\d.]+) s more were spent waiting", out)
    assert float(waited) == pytest.approx(11.0, abs=0.2)


def test_a_pause_of_a_stream_loses_nothing_that_is_written(
    run: Callable[..., FakeWindow], tmp_path: Path, mjpeg_server: Callable[..., Any]
) -> None:
    server = mjpeg_server(rate=60)
    words = f"--video {server.url} --csv a.csv --jsonl a.jsonl --out a.mp4 --max-frames 20 --quiet"
    window = run(words, NO_KEY, NO_KEY, SPACE)
    lines = (tmp_path / "a.jsonl").read_text().splitlines()[1:]
    assert len(lines) == len(samples_of(tmp_path / "a.mp4")) == 20
    # Three pictures, and the third once more with the word on it; the others are the hint that went.
    assert len(window.shown) <= 5


@pytest.mark.parametrize(
    ("source", "mirror", "expected"),
    [
        (0, False, True),
        ("1", False, True),
        (0, True, False),
        ("clip.mp4", False, False),
        ("rtsp://10.0.0.1/live", False, False),
        (None, False, False),
        ("", False, False),
    ],
)
def test_a_camera_alone_is_mirrored_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any, mirror: bool, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mirrored_at_first(source, mirror=mirror) == expected
