"""CSV files of faces: read as they are, or refused by file, row and column."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled import row_of, write_csv, write_images

from fkp_live.errors import ExitCode, InputError
from train.data.faces import read_csv, read_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", "a_1.jpg", "b_2.jpg", "c_3.jpg")
    return tmp_path


def test_points_keep_their_order_and_their_fractions(folder: Path) -> None:
    csv = write_csv(folder / "faces.csv", [row_of("a_1.jpg", 10.25), row_of("b_2.jpg", -400.0)])
    faces = read_csv(csv)
    assert faces.name == "faces"
    assert faces.names == ["a_1.jpg", "b_2.jpg"]
    assert faces.points.shape == (2, 68, 2)
    assert faces.points.dtype == np.float32
    assert faces.points[0, 0].tolist() == [10.25, 11.25]
    assert faces.points[0, 67].tolist() == [144.25, 145.25]
    # Left of and above the picture: legal.
    assert faces.points[1, 0].tolist() == [-400.0, -399.0]


def test_images_are_found_beside_the_csv_as_both_layouts_have_them(tmp_path: Path) -> None:
    write_images(tmp_path / "training", "a_1.jpg")
    faces = read_csv(write_csv(tmp_path / "training_frames_keypoints.csv", [row_of("a_1.jpg")]))
    assert faces.paths == (tmp_path / "training" / "a_1.jpg",)
    write_images(tmp_path / "flat", "a_1.jpg")
    faces = read_csv(write_csv(tmp_path / "flat" / "own.csv", [row_of("a_1.jpg")]))
    assert faces.image(0).shape == (20, 30, 3)
    elsewhere = read_csv(tmp_path / "flat" / "own.csv", images=tmp_path / "training", name="mine")
    assert (elsewhere.name, elsewhere.paths[0].parent) == ("mine", tmp_path / "training")


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


def spoilt(column: int, text: str) -> list[list[str]]:
    rows = [row_of("a_1.jpg"), row_of("b_2.jpg")]
    rows[1][column] = text
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(spoilt(5, "twelve"), ["row 3", "column 5", "'twelve'"], id="text"),
        pytest.param(spoilt(136, "nan"), ["row 3", "column 136", "'nan'"], id="nan"),
        pytest.param(spoilt(1, "inf"), ["row 3", "column 1", "'inf'"], id="infinite"),
        pytest.param(spoilt(7, ""), ["row 3", "column 7", "nothing"], id="empty cell"),
        pytest.param(
            [row_of("a_1.jpg"), row_of("b_2.jpg")[:100]], ["row 3", "column 100", "nothing"], id="short row"
        ),
        pytest.param([row_of("a_1.jpg"), [*row_of("b_2.jpg"), "7"]], ["line 3", "138"], id="long row"),
        pytest.param(
            [row_of("a_1.jpg"), row_of("c_3.jpg"), row_of("a_1.jpg")],
            ["row 4", "column 0", "'a_1.jpg'", "row 2"],
            id="duplicate",
        ),
        pytest.param(
            [row_of("a_1.jpg"), row_of("nobody.jpg")], ["row 3", "column 0", "nobody.jpg"], id="missing"
        ),
        pytest.param([row_of("")], ["row 2", "column 0", "no file name"], id="no name"),
        pytest.param([], ["only a header"], id="no faces"),
        pytest.param([row_of("a_1.jpg"), [], row_of("b_2.jpg")], ["row 3", "no file name"], id="blank line"),
        pytest.param(spoilt(5, "1e39"), ["row 3", "column 5", "'1e39'"], id="beyond float32"),
        pytest.param(spoilt(5, "-1e30"), ["row 3", "column 5", "'-1e30'"], id="beyond pictures"),
        pytest.param(
            [["a_1.jpg", *["7"] * 136]], ["row 2", "'a_1.jpg'", "are the same point"], id="one spot"
        ),
        pytest.param([[*row_of(n), "7"] for n in "ab"], ["line 2", "138"], id="rows longer than the header"),
    ],
)
def test_a_spoilt_file_is_refused_by_file_row_and_column(
    folder: Path, rows: list[list[str]], message: list[str]
) -> None:
    csv = write_csv(folder / "faces.csv", rows)
    with pytest.raises(InputError) as caught:
        read_csv(csv)
    assert caught.value.exit_code == ExitCode.INPUT
    for words in [str(csv), *message]:
        assert words in caught.value.message


@pytest.mark.parametrize("columns", [136, 138, 2])
def test_another_number_of_columns_is_refused(folder: Path, columns: int) -> None:
    csv = folder / "faces.csv"
    csv.write_text(",".join(map(str, range(columns))) + "\n" + ",".join(["1"] * columns) + "\n")
    with pytest.raises(InputError, match=rf"{columns} columns, expected 137"):
        read_csv(csv)


@pytest.mark.parametrize(
    "header",
    [
        row_of("a_1.jpg"),
        [*map(str, range(136)), "name"],
        ["name", *(f"{axis}{k}" for k in range(68) for axis in "xz")],
    ],
    ids=["none", "name last", "x and z"],
)
def test_a_header_that_does_not_name_the_columns_is_refused(folder: Path, header: list[str]) -> None:
    with pytest.raises(InputError, match="does not name the columns") as caught:
        read_csv(write_csv(folder / "faces.csv", [row_of("a_1.jpg"), row_of("b_2.jpg")], header))
    assert caught.value.exit_code == ExitCode.INPUT


@pytest.mark.parametrize("names", [list(map(str, range(1, 137))), [f"p{k}" for k in range(136)]])
def test_unknown_column_names_are_read_in_the_usual_order(folder: Path, names: list[str]) -> None:
    row = row_of("a_1.jpg", 5.5)
    usual = read_csv(write_csv(folder / "a.csv", [row])).points
    assert np.array_equal(read_csv(write_csv(folder / "b.csv", [row], ["image", *names])).points, usual)


@pytest.mark.parametrize("mark", ["", "_"])
def test_columns_are_read_by_the_names_that_the_header_gives_them(folder: Path, mark: str) -> None:
    counted = read_csv(write_csv(folder / "counted.csv", [row_of("a_1.jpg", 5.5)]))
    row = row_of("a_1.jpg", 5.5)
    apart = ["name", *(f"{axis}{mark}{k}" for axis in "xy" for k in range(68))]
    faces = read_csv(write_csv(folder / "apart.csv", [[row[0], *row[1::2], *row[2::2]]], apart))
    assert np.array_equal(faces.points, counted.points)
    paired = ["name", *(f"{axis}{mark}{k}" for k in range(68) for axis in "xy")]
    assert np.array_equal(read_csv(write_csv(folder / "pairs.csv", [row], paired)).points, counted.points)


def test_blank_lines_at_the_end_are_not_faces(folder: Path) -> None:
    assert read_csv(write_csv(folder / "f.csv", [row_of("a_1.jpg"), [], []])).names == ["a_1.jpg"]


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 40])
def test_a_file_that_is_not_csv_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"faces\.csv"):
        read_csv(tmp_path / "faces.csv")


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"absent\.jpg"):
        read_image(tmp_path / "absent.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "text.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "empty.jpg")


def test_select_and_shift_leave_the_original_alone(folder: Path) -> None:
    faces = read_csv(
        write_csv(folder / "f.csv", [row_of("a_1.jpg"), row_of("b_2.jpg", 50), row_of("c_3.jpg", 90)])
    )
    assert faces.select([True, False, True]).names == ["a_1.jpg", "c_3.jpg"]
    assert faces.select([2, 0], "two").names == ["c_3.jpg", "a_1.jpg"]
    assert faces.select([2, 0], "two").points[0, 0, 0] == 90
    moved = faces.shifted((1.5, -2.0))
    assert (moved.points - faces.points)[1, 30].tolist() == [1.5, -2.0]
    assert faces.points[0, 0].tolist() == [10.0, 11.0]
