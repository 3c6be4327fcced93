"""Ids and detections in scenes that the test moves by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from shapes import SPEC, World, face_at

from fkp_live.faces import tracker as track
from fkp_live.faces.tracker import REVIVE_SECONDS, Track, Tracker

WIDTH, HEIGHT, RATE = 640, 480, 30.0
GREY = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)


class Scene:
    """Runs a tracker frame by frame on a world."""

    def __init__(self, **options: int | None) -> None:
        self.world = World()
        self.tracker = Tracker(SPEC, **options)  # type: ignore[arg-type]
        self.frame = 0
        self.image = GREY
        self.detected = False

    def step(self, *faces: np.ndarray) -> dict[int, np.ndarray]:
        """The next frame with these faces: id -> points."""
        time = self.frame / RATE
        self.frame += 1
        self.world.faces = faces
        self.detected = self.tracker.wants_detection(self.image, time)
        finds = self.world.detector(self.image) if self.detected else None
        found = self.world.run_matrices(self.image, self.tracker.crops(finds, time))
        return {t.id: t.points for t in self.tracker.update(found, (WIDTH, HEIGHT), time)}

    def steps(self, count: int, *faces: np.ndarray) -> dict[int, np.ndarray]:
        """Several frames of the same."""
        for _ in range(count):
            result = self.step(*faces)
        return result


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
    scene.steps(int(REVIVE_SECONDS * RATE) + 3)
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
    """A track that slips onto another face goes, though it is the elder; failing that, the younger goes."""
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(150, 200), face_at(420, 200))

    def both_on(points: np.ndarray, time: float) -> list[int]:
        found = scene.world.run_matrices(GREY, scene.tracker.crops(None, time))
        same = type(found)(np.stack([points, points]), found.confidence)
        return [t.id for t in scene.tracker.update(same, (WIDTH, HEIGHT), time)]

    assert both_on(face_at(420, 200), 0.1) == [2]
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(240, 200), face_at(360, 200))
    assert both_on(face_at(300, 200), 0.1) == [1]


def test_a_cut_ends_every_face_and_starts_new_ids() -> None:
    scene = Scene(detect_every=50)
    scene.steps(5, face_at(150, 150), face_at(450, 150))
    scene.image = 255 - GREY
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
    scene.image = 255 - GREY
    assert list(scene.step(face_at(150 + aside, 150))) == [2]


def test_a_flash_does_not_cost_the_id() -> None:
    scene = Scene()
    scene.steps(5, face_at(150, 150))
    scene.image = np.full_like(GREY, 250)
    assert list(scene.step(face_at(152, 150))) == [1]
    scene.image = GREY
    assert list(scene.step(face_at(154, 150))) == [1]


def test_sensor_noise_is_no_cut() -> None:
    random, scene = np.random.default_rng(0), Scene(detect_every=1000)
    for _ in range(30):
        scene.image = np.clip(GREY + random.normal(0, 12, GREY.shape), 0, 255).astype(np.uint8)
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
def test_a_shape_that_is_no_face_is_dropped(points: np.ndarray) -> None:
    scene = Scene(detect_every=1000)
    scene.steps(3, face_at(300, 200, 60))
    matrices = scene.tracker.crops(None, 0.1)
    found = scene.world.run_matrices(GREY, matrices)
    broken = type(found)(points[None].astype(np.float32), found.confidence)
    assert scene.tracker.update(broken, (WIDTH, HEIGHT), 0.1) == []


def test_birth_asks_for_more_confidence_than_life() -> None:
    scene = Scene(detect_every=1000)
    doubtful = (track.BIRTH + track.DEATH) / 2

    def step(confidence: float, time: float) -> int:
        finds = scene.world.detector(GREY) if scene.tracker.wants_detection(GREY, time) else None
        found = scene.world.run_matrices(GREY, scene.tracker.crops(finds, time))
        sure = type(found)(found.points, np.full_like(found.confidence, confidence))
        return len(scene.tracker.update(sure, (WIDTH, HEIGHT), time))

    scene.world.faces = [face_at(300, 200)]
    assert step(doubtful, 0.0) == 0
    scene.tracker.reset()
    assert step(0.9, 0.0) == 1
    assert step(doubtful, 0.033) == 1
    assert step(track.DEATH - 0.01, 0.067) == 0


def test_a_doubtful_face_that_the_detector_passes_over_goes() -> None:
    scene = Scene(detect_every=1)
    doubtful = (track.BIRTH + track.DEATH) / 2
    scene.step(face_at(300, 200))
    scene.world.hidden = True
    counts = []
    for i in range(1, 4):
        assert scene.tracker.wants_detection(GREY, i / RATE)
        found = scene.world.run_matrices(GREY, scene.tracker.crops([], i / RATE))
        sure = type(found)(found.points, np.full_like(found.confidence, doubtful))
        counts.append(len(scene.tracker.update(sure, (WIDTH, HEIGHT), i / RATE)))
    assert counts[0] == 1
    assert 0 in counts


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
    scene.image = np.full((240, 320, 3), 100, np.uint8)
    assert len(scene.step(face_at(150, 100))) == 1
    assert scene.detected


@pytest.mark.parametrize("seed", range(40))
def test_an_assignment_pairs_as_many_as_possible_at_the_least_cost(seed: int) -> None:
    """Against a search over all assignments, with up to five rows and columns and some pairs excluded."""
    random = np.random.default_rng(seed)
    costs = random.uniform(0, 3, random.integers(1, 6, 2))
    costs[random.random(costs.shape) < random.choice([0.0, 0.3, 0.7])] = np.inf
    pairs = track._assign(costs)
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


@pytest.mark.parametrize("options", [{"detect_every": 0}, {"max_faces": 0}])
def test_nonsense_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Tracker(SPEC, **options)  # type: ignore[arg-type]


def test_a_track_predicts_along_its_path_for_half_a_second_at_most() -> None:
    face = face_at(100, 100)
    one = Track(1, face, np.ones(68, np.float32), np.array([50, 50, 150, 150], np.float32), 0.9, 1.0)
    one.path = (one.centre, 100 + 0j, 1.0)
    assert one.expected(1.1) == pytest.approx(110 + 100j)
    assert one.expected(9.0) == pytest.approx(150 + 100j)


def test_the_crop_of_a_face_that_only_trembles_stays_where_it_is() -> None:
    """Otherwise the jitter of the points would be fed back to them through the crop."""
    scene, random = Scene(detect_every=1000), np.random.default_rng(0)
    matrices = []
    for _ in range(30):
        scene.step(face_at(300, 200) + random.normal(0, 0.3, (68, 2)).astype(np.float32))
        matrices.append(scene.world.matrices[0])
    assert all(np.array_equal(matrix, matrices[2]) for matrix in matrices[2:])


def test_the_crop_follows_a_face_that_moves_grows_and_tilts() -> None:
    scene = Scene(detect_every=1000)
    for i in range(60):
        face = face_at(200 + 3 * i, 200 + i, 50 + i / 2, roll=0.02 * i)
        scene.step(face)
        crop = face @ scene.world.matrices[0][:, :2].T + scene.world.matrices[0][:, 2]
        assert np.abs((crop.min(0) + crop.max(0)) / 2 - (SPEC.size - 1) / 2).max() < 0.12 * SPEC.size
        assert np.ptp(crop, 0).max() == pytest.approx(SPEC.face_side, rel=0.1)
