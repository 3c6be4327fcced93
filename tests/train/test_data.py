from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp_live.errors import ExitCode, InputError
from fkp_live.topology import CHIN, NOSE_TIP
from train.data import person_of, read_csv, read_image, splits, twins_in_validation, unseen_persons

SHARED = Path(__file__).parents[3] / "shared" / "data"
HEADER = ["", *map(str, range(136))]


def row_of(name: str, start: float = 10.0) -> list[str]:
    """A row whose x0, y0, x1, y1 … count up from ``start``."""
    return [name, *(f"{start + k}" for k in range(136))]


def write_csv(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]))
    return path


def write_images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes())


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
    ("rows", "said"),
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
        pytest.param([["a_1.jpg", *["7"] * 136]], ["row 2", "'a_1.jpg'", "on one spot"], id="one spot"),
        pytest.param([[*row_of(n), "7"] for n in "ab"], ["line 2", "138"], id="rows longer than the header"),
    ],
)
def test_a_spoilt_file_is_refused_by_file_row_and_column(
    folder: Path, rows: list[list[str]], said: list[str]
) -> None:
    csv = write_csv(folder / "faces.csv", rows)
    with pytest.raises(InputError) as caught:
        read_csv(csv)
    assert caught.value.exit_code == ExitCode.INPUT
    for words in [str(csv), *said]:
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
def test_a_header_that_does_not_say_which_column_is_which_is_refused(folder: Path, header: list[str]) -> None:
    with pytest.raises(InputError, match="is no header that says which column is which") as caught:
        read_csv(write_csv(folder / "faces.csv", [row_of("a_1.jpg"), row_of("b_2.jpg")], header))
    assert caught.value.exit_code == ExitCode.INPUT


@pytest.mark.parametrize("names", [list(map(str, range(1, 137))), [f"p{k}" for k in range(136)]])
def test_names_that_say_nothing_are_read_in_the_usual_order(folder: Path, names: list[str]) -> None:
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


def test_blank_lines_at_the_end_are_no_faces(folder: Path) -> None:
    assert read_csv(write_csv(folder / "f.csv", [row_of("a_1.jpg"), [], []])).names == ["a_1.jpg"]


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 40])
def test_a_file_that_is_no_csv_is_refused(tmp_path: Path, content: bytes) -> None:
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


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("Bill_Frist_21.jpg", "Bill_Frist"),
        ("Raja_Zafar-ul-Haq_01.jpg", "Raja_Zafar-ul-Haq"),
        ("Ali_Abbas_50.jpg", "Ali_Abbas"),
    ],
)
def test_person_of_a_file_name(name: str, person: str) -> None:
    assert person_of(name) == person


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both data sets in small; Ann_Bee and a photo with a space in its name are held out."""
    udacity, wild = tmp_path / "udacity", tmp_path / "wild"
    training = ["Ann_Bee_01.jpg", "Ann_Bee_11.jpg", "Cy_Dee_01.jpg"]
    test = ["Ann_Bee_02.jpg", "Cy_Dee_02.jpg"]
    write_images(udacity / "training", *training)
    write_images(udacity / "test", *test)
    write_csv(udacity / "training_frames_keypoints.csv", [row_of(name) for name in training])
    write_csv(udacity / "test_frames_keypoints.csv", [row_of(name) for name in test])
    (udacity / "unseen_persons.txt").write_text("Ann_Bee\n")
    write_images(wild / "images", "x.jpg", "y 1.jpg")
    write_csv(wild / "keypoints.csv", [row_of("x.jpg"), row_of("y 1.jpg")])
    (wild / "val.txt").write_text("y 1.jpg\n\n")
    return tmp_path


def test_held_out_faces_are_in_no_training_set(root: Path) -> None:
    assert {name: faces.names for name, faces in splits(root).items()} == {
        "udacity_train": ["Cy_Dee_01.jpg"],
        "udacity_test": ["Ann_Bee_02.jpg", "Cy_Dee_02.jpg"],
        "unseen": ["Ann_Bee_02.jpg"],
        "wild_train": ["x.jpg"],
        "wild_val": ["y 1.jpg"],
    }
    with pytest.raises(KeyError):
        splits(root)["wild"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read the list"),
        ("", "leaves no face for wild_val"),
        ("z.jpg", "leaves no face for wild_val"),
        ("x.jpg\ny 1.jpg", "leaves no face for wild_train"),
    ],
)
def test_a_list_of_validation_faces_that_cannot_be_is_refused(
    root: Path, text: str | None, said: str
) -> None:
    path = root / "wild" / "val.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match=r"val\.txt") as caught:
        [splits(root)[name] for name in ("wild_train", "wild_val")]
    assert said in caught.value.message
    assert "one file name a line" in caught.value.hint


def test_validation_faces_that_are_not_there_are_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is misspelt would be trained on; of a part of the data it is as it should be."""
    (root / "wild" / "val.txt").write_text("y 1.jpg\nz.jpg\nzz.jpg")
    assert splits(root)["wild_train"].names == ["x.jpg"]
    assert "names z.jpg and 1 more, which keypoints.csv does not hold" in capsys.readouterr().err


def test_a_folder_is_read_when_a_set_of_it_is_asked_for(root: Path) -> None:
    shutil.rmtree(root / "wild")
    assert splits(root)["unseen"].names == ["Ann_Bee_02.jpg"]
    with pytest.raises(InputError, match="no such data set"):
        splits(root)["wild_val"]


def test_the_project_s_list_of_persons_serves_where_the_data_has_none(root: Path) -> None:
    listed = root / "udacity" / "unseen_persons.txt"
    listed.unlink()
    assert "Bill_Frist" in unseen_persons(root)
    assert len(unseen_persons(root)) == 35
    assert splits(root)["udacity_train"].names
    with pytest.raises(InputError, match="leaves no face for unseen"):
        splits(root)["unseen"]


def test_the_twin_of_a_validation_face_is_not_trained_on(root: Path) -> None:
    validation, twin, other = "lfpw_image_0658.jpg", "lfpw_image_0601.jpg", "lfpw_image_0439.jpg"
    write_images(root / "wild" / "images", validation, twin, other)
    write_csv(root / "wild" / "keypoints.csv", [row_of(name) for name in (validation, twin, other)])
    for held_out in (validation, twin):
        (root / "wild" / "val.txt").write_text(held_out)
        assert splits(root)["wild_train"].names == [other]
    assert validation in twins_in_validation()
    assert twin not in twins_in_validation()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not beside this checkout")
def test_the_real_data_sets() -> None:
    sets = splits(SHARED)
    assert {name: len(faces) for name, faces in sets.items()} == {
        "udacity_train": 3120,
        "udacity_test": 770,
        "unseen": 75,
        "wild_train": 1695,
        "wild_val": 300,
    }
    persons = {name: {person_of(n) for n in sets[name].names} for name in ("udacity_train", "unseen")}
    assert len(persons["unseen"]) == 35
    assert not persons["unseen"] & persons["udacity_train"]
    assert not set(sets["wild_train"].names) & set(sets["wild_val"].names)
    assert twins_in_validation() <= set(sets["wild_val"].names)
    assert unseen_persons(SHARED) == unseen_persons(Path("elsewhere"))
    for faces in sets.values():
        upright = faces.points[:, CHIN, 1] > faces.points[:, NOSE_TIP, 1]
        assert upright.mean() > 0.98
