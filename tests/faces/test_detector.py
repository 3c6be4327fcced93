"""YuNet on real faces: where they are, at any size of picture and face, and nothing where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from analytic import centroid_network
from skimage import data

from fkp_live.errors import ModelError
from fkp_live.faces import detector_views
from fkp_live.faces.detector import MULTIPLE, FaceDetector, YuNet, landmark_boxes
from fkp_live.faces.detector_views import TILE_SIZE
from fkp_live.geometry import iou
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import Session, open_session

VIDEOS = Path(__file__).parents[3] / "shared" / "data" / "videos"
# What cv2.FaceDetectorYN (OpenCV 4.14) with the original file gives for the astronaut at 448x448, first 320
# rows: x, y, width, height from the edge of the first pixel, then its score.
OPENCV = (158.356, 55.446, 77.540, 100.665, 0.9398)
# Around the 68 points of the astronaut, by eye.
FACE = (182.0, 88.0, 267.0, 176.0)


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(models_dir() / "yunet.onnx", "cpu")


def scene(face: np.ndarray, width: int, height: int, *places: tuple[int, int, int]) -> np.ndarray:
    """A grey picture with the astronaut's head, ``side`` pixels large, its upper left corner at (x, y)."""
    picture = np.full((height, width, 3), 90, np.uint8)
    head = face[30:230, 120:320]
    for x, y, side in places:
        picture[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return picture


def expected_box(x: int, y: int, side: int) -> np.ndarray:
    """Where the landmark box of a head pasted by `scene` is."""
    corners = (np.array(FACE).reshape(2, 2) - (120, 30)) * side / 200 + (x, y)
    return corners.reshape(4)


def test_boxes_agree_with_opencv(session: Session, astronaut: np.ndarray) -> None:
    picture = np.ascontiguousarray(cv2.resize(astronaut, (448, 448), interpolation=cv2.INTER_AREA)[:320])
    found = YuNet(session, work_size=448).detect(picture)
    x, y, width, height, score = OPENCV
    assert found.boxes.shape == (1, 4)
    np.testing.assert_allclose(found.boxes[0], np.array([x, y, x + width, y + height]) - 0.5, atol=0.05)
    assert found.scores[0] == pytest.approx(score, abs=1e-3)


def test_the_landmark_box_sits_on_the_face(session: Session, astronaut: np.ndarray) -> None:
    detector: FaceDetector = YuNet(session)
    faces = detector(astronaut)
    assert len(faces) == 1
    assert faces[0].box.shape == (4,)
    assert faces[0].box.dtype == np.float32
    assert faces[0].score > 0.9
    assert iou(faces[0].box, FACE)[0, 0] > 0.8


def test_key_points_are_where_they_should_be(session: Session, astronaut: np.ndarray) -> None:
    right_eye, left_eye, nose, right_mouth, left_mouth = YuNet(session).detect(astronaut).keypoints[0]
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert right_mouth[0] < left_mouth[0]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (301, 217), (2000, 333), (96, 96)])
def test_boxes_are_in_frame_pixels_at_any_size(
    session: Session, astronaut: np.ndarray, width: int, height: int
) -> None:
    side = min(width, height) * 4 // 5
    place = (width - side - 3, 5, side)
    faces = YuNet(session)(scene(astronaut, width, height, place))
    assert len(faces) == 1
    assert iou(faces[0].box, expected_box(*place))[0, 0] > 0.6


def test_boxes_shift_with_the_picture_and_do_not_lean(session: Session, astronaut: np.ndarray) -> None:
    detector = YuNet(session, min_face=24)
    picture = scene(astronaut, 320, 320, (64, 64, 160))
    box = detector(picture)[0].box
    moved = detector(scene(astronaut, 320, 320, (96, 128, 160)))[0].box
    np.testing.assert_allclose(moved - box, [32, 64, 32, 64], atol=0.5)
    # Mirrored pictures must give mirrored boxes: the mean of both would show half a pixel counted wrongly.
    mirrored = detector(np.ascontiguousarray(picture[:, ::-1]))[0].box
    assert abs((319 - mirrored[2] + 319 - mirrored[0]) / 2 - (box[0] + box[2]) / 2) < 2.0


def test_all_of_several_faces_best_first(session: Session, astronaut: np.ndarray) -> None:
    places = [(20, 40, 200), (260, 60, 150), (430, 200, 110), (100, 280, 160)]
    faces = YuNet(session)(scene(astronaut, 640, 480, *places))
    assert len(faces) == len(places)
    overlaps = iou([face.box for face in faces], [expected_box(*place) for place in places])
    assert sorted(overlaps.argmax(1).tolist()) == [0, 1, 2, 3]
    assert overlaps.max(1).min() > 0.6
    scores = [face.score for face in faces]
    assert scores == sorted(scores, reverse=True)


def test_min_face_decides_how_closely_it_looks(session: Session, astronaut: np.ndarray) -> None:
    place = (1500, 800, 80)  # the face is about 32 px high, 5 px in the default copy
    picture = scene(astronaut, 1920, 1080, place)
    assert YuNet(session)(picture) == []
    faces = YuNet(session, min_face=30)(picture)
    assert len(faces) == 1
    assert iou(faces[0].box, expected_box(*place))[0, 0] > 0.5


def test_a_face_beyond_the_anchors_is_found_beside_a_small_one(
    session: Session, astronaut: np.ndarray
) -> None:
    places = [(0, 0, 2400), (2500, 100, 100)]
    faces = YuNet(session, min_face=30)(scene(astronaut, 2800, 2400, *places))
    overlaps = iou([face.box for face in faces], [expected_box(*place) for place in places])
    assert overlaps.max(0).min() > 0.5
    assert len(faces) == 2


