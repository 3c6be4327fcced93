from __future__ import annotations

import http.server
import io
import os
import stat
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from labelled import HEADER, row_of

from fkp_live.errors import ExitCode, FkpError, InputError, OutputError, UsageError
from train.__main__ import main
from train.data.download import Part
from train.data.download import download as download_to
from train.data.faces import read_csv
from train.data.fetch import CSV_FILES, unpack

PNG = cv2.imencode(".png", np.full((150, 160, 4), 90, np.uint8))[1].tobytes()


def data_set(training: int = 3, test: int = 2) -> dict[str, bytes]:
    """Members of a small archive in the official layout, by name."""
    members: dict[str, bytes] = {}
    for which, count in (("training", training), ("test", test)):
        names = [f"Ann_Bee_{k}.jpg" for k in range(count)]
        rows = [",".join(row) for row in [HEADER, *map(row_of, names)]]
        members[f"{which}_frames_keypoints.csv"] = "\n".join([*rows, ""]).encode()
        members |= {f"{which}/{name}": PNG for name in names}
    return members


def zipped(members: dict[str, bytes], prefix: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(prefix + name, content)
    return buffer.getvalue()


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[[bytes], Path]:
    def make(content: bytes) -> Path:
        path = tmp_path / "archive.zip"
        path.write_bytes(content)
        return path

    return make


def download(url: str, path: Path, **options: Any) -> None:
    with Part(path) as part:
        download_to(url, part, **options)


class Server:
    """One file over HTTP on loopback, as well or as badly behaved as a test asks.

    Attributes
    ----------
    content : what is served now
    ranges : whether Range is obeyed
    cuts : how many bytes each of the next answers sends before the connection is cut
    status : sent instead of the file where it is not 200
    asked : Range header of each request (empty without one)
    meanwhile : called before each answer
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.ranges, self.status = content, True, 200
        self.cuts: list[int] = []
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}/data.zip"

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        self.asked.append(wanted)
        self.meanwhile()
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if self.status != 200:
            request.send_error(self.status)
            return
        if start >= len(self.content):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(self.content)}")
            request.end_headers()
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        rest = self.content[start:]
        request.wfile.write(rest[: self.cuts.pop(0)] if self.cuts else rest)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    running = Server(zipped(data_set()))
    yield running
    running.close()


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- download ---------------------------------------------------------------------------------------------------------


def test_fetch_downloads_checks_and_unpacks(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "new" / "udacity"
    assert main(["fetch", "--url", server.url, "--to", str(target)]) == ExitCode.OK
    assert files_below(target.parent) == {f"udacity/{name}" for name in data_set()}
    faces = read_csv(target / CSV_FILES[0])
    assert len(faces) == 3
    assert faces.image(0).shape == (150, 160, 3)
    assert "3 faces" in capsys.readouterr().out


def test_a_cut_connection_is_continued_by_itself(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 500]
    part = tmp_path / "x.part"
    download(server.url, part, pause=0.0)
    assert part.read_bytes() == server.content
    assert server.asked == ["", "bytes=1000-", "bytes=1500-"]
    assert files_below(tmp_path) == {"x.part"}


def test_a_later_run_continues_where_the_first_gave_up(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    server.cuts = [1000, 0, 0]
    with pytest.raises(InputError, match="1,000 bytes") as caught:
        download(server.url, part, attempts=2, pause=0.0)
    assert "same command" in caught.value.hint
    server.asked.clear()
    download(server.url, part, pause=0.0)
    assert server.asked == ["bytes=1000-"]
    assert part.read_bytes() == server.content


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [1000]
    download(server.url, tmp_path / "x.part", pause=0.0)
    assert (tmp_path / "x.part").read_bytes() == server.content
    assert len(server.asked) == 2


def test_a_file_that_changed_meanwhile_is_refused_and_deleted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "d.zip.part").write_bytes(server.content[:4000])
    server.content = zipped(data_set(training=5))
    command = ["fetch", "--url", server.url, "--to", str(tmp_path / "d")]
    assert main(command) == ExitCode.INPUT
    assert files_below(tmp_path) == set()
    assert main(command) == ExitCode.OK


def test_a_whole_part_file_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    server.cuts = [len(server.content) - 1, 0]
    with pytest.raises(InputError):
        download(server.url, part, attempts=1, pause=0.0)
    part.write_bytes(server.content)
    download(server.url, part, pause=0.0)
    assert part.read_bytes() == server.content


def test_a_refusing_server_is_named(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = 404
    assert main(["fetch", "--url", server.url, "--to", str(tmp_path / "d")]) == ExitCode.INPUT
    assert "404" in capsys.readouterr().err
    assert files_below(tmp_path) == set()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/x.zip",
        "file:///etc/passwd",
        "data.zip",
        "http://127.0.0.1/a b.zip",
        "http://127.0.0.1/ä.zip",
        "http://",
        "http://127.0.0.1:port/x.zip",
        "http://[::1/x.zip",
    ],
)
def test_only_addresses_of_http_are_fetched(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        download(url, tmp_path / "x.part")


def test_nobody_answers(server: Server, tmp_path: Path) -> None:
    server.close()
    with pytest.raises(InputError, match="0 bytes"):
        download(server.url, tmp_path / "x.part", attempts=2, pause=0.0)


@pytest.mark.parametrize(
    "content", [b"<html>not a zip</html>" * 99, zipped({"readme.txt": b"x"}), b"PK\3\4" * 9]
)
def test_a_foreign_download_leaves_nothing(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content
    assert main(["fetch", "--url", server.url, "--to", str(tmp_path / "d")]) == ExitCode.INPUT
    assert list(tmp_path.iterdir()) == []


# --- links and other files in the way of the partial file -----------------------------------------------------------


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "victim").write_bytes(b"as it was")
    return tmp_path / "elsewhere" / "victim"


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (lambda part, victim: part.symlink_to(victim), "it is a link"),
        (lambda part, victim: part.symlink_to(victim.parent / "new"), "it is a link"),
        (lambda part, victim: part.symlink_to(part), "it is a link"),
        (lambda part, victim: os.link(victim, part), "it has a second name"),
        (lambda part, victim: os.mkfifo(part), "it is not a regular file"),
        (lambda part, victim: part.mkdir(), "Is a directory"),
    ],
    ids=["link", "link to nothing", "link to itself", "hard link", "pipe", "folder"],
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_lies_in_the_way_is_not_written_to(
    server: Server,
    tmp_path: Path,
    victim: Path,
    put: Callable[[Path, Path], None],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    part = tmp_path / "d.zip.part"
    put(part, victim)
    assert main(["fetch", "--url", server.url, "--to", str(tmp_path / "d")]) == ExitCode.OUTPUT
    assert f"cannot write {part}: {said}" in capsys.readouterr().err
    assert victim.read_bytes() == b"as it was"
    assert list(victim.parent.iterdir()) == [victim]
    assert os.path.lexists(part)
    assert server.asked == []


@pytest.mark.parametrize("swapped", ["link", "file", "nothing"])
def test_a_partial_file_whose_name_is_taken_meanwhile(
    server: Server, tmp_path: Path, victim: Path, swapped: str
) -> None:
    part = tmp_path / "d.zip.part"

    def swap() -> None:
        if len(server.asked) == 2:  # the first 1,000 bytes have arrived
            part.unlink()
            if swapped == "link":
                part.symlink_to(victim)
            elif swapped == "file":
                part.write_bytes(b"another's")

    server.cuts, server.meanwhile = [1000], swap
    assert main(["fetch", "--url", server.url, "--to", str(tmp_path / "d")]) == ExitCode.OK
    assert files_below(tmp_path / "d") == set(data_set())
    assert victim.read_bytes() == b"as it was"
    # What has the name now is another's, and stays.
    assert os.path.lexists(part) == (swapped != "nothing")


# --- unpack -----------------------------------------------------------------------------------------------------------


def test_folders_above_and_macos_junk_are_tolerated(
    make_zip: Callable[[bytes], Path], tmp_path: Path
) -> None:
    members = {f"train-test-data/{name}": content for name, content in data_set().items()}
    junk = {"__MACOSX/train-test-data/._training": b"x", "train-test-data/.DS_Store": b"x"}
    extra = {"train-test-data/training/.DS_Store": b"x", "train-test-data/README.md": b"x"}
    unpack(make_zip(zipped(members | junk | extra)), tmp_path / "d")
    assert files_below(tmp_path / "d") == set(data_set())


def refused(archive: Path, target: Path, **options: Any) -> str:
    """Message of the InputError, after checking that nothing was written anywhere."""
    before = files_below(target.parent)
    with pytest.raises(InputError) as caught:
        unpack(archive, target, **options)
    assert files_below(target.parent) == before
    assert not target.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.jpg",
        "training/../../escaped.jpg",
        "/tmp/escaped.jpg",
        "C:\\escaped.jpg",
        "training\\..\\x.jpg",
    ],
)
def test_no_entry_escapes(make_zip: Callable[[bytes], Path], tmp_path: Path, name: str) -> None:
    said = refused(make_zip(zipped(data_set() | {name: PNG})), tmp_path / "d")
    assert "would leave the folder" in said


@pytest.mark.parametrize("which", ["training", "test"])
@pytest.mark.parametrize(
    "name",
    [
        "{outside}",
        "../secret.png",
        "{which}/../../secret.png",
        r"C:\secret.png",
        "..\\secret.png",
        "//host/secret.png",
    ],
)
def test_no_row_of_an_archive_names_a_picture_outside(
    make_zip: Callable[[bytes], Path], tmp_path: Path, which: str, name: str
) -> None:
    (tmp_path / "secret.png").write_bytes(PNG)
    row = ",".join(row_of(name.format(outside=tmp_path / "secret.png", which=which)))
    members = data_set()
    members[f"{which}_frames_keypoints.csv"] += row.encode() + b"\n"
    said = refused(make_zip(zipped(members)), tmp_path / "d")
    assert f"{which}_frames_keypoints.csv, row {5 if which == 'training' else 4}, column 0" in said
    assert "leads out of the folder of the images" in said


def test_symbolic_links_are_refused(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    buffer = io.BytesIO(zipped(data_set()))
    with zipfile.ZipFile(buffer, "a") as archive:
        link = zipfile.ZipInfo("training/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "symbolic link" in refused(make_zip(buffer.getvalue()), tmp_path / "d")


def test_bombs_are_refused_before_they_go_off(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    buffer = io.BytesIO(zipped(data_set()))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training/bomb.jpg", bytes(3_000_000))
    path = make_zip(buffer.getvalue())
    assert path.stat().st_size < 100_000
    assert "more than 1,000,000" in refused(path, tmp_path / "d", max_bytes=1_000_000)


def test_a_bomb_that_lies_about_its_size_is_no_larger_than_it_said(
    make_zip: Callable[[bytes], Path], tmp_path: Path
) -> None:
    buffer = io.BytesIO(zipped(data_set()))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training/bomb.jpg", bytes(3_000_000))
    lying = buffer.getvalue().replace(struct.pack("<I", 3_000_000), struct.pack("<I", 10))
    refused(make_zip(lying), tmp_path / "d", max_bytes=1_000_000)


@pytest.mark.parametrize("kept", [0, 1, 100, 2000, -1, -30])
def test_a_truncated_archive_is_refused(make_zip: Callable[[bytes], Path], tmp_path: Path, kept: int) -> None:
    assert "not a complete zip" in refused(make_zip(zipped(data_set())[:kept]), tmp_path / "d")


def test_a_damaged_entry_is_refused(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    content = bytearray(zipped(data_set()))
    inside = content.find(PNG) + len(PNG) // 2
    content[inside] ^= 0xFF
    assert "CRC" in refused(make_zip(bytes(content)), tmp_path / "d")


def without(*names: str) -> dict[str, bytes]:
    return {name: content for name, content in data_set().items() if not name.startswith(names)}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        (without("training_frames"), "training_frames_keypoints.csv"),
        (without("test_frames"), "test_frames_keypoints.csv"),
        (without("test/"), "no test"),
        (without("training/Ann_Bee_1"), "Ann_Bee_1.jpg does not exist"),
        (data_set() | {"test_frames_keypoints.csv": b"a,b\n1,2\n"}, "2 columns"),
        (data_set() | {"copy/training_frames_keypoints.csv": b""}, "2 files"),
    ],
)
def test_what_is_not_the_data_set_is_refused(
    make_zip: Callable[[bytes], Path], tmp_path: Path, members: dict[str, bytes], said: str
) -> None:
    message = refused(make_zip(zipped(members)), tmp_path / "d")
    assert said in message
    assert ".unpacking" not in message


def test_an_existing_target_is_kept_unless_told(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    target = tmp_path / "d"
    unpack(make_zip(zipped(data_set())), target)
    (target / "unseen_persons.txt").write_text("Ann_Bee\n")
    larger = make_zip(zipped(data_set(training=5)))
    with pytest.raises(OutputError, match="not empty") as caught:
        unpack(larger, target)
    assert "--overwrite" in caught.value.hint
    assert len(read_csv(target / CSV_FILES[0])) == 3
    # A broken archive does not harm what is there either.
    (tmp_path / "broken.zip").write_bytes(larger.read_bytes()[:500])
    with pytest.raises(InputError):
        unpack(tmp_path / "broken.zip", target, overwrite=True)
    assert len(read_csv(target / CSV_FILES[0])) == 3
    unpack(larger, target, overwrite=True)
    assert files_below(target) == {*data_set(training=5), "unseen_persons.txt"}
    assert len(read_csv(target / CSV_FILES[0])) == 5


@pytest.mark.parametrize("to", [".", "..", "sub/.."])
def test_the_folder_one_is_in_can_be_the_target(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "sub" if to == ".." else tmp_path / "here")
    assert main(["fetch", "--url", server.url, "--to", to, "--overwrite"]) == ExitCode.OK
    assert files_below(tmp_path) == {f"here/{name}" for name in data_set()}


def test_a_folder_is_no_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--archive", str(tmp_path), "--to", str(tmp_path / "d")]) == ExitCode.INPUT
    assert "cannot read the archive" in capsys.readouterr().err


def test_a_name_too_long_is_the_archives_fault(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    said = refused(make_zip(zipped(data_set() | {f"training/{'x' * 300}.jpg": PNG})), tmp_path / "d")
    assert "too long" in said


def test_a_file_or_an_unwritable_place_as_target(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    archive = make_zip(zipped(data_set()))
    with pytest.raises(OutputError, match="is a file"):
        unpack(archive, archive, overwrite=True)
    with pytest.raises(OutputError):
        unpack(archive, archive / "below", overwrite=True)
    with pytest.raises(FkpError) as caught:
        unpack(tmp_path / "absent.zip", tmp_path / "d")
    assert caught.value.exit_code == ExitCode.INPUT


def test_a_local_archive_is_unpacked_and_kept(make_zip: Callable[[bytes], Path], tmp_path: Path) -> None:
    archive = make_zip(zipped(data_set()))
    assert main(["fetch", "--archive", str(archive), "--to", str(tmp_path / "d")]) == ExitCode.OK
    assert archive.exists()
    assert main(["fetch", "--archive", str(archive), "--to", str(tmp_path / "d")]) == ExitCode.OUTPUT
