"""OpenSeeFace's datagram, read back by its layout: what avatar programs would see."""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest
from receivers import OpenSeeFace, read_osf, receiver
from written import info, result_of

from fkp_live.geometry import quaternion_of, rotation_of
from fkp_live.pipeline import FaceLandmarker
from fkp_live.sinks import open_sender
from fkp_live.sinks.osf import packed
from fkp_live.topology import MIRROR
from fkp_live.types import Face, FrameResult, Image, Measures, Pose
from tests.photos.photographs import checked_points

pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]

SIZE = (640, 480)
OPEN = Measures(0.3, 0.3, 0.1, False, 0.3)


def face_with(pose: Pose, measures: Measures | None = OPEN) -> Face:
    """A face of checked points, posed by hand."""
    points = checked_points()["astronaut"].astype(np.float32)
    box = np.array([*points.min(0), *points.max(0)], np.float32)
    confidence = np.linspace(0.1, 0.9, 68).astype(np.float32)
    return Face(points, confidence, box, 0.9, 1, points, pose, measures)


def read(face: Face) -> OpenSeeFace:
    (found,) = read_osf(packed(face, 0, SIZE, 1.0))
    return found


def test_a_datagram_holds_the_faces_largest_first() -> None:
    faces = [face_with(Pose(0.0, 0.0, 0.0)), face_with(Pose(0.1, 0.0, 0.0))]
    result = FrameResult(0, 0.0, SIZE, tuple(faces), arrived=time.perf_counter() - 5.0)
    begun = time.time()
    with receiver() as listener, open_sender(f"osf://127.0.0.1:{listener.port}", info()) as sender:
        sender.write(result_of(0))
        sender.write(result)
        datagram = listener()
    assert len(datagram) == 2 * 1785
    first, second = read_osf(datagram)
    assert (first.number, first.size, first.got_3d) == (0, SIZE, True)
    assert first.euler[0] == 180
    assert second.euler[0] != 180
    # The time of the capture, not of the sending.
    assert begun - 5.5 < first.time < time.time() - 4.5
    assert sender.delivery.sent == 1  # nothing is sent without a face


def test_a_single_face_has_number_0_whatever_its_id() -> None:
    posed = face_with(Pose(0.0, 0.0, 0.0))
    with receiver() as listener, open_sender(f"osf://127.0.0.1:{listener.port}", info()) as sender:
        for number in (1, 5, 9):
            face = Face(posed.points, posed.confidence, posed.box, 0.9, number, None, posed.pose)
            sender.write(result_of(number, face))
            assert [found.number for found in read_osf(listener())] == [0]


def test_no_more_faces_than_fit() -> None:
    faces = [face_with(Pose(0.0, 0.0, 0.0))] * 50
    untracked = [Face(f.points, f.confidence, f.box, 0.9, None, None, f.pose) for f in faces]
    with receiver() as listener, open_sender(f"osf://127.0.0.1:{listener.port}", info()) as sender:
        sender.write(result_of(0, *untracked))
        assert [found.number for found in read_osf(listener())] == list(range(36))


def test_points_are_ibug_s_without_the_outer_mouth_corners() -> None:
    face = face_with(Pose(0.0, 0.0, 0.0))
    found = read(face)
    assert found.points[:48] == pytest.approx(face.points[:48])
    assert found.points[48:53] == pytest.approx(face.points[49:54])
    assert found.points[53:58] == pytest.approx(face.points[55:60])
    assert found.points[58:66] == pytest.approx(face.points[60:68])
    assert found.confidence[58:66] == pytest.approx(face.confidence[60:68])
    for pupil, eye in ((66, slice(36, 42)), (67, slice(42, 48))):
        assert found.points[pupil] == pytest.approx(face.points[eye].mean(0), abs=1e-3)
        assert found.confidence[pupil] == pytest.approx(face.confidence[eye].mean(), abs=1e-5)


