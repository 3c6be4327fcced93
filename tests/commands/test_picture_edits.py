"""--background, --only-points, --except-id, --sticker and --overlay, from words to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from written import frames_in

from fkp_live.commands.cli import main
from fkp_live.commands.options import parse
from fkp_live.display.window import NO_KEY
from fkp_live.engine import Engine
from fkp_live.errors import UsageError
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
from fkp_live.types import Frame, Image

FRAMES = 12
DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"


def run(folder: Path, *words: str) -> list[Frame]:
    """The frames of the file that the command writes of the demo."""
    out = folder / "out.mp4"
    common = [
        "--demo",
        "--out",
        str(out),
        "--headless",
        "--quiet",
        "--overwrite",
        "--max-frames",
        str(FRAMES),
    ]
    assert main([*common, *words]) == 0
    with open_source(out) as source:
        return list(source)


@pytest.fixture(scope="module")
def clean() -> list[Frame]:
    with open_source(DEMO, max_frames=FRAMES) as source:
        return list(source)


@pytest.fixture(scope="module")
def masks(clean: list[Frame]) -> list[np.ndarray]:
    """(H, W) bool of each frame: inside of the points' hull."""
    pipeline = Pipeline(engine=Engine("cpu"))
    found = []
    for frame in clean:
        mask = np.zeros(frame.picture.size[::-1], np.uint8)
        hull = cv2.convexHull(pipeline.process(frame).faces[0].points)
        found.append(cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1) > 0)
    return found


def difference(a: Frame, b: Frame) -> np.ndarray:
    return np.abs(a.image.astype(int) - b.image).max(2)


