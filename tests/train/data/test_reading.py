"""Folders of .pts files and COCO files as data sets: read as they are, refused by file, and trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn import write_drawn
from labelled import row_of, write_csv, write_images
from shapes import face_at

from fkp_live.commands.cli import main as fkp_live
from fkp_live.errors import ExitCode, InputError
from fkp_live.geometry import CropSpec
from fkp_live.images.picture import BgrPicture
from fkp_live.sinks import CocoSink, JsonlSink, PtsSink
from fkp_live.sinks.pts import pts_text
from fkp_live.topology import N_POINTS
from fkp_live.types import Face, FrameResult, SourceInfo
from train.__main__ import main
from train.data.augment import background_crop
from train.data.coco import read_coco
from train.data.faces import COVERED, HIDDEN, VISIBLE, FaceSet, read_csv
from train.data.pts import read_pts, read_pts_folder
from train.data.reading import read_complete, read_faces
from train.data.sampling import load_sources
from train.options import AugmentOptions, DataOptions

FACE = face_at(75, 50, 60)
TOML = """
[model]
size = 32
channels = [4, 8, 8, 16]
blocks = [0, 1, 1]
decoder = [8, 8]
[training]
epochs = 1
batch = 4
workers = 0
evaluate_every = 1
epoch_faces = 8
"""


# .pts


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "set", "b.png", "a 1.jpg")
    (tmp_path / "set" / "b.pts").write_text(pts_text(FACE))
    (tmp_path / "set" / "a 1.pts").write_text(pts_text(FACE + 2))
    (tmp_path / "set" / "faces.csv").write_text("not read")
    (tmp_path / "set" / "._b.pts").write_bytes(b"\0\5\x16\7")
    return tmp_path / "set"


def test_pixels_count_from_1_in_a_file_that_is_written_out(tmp_path: Path) -> None:
    lines = "".join(f"{number + 1} {2 * number + 1.5}\n" for number in range(N_POINTS))
    (tmp_path / "a.pts").write_text("version: 1\nn_points:  68\n{\n" + lines + "}\n")
    points = read_pts(tmp_path / "a.pts")
    assert points[0].tolist() == [0.0, 0.5]
    assert points[67].tolist() == [67.0, 134.5]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text(pts_text(FACE))
    assert np.abs(read_pts(tmp_path / "a.pts") - FACE).max() < 0.001


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows"),
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("n_points:  68", "n_points:68"), id="no space"),
        pytest.param(lambda text: text.replace(" ", "\t"), id="tabs"),
        pytest.param(lambda text: text.replace("{", "\n{ ").rstrip(), id="blank lines, no line feed"),
        pytest.param(lambda text: text.replace("version", "Version"), id="capital"),
    ],
)
def test_other_spellings_are_read_too(tmp_path: Path, change: Callable[[str], str]) -> None:
    (tmp_path / "a.pts").write_bytes(change(pts_text(FACE)).encode())
    assert np.abs(read_pts(tmp_path / "a.pts") - FACE).max() < 0.001


def test_a_folder_is_a_data_set(folder: Path) -> None:
    faces = read_faces(folder)
    assert (faces.name, faces.names, faces.visibility) == ("set", ["a 1.jpg", "b.png"], None)
    assert faces.points.dtype == np.float32
    assert np.abs(faces.points - [FACE + 2, FACE]).max() < 0.001
    assert faces.image(1).shape == (150, 160, 3)


def spoil(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a .pts file"),
        ("version: 1\n", "not a .pts file"),
        (spoil(pts_text(FACE), "68", "5"), "'n_points:  5'"),
        (spoil(pts_text(FACE), "}", ""), "cut off"),
        (pts_text(FACE)[:200], "cut off"),
        (spoil(pts_text(FACE), "{\n", "{\n1 2\n"), "69 points"),
        (spoil(pts_text(FACE), "26.800 54.000", "nan 2"), "'nan 2'"),
        (spoil(pts_text(FACE), "{\n", "{\n1 2 3\n"), "69 points"),
        (pts_text(FACE[:, ::-1]), "y before x"),
        (pts_text(FACE / 150), "span"),
        (pts_text(FACE + 500), "lie off its picture"),
        (pts_text(np.full((68, 2), 5.0)), "eye corners"),
        ("\udcff", "not text"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(folder: Path, content: str, said: str) -> None:
    (folder / "b.pts").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_pts_folder(folder)
    assert said in caught.value.message
    assert "b.pts" in caught.value.message
    assert caught.value.exit_code == ExitCode.INPUT


def test_a_line_that_is_no_point_is_named(folder: Path) -> None:
    lines = (folder / "b.pts").read_text().split("\n")
    lines[10] = "12.0 1_0"
    (folder / "b.pts").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"b\.pts, line 11: expected x and y in pixels, got '12.0 1_0'"):
        read_pts_folder(folder)


def test_each_file_needs_one_picture(folder: Path, tmp_path: Path) -> None:
    write_images(folder, "b.jpg")
    with pytest.raises(InputError, match=r"several pictures .*b\.jpg, b\.png"):
        read_pts_folder(folder)
    (folder / "b.jpg").unlink()
    (folder / "b.png").unlink()
    with pytest.raises(InputError, match=r"no picture of .*b\.pts"):
        read_pts_folder(folder)
    write_images(tmp_path / "none", "b.jpg")
    with pytest.raises(InputError, match=r"no \.pts file"):
        read_faces(tmp_path / "none")


def test_pictures_of_pts_files_may_lie_in_a_folder_of_their_own(folder: Path, tmp_path: Path) -> None:
    beside = read_faces(folder)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in beside.paths:
        path.rename(pictures / path.name)
    apart = read_faces(folder, pictures)
    assert apart.paths == tuple(pictures / path.name for path in beside.paths)
    assert np.array_equal(apart.points, beside.points)
    with pytest.raises(InputError, match=r"no picture of .*a 1\.pts beside it") as caught:
        read_faces(folder)
    assert "--images DIR" in caught.value.hint
    with pytest.raises(InputError, match=r"no picture of .* in .*set"):
        read_faces(folder, folder)
    with pytest.raises(InputError, match="missing cannot be read: No such file"):
        read_faces(folder, tmp_path / "missing")


# COCO


def coco(**changes: Any) -> dict[str, Any]:
    """A file of two pictures, with two faces on the first and one on the second."""

    def annotation(number: int, image: int, shift: float) -> dict[str, Any]:
        keypoints = np.c_[FACE + shift, np.full(N_POINTS, 2)].ravel().tolist()
        return {"id": number, "image_id": image, "category_id": 7, "keypoints": keypoints, "iscrowd": 0}

    made = {
        "images": [{"id": 10, "file_name": "a.png"}, {"id": "x", "file_name": "b.png"}],
        "annotations": [annotation(1, 10, 0), annotation(2, 10, 4), annotation(3, "x", 1)],  # type: ignore[arg-type]
        "categories": [{"id": 7, "name": "face", "keypoints": [str(n) for n in range(N_POINTS)]}],
    }
    return made | changes


def write_coco(folder: Path, content: Any, images: str = "images") -> Path:
    write_images(folder / images, "a.png", "b.png")
    (folder / "set.json").write_text(json.dumps(content))
    return folder / "set.json"


def test_a_coco_file_is_a_data_set(tmp_path: Path) -> None:
    faces = read_faces(write_coco(tmp_path, coco()))
    assert (faces.name, faces.names, faces.visibility) == ("set", ["a.png", "a.png", "b.png"], None)
    assert np.abs(faces.points - [FACE, FACE + 4, FACE + 1]).max() < 1e-4
    assert faces.paths[0] == tmp_path / "images" / "a.png"


@pytest.mark.parametrize("images", ["set", "images", "."])
def test_images_lie_where_tools_put_them(tmp_path: Path, images: str) -> None:
    faces = read_coco(write_coco(tmp_path, coco(), images))
    assert faces.image(0).shape == (150, 160, 3)
    elsewhere = read_coco(tmp_path / "set.json", images=tmp_path / images, name="mine")
    assert elsewhere.name == "mine"


def test_v_says_how_a_point_was_seen(tmp_path: Path) -> None:
    content = coco()
    content["annotations"][0]["keypoints"][0:3] = [0, 0, 0]
    content["annotations"][1]["keypoints"][5] = 1
    faces = read_coco(write_coco(tmp_path, content))
    assert faces.visibility is not None
    assert faces.visibility[0, :2].tolist() == [HIDDEN, VISIBLE]
    assert faces.visibility[1, :2].tolist() == [VISIBLE, COVERED]
    assert np.isnan(faces.points[0, 0]).all()
    assert np.isfinite(faces.points).all(-1).sum() == 3 * N_POINTS - 1


def test_a_network_is_judged_on_complete_faces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = coco()
    content["annotations"][0]["keypoints"][0:3] = [0, 0, 0]
    path = write_coco(tmp_path, content)
    assert len(read_complete(path)) == 2
    assert "want of some labels: 1 face." in capsys.readouterr().err
    for one in content["annotations"]:
        one["keypoints"][0:3] = [0, 0, 0]
    with pytest.raises(InputError, match="all of its labels"):
        read_complete(write_coco(tmp_path, content))


def test_what_is_no_face_with_labels_is_skipped(tmp_path: Path) -> None:
    content = coco()
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["keypoints"] = [0] * 204
    body = {"id": 9, "image_id": 10, "category_id": 1, "keypoints": [1, 2, 2] * 17}
    content["annotations"].append(body)
    content["categories"].append({"id": 1, "name": "person", "keypoints": ["nose"] * 17})
    assert read_coco(write_coco(tmp_path, content)).names == ["b.png"]


def changed(key: str, number: int, **values: Any) -> dict[str, Any]:
    content = coco()
    content[key][number] |= values
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no keys"),
        ({}, "no list 'images'"),
        (coco(annotations=[]), "no face with labels"),
        (coco(annotations="x"), "no list 'annotations'"),
        (coco(images=[{"id": 10}]), "file_name is missing in number 0"),
        (coco(images=[{"id": [1], "file_name": "a.png"}]), "id is missing in number 0"),
        (coco(images=[{"id": 10, "file_name": "a.png"}]), "annotation 3: there is no image x"),
        (changed("categories", 0, keypoints=["a"] * 17), "categories of 17 points"),
        (changed("annotations", 1, keypoints=[1, 2, 2]), "annotation 2: 3 numbers"),
        (changed("annotations", 1, keypoints=["1"] * 204), "annotation 2: 'keypoints' are not"),
        (changed("annotations", 1, keypoints=[1, 2, 3] * 68), "annotation 2: 'keypoints' are not"),
        (changed("annotations", 1, keypoints=[10**400] * 204), "annotation 2: 'keypoints' are not"),
        (changed("annotations", 1, keypoints=[float("nan"), 1, 2] * 68), "annotation 2: 'keypoints' are not"),
        (changed("annotations", 1, keypoints=[5, 5, 2] * 68), "annotation 2: the outer eye corners"),
        (changed("images", 1, file_name="c.png"), "annotation 3: image"),
    ],
)
def test_a_damaged_coco_file_is_refused_by_annotation(tmp_path: Path, content: Any, said: str) -> None:
    path = write_coco(tmp_path, content)
    with pytest.raises(InputError) as caught:
        read_faces(path)
    assert str(path) in caught.value.message
    assert said in caught.value.message


@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "set.json").write_bytes(text)
    with pytest.raises(InputError, match="not JSON"):
        read_faces(tmp_path / "set.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for name in ("set.json", "set.csv", "set"):
        with pytest.raises(InputError, match="no such data set"):
            read_faces(tmp_path / name)


# from a recording to a training


@pytest.fixture(name="drawn")
def _drawn(tmp_path: Path) -> FaceSet:
    """Six drawn faces, each on a picture of its own."""
    names = [f"{number}.png" for number in range(6)]
    return read_csv(write_drawn(tmp_path / "drawn.csv", tmp_path / "images", names))


def results(faces: FaceSet) -> list[FrameResult]:
    sure = np.full(N_POINTS, 0.9, np.float32)
    return [
        FrameResult(k, k / 25, (140, 140), (Face(one, sure, np.array([*one.min(0), *one.max(0)]), 0.9, 1),))
        for k, one in enumerate(faces.points)
    ]


@pytest.mark.parametrize("form", ["pts", "coco"])
def test_recordings_become_the_same_data_set(drawn: FaceSet, tmp_path: Path, form: str) -> None:
    info = SourceInfo("drawn", 140, 140)
    path = tmp_path / "set" if form == "pts" else tmp_path / "set.json"
    sink = PtsSink(path, info, crop=False) if form == "pts" else CocoSink(path, info, pictures=True)
    with sink:
        for result in results(drawn):
            sink.write(result, BgrPicture(drawn.image(result.index)))
    faces = read_faces(path)
    assert np.abs(faces.points - drawn.points).max() < 0.01
    for index in range(len(drawn)):
        assert np.array_equal(faces.image(index), drawn.image(index))


def test_training_and_contact_sheets_take_them(
    drawn: FaceSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`fkp-live convert` to a training of one epoch and its figures, as people do it."""
    source = {"name": "images", "width": 140, "height": 140}
    with JsonlSink(tmp_path / "p.jsonl", {"source": source}, files=drawn.names) as sink:
        for result in results(drawn):
            sink.write(result)
    recording, quiet = str(tmp_path / "p.jsonl"), ("--progress", "off", "--quiet")
    assert fkp_live(["convert", recording, str(tmp_path / "set"), *quiet]) == 0
    assert fkp_live(["convert", recording, str(tmp_path / "coco.json"), "--every", "0", *quiet]) == 0
    (tmp_path / "tiny.toml").write_text(TOML)
    pts, coco_file = str(tmp_path / "set"), str(tmp_path / "coco.json")
    words = ["fit", str(tmp_path / "tiny.toml"), "--csv", pts, "--more", coco_file, "--val", coco_file]
    words += ["--no-check-labels", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "coco_nme" in out
    sheet = tmp_path / "sheet.png"
    assert main(["view", pts, coco_file, "--out", str(sheet)]) == 0
    assert cv2.imread(str(sheet)) is not None
    assert "12 of 12 faces" in capsys.readouterr().out


def test_labels_of_another_place_are_refused_as_in_a_csv(
    drawn: FaceSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index, points in enumerate(drawn.points):
        (tmp_path / "images" / f"{index}.pts").write_text(pts_text(points[::-1]))
    (tmp_path / "tiny.toml").write_text(TOML)
    words = [
        "fit",
        str(tmp_path / "tiny.toml"),
        "--csv",
        str(tmp_path / "images"),
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(words) == ExitCode.INPUT
    assert "0.pts" in capsys.readouterr().err


# pictures of several faces


def test_pictures_of_several_faces_are_read_once(tmp_path: Path) -> None:
    faces = read_coco(write_coco(tmp_path, coco()))
    (source,) = load_sources([faces], DataOptions())
    assert source.images[0] is source.images[1]
    assert source.crowded.tolist() == [True, True, False]


def test_nothing_beside_a_face_is_background_where_others_are() -> None:
    points = face_at(300, 250, 60)
    image = np.full((600, 600, 3), 255, np.uint8)
    margin = 0.3 * np.ptp(points, axis=0).max()
    left, top = (points.min(0) - margin).astype(int)
    right, bottom = (points.max(0) + margin).astype(int)
    image[top:bottom, left:right] = 0
    still = {name: 0.0 for name in ("light", "grey", "low_resolution", "blur", "noise", "jpeg", "occlusion")}
    options, spec = replace(AugmentOptions(), **still), CropSpec(64, 0.125)

    def brightest(*, crowded: bool) -> int:
        rng = np.random.default_rng(0)
        crops = [background_crop(image, points, spec, rng, options, crowded=crowded) for _ in range(40)]
        return int(max(crop.max() for crop in crops))

    assert brightest(crowded=False) == 255
    assert brightest(crowded=True) == 0


def test_a_csv_is_read_as_before(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "a.png")
    csv = write_csv(tmp_path / "set.csv", [row_of("a.png")])
    assert np.array_equal(read_faces(csv).points, read_csv(csv).points)
