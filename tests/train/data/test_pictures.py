"""Pictures of a data set: read by content, or refused by name before memory is taken for them."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled import row_of, write_csv, write_images

from fkp_live.errors import ExitCode, InputError
from train.__main__ import main
from train.data.pictures import read_image


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header declares any size."""
    small = cv2.imencode(".png", np.full((20, 30), 90, np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]


def bmp_that_says(width: int, height: int) -> bytes:
    small = cv2.imencode(".bmp", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
    return small[:18] + struct.pack("<ii", width, height) + small[26:]


def jpeg_that_says(width: int, height: int) -> bytes:
    small = cv2.imencode(".jpg", np.full((20, 30, 3), 90, np.uint8))[1].tobytes()
    at = small.index(b"\xff\xc0")
    return small[: at + 5] + struct.pack(">HH", height, width) + small[at + 9 :]


HUGE = {
    "giga.png": png_that_says(40_000, 30_000),  # over 2^30 pixels: OpenCV raises
    "large.png": png_that_says(30_000, 30_000),  # under 2^30 pixels: OpenCV takes gigabytes
    "huge.jpg": jpeg_that_says(65_000, 65_000),
    "huge.bmp": bmp_that_says(60_000, 60_000),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(HUGE[name])
    with pytest.raises(
        InputError, match=rf"{name} has \d+x\d+ pixels, expected at most 268,435,456"
    ) as caught:
        read_image(tmp_path / name)
    assert caught.value.hint == "Scale it down."


@pytest.mark.parametrize("name", ["giga.png", "huge.jpg"])
@pytest.mark.parametrize(
    "words",
    [
        ["view", "faces.csv", "--out", "sheet.png"],
        ["fit", "tiny.toml", "--csv", "faces.csv", "--out", "run"],
        ["label", "fkp68", "images", "--out", "labels.csv"],
    ],
    ids=["view", "fit", "label"],
)
def test_a_huge_picture_in_a_data_set_is_one_message(
    tmp_path: Path,
    name: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text("[training]\nepochs = 1\nworkers = 0\nbatch = 2\n")
    write_images(tmp_path / "images", "a.jpg")
    (tmp_path / "images" / name).write_bytes(HUGE[name])
    write_csv(tmp_path / "faces.csv", [row_of("a.jpg"), row_of(name)])
    assert main(words) == ExitCode.INPUT
    message = capsys.readouterr().err
    assert message.count("error: ") == 1
    assert name in message
    assert "unexpected" not in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    ("shape", "place"), [((160, 40_000, 3), 39_000), ((40_000, 160, 3), 0)], ids=["wide", "tall"]
)
def test_long_pictures_are_shown(tmp_path: Path, shape: tuple[int, int, int], place: int) -> None:
    """OpenCV's warps take sides of less than 32,767 pixels."""
    (tmp_path / "long.png").write_bytes(cv2.imencode(".png", np.full(shape, 90, np.uint8))[1].tobytes())
    row = row_of("long.png")
    moved = [f"{float(v) + place * (k % 2 == 0):.1f}" for k, v in enumerate(row[1:])]
    csv = write_csv(tmp_path / "faces.csv", [[row[0], *moved]])
    assert main(["view", str(csv), "--out", str(tmp_path / "sheet.png")]) == ExitCode.OK


def test_images_are_read_by_content_and_lose_their_alpha(tmp_path: Path) -> None:
    blue_green_red_alpha = np.full((6, 4, 4), (10, 20, 30, 0), np.uint8)
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(cv2.imencode(".png", blue_green_red_alpha)[1].tobytes())
    image = read_image(path)
    assert image.shape == (6, 4, 3)
    assert (image == (10, 20, 30)).all()


def test_grey_images_become_colour(tmp_path: Path) -> None:
    path = tmp_path / "grey.jpg"
    path.write_bytes(cv2.imencode(".png", np.full((6, 4), 77, np.uint8))[1].tobytes())
    assert (read_image(path) == 77).all()
    assert read_image(path).shape == (6, 4, 3)


def test_what_is_not_an_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.jpg"):
        read_image(tmp_path / "absent.jpg")
    for name, content in (
        ("text.jpg", b"no picture"),
        ("empty.jpg", b""),
        ("cut.png", HUGE["giga.png"][:20]),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} is not an image"):
            read_image(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_folders_and_impossible_names_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    for name in ("pipe.jpg", "folder.jpg", "x" * 300, "nul\0.jpg"):
        with pytest.raises(InputError, match="cannot read image"):
            read_image(tmp_path / name)
