"""From frame to crop and back, to a hundredth of a pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shapes import face_at

from fkp_live import geometry
from fkp_live.geometry import CropSpec
from fkp_live.images import warping

SPEC = CropSpec(112, 0.125)


@pytest.mark.parametrize(
    "box", [[30.0, 50.0, 130.0, 130.0], [30.0, 50.0, 110.0, 150.0]], ids=["wide", "tall"]
)
def test_the_longer_side_of_a_box_fills_the_crop_up_to_the_margin(box: list[float]) -> None:
    corners = geometry.apply(geometry.crop_matrix(box, SPEC), np.reshape(box, (2, 2)))
    assert SPEC.face_side == pytest.approx(112 / 1.25)
    assert np.ptp(corners, 0).max() == pytest.approx(SPEC.face_side, abs=1e-4)
    np.testing.assert_allclose(corners.mean(0), (112 - 1) / 2, atol=1e-4)


def turned_crop(face: np.ndarray, angle: float) -> np.ndarray:
    """Affine of the crop around a face (68, 2) in the picture turned by ``angle`` radians."""
    turn = geometry.rotation(angle)
    return geometry.compose(geometry.crop_matrix(geometry.box_of(geometry.apply(turn, face)), SPEC), turn)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.5])
def test_points_go_into_the_crop_and_back(angle: float) -> None:
    face = face_at(300, 200, 90, roll=0.3)
    matrix = turned_crop(face, angle)
    np.testing.assert_allclose(
        geometry.apply(geometry.invert(matrix), geometry.apply(matrix, face)), face, atol=1e-3
    )


def test_many_faces_at_once_are_the_same_as_one_by_one() -> None:
    faces = np.stack([face_at(100, 80, 40), face_at(300, 200, 90, 0.5)])
    matrices = np.stack([turned_crop(face, 0.1) for face in faces])
    together = geometry.apply(geometry.invert(matrices), geometry.apply(matrices, faces))
    np.testing.assert_allclose(together, faces, atol=1e-3)


def test_turning_by_the_roll_levels_the_eyes_and_fills_the_crop() -> None:
    face = face_at(300, 200, 90, roll=0.6)
    crop = geometry.apply(turned_crop(face, -0.6), face)
    assert crop[36, 1] == pytest.approx(crop[45, 1], abs=1e-3)
    assert crop[36, 0] < crop[45, 0]
    assert np.ptp(crop, 0).max() == pytest.approx(SPEC.face_side, abs=1e-3)


def test_a_positive_rotation_is_clockwise_as_seen() -> None:
    right = geometry.apply(geometry.rotation(np.pi / 2), [[1.0, 0.0]])[0]
    np.testing.assert_allclose(right, [0.0, 1.0], atol=1e-6)  # to the right becomes down


def test_compose_applies_the_inner_one_first() -> None:
    outer, inner = geometry.rotation(0.7), np.array([[2.0, 0.0, 5.0], [0.0, 2.0, -3.0]])
    points = [[3.0, 4.0], [-1.0, 2.0]]
    np.testing.assert_allclose(
        geometry.apply(geometry.compose(outer, inner), points),
        geometry.apply(outer, geometry.apply(inner, points)),
        atol=1e-4,
    )
    assert geometry.scale_of(inner) == pytest.approx(2.0)


def _spot(size: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: size[1], : size[0]]
    bright = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))
    return np.repeat(bright[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "radius"), [(60, 4.0), (300, 10.0), (1400, 40.0)], ids=["enlarged", "reduced", "shrunk first"]
)
def test_a_spot_lands_where_the_matrix_says(side: float, radius: float) -> None:
    """Pixel centres are at integers, also after the shrinking of large faces."""
    x, y = 801.3, 702.6
    image = _spot((1600, 1400), x, y, radius)
    matrix = geometry.crop_matrix([x - side * 0.4, y - side * 0.5, x + side * 0.6, y + side * 0.3], SPEC)
    crop = warping.warp(image, matrix, SPEC.size)[..., 0].astype(np.float64)
    rows, columns = np.mgrid[: SPEC.size, : SPEC.size]
    found = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(found, geometry.apply(matrix, [[x, y]])[0], atol=0.06)


def test_shrinking_averages_instead_of_skipping() -> None:
    """Noise of a large face must not reach the crop: a bilinear warp alone would keep two thirds of it."""
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3)).astype(np.uint8)
    crop = warping.warp(noise, geometry.crop_matrix([150, 150, 1050, 1050], SPEC), SPEC.size)
    assert crop.std() < 0.25 * noise.std()


def test_outside_the_picture_is_black() -> None:
    white = np.full((100, 100, 3), 255, np.uint8)
    crop = warping.warp(white, geometry.crop_matrix([-60, 10, 40, 90], SPEC), SPEC.size)
    assert crop[:, :40].max() == 0
    assert crop[20:90, 80:].min() == 255
    nowhere = warping.warp(white, geometry.crop_matrix([5000, 5000, 9000, 9000], SPEC), SPEC.size)
    assert nowhere.shape == (112, 112, 3)
    assert nowhere.max() == 0


def test_a_picture_without_resampling_stays_as_it_is() -> None:
    image = cv2.randu(np.empty((112, 112, 3), np.uint8), 0, 255)
    np.testing.assert_array_equal(warping.warp(image, np.array([[1.0, 0, 0], [0, 1, 0]]), 112), image)


@pytest.mark.parametrize("side", [100, 250, 900], ids=["enlarged", "reduced", "shrunk first"])
@pytest.mark.parametrize("tall", [False, True])
def test_a_crop_of_a_picture_too_long_for_opencv_is_that_of_its_end(side: int, tall: bool) -> None:
    long, short = np.zeros((1000, 34_000, 3), np.uint8), np.zeros((1000, 2_000, 3), np.uint8)
    long[:, -1000:] = short[:, -1000:] = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3))
    if tall:
        long, short = long.transpose(1, 0, 2), short.transpose(1, 0, 2)
    for along, across in ((1040, 60), (1700, 900), (900, -200)):
        x, y = (across, along) if tall else (along, across)
        box = np.array([x, y, x + side, y + side])
        shift = np.tile([0, 32_000] if tall else [32_000, 0], 2)
        crop = warping.warp(long, geometry.crop_matrix(box + shift, SPEC), SPEC.size)
        expected = warping.warp(short, geometry.crop_matrix(box, SPEC), SPEC.size)
        np.testing.assert_allclose(crop, expected.astype(int), atol=1)
    nowhere = warping.warp(long, geometry.crop_matrix([50_000, 50_000, 50_100, 50_100], SPEC), SPEC.size)
    assert nowhere.max() == 0


def test_overlap() -> None:
    boxes = [[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]]
    overlap = geometry.iou(boxes, boxes)
    assert overlap.shape == (3, 3)
    np.testing.assert_allclose(np.diag(overlap), 1.0)
    assert overlap[0, 1] == pytest.approx(1 / 3)
    assert overlap[0, 2] == 0.0
    assert geometry.iou(np.empty((0, 4)), boxes).shape == (0, 3)
