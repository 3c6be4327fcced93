"""The eye network: where its patches come from, and what it says of eyes that are open and shut."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from photos import photographs
from shapes import face_at

from fkp_live import geometry
from fkp_live.engine import Engine
from fkp_live.errors import ModelError
from fkp_live.faces.eyes import EyeNetwork, eye_affines, eye_patches
from fkp_live.faces.openness import Blinks, measures
from fkp_live.images.picture import BgrPicture
from fkp_live.inference.models import models_dir, resolve_model
from fkp_live.inference.session import open_session
from fkp_live.pipeline import FaceLandmarker

SIZE, EYE = (32, 24), 20.0


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("cpu", "fkp68")


def seen(engine: Engine, name: str, share: float = 0.0) -> np.ndarray:
    """(2, 2): openness and probability of shut of both eyes of a photograph, with its lids drawn down by a share."""
    points = photographs.checked_points()[name]
    image = photographs.eyes_shut(photographs.photograph(name), points, share)
    (look,) = engine.eyes(BgrPicture(image), [points.astype(np.float32)])
    return look


@pytest.mark.parametrize("name", photographs.NAMES)
def test_open_eyes_are_open_and_shut_ones_shut(engine: Engine, name: str) -> None:
    opened, half, shut = (seen(engine, name, share) for share in (0.0, 0.5, 1.0))
    assert (opened[:, 0] > 0.24).all()
    assert (opened[:, 1] < 0.3).all()
    assert (shut[:, 0] < 0.12).all()
    assert (shut[:, 1] > 0.5).all()
    assert (opened[:, 0] > half[:, 0] + 0.05).all()
    assert (half[:, 0] > shut[:, 0] + 0.03).all()


def test_all_eyes_of_a_picture_go_through_in_one_run_and_do_not_mix(engine: Engine) -> None:
    points = photographs.checked_points()["astronaut"]
    image = photographs.photograph("astronaut")
    picture = BgrPicture(np.hstack([image, photographs.eyes_shut(image, points)]))
    moved = points + np.array([image.shape[1], 0])
    both = engine.eyes(picture, [points.astype(np.float32), moved.astype(np.float32)])
    assert both.shape == (2, 2, 2)
    assert both[0, :, 0].min() > 2 * both[1, :, 0].max()
    for one, look in zip((points, moved), both, strict=True):
        assert engine.eyes(picture, [one.astype(np.float32)])[0] == pytest.approx(look, abs=1e-4)
    assert engine.eyes(picture, []).shape == (0, 2, 2)


def test_the_same_eyes_in_a_turned_enlarged_and_mirrored_picture(engine: Engine) -> None:
    points, image = photographs.checked_points()["astronaut"], photographs.photograph("astronaut")
    expected = seen(engine, "astronaut")
    height, width = image.shape[:2]
    turned = np.array([[0.0, -1.0, height - 1.0], [1.0, 0.0, 0.0]])
    picture = BgrPicture(np.asarray(cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE), np.uint8))
    assert engine.eyes(picture, [geometry.apply(turned, points)])[0] == pytest.approx(expected, abs=0.02)
    twice = BgrPicture(np.asarray(cv2.resize(image, None, fx=3, fy=3), np.uint8))
    assert engine.eyes(twice, [np.float32((points + 0.5) * 3 - 0.5)])[0] == pytest.approx(expected, abs=0.06)
    mirrored = points.copy()
    mirrored[[36, 39, 42, 45], 0] = width - 1 - points[[45, 42, 39, 36], 0]
    mirrored[[36, 39, 42, 45], 1] = points[[45, 42, 39, 36], 1]
    other = engine.eyes(BgrPicture(np.ascontiguousarray(image[:, ::-1])), [np.float32(mirrored)])[0]
    assert other[::-1] == pytest.approx(expected, abs=0.01)


def test_outer_corners_lie_on_the_left_and_inner_ones_on_the_right() -> None:
    points = face_at(40, 30, 200).astype(np.float32)
    for affine, outer, inner in zip(eye_affines(points, SIZE, EYE), (36, 45), (39, 42), strict=True):
        onto = geometry.invert(np.array(affine).reshape(2, 3))
        left, right = geometry.apply(onto, points[[outer, inner]])
        assert left == pytest.approx([5.5, 11.5], abs=1e-3)
        assert right == pytest.approx([25.5, 11.5], abs=1e-3)
        # Below the eye is below in the patch: no eye stands on its head.
        assert geometry.apply(onto, points[[outer]] + [0, 5])[0, 1] > 11.5


def test_beyond_the_picture_its_border_goes_on_and_far_beyond_nothing_is_there() -> None:
    plane = np.full((40, 40), 200, np.uint8)
    for place, value in ((20, 200), (5000, 0), (-5000, 0)):
        for patch in eye_patches(plane, face_at(place, 20, 60).astype(np.float32), SIZE, EYE):
            assert patch.shape == (24, 32)
            assert (patch == value).all()


def test_large_eyes_are_averaged_and_not_skipped() -> None:
    """A chequered plane of single pixels is grey, however large the eye."""
    plane = (np.indices((900, 900)).sum(0) % 2 * 255).astype(np.uint8)
    for patch in eye_patches(plane, face_at(450, 450, 800).astype(np.float32), SIZE, EYE):
        assert np.abs(patch.astype(int) - 127).max() < 40


def test_points_that_coincide_give_numbers(engine: Engine) -> None:
    picture = BgrPicture(photographs.photograph("astronaut"))
    for points in (
        np.full((68, 2), 7.0),
        np.full((68, 2), np.nan),
        face_at(0, 0, 1e30),
        face_at(99, 99, 1e-3),
    ):
        (look,) = engine.eyes(picture, [points.astype(np.float32)])
        assert np.isfinite(look).all()
        found = measures(points, None, look)
        assert math.isfinite(found.right_eye_open)


def test_faces_of_pictures_have_it_and_keep_the_aspect_ratio_of_the_points(engine: Engine) -> None:
    (face,) = FaceLandmarker(engine=engine)(photographs.photograph("astronaut"))
    found, by_points = face.measures, measures(face.points)
    assert not found.eyes_by_points
    assert found.ear_left == pytest.approx(by_points.left_eye_open)
    assert found.ear_right == pytest.approx(by_points.right_eye_open)
    assert found.mouth_open == by_points.mouth_open
    assert found.left_eye_open != by_points.left_eye_open
    assert min(found.left_eye_open, found.right_eye_open) <= found.eyes_open
    assert found.eyes_open <= max(found.left_eye_open, found.right_eye_open)


def _looked(openness: float, shut: float = 0.0) -> np.ndarray:
    return np.array([[openness, shut], [openness, shut]], np.float32)


def _shut(blinks: Blinks, openness: float, time: float, yaw: float = 0.0, shut: float = 0.0) -> bool:
    found = measures(face_at(100, 100, 200), None, _looked(openness, shut))
    return blinks(1, found, yaw, time).blink


@pytest.mark.parametrize("shut", [0.6, 0.7])
def test_in_a_single_picture_eyes_are_shut_from_a_probability_of_0_65(shut: float) -> None:
    assert measures(face_at(0, 0, 100), None, _looked(0.1, shut)).blink == (shut > 0.65)
    assert measures(face_at(0, 0, 100), None, np.array([[0.3, 0.0], [0.05, 0.9]], np.float32)).blink is False


@pytest.mark.parametrize(
    ("usual", "openness", "shut"),
    [(0.28, 0.135, True), (0.28, 0.145, False), (0.45, 0.135, True), (0.45, 0.145, False)],
)
def test_in_a_stream_eyes_are_shut_below_half_of_the_usual_or_0_14(
    usual: float, openness: float, shut: bool
) -> None:
    blinks = Blinks()
    assert not _shut(blinks, usual, 0.0)
    assert _shut(blinks, openness, 0.033) == shut


@pytest.mark.parametrize(("openness", "shut"), [(0.085, True), (0.095, False)])
def test_eyes_that_are_always_narrow_are_shut_below_0_09(openness: float, shut: bool) -> None:
    blinks = Blinks()
    for i in range(600):
        _shut(blinks, 0.165, i / 30)
    assert _shut(blinks, openness, 20.0) == shut


@pytest.mark.parametrize(("openness", "shut"), [(0.16, True), (0.175, False)])
def test_shut_eyes_are_open_again_above_six_tenths(openness: float, shut: bool) -> None:
    blinks = Blinks()
    _shut(blinks, 0.28, 0.0)
    assert _shut(blinks, 0.06, 0.033)
    assert _shut(blinks, openness, 0.067) == shut


def test_from_the_side_the_probability_decides() -> None:
    assert _shut(Blinks(), 0.4, 0.0, 0.6, shut=0.8)
    assert not _shut(Blinks(), 0.05, 0.0, 0.6, shut=0.2)


def test_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="expected an eye network"):
        EyeNetwork(open_session(resolve_model("fkp68"), "cpu"))
    with pytest.raises(ModelError, match="is an eye network"):
        Engine("cpu", models_dir() / "fkp-eyes.onnx")
