"""Partial labels and hard faces: hidden points are NaN, and what is not meant to be missing is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled import row_of, write_csv, write_images

from fkp_live.errors import InputError
from train.__main__ import main
from train.data.faces import COVERED, HIDDEN, VISIBLE, FaceSet, read_csv
from train.data.habit import axes, without_habit
from train.data.hard import read_hard
from train.data.sampling import hardness, point_weights
from train.data.splits import splits, training_sets
from train.options import DataOptions, Recipe


def without(row: list[str], *points: int) -> list[str]:
    """The row with empty cells for these points."""
    hidden = {1 + 2 * point + axis for point in points for axis in (0, 1)}
    return ["" if column in hidden else cell for column, cell in enumerate(row)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "images", "a_1.jpg", "b_2.jpg")
    return tmp_path


def test_an_empty_point_is_hidden_where_labels_may_be_partial(folder: Path) -> None:
    csv = write_csv(folder / "faces.csv", [without(row_of("a_1.jpg"), 5), row_of("b_2.jpg")])
    with pytest.raises(InputError, match="row 2, column 11"):
        read_csv(csv)
    faces = read_csv(csv, partial=True)
    assert np.argwhere(np.isnan(faces.points[..., 0])).tolist() == [[0, 5]]
    assert faces.visibility is not None
    assert np.argwhere(faces.visibility == HIDDEN).tolist() == [[0, 5]]
    second = faces.select([1]).shifted((1, 1))
    assert second.visibility is not None
    assert (second.visibility == VISIBLE).all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (without(row_of("a_1.jpg"), *range(68)), "row 2: no point of 'a_1.jpg' has a label"),
        ([*row_of("a_1.jpg")[:12], "", *row_of("a_1.jpg")[13:]], "point 5 .* one coordinate"),
        (["x" if cell == "" else cell for cell in without(row_of("a_1.jpg"), 5)], "column 11"),
        (["nan" if cell == "" else cell for cell in without(row_of("a_1.jpg"), 5)], "column 11"),
        (row_of("a_1.jpg")[:100], "row 2: 100 columns, expected 137"),
        (without(row_of("a_1.jpg", 400), 5), "67 of the 67 points of 'a_1.jpg' lie off its picture"),
        (without(["a_1.jpg", *row_of("a_1.jpg")[:0:-1]], 5), "are not a face"),
    ],
)
def test_rows_of_partial_labels_are_checked(folder: Path, row: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_csv(write_csv(folder / "f.csv", [row]), partial=True)


def test_jaw_points_off_the_picture_are_legal(folder: Path) -> None:
    """The pictures of MTFL are cut through the jaw. As many of the others are on the picture as before."""
    row = without(row_of("a_1.jpg", 35), 0, 1, 2)
    faces = read_csv(write_csv(folder / "f.csv", [row]), partial=True)
    assert (faces.points[0, :, 1] > 150).any()


def hard_folder(root: Path) -> Path:
    """``hard/merl_aflw`` with one complete and one partial face."""
    folder = root / "hard" / "merl_aflw"
    write_images(folder / "images", "a.jpg", "b.jpg")
    write_csv(folder / "keypoints.csv", [row_of("a.jpg")])
    write_csv(folder / "keypoints_partial.csv", [without(row_of("b.jpg"), 7)])
    return folder


def write_visibility(folder: Path, rows: list[list[str]]) -> None:
    write_csv(folder / "visibility.csv", rows, ["", *map(str, range(68))])


def test_visibility_comes_from_its_own_file(tmp_path: Path) -> None:
    folder = hard_folder(tmp_path)
    write_visibility(folder, [["b.jpg", *["0"] * 68], ["a.jpg", "1", *["0"] * 67]])
    faces = splits(tmp_path)["hard_aflw"]
    assert faces.names == ["a.jpg", "b.jpg"]
    assert faces.visibility is not None
    expected = [[COVERED, VISIBLE, VISIBLE], [VISIBLE, VISIBLE, HIDDEN]]
    assert faces.visibility[:, [0, 1, 7]].tolist() == expected
    assert [name for name in splits(tmp_path) if name.startswith("hard")] == ["hard_aflw"]


@pytest.mark.parametrize(
    "rows", [[], [["b.jpg", *["0"] * 68]], [[n, "5", *["0"] * 67] for n in ("a.jpg", "b.jpg")]]
)
def test_another_visibility_file_is_refused(tmp_path: Path, rows: list[list[str]]) -> None:
    folder = hard_folder(tmp_path)
    write_visibility(folder, rows)
    with pytest.raises(InputError, match=r"visibility\.csv") as caught:
        read_hard(folder, "hard_aflw")
    assert "0 (visible)" in caught.value.hint


def test_points_weigh_by_their_visibility_and_brows_by_their_set() -> None:
    points = np.ones((1, 68, 2), np.float32)
    points[0, 3] = np.nan
    visibility = np.zeros((1, 68), np.uint8)
    visibility[0, [3, 40, 17]] = HIDDEN, COVERED, COVERED
    options = DataOptions(covered=0.25, brows={"some": 0.5})
    weights = point_weights(FaceSet("some", (Path("a.jpg"),), points, visibility), options)[0]
    assert weights[[0, 3, 40, 17, 18, 26, 27]].tolist() == [1.0, 0.0, 0.25, 0.125, 0.5, 0.5, 1.0]
    plain = FaceSet("other", (Path("a.jpg"),), np.ones((1, 68, 2), np.float32))
    assert (point_weights(plain, options) == 1.0).all()


def test_tilted_faces_and_faces_with_hidden_points_are_hard() -> None:
    row = np.array(row_of("a.jpg")[1:], np.float32).reshape(68, 2)
    angle = np.deg2rad(25.0)
    tilted = row @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    hidden = row.copy()
    hidden[3] = np.nan
    upright, turned, partial = hardness(np.stack([row, tilted, hidden]))
    assert turned == pytest.approx(upright + 0.5, abs=0.15)
    assert partial == 1.0


def test_a_sheet_shows_partial_labels(folder: Path) -> None:
    csv = write_csv(folder / "faces.csv", [without(row_of("a_1.jpg"), *range(5)), row_of("b_2.jpg")])
    assert main(["view", str(csv), "--partial", "--augmented", "2", "--out", str(folder / "sheet.png")]) == 0
    assert (folder / "sheet.png").stat().st_size > 2000


def test_the_habit_of_their_labellers_turns_and_grows_with_the_face(folder: Path) -> None:
    plain = read_csv(write_csv(folder / "faces.csv", [row_of("a_1.jpg"), row_of("b_2.jpg")])).points[:1]
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)  # a quarter turn
    faces = FaceSet("hard_aflw", (folder, folder), np.concatenate([plain, 2 * plain @ turn]))
    moved = without_habit(faces).points - faces.points
    assert np.abs(moved[0]).max() > 0.01 * np.linalg.norm(axes(plain)[0, 0])
    np.testing.assert_allclose(moved[1], 2 * moved[0] @ turn, atol=1e-3)


def test_points_without_a_label_and_faces_without_eye_corners_stay(folder: Path) -> None:
    rows = [without(row_of("a_1.jpg"), 5), without(row_of("b_2.jpg"), 36)]
    faces = read_csv(write_csv(folder / "faces.csv", rows), partial=True)
    moved = without_habit(faces).points
    np.testing.assert_array_equal(np.isnan(moved), np.isnan(faces.points))
    np.testing.assert_array_equal(moved[1], faces.points[1])
    assert not np.array_equal(moved[0], faces.points[0], equal_nan=True)


def test_a_recipe_may_take_the_habit_off_the_hard_faces(tmp_path: Path) -> None:
    write_visibility(hard_folder(tmp_path), [[name, *["0"] * 68] for name in ("a.jpg", "b.jpg")])
    with_it, without_it = (
        training_sets(Recipe("hard", data=DataOptions(sets=("hard_aflw",), without_habit=chosen)), tmp_path)[
            0
        ].points
        for chosen in (False, True)
    )
    assert 0 < np.nanmax(np.abs(with_it - without_it)) < 0.06 * np.nanmax(with_it)
