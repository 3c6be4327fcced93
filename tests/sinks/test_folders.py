"""Output folders: whole or not there, and nothing that someone else put there is ever lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from written import info, names

from fkp_live.errors import OutputError
from fkp_live.sinks.folders import PartialFolder, check_folder, frame_stem

KINDS = (".pts", ".png")


def made(path: Path, *, overwrite: bool = False) -> PartialFolder:
    return PartialFolder(path, overwrite=overwrite, suffixes=KINDS)


def test_a_folder_has_a_partial_name_until_it_is_committed(tmp_path: Path) -> None:
    folder = made(tmp_path / "o")
    folder.write("a.pts", b"1")
    folder.append("a.pts", b"2")
    assert names(tmp_path) == ["o.partial"]
    folder.commit()
    assert names(tmp_path) == ["o"]
    assert (tmp_path / "o" / "a.pts").read_bytes() == b"12"


def test_partial_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "o.partial").mkdir()
    (tmp_path / "o.partial-2").write_text("a file")
    folder = made(tmp_path / "o")
    assert folder.name == tmp_path / "o.partial-3"
    folder.discard()
    assert names(tmp_path) == ["o.partial", "o.partial-2"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    folder = made(tmp_path / "o")
    folder.write("a.pts", b"")
    folder.commit()
    assert names(tmp_path) == ["o"]
    assert names(tmp_path / "o") == ["a.pts"]


def test_a_folder_with_files_needs_overwrite(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "old.PTS").write_text("")
    with pytest.raises(OutputError, match="1 file in it") as caught:
        made(tmp_path / "o")
    assert "--overwrite" in caught.value.hint
    folder = made(tmp_path / "o", overwrite=True)
    folder.write("new.pts", b"")
    assert names(tmp_path / "o") == ["old.PTS"]
    folder.commit()
    assert names(tmp_path) == ["o"]
    assert names(tmp_path / "o") == ["new.pts"]


@pytest.mark.parametrize("other", ["thesis.doc", "a.pts/b.pts", ".hidden"])
def test_a_folder_with_anything_else_is_never_replaced(tmp_path: Path, other: str) -> None:
    precious = tmp_path / "o" / other
    precious.parent.mkdir(parents=True)
    precious.write_text("of someone")
    with pytest.raises(OutputError, match="not of an earlier conversion"):
        made(tmp_path / "o", overwrite=True)
    assert precious.read_text() == "of someone"
    assert names(tmp_path) == ["o"]


def test_what_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    folder = made(tmp_path / "o")
    folder.write("a.pts", b"")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "other.txt").write_text("")
    with pytest.raises(OutputError, match="1 file in it") as caught:
        folder.commit()
    assert str(tmp_path / "o.partial") in caught.value.hint
    assert names(tmp_path) == ["o", "o.partial"]
    assert names(tmp_path / "o") == ["other.txt"]


def test_a_link_to_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.pts").write_text("")
    (tmp_path / "o").symlink_to("real")
    with pytest.raises(OutputError, match="a link"):
        made(tmp_path / "o", overwrite=True)


def test_input_in_the_folder_is_not_destroyed(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    film = tmp_path / "o" / "film.png"
    film.write_text("")
    with pytest.raises(OutputError, match="would be destroyed"):
        check_folder(tmp_path / "o", overwrite=True, suffixes=KINDS, inputs=[film])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("file", "is a file"),
        ("no/where/o", "There is no folder"),
        ("x" * 300, "too long"),
        ("x" * 250, "too long"),
    ],
)
def test_folders_that_cannot_be_are_refused_at_once(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=f"(?i){said}") as caught:
        made(tmp_path / path)
    assert caught.value.exit_code == 6
    assert names(tmp_path) == ["file"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs permissions that bind")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            made(tmp_path / "o")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    folder = made(tmp_path / "o")
    with pytest.raises(OutputError, match="cannot be written"):
        folder.write("no/such.pts", b"")
    folder.discard()
    folder.discard()
    assert names(tmp_path) == []


# names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("film.mp4", "film_000008"),
        ("my film (2).mov", "my_film_2__000008"),
        ("日本 ü.mp4", "日本_ü_000008"),
        ("../../etc/passwd", "etc_passwd_000008"),
        ("a\nb\0c.mp4", "a_b_c_000008"),
        ("camera 0", "camera_0_000008"),
        ("rtsp://host/live", "rtsp_host_live_000008"),
        (".hidden", "hidden_000008"),
        ("…", "face_000008"),
    ],
)
def test_stems_are_plain_whatever_a_source_is_called(name: str, stem: str) -> None:
    assert frame_stem(info_called(name), 7) == stem


def info_called(name: str, pictures: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(info(), name=name, pictures=pictures)


def test_pictures_keep_their_names() -> None:
    of = info_called("folder", ("a.jpg", "sub/b 1.png", ""))
    assert [frame_stem(of, index) for index in range(4)] == ["a", "sub_b_1", "face", "folder_000004"]


def test_two_files_never_have_one_name(tmp_path: Path) -> None:
    folder = made(tmp_path / "o")
    for expected in ("a", "a-2", "a-3"):
        stem = folder.free("a", ".pts", ".png")
        assert stem == expected
        folder.write(f"{stem}.png", b"")
    folder.discard()
