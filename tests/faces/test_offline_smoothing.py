"""Recorded results smoothed anew: as the pipeline did it, and in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from shapes import face_at
from simulated import SIZE, noise

from benchmarks.stability import jitter, lag
from fkp_live import Engine, Pipeline, PipelineOptions
from fkp_live.errors import InputError
from fkp_live.faces import offline_smoothing
from fkp_live.faces.offline_smoothing import LEVELS, smoothed
from fkp_live.geometry import box_of
from fkp_live.sources import open_source
from fkp_live.topology import LEFT_EYE_LIDS, RIGHT_EYE_LIDS
from fkp_live.types import Face, FrameResult

LIDS = [upper for upper, _ in (*RIGHT_EYE_LIDS, *LEFT_EYE_LIDS)]


def still(frames: int, seed: int = 0) -> np.ndarray:
    return face_at(300, 300, SIZE)[None] + noise(frames, seed)


def face(points: np.ndarray, number: int | None = 1) -> Face:
    points = np.asarray(points, np.float32)
    # The recorded points are of no use here: only the raw ones count.
    return Face(points + 5, np.ones(68, np.float32), box_of(points), 0.9, number, points)


def results(points: np.ndarray, times: np.ndarray) -> list[FrameResult]:
    return [
        FrameResult(i, float(t), (640, 480), (face(p),))
        for i, (p, t) in enumerate(zip(points, times, strict=True))
    ]


def points_of(made: Iterator[FrameResult], place: int = 0) -> np.ndarray:
    return np.stack([result.faces[place].points for result in made])


def own(points: np.ndarray) -> np.ndarray:
    """Points without the shift that they share, which is followed closely at every level."""
    return points - points.mean(1, keepdims=True) + [300, 300]


def offline(points: np.ndarray, times: np.ndarray) -> np.ndarray:
    return points_of(smoothed(results(points, times), "offline"))


@pytest.fixture(scope="module")
def demo() -> dict[str, list[FrameResult]]:
    """Results of the clip in the package at two levels."""
    engine, found = Engine(), {}
    for level in ("off", "medium"):
        with open_source(str(resources.files("fkp_live") / "assets" / "demo.mp4"), max_frames=90) as source:
            pipeline = Pipeline(PipelineOptions(smooth=level), engine=engine)
            found[level] = [pipeline.process(frame) for frame in source]
    return found


def test_levels_of_the_pipeline_give_what_the_pipeline_gives(demo: dict[str, list[FrameResult]]) -> None:
    for recorded in demo.values():
        for level, expected in demo.items():
            found = list(smoothed(recorded, level))
            assert [len(result.faces) for result in found] == [len(result.faces) for result in expected]
            for got, was in zip(found, expected, strict=True):
                for one, other in zip(got.faces, was.faces, strict=True):
                    np.testing.assert_array_equal(one.points, other.points)
                    np.testing.assert_array_equal(one.box, other.box)
                    assert (one.id, one.pose, one.measures) == (other.id, other.pose, other.measures)


def test_offline_rests_more_than_the_default_and_has_no_lag() -> None:
    times = np.arange(300) / 30
    raw = still(300)
    medium = points_of(smoothed(results(raw, times), "medium"))
    found = offline(raw, times)
    assert jitter(found) < jitter(medium) < 0.6 * jitter(raw)
    assert jitter(own(found)) < 0.6 * jitter(own(medium))
    for frequency in (0.5, 1.0, 2.0):
        swing = 0.5 * SIZE * np.sin(2 * np.pi * frequency * times)[:, None, None] * [1.0, 0.0]
        truth = face_at(300, 300, SIZE)[None] + swing
        found = offline(truth + noise(300), times)
        assert abs(lag(found, truth, times, frequency)) < 0.0005
        beside = np.linalg.norm(found - truth, axis=-1).mean()
        assert beside < 0.8 * np.linalg.norm(noise(300), axis=-1).mean()


def test_a_blink_is_nearer_to_the_truth_than_without_smoothing() -> None:
    times = np.arange(240) / 30
    phase = (times % 1.0) / 0.15
    shut = 0.1 * SIZE * np.where(phase < 1, 0.5 - 0.5 * np.cos(2 * np.pi * phase), 0.0)
    truth = np.repeat(face_at(300, 300, SIZE)[None], len(times), 0)
    truth[:, LIDS, 1] += shut[:, None]
    raw = truth + noise(len(times))
    found = offline(raw, times)

    def beside(points: np.ndarray) -> float:
        return float(np.sqrt(((points - truth)[:, LIDS, 1] ** 2).mean()))

    medium = points_of(smoothed(results(raw, times), "medium"))
    assert beside(found) < 0.85 * beside(medium)
    assert beside(found) < 0.85 * beside(raw)
    depth = (found - face_at(300, 300, SIZE))[:, LIDS, 1].mean(1).reshape(8, 30)[1:-1]
    assert depth.max(1).mean() > 0.93 * shut.max()
    assert set(depth.argmax(1)) == {int(shut[:30].argmax())}


def test_offline_looks_the_same_forward_and_backward() -> None:
    times = np.arange(100) / 30
    raw = still(100) + np.linspace(0, 200, 100)[:, None, None] * [1.0, 0.3]
    np.testing.assert_allclose(offline(raw, times), offline(raw[::-1], times)[::-1], atol=1e-3)


def test_the_seams_of_what_is_held_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    times = np.arange(900) / 30
    raw = still(900)
    in_parts = offline(raw, times)
    monkeypatch.setattr(offline_smoothing, "_BLOCK", 1e9)
    whole = offline(raw, times)
    assert np.abs(in_parts - whole).max() < 0.001 * SIZE
    assert np.abs(in_parts - whole).mean() < 0.0001 * SIZE


@pytest.mark.parametrize(("step", "most"), [(1 / 30, 360), (0.0, 400), (-0.001, 400), (10.0, 24)])
def test_some_seconds_are_held_and_no_more(step: float, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the timestamps are: usual, equal, backward, far apart."""
    monkeypatch.setattr(offline_smoothing, "_MOST_HELD", 400)
    points, taken, given = still(1)[0], 0, 0

    def stream() -> Iterator[FrameResult]:
        nonlocal taken
        for taken in range(1, 801):
            yield FrameResult(taken - 1, taken * step, (640, 480), (face(points),))

    for given, result in enumerate(smoothed(stream(), "offline"), start=1):
        assert result.index == given - 1
        assert taken - given <= most + 1
    assert given == 800


