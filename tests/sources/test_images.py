"""Pictures and animations."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import number_of, numbered, read

from fkp_live.errors import InputError, UsageError
from fkp_live.sources import open_source
from fkp_live.types import Image

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def picture(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), numbered(number))
    return path


def test_pictures(tmp_path: Path, astronaut: Image) -> None:
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"p{number}.png"), numbered(number))
    (tmp_path / "notes.txt").write_text("not a picture")
    for spec in (tmp_path, tmp_path / "p*.png"):
        with open_source(spec) as source:
            frames = list(source)
        assert [number_of(f.image) for f in frames] == [1, 2, 10]
        assert [f.time for f in frames] == [0.0, 0.04, 0.08]
        assert source.info.frames == 3
        assert not source.info.live
    single = read(tmp_path / "p10.png")
    assert len(single) == 1
    assert np.array_equal(single[0].image, numbered(10))
    with pytest.raises(UsageError, match="--start"):
        open_source(tmp_path, start=1.0)


def test_broken_pictures_of_a_folder_are_skipped_and_named(tmp_path: Path) -> None:
    for number in range(1, 9):
        picture(tmp_path / f"p{number}.png", number)
    for number in (1, 3, 4, 5, 6, 7):
        (tmp_path / f"p{number}.png").write_bytes(b"no" * (number - 1))
    with open_source(tmp_path) as source:
        frames = list(source)
        assert [number_of(frame.image) for frame in frames] == [2, 8]
        # Each keeps its place, and so its name.
        assert [source.info.pictures[frame.index] for frame in frames] == ["p2.png", "p8.png"]
        assert [frame.time for frame in frames] == pytest.approx([1 / 25, 7 / 25])
        expected = (
            "skipped as no pictures that can be read: p1.png, p3.png, p4.png, p5.png, p6.png and 1 more"
        )
        assert source.note == expected


def test_a_folder_of_broken_pictures_is_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"p{number}.png").write_bytes(b"no")
    with pytest.raises(InputError, match=r"p1\.png is not a picture"):
        open_source(tmp_path)


def animation(path: Path, durations: list[int]) -> Path:
    if not hasattr(cv2, "Animation"):
        pytest.skip("this OpenCV knows no animations")
    made = cv2.Animation()
    made.frames = [cv2.cvtColor(numbered(i), cv2.COLOR_BGR2BGRA) for i in range(len(durations))]
    made.durations = np.array(durations)
    assert cv2.imwriteanimation(str(path), made)
    return path


def test_every_picture_of_an_animation_is_read_by_its_own_clock(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", [100, 40, 0, 200])
    with open_source(path) as source:
        frames = list(source)
        assert source.note == ""
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert frames[0].image.shape == (96, 160, 3)
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.14, 0.24])
    assert all(frame.pts * frame.time_base == pytest.approx(frame.time) for frame in frames)
    assert (source.info.frames, source.info.duration) == (4, pytest.approx(0.44))


def test_an_animation_among_pictures_gives_one_and_the_note_names_it(tmp_path: Path) -> None:
    animation(tmp_path / "1.webp", [100, 100])
    picture(tmp_path / "2.png", 7)
    with open_source(tmp_path) as source:
        assert [number_of(frame.image) for frame in source] == [0, 7]
        assert source.note == "only the first picture of 1.webp was read"


def test_a_webp_picture_is_a_picture(tmp_path: Path) -> None:
    with open_source(picture(tmp_path / "a.webp", 9)) as source:
        assert [number_of(frame.image) for frame in source] == [9]
        assert source.note == ""


def test_the_log_level_of_opencv_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the process: threads that set it and set it back left it silent for good."""
    (tmp_path / "broken.png").write_bytes(cv2.imencode(".png", numbered(1))[1].tobytes()[:60])
    changes: list[int] = []
    # Where it is, changes with the version.
    monkeypatch.setattr(cv2, "setLogLevel", changes.append, raising=False)
    if hasattr(cv2.utils, "logging"):
        monkeypatch.setattr(cv2.utils.logging, "setLogLevel", changes.append)

    def open_many() -> None:
        for _ in range(5):
            with pytest.raises(InputError, match="not a picture"):
                open_source(tmp_path / "broken.png")
        with pytest.raises(InputError):
            open_source(97)

    threads = [threading.Thread(target=open_many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert changes == []


def test_every_picture_of_an_animated_png_is_read(tmp_path: Path) -> None:
    with open_source(animation(tmp_path / "a.png", [100, 40, 60])) as source:
        frames = list(source)
        assert source.note == ""
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.1, 0.14])


def test_further_pages_are_noted(tmp_path: Path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), [numbered(1), numbered(2)])
    picture(tmp_path / "b.tif", 3)
    with open_source(tmp_path) as source:
        assert [number_of(frame.image) for frame in source] == [1, 3]
        assert source.note == "only the first picture of a.tif was read"
