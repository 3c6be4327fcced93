"""Stickers: where they lie on a face, on both forms of pictures, and which files are refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shapes import face_at

from benchmarks.make_glasses import glasses
from fkp_live.colour import ColourSpace
from fkp_live.display.sticker import GLASSES, MOST_SIDE, Stickers, corners, load_sticker
from fkp_live.errors import InputError
from fkp_live.geometry import box_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.types import Face, Frame, FrameResult, Image, Picture, Pose

ASPECT = 0.4


def face(
    x: float = 320, y: float = 200, eyes: float = 100, roll: float = 0.0, yaw: float = 0.0, pitch: float = 0.0
) -> Face:
    points = face_at(x, y, eyes, roll)
    # The same head turned: narrower.
    points[:, 0] = x + (points[:, 0] - x) * np.float32(np.cos(yaw))
    confidence = np.full(68, 0.9, np.float32)
    return Face(points, confidence, box_of(points), 0.9, 1, pose=Pose(pitch, yaw, roll))


def plain(colour: tuple[int, int, int, int] = (10, 200, 30, 255), size: tuple[int, int] = (80, 200)) -> Image:
    return np.full((*size, 4), colour, np.uint8)


def laid(picture: Picture, sticker: Image, *faces: Face) -> Picture:
    frame = Frame(picture, 0, 0.0, 0.0)
    copy, result, stickers = picture.copy(), FrameResult.of(frame, faces), Stickers(sticker)
    stickers.see(frame, result)
    stickers.apply(copy, result)
    return copy


def grey(planar: bool = False, width: int = 640, height: int = 480) -> Picture:
    image = np.full((height, width, 3), 128, np.uint8)
    return Yuv420Picture.from_bgr(image, ColourSpace()) if planar else BgrPicture(image)


# ----- where it lies


def test_on_a_frontal_face_it_lies_level_over_both_eyes() -> None:
    place = corners(face(), ASPECT)
    (x0, y0), (x1, _), (_, y2), _ = place.tolist()
    assert place.mean(0) == pytest.approx([320, 200], abs=2)
    assert x0 < 320 - 50 < 320 + 50 < x1
    assert (y2 - y0) / (x1 - x0) == pytest.approx(ASPECT, rel=0.01)


@pytest.mark.parametrize("roll", [-0.6, 0.3, 1.0])
def test_it_rolls_with_the_eyes(roll: float) -> None:
    top = np.subtract(*corners(face(roll=roll), ASPECT)[[1, 0]])
    assert np.arctan2(*top[::-1]) == pytest.approx(roll, abs=0.02)


@pytest.mark.parametrize("eyes", [20, 60, 200])
def test_it_grows_with_the_face(eyes: float) -> None:
    width = np.linalg.norm(np.subtract(*corners(face(eyes=eyes), ASPECT)[[1, 0]]))
    assert width / eyes == pytest.approx(1.65, abs=0.1)


@pytest.mark.parametrize("yaw", [-0.7, 0.7])
def test_a_turned_sticker_is_narrower_and_its_far_side_smaller(yaw: float) -> None:
    place = corners(face(yaw=yaw), ASPECT)
    left, right = (float(np.linalg.norm(place[a] - place[b])) for a, b in ((0, 3), (1, 2)))
    frontal = corners(face(), ASPECT)
    assert np.ptp(place[:, 0]) < 0.9 * np.ptp(frontal[:, 0])
    # Yaw is positive towards the right edge of the picture: there its right side is the far one.
    assert (right < left) == (yaw > 0)
    # It is in front of the eyes, so it moves to where the face looks.
    assert (place[:, 0].mean() > 320) == (yaw > 0)


def test_of_a_head_that_looks_up_the_upper_edge_is_farther_away() -> None:
    place = corners(face(pitch=0.4), ASPECT)
    assert np.ptp(place[:2, 0]) < np.ptp(place[2:, 0])


def test_a_face_without_pose_is_taken_as_frontal() -> None:
    one = face()
    bare = Face(one.points, one.confidence, one.box, 0.9)
    assert corners(bare, ASPECT) == pytest.approx(corners(one, ASPECT))


# ----- what is painted


@pytest.mark.parametrize("planar", [False, True])
def test_its_colour_is_on_the_eyes_and_nothing_else_changes(planar: bool) -> None:
    before = grey(planar)
    image = laid(before, plain(), face()).bgr()
    assert image[200, 320] == pytest.approx([10, 200, 30], abs=4)
    changed = np.abs(image.astype(int) - before.bgr()).max(2) > 3
    rows, columns = np.nonzero(changed)
    place = corners(face(), ASPECT)
    assert columns.min() >= place[:, 0].min() - 3
    assert columns.max() <= place[:, 0].max() + 3
    assert rows.min() >= place[:, 1].min() - 3
    assert rows.max() <= place[:, 1].max() + 3
    assert changed.sum() == pytest.approx(np.ptp(place[:, 0]) * np.ptp(place[:, 1]), rel=0.12)


@pytest.mark.parametrize("planar", [False, True])
def test_half_opacity_is_half_the_picture(planar: bool) -> None:
    image = laid(grey(planar), plain((0, 0, 0, 128)), face()).bgr()
    assert image[200, 320] == pytest.approx([64] * 3, abs=3)


@pytest.mark.parametrize("planar", [False, True])
def test_what_is_transparent_does_not_darken(planar: bool) -> None:
    before = grey(planar)
    image = laid(before, plain((0, 0, 0, 0)), face()).bgr()
    assert np.abs(image.astype(int) - before.bgr()).max() <= 1


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("place", [(0, 0), (640, 480), (-500, 200), (1e7, 1e7), (320, 478)])
def test_faces_over_the_edge_are_no_trouble(planar: bool, place: tuple[float, float]) -> None:
    picture = laid(grey(planar), plain(), face(*place))
    inside = -60 < place[0] < 700
    assert (picture.luma != grey(planar).luma).any() == inside


def test_the_larger_face_is_in_front() -> None:
    sticker = load_sticker(GLASSES)
    near, far = face(300, 200, 120), face(360, 200, 40)
    both = laid(grey(), sticker, near, far).bgr()
    again = laid(laid(grey(), sticker, far), sticker, near).bgr()
    assert (both == again).all()


def test_a_face_without_size_and_a_tiny_one_are_left_out() -> None:
    points = np.full((68, 2), 50.0, np.float32)
    nobody = Face(points, np.ones(68, np.float32), box_of(points), 0.9, 1)
    assert (laid(grey(), plain(), nobody, face(eyes=1)).luma == 128).all()


# ----- files


def test_the_glasses_in_the_package_are_those_that_the_script_draws() -> None:
    shipped = load_sticker(GLASSES)
    assert shipped.shape[1] > 2 * shipped.shape[0]
    assert np.abs(shipped.astype(int) - glasses()).max() <= 2
    # Dark frames all around two lenses that let the eyes through, transparent outside.
    assert {0, 255} <= set(np.unique(shipped[..., 3]).tolist())
    middle = shipped[shipped.shape[0] // 2, shipped.shape[1] // 4]
    assert 100 < middle[3] < 255


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "hat.png"
    cv2.imwrite(str(path), plain())
    assert (load_sticker(path) == plain()).all()
    assert (load_sticker(str(path)) == plain()).all()


def test_files_that_are_refused(tmp_path: Path) -> None:
    def written(name: str, image: np.ndarray) -> Path:
        cv2.imwrite(str(tmp_path / name), image)
        return tmp_path / name

    huge = np.zeros((1, MOST_SIDE + 1, 4), np.uint8)
    whole = written("whole.png", plain()).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:60])
    (tmp_path / "short.png").write_bytes(whole[:20])
    (tmp_path / "empty.png").write_bytes(b"")
    cases = {
        tmp_path / "nothing.png": "no sticker",
        tmp_path: "not a file",
        Path("/dev/null"): "not a file" if Path("/dev/null").exists() else "no sticker",
        written("rgb.png", plain()[..., :3]): "without transparency",
        written("grey.png", plain()[..., 0]): "grey",
        written("deep.png", plain().astype(np.uint16)): "16-bit",
        written("photo.jpg", plain()[..., :3]): "not a PNG",
        written("huge.png", huge): "4097 x 1",
        tmp_path / "cut.png": "damaged",
        tmp_path / "short.png": "not a PNG",
        tmp_path / "empty.png": "not a PNG",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            load_sticker(path)
        assert path.name in str(caught.value)


def test_arrays_without_opacity_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        Stickers(plain()[..., :3])
