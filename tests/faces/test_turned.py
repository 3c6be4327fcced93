"""Faces of any roll, on a real face: in single pictures and in streams."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from photos import photographs

from benchmarks.faceless import made
from fkp_live import FaceLandmarker, Pipeline, PipelineOptions, geometry, open_source
from fkp_live.engine import Engine
from fkp_live.faces import turned
from fkp_live.faces.crop_follower import roll_of
from fkp_live.faces.detector import SCORE, YuNet
from fkp_live.geometry import Matrix
from fkp_live.images.picture import BgrPicture
from fkp_live.metrics import nme
from fkp_live.types import FaceBox, FloatArray, Image, Landmarks, Picture


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("cpu", "fkp68-int8", min_face=40.0)


@pytest.fixture(scope="module")
def portrait() -> tuple[Image, FloatArray]:
    """(300, 300, 3) and its points (68, 2), placed by hand."""
    points = photographs.checked_points()["astronaut"]
    return photographs.photograph("astronaut")[:300, 70:370], (points - (70, 0)).astype(np.float32)


def by_degrees(image: Image, points: FloatArray, degrees: float) -> tuple[Image, FloatArray]:
    """Turned clockwise about the centre, inside the same frame."""
    middle = (image.shape[0] - 1) / 2
    matrix = geometry.rotation(math.radians(degrees))
    matrix[:, 2] = middle - matrix[:, :2].sum(1) * middle
    return cv2.warpAffine(image, matrix, image.shape[1::-1]), geometry.apply(matrix, points)


@pytest.mark.parametrize("degrees", [60, 90, 135, 180, -90])
def test_a_turned_face_is_found_once_and_the_right_way_up(
    engine: Engine, portrait: tuple[Image, FloatArray], degrees: float
) -> None:
    image, truth = by_degrees(*portrait, degrees)
    (face,) = FaceLandmarker(engine=engine)(image)
    assert nme(face.points[None], truth[None])[0] < 4
    assert face.pose is not None
    assert abs(math.remainder(face.pose.roll - math.radians(degrees), math.tau)) < math.radians(12)
    assert face.box == pytest.approx(geometry.box_of(face.points))


@pytest.mark.parametrize("degrees", [90, 180])
def test_a_stream_finds_a_turned_face_and_follows_it_through_detections(
    engine: Engine, portrait: tuple[Image, FloatArray], degrees: float
) -> None:
    image, truth = by_degrees(*portrait, degrees)
    pipeline = Pipeline(PipelineOptions(detect_every=4), engine=engine)
    results = [pipeline.process_image(image, index / 30) for index in range(30)]
    faces = [result.faces for result in results[20:]]
    assert [[face.id for face in each] for each in faces] == [[1]] * 10
    assert nme(faces[-1][0].points[None], truth[None])[0] < 4


def test_a_face_that_rolls_over_keeps_its_id(engine: Engine, portrait: tuple[Image, FloatArray]) -> None:
    pipeline = Pipeline(PipelineOptions(detect_every=5), engine=engine)
    for index in range(37):
        image, truth = by_degrees(*portrait, 10 * index)
        (face,) = pipeline.process_image(image, index / 30).faces
        assert face.id == 1
        assert nme(face.points[None], truth[None])[0] < 10


def test_no_any_roll_leaves_a_stream_as_it_was(engine: Engine, portrait: tuple[Image, FloatArray]) -> None:
    image, _ = by_degrees(*portrait, 180)
    pipeline = Pipeline(PipelineOptions(any_roll=False), engine=engine)
    assert not any(pipeline.process_image(image, index / 30).faces for index in range(12))


def test_candidates_begin_with_the_faces(engine: Engine, portrait: tuple[Image, FloatArray]) -> None:
    assert isinstance(engine.detector, YuNet)
    picture = BgrPicture(by_degrees(*portrait, 60)[0])
    faces, candidates = engine.detector(picture), engine.detector.candidates(picture)
    assert candidates
    assert [find.score for find in candidates[: len(faces)]] == [find.score for find in faces]
    assert all(find.score < SCORE for find in candidates[len(faces) :])


class Scripted:
    """A network whose confidence depends on the turn of the crop alone: for each turn in degrees one."""

    spec = geometry.CropSpec(112, 0.25)

    def __init__(self, face: FloatArray, confidence: Callable[[float], float]) -> None:
        self._face, self._confidence, self.crops = face, confidence, 0

    def run_matrices(self, picture: Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """The face turned with the crop, so that a level crop keeps its angle."""
        self.crops += len(matrices)
        points, confidence = [], []
        for matrix in matrices:
            angle = -math.atan2(matrix[1, 0], matrix[0, 0])
            centre = self._face.mean(0)
            turn = geometry.rotation(angle - roll_of(self._face))
            points.append((self._face - centre) @ turn[:, :2].T + centre)
            confidence.append(np.full(68, self._confidence(round(math.degrees(angle)) % 360)))
        return Landmarks(np.array(points, np.float32), np.array(confidence, np.float32))


PICTURE = BgrPicture(np.zeros((300, 300, 3), np.uint8))


def seen_with(network: Scripted, face: FloatArray, score: float = 0.9) -> list[turned.Seen]:
    find = FaceBox(geometry.box_of(face), score)
    return turned.faces_of_any_roll(PICTURE, [find], network, 0.35, None)


def test_a_sure_face_costs_two_looks_and_an_unsure_one_is_turned_only_for_a_better_way_up(
    portrait: tuple[Image, FloatArray],
) -> None:
    face = portrait[1]
    sure = Scripted(face, lambda degrees: 0.95)
    assert len(seen_with(sure, face)) == 1
    assert sure.crops == 2
    # Three quarter turns suffice where the network knows which way is up.
    fairly = Scripted(face, lambda degrees: 0.0 if degrees else 0.85)
    (seen,) = seen_with(fairly, face)
    assert (fairly.crops, roll_of(seen.points)) == (5, pytest.approx(0, abs=0.1))
    opposite = Scripted(face, lambda degrees: {0: 0.92, 180: 0.98}.get(degrees, 0.0))
    (seen,) = seen_with(opposite, face)
    assert abs(math.remainder(roll_of(seen.points) - math.pi, math.tau)) < 0.1
    for upside_down, degrees in ((0.95, 180), (0.78, 0)):
        network = Scripted(face, lambda angle, other=upside_down: other if angle == 180 else 0.75)
        (seen,) = seen_with(network, face)
        assert abs(math.remainder(roll_of(seen.points) - math.radians(degrees), math.tau)) < 0.1


@pytest.mark.parametrize(("confidence", "faces"), [(0.8, 0), (0.84, 1)])
def test_a_low_score_needs_a_confident_network(
    portrait: tuple[Image, FloatArray], confidence: float, faces: int
) -> None:
    network = Scripted(portrait[1], lambda degrees: confidence if degrees == 90 else 0.0)
    assert len(seen_with(network, portrait[1], score=0.45)) == faces


def test_pictures_without_a_face_have_none_in_any_turn(engine: Engine) -> None:
    landmarker = FaceLandmarker(engine=engine)
    assert not any(landmarker(image) for _, image in made(12))


def test_no_face_in_the_clip_without_one(engine: Engine, shared: Path) -> None:
    pipeline = Pipeline(engine=engine)
    with open_source(shared / "data/videos/no_face.mp4") as source:
        assert not any(pipeline.process(frame).faces for frame in source)
