"""Measures of eyes, brows and mouth: real faces order as people see them; size, roll and mirroring do not matter."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos.photographs import checked_points

from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.faces.followed_measures import FollowedMeasures, shape_measures
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import measures
from fkp_live.measured import ARKIT, COLUMNS, MEASURES, ShapeMeasures
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.topology import MIRROR
from fkp_live.types import Expression, Image, Measures, Pose

Points = np.ndarray
SHOWN = Expression(np.full(7, 1 / 7, np.float32), "neutral", np.zeros(7, np.float32))
FACES = checked_points()


def of(points: Points) -> ShapeMeasures:
    return shape_measures(points, head_pose(points))


def moved(points: Points, numbers: list[int], x: float = 0.0, y: float = 0.0) -> Points:
    """With some points shifted, in distances of the outer eye corners."""
    new = points.copy()
    new[numbers] += np.array([x, y]) * np.linalg.norm(points[45] - points[36])
    return new


def test_a_smile_in_a_photograph_is_one() -> None:
    smiling, still = of(FACES["astronaut"]), of(FACES["hopper"])
    for name in ("smile_left", "smile_right", "mouth_width"):
        assert smiling.values[name] > still.values[name] + 0.02
    assert smiling.values["lip_press"] > still.values["lip_press"]
    assert smiling.values["mouth_pucker"] < still.values["mouth_pucker"]


@pytest.mark.parametrize(
    ("name", "numbers", "x", "y"),
    [
        ("ear_right", [37, 38], 0, -0.02),
        ("ear_left", [46, 47], 0, 0.02),
        ("mar", [55, 56, 57, 58, 59], 0, 0.1),
        ("mouth_width", [54], 0.03, 0),
        ("smile_left", [54], 0.02, -0.05),
        ("smile_right", [48], -0.02, -0.05),
        ("brow_raise_right", [17, 18, 19, 20, 21], 0, -0.05),
        ("brow_raise_left", [22, 23, 24, 25, 26], 0, -0.05),
        ("frown", [20, 21], 0.03, 0.03),
        ("lip_press", [50, 51, 52], 0, 0.02),
        ("jaw_drop", [6, 7, 8, 9, 10], 0, 0.1),
        ("mouth_pucker", [48], 0.05, 0),
    ],
)
def test_each_movement_enlarges_its_measure(name: str, numbers: list[int], x: float, y: float) -> None:
    face = FACES["hopper"]
    pose = head_pose(face)
    before, after = (shape_measures(points, pose) for points in (face, moved(face, numbers, x, y)))
    change = {each: after.values[each] - before.values[each] for each in MEASURES}
    assert change[name] > 0.01
    other = name.replace("left", "?").replace("right", "left").replace("?", "right")
    assert other == name or abs(change[other]) < 1e-9


@pytest.mark.parametrize("name", sorted(FACES))
def test_size_place_and_roll_do_not_matter(name: str) -> None:
    angle = 0.6
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    other = of((FACES[name] * 2.7) @ turn.T + (300.0, -40.0))
    assert other.numbers == pytest.approx(of(FACES[name]).numbers, abs=1e-6)


@pytest.mark.parametrize("name", sorted(FACES))
def test_a_mirrored_picture_exchanges_left_and_right(name: str) -> None:
    mirrored = FACES[name][MIRROR] * (-1.0, 1.0) + (500.0, 0.0)
    seen, other = of(FACES[name]), of(mirrored)
    # The pose is mirrored to a hundredth of a radian alone.
    for found, exchanged in ((seen.values, other.values), (seen.relative, other.relative)):
        for each, value in found.items():
            twin = each.replace("left", "?").replace("right", "left").replace("?", "right")
            assert exchanged[twin] == pytest.approx(value, abs=0.02), each


def test_ear_and_mar_are_the_formulas_of_their_authors() -> None:
    p = FACES["astronaut"]

    def d(a: int, b: int) -> float:
        return float(np.linalg.norm(p[a] - p[b]))

    found = of(p).values
    assert found["ear_right"] == pytest.approx((d(37, 41) + d(38, 40)) / (2 * d(36, 39)))
    assert found["ear_left"] == pytest.approx((d(43, 47) + d(44, 46)) / (2 * d(42, 45)))
    assert found["mar"] == pytest.approx((d(50, 58) + d(52, 56)) / (2 * d(48, 54)))


def test_measures_have_the_known_names_too() -> None:
    points = FACES["astronaut"]
    seen = measures(points, of(points))
    assert (seen.ear_left, seen.ear_right) == (seen.left_eye_open, seen.right_eye_open)
    assert (seen.values["ear_left"], seen.values["mar"]) == pytest.approx((seen.ear_left, seen.mar))
    assert tuple(seen.values) == tuple(seen.relative) == MEASURES
    assert tuple(seen.arkit) == ARKIT
    old = Measures(0.3, 0.3, 0.1, False, 0.3)
    assert (old.values, old.relative, old.arkit) == ({}, {}, {})
    assert math.isnan(old.mar)


def test_numbers_are_computed_once_and_only_if_asked_for() -> None:
    calls = []

    def compute() -> list[float]:
        calls.append(1)
        return [0.0] * len(COLUMNS)

    shape = ShapeMeasures(compute)
    assert not calls
    assert len(shape.values) + len(shape.relative) + len(shape.arkit) == len(COLUMNS)
    assert len(calls) == 1


def test_measures_can_be_sent_to_another_process() -> None:
    shape = of(FACES["hopper"])
    for each in (shape, ShapeMeasures.known(shape.numbers)):
        assert pickle.loads(pickle.dumps(each)).values == shape.values


def test_points_on_one_spot_are_numbers_all_the_same() -> None:
    assert np.isfinite(of(np.full((68, 2), 5.0)).numbers).all()


# what is usual


SMILE = {"left": ([54], 0.03, -0.06), "right": ([48], -0.03, -0.06)}


def smiling(points: Points) -> Points:
    for numbers, x, y in SMILE.values():
        points = moved(points, numbers, x, y)
    return points


def test_a_smile_of_a_face_that_is_known_stands_out() -> None:
    followed, face, pose = FollowedMeasures(), FACES["hopper"], head_pose(FACES["hopper"])
    for i in range(600):
        # A fifth of the time with a smile.
        followed(1, smiling(face) if i % 150 < 30 else face, pose, i / 30)
    still, happy = (followed(1, points, pose, 20.0).relative for points in (face, smiling(face)))
    assert abs(still["smile_left"]) < 0.02
    assert abs(still["brow_raise_left"]) < 0.02
    assert happy["smile_left"] - still["smile_left"] == pytest.approx(0.09, abs=0.02)
    # To somebody else it is new.
    assert followed(2, face, pose, 20.0).relative != still


def test_turned_heads_and_broken_points_teach_nothing() -> None:
    followed, face, pose = FollowedMeasures(), FACES["hopper"], head_pose(FACES["hopper"])
    usual = shape_measures(face, pose).relative
    for i in range(300):
        followed(1, np.full((68, 2), np.nan), pose, i / 30)
        followed(1, moved(face, [17, 18, 19], 0, -0.2), Pose(0.0, 0.8, 0.0), i / 30)
    # The first look from the front counts a little.
    assert followed(1, face, pose, 10.0).relative == pytest.approx(usual, abs=0.03)
    assert followed.set_neutral() == [1]


def test_the_neutral_face_is_taken_at_once_and_for_good() -> None:
    followed, face, pose = FollowedMeasures(), FACES["astronaut"], head_pose(FACES["astronaut"])
    assert followed.set_neutral() == []
    for i in range(60):
        followed(7, face, pose, i / 30)
    assert followed.set_neutral(8) == []
    assert followed.set_neutral() == [7]
    for i in range(60, 600):
        followed(7, smiling(face), pose, i / 30)
    assert followed(7, face, pose, 20.0).relative == pytest.approx(dict.fromkeys(MEASURES, 0.0), abs=1e-6)
    followed.forget(7)
    assert followed.set_neutral() == []


def test_pictures_and_streams_are_measured(astronaut: Image) -> None:
    engine = Engine("cpu")
    (alone,) = FaceLandmarker(engine=engine)(astronaut)
    pipeline = Pipeline(PipelineOptions(smooth="off"), engine=engine)
    assert pipeline.set_neutral() == []
    (face,) = pipeline.process_image(astronaut, 0.0).faces
    assert alone.measures.arkit["MouthSmileLeft"] > 0.3
    (itself,) = FaceLandmarker(engine=engine, expression=True)(
        astronaut, neutral=replace(alone, expression=SHOWN)
    )
    assert itself.measures.relative == pytest.approx(dict.fromkeys(MEASURES, 0.0), abs=1e-6)
    assert face.measures.values["smile_left"] == pytest.approx(alone.measures.values["smile_left"], abs=0.03)
    assert pipeline.set_neutral() == [face.id]
    (again,) = pipeline.process_image(astronaut, 0.033).faces
    assert max(again.measures.arkit.values()) < 0.2
    assert replace(again.measures, blink=True).relative == again.measures.relative


def test_faces_of_a_clip_differ_as_people_see_it(shared: Path) -> None:
    """Faces made on purpose: mouth open at 3.3 s, eyes shut at 7.5 s, a lopsided smile at 9.2 s, a pucker at 12.0 s."""
    landmarker, clip = FaceLandmarker("cpu"), shared / "data" / "videos" / "talking_head.mp4"
    seen = {}
    for name, time in {"open": 3.3, "shut": 7.5, "smile": 9.17, "pucker": 11.98}.items():
        with open_source(clip, start=time - 0.02, end=time + 0.04) as source:
            seen[name] = landmarker(next(iter(source)).picture)[0].measures
    for measure, face in (
        *(("mar", "open"), ("jaw_drop", "open"), ("smile_left", "smile")),
        *(("mouth_width", "smile"), ("mouth_pucker", "pucker")),
    ):
        others = [one.values[measure] for name, one in seen.items() if name != face]
        assert seen[face].values[measure] > max(others), measure
    for eye in ("ear_left", "ear_right"):
        assert seen["shut"].values[eye] < min(seen[name].values[eye] for name in ("open", "smile", "pucker"))
    assert seen["open"].arkit["JawOpen"] > 0.5 > seen["smile"].arkit["JawOpen"]
