"""Blend shapes: neutral faces have none, each movement of points its own, and real expressions the ones they show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from photos.photographs import checked_points

from fkp_live.choices import PipelineOptions
from fkp_live.faces.blendshapes import NAMES, NeutralFace, blendshapes
from fkp_live.faces.front_view import mean_head
from fkp_live.faces.head_pose import head_pose
from fkp_live.geometry import rotation_of
from fkp_live.pipeline import Pipeline
from fkp_live.sinks.live_link import SHAPES
from fkp_live.sources import open_source
from fkp_live.topology import MIRROR
from fkp_live.types import Pose

FRONT = Pose(0.0, 0.0, 0.0)
SIZE = 120.0  # pixels of the eye distance
Points = np.ndarray


def seen(head: Points, pose: Pose = FRONT, at: tuple[float, float] = (300.0, 250.0)) -> Points:
    """Points (68, 2) of a head (68, 3) in eye distances."""
    turned = head @ rotation_of(pose.pitch, pose.yaw, pose.roll).T
    return turned[:, :2] * SIZE + at


def neutral_of(head: Points) -> NeutralFace:
    neutral = NeutralFace()
    for _ in range(400):
        neutral.add(seen(head), FRONT)
    return neutral


@dataclass
class Moved:
    """The mean head with some points moved, in eye distances: x to the person's left, y down."""

    head: Points

    def by(self, numbers: object, x: float = 0.0, y: float = 0.0) -> Moved:
        self.head[numbers, :2] += (x, y)  # type: ignore[index]
        return self


@pytest.fixture(name="still", scope="module")
def _still() -> Points:
    """A neutral head: the mean one, which smiles a little, with its lips shut and its corners lowered."""
    head = mean_head().copy()
    head[[67, 66, 65], 1] = head[[61, 62, 63], 1] + 0.01
    head[[48, 60], 0] += 0.01
    head[[54, 64], 0] -= 0.01
    return head


@pytest.fixture(name="shapes", scope="module")
def _shapes(still: Points) -> Callable[..., dict[str, float]]:
    neutral = neutral_of(still)

    def of(head: Points, pose: Pose = FRONT) -> dict[str, float]:
        return blendshapes(seen(head, pose), pose, neutral)

    return of


def test_the_names_are_arkits() -> None:
    assert len(NAMES) == len(set(NAMES)) == 27
    assert set(NAMES) <= set(SHAPES)


def test_a_neutral_face_has_no_shape(still: Points, shapes: Callable[..., dict[str, float]]) -> None:
    assert list(shapes(still)) == list(NAMES)
    assert max(shapes(still).values()) == 0.0


@pytest.mark.parametrize("pose", [Pose(0.2, 0.0, 0.0), Pose(0.0, -0.5, 0.0), Pose(-0.15, 0.4, 0.6)])
def test_turning_the_head_is_no_expression(
    still: Points, shapes: Callable[..., dict[str, float]], pose: Pose
) -> None:
    assert max(shapes(still, pose).values()) < 1e-6
    laughing = Moved(still.copy()).by([48, 60], -0.04, -0.05).by([54, 64], 0.04, -0.05).head
    turned, frontal = shapes(laughing, pose), shapes(laughing)
    assert {name: value for name, value in turned.items() if abs(value - frontal[name]) > 0.01} == {}


@pytest.mark.parametrize(
    ("numbers", "x", "y", "name"),
    [
        pytest.param([37, 38], 0, 0.09, "EyeBlinkRight", id="upper lid down"),
        pytest.param([43, 44], 0, 0.09, "EyeBlinkLeft", id="upper lid down, left"),
        pytest.param([43, 44], 0, -0.03, "EyeWideLeft", id="upper lid up"),
        pytest.param([40, 41], 0, -0.014, "EyeSquintRight", id="lower lid up"),
        pytest.param([57, 58, 56, 65, 66, 67, 7, 8, 9], 0, 0.45, "JawOpen", id="jaw down"),
        pytest.param([7, 8, 9], 0.14, 0, "JawLeft", id="chin to the left"),
        pytest.param([7, 8, 9], -0.14, 0, "JawRight", id="chin to the right"),
        pytest.param(range(48, 68), 0.08, 0, "MouthLeft", id="mouth to the left"),
        pytest.param([54, 64], 0.02, -0.12, "MouthSmileLeft", id="corner up"),
        pytest.param([48, 60], -0.03, -0.10, "MouthSmileRight", id="corner up and out"),
        pytest.param([48, 60], 0, 0.08, "MouthFrownRight", id="corner down"),
        pytest.param([50, 61], 0, -0.06, "MouthUpperUpRight", id="upper lip up"),
        pytest.param([56], 0, 0.12, "MouthLowerDownLeft", id="lower lip down"),
        pytest.param([20, 21, 19], 0, 0.10, "BrowDownRight", id="brow down"),
        pytest.param([20, 21, 22, 23], 0, -0.12, "BrowInnerUp", id="inner brows up"),
        pytest.param([25, 26], 0, -0.08, "BrowOuterUpLeft", id="outer brow up"),
    ],
)
def test_each_movement_shows_most_in_its_own_shape(
    still: Points, shapes: Callable[..., dict[str, float]], numbers: object, x: float, y: float, name: str
) -> None:
    found = shapes(Moved(still.copy()).by(list(numbers), x, y).head)  # type: ignore[call-overload]
    assert found[name] == max(found.values()) > 0.85
    other = name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
    assert other == name or found[other] < 0.3