@pytest.mark.parametrize(
    "pose",
    [Pose(0.1, 0.2, -0.3), Pose(-0.4, -0.5, 0.6), Pose(0.5, -0.3, 0.1), Pose(-0.2, 0.7, -1.2)],
)
def test_rotations_are_those_of_its_camera(pose: Pose) -> None:
    """By OpenCV's own decomposition: its head looks into a camera of (row, column) from behind."""
    found = read(face_with(pose))
    matrix = np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1.0]]) @ rotation_of(pose.pitch, pose.yaw, pose.roll)
    assert found.euler == pytest.approx(cv2.RQDecomp3x3(matrix)[0], abs=1e-3)
    x, y, z, w = found.quaternion
    back = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    assert back == pytest.approx(matrix.T, abs=1e-5)


def test_a_quaternion_is_the_rotation() -> None:
    for pose in ((0.3, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.3), (0.4, -0.7, 1.5)):
        x, y, z, w = quaternion_of(*pose)
        vector = np.array([x, y, z])
        assert x * x + y * y + z * z + w * w == pytest.approx(1)
        angle = 2 * math.atan2(float(np.linalg.norm(vector)), w)
        by_opencv, _ = cv2.Rodrigues(vector / np.linalg.norm(vector) * angle)
        assert by_opencv == pytest.approx(rotation_of(*pose), abs=1e-9)


def test_what_unity_sees_moves_as_the_head_does() -> None:
    straight = read(face_with(Pose(0.0, 0.0, 0.0)))
    assert straight.rotation == pytest.approx((0, 0, 0), abs=1e-4)
    up, right, tilted = (
        read(face_with(Pose(*angles))).rotation for angles in ((0.2, 0, 0), (0, 0.2, 0), (0, 0, 0.2))
    )
    degrees = math.degrees(0.2)
    assert up == pytest.approx((degrees, 0, 0), abs=1e-4)
    assert right == pytest.approx((0, -degrees, 0), abs=1e-4)
    assert tilted == pytest.approx((0, 0, -degrees), abs=1e-4)
    # To the right of the middle, above it, and farther away where the face is smaller.
    face = face_with(Pose(0.0, 0.0, 0.0))
    moved = Face(
        face.points + np.float32([10, -20]), *(getattr(face, n) for n in ("confidence", "box", "score"))
    )
    x, y, z = np.subtract(read(moved).translation, straight.translation)
    assert x > 0
    assert y == pytest.approx(2 * x, rel=1e-3)
    assert z == pytest.approx(0, abs=1e-4)
    smaller = Face(face.points / 2, *(getattr(face, n) for n in ("confidence", "box", "score")))
    assert read(smaller).translation[2] == pytest.approx(2 * straight.translation[2], rel=1e-4)


def test_the_points_in_three_dimensions_are_a_head_behind_the_points(astronaut: Image) -> None:
    (face,) = FaceLandmarker(provider="cpu", max_faces=1)(astronaut)
    assert face.pose is not None
    found = read(face)
    head = found.points3d * (1, 1, -1)  # z out of the face
    right_ear, left_ear, chin, nose = head[[0, 16, 8, 30]]
    assert right_ear[0] > 0.3
    assert left_ear[0] < -0.3
    assert chin[1] < -0.3
    assert abs(nose).max() < 0.15
    assert max(right_ear[2], left_ear[2], chin[2]) < 0
    assert found.error < 15
    # Turned by the pose and scaled, they are the points themselves.
    turned = (
        np.array([[0, 1, 0], [1, 0, 0], [0, 0, -1.0]]) @ rotation_of(*_angles(face.pose)) @ head[:66].T
    ).T
    scale = -found.size[0] / found.raw_translation[2]
    rows = found.size[0] / 2 - scale * (turned[:, 0] + found.raw_translation[0])
    columns = found.size[1] / 2 - scale * (turned[:, 1] + found.raw_translation[1])
    assert np.c_[columns, rows] == pytest.approx(found.points[:66], abs=0.01)
    # The eyes look straight out of the head.
    gaze = head[66:68] - head[68:70]
    assert gaze[:, 2].min() > 0.03
    assert gaze[:, :2] == pytest.approx(0, abs=1e-6)


def _angles(pose: Pose) -> tuple[float, float, float]:
    return pose.pitch, pose.yaw, pose.roll