def test_filters_start_afresh_after_a_gap_and_where_an_id_becomes_another_face() -> None:
    times = np.concatenate([np.arange(60) / 30, 3 + np.arange(60) / 30])
    raw = still(120)
    raw[60:] += 0.2 * SIZE
    parts = np.concatenate([offline(raw[:60], times[:60]), offline(raw[60:], times[60:])])
    np.testing.assert_allclose(offline(raw, times), parts, atol=1e-3)
    even = np.arange(120) / 30
    raw[60:] += 4 * SIZE
    parts = np.concatenate([offline(raw[:60], even[:60]), offline(raw[60:], even[60:])])
    np.testing.assert_allclose(offline(raw, even), parts, atol=1e-3)


def test_each_id_is_smoothed_on_its_own_and_largest_faces_come_first() -> None:
    times = np.arange(60) / 30
    small, large = still(60), 2 * still(60, seed=1)
    both = [
        replace(one, faces=(face(a, 1), face(b, 2)))
        for one, a, b in zip(results(small, times), small, large, strict=True)
    ]
    both[30] = replace(both[30], faces=both[30].faces[:1])  # the second face is gone for a moment
    for level in LEVELS:
        found = list(smoothed(both, level))
        assert [[f.id for f in result.faces] for result in found] == [[2, 1]] * 30 + [[1]] + [[2, 1]] * 29
        alone = points_of(smoothed(results(small, times), level))
        np.testing.assert_array_equal([result.faces[-1].points for result in found], alone)


def test_box_pose_and_measures_are_those_of_the_new_points() -> None:
    for result in smoothed(results(still(20), np.arange(20) / 30), "offline"):
        one = result.faces[0]
        np.testing.assert_array_equal(one.box, box_of(one.points))
        assert one.pose is not None
        assert abs(one.pose.roll) < 0.05
        assert one.measures is not None
        assert one.measures.eyes_open > 0


@pytest.mark.parametrize("level", LEVELS)
def test_odd_recordings(level: str) -> None:
    """No frame, no face, no id, the same id twice, points that are no numbers, a clock that begins anew."""
    assert list(smoothed([], level)) == []
    points = face_at(300, 300, SIZE)
    broken = points.copy()
    broken[5] = np.nan
    times = (0.0, 0.1, 0.1, 0.05, 7.0, -3.0)
    faces = (
        (),
        (face(points, None),),
        (face(points), face(points + 200)),
        (face(broken),),
        (face(points),),
        (),
    )
    odd = [FrameResult(i, t, (0, 0), f) for i, (t, f) in enumerate(zip(times, faces, strict=True))]
    found = list(smoothed(odd, level))
    assert [(r.index, r.time, len(r.faces)) for r in found] == [(r.index, r.time, len(r.faces)) for r in odd]
    np.testing.assert_array_equal(found[4].faces[0].points, np.asarray(points, np.float32))
    assert {one.points[0].tobytes() for one in found[2].faces} == {
        np.asarray(points[0] + shift, np.float32).tobytes() for shift in (0, 200)
    }


def test_what_cannot_be_smoothed_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of off, light, medium, strong, offline"):
        smoothed([], "soft")
    bare = FrameResult(7, 0.0, (0, 0), (replace(face(still(1)[0]), raw=None),))
    for level in LEVELS:
        with pytest.raises(InputError, match="Frame 7 has a face without its points before smoothing"):
            list(smoothed([bare], level))
