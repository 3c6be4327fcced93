"""What a spec names, and who may know of it."""

from __future__ import annotations

import os
import stat
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from conftest import number_of, numbered
from streams import served

from fkp_live.errors import InputError
from fkp_live.sources import open_source
from fkp_live.sources.spec import check_file, local_files, resolve, without_password

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
        ("\ud800.mp4", "There is no file"),
        ("http://127.0.0.1:1/\ud800.mp4", "There is no file"),
    ],
    ids=lambda value: ascii(value)[:24],
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
        ("clip?token=secret.mp4", "clip?token=secret.mp4"),  # a file
        # a raw slash, question mark or hash in the password
        ("rtsp://admin:12/34@10.0.0.5/cam", "rtsp://10.0.0.5/cam"),
        ("rtsp://admin:12#34@10.0.0.5/cam", "rtsp://10.0.0.5/cam"),
        ("rtsp://admin:99999/x@10.0.0.5:554/cam", "rtsp://10.0.0.5:554/cam"),
        ("rtsp://admin:000000?@10.0.0.5/cam", "rtsp://10.0.0.5/cam"),
        ("rtsp://admin:1234?5@10.0.0.5/cam", "rtsp://10.0.0.5/cam"),
        ("http://localhost:80/mail@host/x", "http://localhost:80/mail@host/x"),
        ("http://10.0.0.5:80/a@b/x", "http://10.0.0.5:80/a@b/x"),
        # tokens
        ("http://h/x.mp4?token=secret", "http://h/x.mp4?token=***"),
        ("http://h/x.mp4?a=1&Access_Token=secret&t=5", "http://h/x.mp4?a=1&Access_Token=***&t=5"),
        (
            "https://b.s3.amazonaws.com/x.mp4?X-Amz-Credential=A%2Fb&X-Amz-Date=20260101&X-Amz-Signature=ab12",
            "https://b.s3.amazonaws.com/x.mp4?X-Amz-Credential=***&X-Amz-Date=***&X-Amz-Signature=***",
        ),
        (
            "https://a.blob.core.windows.net/x?sv=2022&sig=sec%2Fret",
            "https://a.blob.core.windows.net/x?sv=2022&sig=***",
        ),
        ("http://h/x?Policy=p&Key-Pair-Id=k", "http://h/x?Policy=***&Key-Pair-Id=***"),
        ("http://10.0.0.5/cgi?user=admin&pwd=sec/ret", "http://10.0.0.5/cgi?user=***&pwd=***"),
        ("http://h/x?v=Zk3aB9xQ27LmN0pRtUvWy", "http://h/x?v=***"),
        ("http://h/x#access_token=secret", "http://h/x#access_token=***"),
        ("http://user:sec?tok=1@host/x?token=secret", "http://host/x?token=***"),
        ("http://h/live?width=1920&quality=high", "http://h/live?width=1920&quality=high"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("hidden", ["._1.png", ".1.png", "._.png", ".hidden.jpeg"])
def test_hidden_files_of_a_folder_are_no_pictures(folder: Path, hidden: str) -> None:
    picture(folder / "p" / "1.png", 4)
    (folder / "p" / hidden).write_bytes(bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(4072))
    assert [path.name for path in local_files("p")] == [path.name for path in local_files("p/*")] == ["1.png"]
    with open_source("p") as source:
        assert [number_of(frame.image) for frame in source] == [4]


def test_a_hidden_file_that_is_named_is_read(folder: Path) -> None:
    for spec in (picture(folder / ".a.png", 4), picture(folder / ".b" / "c.png").parent, ".[a]*.png"):
        assert len(local_files(spec)) == 1


def test_files_that_windows_hides_are_no_pictures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(folder / "p" / "1.png")
    picture(folder / "p" / "2.png")
    real = Path.stat

    def with_attributes(self: Path, **options: Any) -> Any:
        if self.name == "2.png":
            return SimpleNamespace(st_file_attributes=stat.FILE_ATTRIBUTE_HIDDEN)
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", with_attributes)
    assert [path.name for path in local_files("p")] == ["1.png"]


def test_a_folder_of_hidden_files_only_is_refused(folder: Path) -> None:
    picture(folder / "p" / ".1.png")
    with pytest.raises(InputError, match="no picture in the folder"):
        open_source("p")


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@127.0.0.1:9/live",
        f"http://127.0.0.1:9/live.mp4?token={SECRET}",
        f"http://127.0.0.1:9/live.mp4?X-Amz-Signature={SECRET}",
        f"rtsp://user:{SECRET}/1@127.0.0.1:9/live",
    ],
)
def test_no_message_and_no_traceback_shows_a_secret(url: str) -> None:
    with pytest.raises(InputError) as caught:
        open_source(url)
    assert SECRET not in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_name_and_no_debug_output_shows_a_secret(make_clip: Any, tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 5, faststart=True)
    with served(tmp_path) as address, open_source(f"{address}/a.mp4?token={SECRET}") as source:
        assert SECRET not in source.info.name
        assert SECRET not in repr(source.info)
        assert SECRET in str(source.info.path)  # which is opened again for its sound


@pytest.mark.parametrize(
    ("name", "meant"), [("webcam", True), ("/dev/video97", True), ("film.mp4", False), ("a/b", False)]
)
def test_a_missing_file_that_may_be_a_camera_is_answered_so(name: str, meant: bool) -> None:
    with pytest.raises(InputError, match="There is no file") as caught:
        check_file(Path(name))
    assert ("fkp-live --camera NAME" in caught.value.hint) is meant