@pytest.mark.parametrize("part", [np.s_[80:180, 175:275], np.s_[84:180, 180:270]])
def test_one_large_face_is_one_face(
    session: Session, astronaut: np.ndarray, part: tuple[slice, slice]
) -> None:
    """A fine copy also gives parts of it, for which the whole face is too large."""
    height, width = astronaut[part].shape[:2]
    large = cv2.resize(astronaut[part], (1900 * width // height, 1900), interpolation=cv2.INTER_LANCZOS4)
    faces = YuNet(session, min_face=40)(large)
    assert len(faces) == 1
    assert iou(faces[0].box, (np.array(FACE) - [part[1].start, part[0].start] * 2) * 1900 / height) > 0.6


@pytest.mark.parametrize("place", [(300, 200), (880, 500), (1100, 470), (20, 15), (1230, 680)])
def test_a_face_of_12_pixels_is_found_in_a_large_picture(
    session: Session, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch, place: tuple[int, int]
) -> None:
    """In the middle of a tile, between tiles and in corners; no run is larger than a tile."""
    shapes = []

    def run(self: Session, inputs: dict[str, np.ndarray], outputs: Any = None) -> list[np.ndarray]:
        shapes.extend(value.shape for value in inputs.values())
        return list(self.ort.run(outputs, inputs))

    monkeypatch.setattr(Session, "run", run)
    faces = YuNet(session, min_face=10)(scene(astronaut, 1280, 720, (*place, 28)))
    assert len(faces) == 1
    assert iou(faces[0].box, expected_box(*place, 28))[0, 0] > 0.5
    assert max(side for shape in shapes for side in shape) <= TILE_SIZE


def test_the_same_faces_in_one_run_and_in_tiles(
    session: Session, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [(20, 40, 200), (260, 60, 120), (430, 200, 90), (100, 280, 150), (560, 330, 60), (300, 330, 70)]
    picture = scene(astronaut, 640, 480, *places)
    whole = YuNet(session, min_face=20)(picture)
    monkeypatch.setattr(detector_views, "TILE_SIZE", 320)
    tiled = YuNet(session, min_face=20)(picture)
    assert len(whole) == len(tiled) == len(places)
    overlaps = iou([face.box for face in whole], [face.box for face in tiled])
    assert overlaps.max(1).min() > 0.7
    assert sorted(overlaps.argmax(1)) == list(range(len(places)))


def test_buffers_hold_nothing_of_the_picture_before(session: Session, astronaut: np.ndarray) -> None:
    detector = YuNet(session)
    first = detector(astronaut)
    assert detector(np.zeros_like(astronaut)) == []
    for size in (100, 200, 300, 401):  # more sizes than there are buffers
        detector(np.zeros((size, size + MULTIPLE, 3), np.uint8))
    again = detector(astronaut)
    np.testing.assert_array_equal(first[0].box, again[0].box)


def test_views_are_taken_as_they_are(session: Session, astronaut: np.ndarray) -> None:
    whole = YuNet(session)(np.ascontiguousarray(astronaut[:300, 60:400]))
    view = YuNet(session)(astronaut[:300, 60:400])
    np.testing.assert_array_equal(whole[0].box, view[0].box)


def test_the_landmark_box_is_wider_lower_and_shorter_than_yunets() -> None:
    """By the ratios that benchmarks/fit_detector_box.py fits on 2,078 faces."""
    (box,) = landmark_boxes(np.array([[100.0, 100.0, 200.0, 300.0]], np.float32))
    np.testing.assert_allclose(box[[0, 2]], [150 - 52.2, 150 + 52.2], atol=0.01)  # 1.044 times as wide
    np.testing.assert_allclose(box[[1, 3]], [225 - 77.9, 225 + 77.9], atol=0.01)  # 0.779 as high, 1/8 lower


def test_no_boxes_is_an_empty_array() -> None:
    assert landmark_boxes(np.empty((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("name", ["coffee", "brick", "rocket", "chelsea"])
def test_nothing_where_nobody_is(session: Session, name: str) -> None:
    picture = getattr(data, name)()
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR)
    assert YuNet(session)(picture) == []


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3)),
        np.zeros((0, 9, 3), np.uint8),
    ],
)
def test_a_wrong_picture_is_named(session: Session, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8, BGR"):
        YuNet(session)(picture)


def test_wrong_settings_are_named(session: Session, tmp_path: Path) -> None:
    for settings in ({"score": 0.0}, {"score": 1.2}, {"min_face": 0}, {"work_size": 8}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            YuNet(session, **settings)
    with pytest.raises(ModelError, match="expected a face detector"):
        YuNet(open_session(centroid_network(tmp_path / "points.onnx"), "cpu"))


def counts(session: Session, name: str, step: int) -> list[int]:
    capture, detector, found, index = cv2.VideoCapture(str(VIDEOS / name)), YuNet(session), [], 0
    while capture.grab():
        if index % step == 0:
            found.append(len(detector(capture.retrieve()[1])))
        index += 1
    capture.release()
    return found


@pytest.mark.skipif(not VIDEOS.is_dir(), reason="needs ../shared/data/videos")
def test_real_clips(session: Session) -> None:
    assert set(counts(session, "no_face.mp4", 6)) == {0}
    mixed = counts(session, "vfr_face_then_none.mov", 6)
    assert set(mixed[:10]) == {1}
    assert set(mixed[14:]) == {0}
    assert set(counts(session, "tiny_carphone.mp4", 20)) == {1}
    group = counts(session, "group.mp4", 40)
    assert max(group) >= 7
    assert min(group[:4]) >= 5