def test_narrow_lips_are_a_pucker_and_wide_ones_a_stretch(
    still: Points, shapes: Callable[..., dict[str, float]]
) -> None:
    narrow = shapes(Moved(still.copy()).by([48, 60], 0.1).by([54, 64], -0.1).head)
    assert narrow["MouthPucker"] > 0.6
    assert narrow["MouthStretchLeft"] == narrow["MouthSmileRight"] == 0.0
    wide = shapes(Moved(still.copy()).by([48, 60], -0.05, 0.03).by([54, 64], 0.05, 0.03).head)
    assert min(wide["MouthStretchLeft"], wide["MouthStretchRight"]) > 0.5
    assert wide["MouthPucker"] == 0.0


def test_a_mirrored_face_has_the_sides_exchanged(
    still: Points, shapes: Callable[..., dict[str, float]]
) -> None:
    head = Moved(still.copy()).by([54, 64], 0.03, -0.06).by([37, 38], 0, 0.05).by([7, 8, 9], 0.06).head
    found, mirrored = shapes(head), shapes(head[MIRROR] * (-1, 1, 1))
    for name, value in found.items():
        other = name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        assert mirrored[other] == pytest.approx(value, abs=1e-6)


def test_values_grow_with_the_movement_and_stay_in_their_range(
    still: Points, shapes: Callable[..., dict[str, float]]
) -> None:
    values = [
        shapes(Moved(still.copy()).by([65, 66, 67], 0, drop).head)["JawOpen"]
        for drop in np.linspace(0, 0.8, 9)
    ]
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert values == sorted(values)
    assert 0.0 < values[2] < 1.0


# the neutral face


def test_a_few_frames_do_not_make_a_neutral_face(still: Points) -> None:
    odd = Moved(still.copy()).by([17, 18, 19, 20, 21, 22, 23, 24, 25, 26], 0, -0.15).head
    few, many = NeutralFace(), NeutralFace()
    few.add(seen(odd), FRONT)
    for _ in range(1000):
        many.add(seen(odd), FRONT)
    assert blendshapes(seen(odd), FRONT, few)["BrowInnerUp"] > 0.8
    assert blendshapes(seen(odd), FRONT, many)["BrowInnerUp"] == 0.0


def test_who_laughs_all_the_time_still_smiles(still: Points) -> None:
    laughing = Moved(still.copy()).by([48, 60], -0.08, -0.15).by([54, 64], 0.08, -0.15).head
    found = blendshapes(seen(laughing), FRONT, neutral_of(laughing))
    assert min(found["MouthSmileLeft"], found["MouthSmileRight"]) > 0.5


def test_memory_of_a_long_recording_stays_flat(still: Points) -> None:
    neutral = NeutralFace(kept=200)
    points = seen(still)
    for _ in range(600):
        neutral.add(points, FRONT)
    assert 100 <= len(neutral) <= 200
    assert max(blendshapes(points, FRONT, neutral).values()) < 1e-6


# real faces


def test_photographs_show_what_people_see() -> None:
    points = checked_points()
    found = {name: blendshapes(points[name], head_pose(points[name])) for name in ("astronaut", "hopper")}
    smiles = {name: (one["MouthSmileLeft"] + one["MouthSmileRight"]) / 2 for name, one in found.items()}
    assert smiles["astronaut"] > 0.6 > 0.25 > smiles["hopper"]
    for one in found.values():
        assert max(one["EyeBlinkLeft"], one["EyeBlinkRight"]) < 0.5
        assert one["JawOpen"] < 0.4


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_lids_that_meet_are_a_blink(name: str) -> None:
    points = checked_points()[name]
    neutral = NeutralFace()
    pose = head_pose(points)
    for _ in range(400):
        neutral.add(points, pose)
    shut = points.copy()
    shut[[37, 38, 43, 44]] = points[[41, 40, 47, 46]]
    found = blendshapes(shut, pose, neutral)
    assert found["EyeBlinkLeft"] == found["EyeBlinkRight"] == 1.0
    before = blendshapes(points, pose, neutral)
    assert max(before["EyeBlinkLeft"], before["EyeBlinkRight"]) == 0.0
    others = [name for name in NAMES if not name.startswith("Eye")]
    assert [found[name] for name in others] == [before[name] for name in others]


def test_points_on_one_spot_are_numbers_all_the_same() -> None:
    found = blendshapes(np.full((68, 2), 5.0), FRONT)
    assert all(0.0 <= value <= 1.0 for value in found.values())


@pytest.fixture(name="webcam", scope="module")
def _webcam(shared: Path) -> tuple[list[float], list[dict[str, float]]]:
    """Times and shapes of a man before a webcam: he opens his mouth at 11.5 s, and blinks at 25.7 s."""
    pipeline, faces = Pipeline(PipelineOptions(provider="cpu")), []
    for start, end in ((10.6, 12.2), (24.6, 26.6)):
        with open_source(shared / "data" / "videos" / "webcam_long.mp4", start=start, end=end) as source:
            faces += [(frame.time, pipeline.process(frame).faces[0]) for frame in source]
    neutral = NeutralFace()
    for _, face in faces:
        neutral.add(face.points, face.pose)
    return [time for time, _ in faces], [blendshapes(face.points, face.pose, neutral) for _, face in faces]


def test_a_blink_of_a_film_and_an_open_mouth_are_where_they_are_seen(
    webcam: tuple[list[float], list[dict[str, float]]],
) -> None:
    times, values = webcam
    blinks = [time for time, one in zip(times, values, strict=True) if one["EyeBlinkLeft"] > 0.4]
    assert blinks
    assert all(25.55 < time < 25.85 for time in blinks)
    still = [one for time, one in zip(times, values, strict=True) if 24.6 <= time < 25.4]
    assert max(max(one["JawOpen"], one["MouthSmileLeft"], one["MouthSmileRight"]) for one in still) < 0.1
    assert max(one["JawOpen"] for time, one in zip(times, values, strict=True) if 11.3 < time < 12.1) > 0.5