def test_features_say_what_the_face_does(astronaut: Image) -> None:
    (face,) = FaceLandmarker(provider="cpu", max_faces=1)(astronaut)
    assert face.pose is not None
    usual = read(face).features

    def moved(
        *numbers: int, x: float = 0.0, y: float = 0.0, measures: Measures | None = face.measures
    ) -> np.ndarray:
        points = face.points.copy()
        points[list(numbers)] += np.float32([x, y])
        assert face.pose is not None
        changed = Face(points, face.confidence, face.box, face.score, None, None, face.pose, measures)
        return np.asarray(read(changed).features - usual)

    names = (
        *("eye_l", "eye_r", "steep_l", "up_l", "quirk_l", "steep_r", "up_r", "quirk_r"),
        *("corner_up_l", "corner_out_l", "corner_up_r", "corner_out_r", "open", "wide"),
    )
    of = {name: number for number, name in enumerate(names)}
    # The person's left is on the right of the picture.
    assert moved(22, 23, 24, 25, 26, y=-3)[of["up_l"]] > 0.05
    assert moved(17, 18, 19, 20, 21, y=3)[of["up_r"]] < -0.05
    assert moved(25, 26, y=-3)[of["steep_l"]] > 0.05
    assert moved(17, 18, y=-3)[of["steep_r"]] > 0.05
    assert moved(19, y=-2)[of["quirk_r"]] > 0.05
    assert moved(64, y=3)[of["corner_up_l"]] < -0.05
    assert moved(60, x=2)[of["corner_out_r"]] < -0.05
    narrow = moved(60, x=3) + moved(64, x=-3)
    assert narrow[of["wide"]] < -0.05
    shut = moved(measures=Measures(0.1, 0.1, 0.6, True, 0.1))
    assert shut[of["eye_l"]] < -0.5
    assert shut[of["eye_r"]] < -0.5
    assert shut[of["open"]] > 0.5
    assert np.abs(usual).max() <= 1
    assert np.isfinite(usual).all()


def test_a_mirrored_face_swaps_left_and_right() -> None:
    face = face_with(Pose(0.1, 0.2, -0.3), Measures(0.2, 0.28, 0.1, False, 0.25))
    points = (face.points[MIRROR] * [-1, 1] + [SIZE[0] - 1, 0]).astype(np.float32)
    mirrored = Face(
        *(points, face.confidence[MIRROR], face.box, 0.9, None, None),
        *(Pose(0.1, -0.2, 0.3), Measures(0.28, 0.2, 0.1, False, 0.25)),
    )
    one, other = read(face), read(mirrored)
    assert one.eyes == pytest.approx(other.eyes[::-1])
    assert one.features[[0, 2, 3, 4, 8, 9, 12, 13]] == pytest.approx(
        other.features[[1, 5, 6, 7, 10, 11, 12, 13]], abs=1e-4
    )
    assert one.rotation == pytest.approx(np.array(other.rotation) * (1, -1, -1), abs=1e-3)


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        (None, (1.0, 1.0)),
        (Measures(0.35, 0.4, 0.0, False, 0.37), (1.0, 1.0)),
        (Measures(0.1, 0.35, 0.0, False, 0.2), (0.0, 1.0)),
        (Measures(0.25, 0.25, 0.0, True, 0.25), (0.0, 0.0)),
        # Looked at, half-shut eyes read less than the points of shut ones.
        (Measures(0.07, 0.175, 0.0, False, 0.12, eyes_by_points=False), (0.0, 0.5)),
    ],
)
def test_eyes_are_open_or_shut(measures: Measures | None, expected: tuple[float, float]) -> None:
    assert read(face_with(Pose(0.0, 0.0, 0.0), measures)).eyes == pytest.approx(expected, abs=1e-6)


def test_points_that_coincide_are_sent_as_finite_numbers() -> None:
    points = np.full((68, 2), 50, np.float32)
    flat = Face(
        points, np.ones(68, np.float32), np.array([50, 50, 50, 50], np.float32), 0.9, 1, None, Pose(0, 0, 0)
    )
    found = read(flat)
    assert np.isfinite(found.points3d).all()
    assert np.isfinite(found.raw_translation).all()