# ----- words


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--background smear", "--background"),
        ("--background", "--background"),
        ("--background blur --only-points", "--only-points"),
        ("--except-id 1", "--except-id"),
        ("--only-points --except-id 1", "--except-id"),
        ("--background blur --except-id 0", "--except-id"),
        ("--background blur --except-id one", "--except-id"),
        ("--background blur --except-id 1 --id-order left-right", "--except-id with --id-order"),
        ("--only-points --no-overlay", "--no-overlay"),
        ("--sticker=", "--sticker"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse(["--demo", "--csv", "a.csv", *words.split()])


@pytest.mark.parametrize(
    ("words", "painted"),
    [
        ("", {"points", "contours", "boxes", "ids", "hud"}),
        ("--no-overlay", set()),
        ("--background blur", set()),
        ("--sticker glasses", set()),
        ("--background blur --overlay", {"points", "contours", "boxes", "ids", "hud"}),
        ("--background blur --overlay --layers pose --no-hud", {"pose"}),
        ("--only-points", {"points"}),
        ("--only-points --sticker glasses", {"points"}),
        ("--only-points --overlay", {"points", "contours", "boxes", "ids", "hud"}),
    ],
)
def test_what_the_overlay_paints(words: str, painted: set[str]) -> None:
    options = parse(["--demo", "--csv", "a.csv", *words.split()])
    assert options.edits.layers(options.layers, hud=options.hud) == painted


def test_ids_may_be_repeated() -> None:
    words = ["--demo", "--csv", "a.csv", "--background", "blur", "--except-id", "3", "--except-id", "1"]
    assert parse([*words, "--except-id", "3"]).edits.except_id == (3, 1)


# ----- files


@pytest.mark.parametrize("style", ["blur", "pixelate", "black"])
def test_every_face_is_covered_and_the_rest_is_as_it_was(
    tmp_path: Path, clean: list[Frame], masks: list[np.ndarray], style: str
) -> None:
    frames = run(tmp_path, "--background", style)
    assert [frame.time for frame in frames] == [frame.time for frame in clean]
    for before, after, mask in zip(clean, frames, masks, strict=True):
        assert (difference(before, after)[mask] > 8).mean() > 0.5
        # Far from the face, and where the HUD would be.
        assert np.median(difference(before, after)[:40, :120]) <= 4
        assert np.abs(np.diff(after.image[..., 1].astype(int), axis=1))[mask[:, 1:]].mean() < (
            np.abs(np.diff(before.image[..., 1].astype(int), axis=1))[mask[:, 1:]].mean()
        )


def test_an_excepted_face_is_left_as_it_was(
    tmp_path: Path, clean: list[Frame], masks: list[np.ndarray]
) -> None:
    frames = run(tmp_path, "--background", "black", "--except-id", "1")
    for before, after, mask in zip(clean, frames, masks, strict=True):
        assert np.median(difference(before, after)[mask]) <= 6


def test_only_the_points_remain(tmp_path: Path, clean: list[Frame], masks: list[np.ndarray]) -> None:
    for after, mask in zip(run(tmp_path, "--only-points"), masks, strict=True):
        around = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
        assert after.image[~around].max() < 12
        assert 0.005 < (after.image[around] > 128).mean() < 0.2
        # Grey points on black: no colour of the picture.
        assert np.ptp(after.image.astype(int), axis=2).mean() < 3


def test_the_sticker_is_on_the_eyes(tmp_path: Path, clean: list[Frame], masks: list[np.ndarray]) -> None:
    # Both encoded alike: the encoder alone changes teeth as much as a sticker might.
    plain = run(tmp_path, "--background", "black", "--except-id", "1")
    frames = run(tmp_path, "--sticker", "glasses")
    pipeline = Pipeline(engine=Engine("cpu"))
    for shown, before, after in zip(clean, plain, frames, strict=True):
        points = pipeline.process(shown).faces[0].points
        right, left, mouth = (
            points[numbers].mean(0) for numbers in (range(36, 42), range(42, 48), range(48, 68))
        )
        for x, y in np.rint([right, left]).astype(int):
            assert difference(before, after)[y - 4 : y + 5, x - 4 : x + 5].mean() > 10
        x, y = np.rint(mouth).astype(int)
        assert difference(before, after)[y - 4 : y + 5, x - 4 : x + 5].mean() < 8


def test_a_bad_sticker_ends_with_3_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr("fkp_live.commands.run.Pipeline", never)
    monkeypatch.setattr("fkp_live.commands.run.open_source", never)
    out = tmp_path / "a.mp4"
    words = ["--demo", "--headless", "--out", str(out), "--sticker", str(tmp_path / "none.png")]
    assert main(words) == 3
    assert "none.png" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("words", [["--background", "blur"], ["--only-points"], ["--sticker", "glasses"]])
def test_the_numbers_stay_the_same(tmp_path: Path, words: list[str]) -> None:
    common = ["--demo", "--headless", "--quiet", "--max-frames", "20", "--provider", "cpu"]
    plain, edited = tmp_path / "plain.csv", tmp_path / "edited.csv"
    assert main([*common, "--csv", str(plain)]) == 0
    assert main([*common, "--csv", str(edited), "--out", str(tmp_path / "a.mp4"), *words]) == 0
    assert edited.read_bytes() == plain.read_bytes()


def test_nothing_uncovered_reaches_the_window_and_what_it_saves(
    monkeypatch: pytest.MonkeyPatch, masks: list[np.ndarray], tmp_path: Path
) -> None:
    shown: list[Image] = []

    class FakeWindow:
        """Keeps what it is shown; its keys begin a recording with the first frame and save a picture of the sixth."""

        closed = False

        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def show(self, image: Image, wait_ms: int = 1) -> int:
            shown.append(image.copy())
            return {1: ord("r"), 6: ord("s")}.get(len(shown), NO_KEY)

        def wait(self, wait_ms: int) -> int:
            return NO_KEY

        def entitle(self, text: str) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fkp_live.commands.viewer.Window", FakeWindow)
    monkeypatch.setattr("fkp_live.commands.run.screen_problem", lambda: None)
    assert main(["--demo", "--background", "black", "--quiet", "--max-frames", str(FRAMES)]) == 0
    assert len(shown) >= FRAMES  # and once more where words on the picture changed
    always = cv2.erode(np.logical_and.reduce(masks).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert always.sum() > 2000
    assert all(image[always].max() <= 1 for image in shown)
    saved = [cv2.imread(str(path)) for path in tmp_path.glob("*.png")]
    assert len(saved) == 2
    assert all(np.asarray(image)[always].max() <= 1 for image in saved)
    (recording,) = tmp_path.glob("*.mp4")
    recorded = frames_in(recording)
    assert len(recorded) >= FRAMES - 2
    assert all(frame.image[always].max() <= 12 for frame in recorded)  # coded with losses
