"""What a spec names, and who may know of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import number_of, numbered

from fkp_live.errors import InputError
from fkp_live.sources import open_source
from fkp_live.sources.spec import local_files, resolve, without_password

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def picture(path: Path, number: int = 1) -> Path:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), numbered(number))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_digits_are_a_camera_unless_a_file_has_that_name(folder: Path) -> None:
    assert resolve("2024") == 2024
    picture(folder / "2024" / "1.png", 5)
    assert resolve("2024") == Path("2024")
    with open_source("2024") as source:
        assert number_of(next(source).image) == 5
    assert resolve(2024) == 2024
    assert resolve(Path("2025")) == Path("2025")
    with pytest.raises(InputError, match="There is no file 2025"):
        open_source(Path("2025"))


def test_schemes_are_understood_in_capitals(folder: Path) -> None:
    assert resolve("HTTP://Host/Name.MP4") == "http://Host/Name.MP4"
    picture(folder / "a b.png")
    for url in (f"FILE://{folder}/a%20b.png", f"file://localhost{folder}/a%20b.png", "file://a%20b.png"):
        open_source(url).close()


def test_a_tilde_is_a_home_where_there_is_one_and_else_part_of_the_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    picture(folder / "~no-such-user.png")
    for spec in ("~/~no-such-user.png", "~no-such-user.png"):
        with open_source(spec) as source:
            assert len(list(source)) == 1
        assert [path.name for path in local_files(spec)] == ["~no-such-user.png"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "There is no file ''"),
        ("a\0b", "There is no file"),
        ("~no-such-user/x.mp4", "There is no file ~no-such-user/x.mp4"),
        ("x" * 300 + ".mp4", "cannot be opened"),
        ("x" * 300 + "[1].mp4", "no picture in the pattern"),
        ("loop.mp4", "cannot be opened"),
        ("9" * 5000, "cannot be opened"),
        ("http://[::1/x.mp4", "cannot be opened"),
        (10**300, "Camera 1000"),
    ],
    ids=lambda value: str(value)[:24].replace("\0", "0"),
)
def test_odd_names_are_refused_with_a_message(folder: Path, spec: str | int, message: str) -> None:
    if os.name == "posix":
        (folder / "loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(InputError, match=message) as caught:
        open_source(spec)
    assert caught.value.hint
    assert local_files(spec) == []


def test_a_folder_that_may_not_be_entered_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        open_source(folder)
    assert local_files(folder) == []


def test_local_files_are_those_that_are_read(folder: Path) -> None:
    for number in (10, 2):
        picture(folder / "p" / f"{number}.png", number)
    (folder / "p" / "notes.txt").write_text("not a picture")
    (folder / "p" / "folder.png").mkdir()
    (folder / "clip.mp4").write_bytes(b"no video")
    pictures = [Path("p/2.png"), Path("p/10.png")]
    for spec in ("p", "p/*", f"file://{folder}/p"):
        assert [path.resolve() for path in local_files(spec)] == [path.resolve() for path in pictures]
        with open_source(spec) as source:
            assert [number_of(frame.image) for frame in source] == [2, 10]
    assert local_files("clip.mp4") == local_files(Path("clip.mp4")) == [Path("clip.mp4")]
    for spec in (0, "0", "none.mp4", "*.none", "rtsp://host/clip.mp4", "udp://[::1/clip.mp4"):
        assert local_files(spec) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:80/x", "http://host:80/x"),
        ("http://user:secret@host/x", "http://host/x"),
        ("rtsp://user:sec@ret@host:554/x", "rtsp://host:554/x"),
        ("http://user:sec/ret@host/x", "http://host/x"),
        ("http://user:sec?r/et@host/x", "http://host/x"),
        ("http://user:secret@host/x@2", "http://host/x@2"),
        ("http://host:80/@user/x?mail=a@b", "http://host:80/@user/x?mail=a@b"),
        ("http://host/@user/x?t=1:2@b", "http://host/@user/x?t=1:2@b"),
        ("http://[::1]:80/x@2", "http://[::1]:80/x@2"),
        ("http://user:secret@[::1]/x", "http://[::1]/x"),
        ("http://[::1/x", "http://[::1/x"),
        ("clip@2.mp4", "clip@2.mp4"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
