"""Training faces and held-out faces never meet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from labelled import row_of, write_csv, write_images

from fkp_live.errors import InputError
from fkp_live.topology import CHIN, NOSE_TIP
from train.data.hard import HARD
from train.data.splits import person_of, splits, twins_in_validation, unseen_persons

SHARED = Path(__file__).parents[4] / "shared" / "data"


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
    ("text", "message"),
    [
        (None, "cannot read the list"),
        ("", "leaves no face for wild_val"),
        ("z.jpg", "leaves no face for wild_val"),
        ("x.jpg\ny 1.jpg", "leaves no face for wild_train"),
    ],
)
def test_a_list_of_validation_faces_that_cannot_be_is_refused(
    root: Path, text: str | None, message: str
) -> None:
    path = root / "wild" / "val.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match=r"val\.txt") as caught:
        [splits(root)[name] for name in ("wild_train", "wild_val")]
    assert message in caught.value.message
    assert "one file name per line" in caught.value.hint


def test_validation_faces_that_are_missing_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is misspelt would be trained on; of a part of the data it is as it should be."""
    (root / "wild" / "val.txt").write_text("y 1.jpg\nz.jpg\nzz.jpg")
    assert splits(root)["wild_train"].names == ["x.jpg"]
    assert "names z.jpg and 1 more, which keypoints.csv does not hold" in capsys.readouterr().err


def test_a_folder_is_read_when_a_set_of_it_is_first_used(root: Path) -> None:
    shutil.rmtree(root / "wild")
    assert splits(root)["unseen"].names == ["Ann_Bee_02.jpg"]
    with pytest.raises(InputError, match="no such data set"):
        splits(root)["wild_val"]


def test_the_projects_list_of_persons_is_the_default(root: Path) -> None:
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
    hard = {"hard_aflw": 750, "hard_mtfl": 1869}
    assert {name: len(faces) for name, faces in sets.items()} == {
        "udacity_train": 3120,
        "udacity_test": 770,
        "unseen": 75,
        "wild_train": 1695,
        "wild_val": 300,
        **{name: faces for name, faces in hard.items() if name in sets},
    }
    persons = {name: {person_of(n) for n in sets[name].names} for name in ("udacity_train", "unseen")}
    assert len(persons["unseen"]) == 35
    assert not persons["unseen"] & persons["udacity_train"]
    assert not set(sets["wild_train"].names) & set(sets["wild_val"].names)
    assert twins_in_validation() <= set(sets["wild_val"].names)
    assert unseen_persons(SHARED) == unseen_persons(Path("elsewhere"))
    for name, faces in sets.items():
        upright = faces.points[:, CHIN, 1] > faces.points[:, NOSE_TIP, 1]
        assert upright.mean() > (0.8 if name in HARD else 0.98)  # hidden points are NaN there
