"""Ids and detections in scenes that the test moves by hand.

The faces are 98.4 pixels wide and 97.2 high, unless a test gives another eye distance than 60.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from shapes import SPEC, World, face_at

from fkp_live import geometry
from fkp_live.faces import tracker as module
from fkp_live.faces.tracker import Plan, Tracker
from fkp_live.types import FaceBox, Landmarks

RATE = 30.0
GREY = np.full((480, 640), 100, np.uint8)
SIDE = 2 * 0.82 * 60.0  # longer side of `face_at`, whose middle lies 0.39 eye distances below its eyes


class Scene:
    """Runs a tracker frame by frame on a world."""

    def __init__(self, **options: int | None) -> None:
        self.world = World()
        self.tracker = Tracker(SPEC, **options)  # type: ignore[arg-type]
        self.frame = 0
        self.luma = GREY
        self.detected = False

    @property
    def time(self) -> float:
        """Time of the next frame in seconds."""
        return self.frame / RATE

    def plan(self, time: float | None = None) -> Plan:
        """The plan of the next frame, at ``time`` or when it is due."""
        plan = self.tracker.plan(
            self.luma, self.time if time is None else time, lambda: self.world.detector(self.luma)
        )
        self.frame += 1
        self.detected = plan.detected
        return plan

    def step(self, *faces: np.ndarray, time: float | None = None) -> dict[int, np.ndarray]:
        """The next frame with these faces: id -> points."""
        self.world.faces = faces
        plan = self.plan(time)
        found = self.world.run_matrices(self.luma, plan.matrices)
        return {t.id: t.points for t in self.tracker.update(plan, found)}

    def steps(self, count: int, *faces: np.ndarray) -> dict[int, np.ndarray]:
        """Several frames of the same."""
        for _ in range(count):
            result = self.step(*faces)
        return result

    def give(self, *points: np.ndarray, confidence: float = 0.9) -> list[int]:
        """Ids after a frame in whose crops the network gives these points."""
        found = Landmarks(
            np.stack(points).astype(np.float32), np.full((len(points), 68), confidence, np.float32)
        )
        return [t.id for t in self.tracker.update(self.plan(), found)]


def boxed(x: float, y: float, side: float = SIDE) -> np.ndarray:
    """A face whose box is centred on x, y and ``side`` pixels wide."""
    eye_distance = 60.0 * side / SIDE
    return face_at(x, y - 0.39 * eye_distance, eye_distance)


def apart(overlap: float) -> float:
    """Distance in sides of two equal boxes side by side that overlap by this intersection over union."""
    return (1 - overlap) / (1 + overlap)


def test_one_face_keeps_its_id_and_the_detector_rests() -> None:
    scene = Scene(detect_every=10)
    for x in range(100, 500, 4):
        assert list(scene.step(face_at(x, 200))) == [1]
    assert scene.world.looks == 10


def test_a_fast_face_is_met_where_it_will_be() -> None:
    scene = Scene(detect_every=1000)
    xs = 320 + 240 * np.cos(2 * np.pi * 1.0 * np.arange(90) / RATE)  # up to 50 px a frame, eyes 60 px apart
    assert all(list(scene.step(face_at(x, 200))) == [1] for x in xs)
    assert scene.world.looks == 1


@pytest.mark.parametrize("every", [1, 5, 12])
def test_a_new_face_appears_within_detect_every_frames(every: int) -> None:
    scene = Scene(detect_every=every)
    scene.steps(7, face_at(150, 200))
    both = scene.steps(every, face_at(150, 200), face_at(450, 200))
    assert sorted(both) == [1, 2]


@pytest.mark.parametrize("every", [2, 30])
def test_an_empty_picture_is_searched_often_but_not_always(every: int) -> None:
    scene = Scene(detect_every=every)
    scene.steps(30)
    assert scene.world.looks == 30 / min(every, 3)
    assert len(scene.steps(min(every, 3), face_at(300, 200))) == 1


def test_a_lost_face_disappears_at_once_and_is_looked_for_at_once() -> None:
    scene = Scene(detect_every=50)
    scene.steps(10, face_at(300, 200))
    assert scene.step() == {}
    assert scene.tracker.ended == [1]
    scene.step()
    assert scene.detected


def test_it_is_looked_for_even_right_after_a_detection() -> None:
    scene = Scene(detect_every=50)
    scene.step(face_at(300, 200))
    assert scene.step() == {}
    scene.step()
    assert scene.detected


def test_a_face_hidden_for_a_moment_gets_its_id_back() -> None:
    scene = Scene()
    for x in range(100, 160, 6):
        scene.step(face_at(x, 200))
    scene.steps(8)
    back = scene.steps(3, face_at(160 + 9 * 6, 200))
    assert list(back) == [1]
    assert scene.tracker.ended == []


def test_no_id_is_promised_across_an_absence() -> None:
    scene = Scene()
    scene.steps(5, face_at(300, 200))
    scene.steps(33)
    assert list(scene.steps(5, face_at(300, 200))) == [2]


def test_somebody_else_far_away_does_not_inherit_an_id() -> None:
    scene = Scene()
    scene.steps(5, face_at(100, 100))
    scene.steps(4)
    assert list(scene.steps(4, face_at(520, 300))) == [2]


def test_a_face_of_quite_another_size_does_not_inherit_an_id() -> None:
    scene = Scene()
    scene.steps(5, face_at(300, 200, 80))
    scene.steps(4)
    assert list(scene.steps(4, face_at(300, 200, 30))) == [2]


@pytest.mark.parametrize("below", [0.0, 80.0], ids=["one covers the other", "side by side"])
def test_ids_survive_a_crossing(below: float) -> None:
    """Two faces walk through each other; while one covers the other the networks see only the front one."""
    scene = Scene(detect_every=5)
    front, back = face_at(100, 180, 60), face_at(540, 180 + below, 56)
    start = scene.step(front, back)
    ids = {
        "front": min(start, key=lambda n: start[n][:, 0].mean()),
        "back": max(start, key=lambda n: start[n][:, 0].mean()),
    }
    for x in np.arange(106.0, 540.0, 6.0):
        front, back = face_at(x, 180, 60), face_at(640 - x, 180 + below, 56)
        is_covered = abs(2 * x - 640) < 60 and below == 0.0
        result = scene.step(*([front] if is_covered else [front, back]))
    assert sorted(result) == sorted(start)
    np.testing.assert_allclose(result[ids["front"]], front, atol=1e-3)
    np.testing.assert_allclose(result[ids["back"]], back, atol=1e-3)


def test_two_tracks_on_one_face_become_one() -> None:
    """A track that slips onto another face goes, though it is the older; failing that, the younger goes."""
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(150, 200), face_at(420, 200))
    assert scene.give(*[face_at(420, 200)] * 2) == [2]
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(240, 200), face_at(360, 200))
    assert scene.give(*[face_at(300, 200)] * 2) == [1]


def test_a_cut_ends_every_face_and_starts_new_ids() -> None:
    scene = Scene(detect_every=50)
    scene.steps(5, face_at(150, 150), face_at(450, 150))
    scene.luma = 255 - GREY
    after = scene.step(face_at(300, 320))
    assert scene.detected
    assert list(after) == [3]
    assert sorted(scene.tracker.ended) == [1, 2]
    scene.step(face_at(300, 320))
    assert not any(t.id in (1, 2) for t in scene.tracker.tracks)


@pytest.mark.parametrize("aside", [25, 45])
def test_somebody_nearby_after_a_cut_is_somebody_else(aside: int) -> None:
    """Faces of 98 px: the boxes overlap by 0.6 and 0.4."""
    scene = Scene()
    scene.steps(5, face_at(150, 150))
    scene.luma = 255 - GREY
    assert list(scene.step(face_at(150 + aside, 150))) == [2]


def test_a_flash_does_not_cost_the_id() -> None:
    scene = Scene()
    scene.steps(5, face_at(150, 150))
    scene.luma = np.full_like(GREY, 250)
    assert list(scene.step(face_at(152, 150))) == [1]
    scene.luma = GREY
    assert list(scene.step(face_at(154, 150))) == [1]


def test_sensor_noise_is_not_a_cut() -> None:
    random, scene = np.random.default_rng(0), Scene(detect_every=1000)
    for _ in range(30):
        scene.luma = np.clip(GREY + random.normal(0, 12, GREY.shape), 0, 255).astype(np.uint8)
        scene.step(face_at(300, 200))
    assert scene.world.looks == 1


def test_a_face_that_leaves_the_picture_is_dropped() -> None:
    scene = Scene()
    seen = [len(scene.step(face_at(x, 200))) for x in range(500, 760, 8)]
    assert seen[0] == 1
    assert seen[-1] == 0
    outside = next(i for i, count in enumerate(seen) if not count)
    assert 620 <= 500 + 8 * outside <= 680


@pytest.mark.parametrize(
    "points",
    [
        pytest.param(face_at(300, 200, 60) * [0.05, 1.0] + [285, 0], id="collapsed to a line"),
        pytest.param(face_at(300, 200, 2), id="too small"),
        pytest.param(face_at(300, 200, 60) * 2.5 - [450, 300], id="exploded"),
        pytest.param(np.full((68, 2), np.nan, np.float32), id="not a number"),
    ],
)
def test_a_shape_that_is_not_a_face_is_dropped(points: np.ndarray) -> None:
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(300, 200, 60))
    assert scene.give(points) == []


def test_a_new_face_needs_more_confidence_than_a_followed_one() -> None:
    for confidence, ids in ((0.34, []), (0.36, [1])):
        scene = Scene(detect_every=1000)
        scene.world.faces = [face_at(300, 200)]
        assert scene.give(face_at(300, 200), confidence=confidence) == ids
    assert scene.give(face_at(300, 200), confidence=0.31) == [1]
    assert scene.give(face_at(300, 200), confidence=0.29) == []


def test_a_doubtful_face_that_two_detections_in_a_row_miss_is_dropped() -> None:
    scene = Scene(detect_every=1)
    scene.step(face_at(300, 200))
    for missed in (True, False, True):
        scene.world.hidden = missed
        assert scene.give(face_at(300, 200), confidence=0.32) == [1]
    scene.world.hidden = True
    assert scene.give(face_at(300, 200), confidence=0.32) == []


def test_at_most_max_faces_and_the_largest_of_the_new() -> None:
    faces = [face_at(100, 150, 40), face_at(280, 150, 70), face_at(500, 150, 55)]
    scene = Scene(max_faces=2, detect_every=1)
    sizes = [float(np.ptp(p, 0).max()) for p in scene.steps(3, *faces).values()]
    assert len(sizes) == 2
    assert min(sizes) > np.ptp(faces[0], 0).max()
    assert sizes == sorted(sizes, reverse=True)
    assert list(scene.step(*faces)) == list(scene.step(*faces))


def test_crops_of_tilted_faces_are_levelled() -> None:
    scene = Scene(detect_every=100)
    tilted = face_at(300, 200, roll=0.5)
    scene.steps(2, tilted)
    matrix = scene.world.matrices[0]
    eyes = tilted[[36, 45]] @ matrix[:, :2].T + matrix[:, 2]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1.0)


def test_time_that_runs_backwards_is_a_new_start() -> None:
    scene = Scene()
    scene.steps(20, face_at(150, 200))
    scene.frame = 0
    assert len(scene.step(face_at(150, 200))) == 1
    assert scene.detected


def test_picture_size_may_change() -> None:
    scene = Scene()
    scene.steps(3, face_at(150, 200))
    scene.luma = np.full((240, 320), 100, np.uint8)
    assert len(scene.step(face_at(150, 100))) == 1
    assert scene.detected


@pytest.mark.parametrize("seed", range(40))
def test_an_assignment_pairs_as_many_as_possible_at_the_least_cost(seed: int) -> None:
    """Against a search over all assignments, with up to five rows and columns and some pairs excluded."""
    random = np.random.default_rng(seed)
    costs = random.uniform(0, 3, random.integers(1, 6, 2))
    costs[random.random(costs.shape) < random.choice([0.0, 0.3, 0.7])] = np.inf
    pairs = module._assign(costs)
    assert len(set(pairs.values())) == len(pairs)
    total = sum(costs[row, column] for row, column in pairs.items())
    assert (-len(pairs), total) == pytest.approx(_best(costs))


def _best(costs: np.ndarray) -> tuple[float, float]:
    """(minus the number of pairs, their total cost) of the best assignment, by trying all."""
    if costs.shape[0] > costs.shape[1]:
        costs = costs.T
    rows = np.arange(len(costs))
    scores = []
    for columns in permutations(range(costs.shape[1]), len(costs)):
        chosen = costs[rows, list(columns)]
        finite = chosen[np.isfinite(chosen)]
        scores.append((-float(len(finite)), float(finite.sum())))
    return min(scores)


def test_many_competing_faces_get_the_best_assignment() -> None:
    scene = Scene(detect_every=1)
    faces = [face_at(80 + 75 * i, 200, 50) for i in range(7)]
    before = scene.steps(2, *faces)
    after = scene.step(*[face + np.array([20, 0], np.float32) for face in reversed(faces)])
    assert sorted(before) == sorted(after)
    for number, points in after.items():
        assert points[:, 0].mean() - before[number][:, 0].mean() == pytest.approx(20, abs=1)


def test_reset_forgets_faces_but_not_the_count_of_ids() -> None:
    scene = Scene()
    scene.steps(3, face_at(150, 200))
    scene.tracker.reset()
    assert list(scene.step(face_at(150, 200))) == [2]


def test_a_plan_is_used_once_and_in_order() -> None:
    scene = Scene()
    scene.steps(2, face_at(150, 200))
    earlier, later = scene.plan(), scene.plan()
    found = scene.world.run_matrices(GREY, later.matrices)
    with pytest.raises(RuntimeError, match="not the last one"):
        scene.tracker.update(earlier, found)
    assert len(scene.tracker.update(later, found)) == 1
    with pytest.raises(RuntimeError, match="used before"):
        scene.tracker.update(later, found)
    before_reset = scene.plan()
    scene.tracker.reset()
    with pytest.raises(RuntimeError, match="not the last one"):
        scene.tracker.update(before_reset, found)


def test_landmarks_of_another_number_of_faces_are_refused() -> None:
    scene = Scene()
    scene.world.faces = [face_at(150, 200), face_at(450, 200)]
    with pytest.raises(ValueError, match="of 1 faces, expected 2"):
        scene.give(face_at(150, 200))


def test_a_plan_holds_what_its_frame_needs() -> None:
    scene = Scene(detect_every=2)
    scene.world.faces = [face_at(150, 200)]
    plan = scene.plan(time=7.5)
    assert (plan.detected, plan.time, plan.size) == (True, 7.5, (640, 480))
    assert [matrix.shape for matrix in plan.matrices] == [(2, 3)]
    scene.tracker.update(plan, scene.world.run_matrices(GREY, plan.matrices))
    assert not scene.plan(time=7.6).detected
    assert scene.plan(time=7.7).detected


@pytest.mark.parametrize(
    ("frames", "number"), [(27, 1), (33, 2)], ids=["after 0.9 seconds", "after 1.1 seconds"]
)
def test_a_lost_face_keeps_its_id_for_a_second(frames: int, number: int) -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, face_at(300, 200))
    scene.steps(frames - 1)
    assert list(scene.step(face_at(300, 200))) == [number]


@pytest.mark.parametrize(("jump", "number"), [(1.15, 1), (1.25, 2)])
def test_a_lost_face_may_be_a_side_away_and_one_more_each_second(jump: float, number: int) -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    scene.steps(5)  # it comes back 0.2 seconds after it was last seen
    assert list(scene.step(boxed(200 + jump * SIDE, 240))) == [number]


@pytest.mark.parametrize(("jump", "number"), [(0.62, 1), (0.70, 2)])
def test_a_detection_belongs_to_the_face_whose_box_it_overlaps_by_a_fifth(jump: float, number: int) -> None:
    """Two thirds of a side apart, two equal boxes overlap by a fifth."""
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    assert list(scene.step(boxed(200 + jump * SIDE, 240))) == [number]


@pytest.mark.parametrize(("jump", "number"), [(0.47, 1), (0.53, 2)])
def test_or_to_the_face_whose_centre_is_less_than_half_a_side_away(jump: float, number: int) -> None:
    """A box 2.5 times as small overlaps by 0.16 at most."""
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    assert list(scene.step(boxed(200 + jump * SIDE, 240, SIDE / 2.5))) == [number]


@pytest.mark.parametrize(("ratio", "number"), [(3.1, 1), (3.3, 2)])
def test_unless_it_is_3_2_times_as_small(ratio: float, number: int) -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    assert list(scene.step(boxed(200 + 0.3 * SIDE, 240, SIDE / ratio))) == [number]


@pytest.mark.parametrize(("aside", "number"), [(20, 1), (25, 2)])
def test_after_a_cut_boxes_of_one_face_overlap_by_three_fifths(aside: int, number: int) -> None:
    scene = Scene()
    scene.steps(5, face_at(150, 150))
    scene.luma = 255 - GREY
    assert list(scene.step(face_at(150 + aside, 150))) == [number]


@pytest.mark.parametrize(("overlap", "is_at_detection"), [(0.44, False), (0.36, True)])
def test_the_crop_goes_to_a_detection_that_overlaps_the_track_by_less_than_two_fifths(
    overlap: float, is_at_detection: bool
) -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    x = 200 + apart(overlap) * SIDE
    scene.world.faces = [boxed(x, 240)]
    (matrix,) = scene.plan().matrices
    middle = geometry.apply(geometry.invert(matrix), [[(SPEC.size - 1) / 2] * 2])[0]
    assert middle[0] == pytest.approx(x if is_at_detection else 200, abs=0.5)


@pytest.mark.parametrize(
    ("speed", "reach", "number"), [(600.0, 290.0, 1), (600.0, 540.0, 2), (600.0, 455.0, 1)]
)
def test_a_lost_face_is_expected_along_its_path_for_half_a_second(
    speed: float, reach: float, number: int
) -> None:
    """After 0.8 seconds it is expected 300 pixels on, give or take one side and 0.8 more."""
    scene = Scene(detect_every=1)
    scene.luma = np.full((480, 1280), 100, np.uint8)
    for i in range(13):
        last = 60 + speed / RATE * i
        scene.step(boxed(last, 240))
    scene.steps(23)
    assert list(scene.step(boxed(last + reach, 240))) == [number]


@pytest.mark.parametrize(("seconds", "share"), [(0.05, 0.632), (0.1, 0.865)])
def test_velocity_follows_with_a_time_constant_of_50_milliseconds(seconds: float, share: float) -> None:
    scene = Scene(detect_every=1000)
    scene.step(boxed(200, 240), time=0.0)
    for i in range(1, round(seconds / 0.01) + 1):
        scene.step(boxed(200 + 2.0 * i, 240), time=0.01 * i)
    (track,) = scene.tracker.tracks
    assert track.velocity == pytest.approx(200 * share, rel=0.01)


@pytest.mark.parametrize(("speed", "is_led"), [(0.017, False), (0.0245, True)])
def test_the_crop_leads_a_face_that_moves_by_more_than_a_fiftieth_of_its_side(
    speed: float, is_led: bool
) -> None:
    scene, step = Scene(detect_every=1000), speed * SIDE
    for i in range(40):
        last = 200 + i * step
        scene.step(boxed(last, 240))
    (matrix,) = scene.plan().matrices
    middle = geometry.apply(geometry.invert(matrix), [[(SPEC.size - 1) / 2] * 2])[0]
    # The crop trails what it follows by the dead band.
    assert middle[0] == pytest.approx(last + is_led * step - 0.03 * SIDE, abs=0.1)


@pytest.mark.parametrize("growth", [1.55, 1 / 1.55, 1.65, 1 / 1.65])
def test_a_face_grows_and_shrinks_by_less_than_1_6_between_two_frames(growth: float) -> None:
    scene = Scene(detect_every=1000)
    scene.steps(3, boxed(300, 240))
    assert scene.give(boxed(300, 240, SIDE * growth)) == ([1] if 1 / 1.6 < growth < 1.6 else [])


@pytest.mark.parametrize(("side", "ids"), [(8.5, [1]), (7.5, [])])
def test_a_face_is_at_least_8_pixels_large(side: float, ids: list[int]) -> None:
    scene = Scene(detect_every=1000)
    scene.steps(3, boxed(300, 240, 10.0))
    assert scene.give(boxed(300, 240, side)) == ids


@pytest.mark.parametrize(
    ("width", "height", "ids"), [(0.37, 1, [1]), (0.33, 1, []), (1, 1 / 2.4, [1]), (1, 1 / 2.6, [])]
)
def test_a_face_is_neither_a_line_nor_a_strip(width: float, height: float, ids: list[int]) -> None:
    scene, face = Scene(detect_every=1000), boxed(0, 0)
    scene.steps(3, boxed(300, 240))
    square = SIDE / np.ptp(face, 0)  # both sides equal
    assert scene.give(face * square * [width, height] + [300, 240]) == ids


@pytest.mark.parametrize(("share", "ids"), [(0.53, [1]), (0.47, [])])
@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_half_of_the_points_lie_in_the_picture(share: float, ids: list[int], edge: str) -> None:
    axis, far = (0, 639.0) if edge in ("left", "right") else (1, 479.0)
    face = face_at(320, 240, roll=0.3)  # tilted, so that no two points are level
    ordered = np.sort(face[:, axis])
    inside = round(share * 68)
    if edge in ("left", "top"):
        face[:, axis] -= ordered[-inside] - 0.001
    else:
        face[:, axis] += far - ordered[inside - 1] - 0.001
    scene = Scene(detect_every=1000)
    scene.world.faces = [face]
    assert scene.give(face) == ids


@pytest.mark.parametrize(("overlap", "ids"), [(0.58, [1]), (0.52, [1, 2])])
def test_boxes_that_overlap_by_more_than_0_55_are_one_face(overlap: float, ids: list[int]) -> None:
    scene, distance = Scene(detect_every=1000), apart(overlap) * SIDE
    scene.steps(3, boxed(200, 240), boxed(200 + 1.2 * SIDE, 240))
    middle = 200 + 0.6 * SIDE
    assert sorted(scene.give(boxed(middle - distance / 2, 240), boxed(middle + distance / 2, 240))) == ids


@pytest.mark.parametrize(("older", "younger", "left"), [(0.54, 0.26, 2), (0.51, 0.29, 1)])
def test_the_track_that_left_its_path_by_a_quarter_side_more_is_the_wrong_one(
    older: float, younger: float, left: int
) -> None:
    """Two faces one side apart come within a fifth of a side; in the second case they differ by 0.22."""
    scene = Scene(detect_every=1000)
    scene.steps(3, boxed(200, 240), boxed(200 + SIDE, 240))
    assert scene.give(boxed(200 + older * SIDE, 240), boxed(200 + (1 - younger) * SIDE, 240)) == [left]


@pytest.mark.parametrize(("overlap", "is_noted"), [(0.055, False), (0.045, True)])
def test_the_path_of_a_face_is_noted_while_it_overlaps_no_other_by_a_twentieth(
    overlap: float, is_noted: bool
) -> None:
    scene = Scene(detect_every=1000)
    scene.steps(3, boxed(200, 240), boxed(200 + 1.2 * SIDE, 240))
    scene.give(boxed(200, 240), boxed(200 + apart(overlap) * SIDE, 240))
    times = [track.path[2] for track in scene.tracker.tracks]
    assert times == pytest.approx([3 / RATE if is_noted else 2 / RATE] * 2)


def test_a_face_that_is_followed_is_matched_before_a_lost_one() -> None:
    """Two stand side by side, one is lost; the detection between them belongs to the one that is still there."""
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240), boxed(310, 240))
    assert list(scene.step(boxed(200, 240))) == [1]
    scene.world.faces = [boxed(255, 240)]
    assert scene.give(boxed(255, 240)) == [1]


def test_what_the_detector_gives_becomes_the_score() -> None:
    scene = Scene(detect_every=2)
    scene.step(face_at(300, 200))
    (track,) = scene.tracker.tracks
    assert track.score == pytest.approx(0.9)
    scene.give(face_at(300, 200), confidence=0.7)
    assert track.score == pytest.approx(0.7)
    plan = scene.tracker.plan(GREY, 0.1, lambda: [FaceBox(geometry.box_of(face_at(300, 200)), 0.8)])
    scene.tracker.update(plan, scene.world.run_matrices(GREY, plan.matrices))
    assert track.score == pytest.approx(0.8)


def test_two_dear_pairs_are_better_than_one_cheap_pair() -> None:
    assert module._assign(np.array([[0.5, 3.0], [3.0, np.inf]])) == {0: 1, 1: 0}


def test_after_a_crop_around_a_detection_the_next_is_centred_on_the_points() -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, boxed(200, 240))
    scene.step(boxed(250, 240))
    scene.tracker.detect_every = 1000
    (track,) = scene.tracker.tracks
    expected = track.centre + track.velocity / RATE
    (matrix,) = scene.plan().matrices
    middle = geometry.apply(geometry.invert(matrix), [[(SPEC.size - 1) / 2] * 2])[0]
    np.testing.assert_allclose(middle, [expected.real, expected.imag], atol=0.1)


def test_nobody_comes_back_from_before_a_cut() -> None:
    scene = Scene(detect_every=1)
    scene.steps(5, face_at(300, 200))
    scene.luma = 255 - GREY
    assert scene.step() == {}
    assert list(scene.step(face_at(300, 200))) == [2]


def test_after_a_cut_a_face_that_the_detector_misses_is_dropped() -> None:
    scene = Scene()
    scene.steps(5, face_at(300, 200))
    scene.luma, scene.world.hidden = 255 - GREY, True
    assert scene.step(face_at(300, 200)) == {}
