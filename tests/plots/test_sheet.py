"""Contact sheets: good moments, spread over a face's time, and pictures of exactly these moments."""

from __future__ import annotations

import base64
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recorded import OPEN, SHUT, face, write

from fkp_live import open_source
from fkp_live.errors import InputError
from fkp_live.plots.sheet import BestMoments, Moment, SmallPicture, contact_sheet
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Face, FrameResult, Pose

DEMO = Path(__file__).parents[2] / "fkp_live" / "assets" / "demo.mp4"


def decoded(picture: SmallPicture) -> np.ndarray:
    head, text = picture.uri.split(",")
    assert head == "data:image/jpeg;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


def test_the_best_moments_are_large_frontal_and_open_eyed() -> None:
    moments = BestMoments()
    faces = [
        face(measures=SHUT),
        face(pose=Pose(0.0, 0.9, 0.0)),
        face(confidence=0.3),
        face(scale=50),
        face(measures=OPEN),
    ]
    for place, one in enumerate(faces * 3):
        moments.add(one, place / 100)
    (best,) = moments.best(1)
    assert best.time == 0.04


def test_moments_are_spread_over_the_faces_time() -> None:
    moments = BestMoments()
    one = face()
    for index in range(3600):
        # Better and better, so that without a distance all would lie at the end.
        moments.add(replace(one, box=one.box * (1 + index / 1000)), index / 10)
    best = moments.best(4)
    times = [moment.time for moment in best]
    assert times == sorted(times)
    assert len(times) == 4
    assert min(np.diff(times)) >= 30
    assert times[-1] == 359.9, "the very best one is among them"


def test_moments_take_no_more_memory_after_hours() -> None:
    moments = BestMoments()
    one = face()
    tracemalloc.start()
    for index in range(1000):
        moments.add(one, index * 0.1)
    before = tracemalloc.get_traced_memory()[0]
    for index in range(1000, 6000):
        moments.add(one, index * 10.0)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 20_000


def test_a_face_that_is_not_finite_is_no_moment() -> None:
    moments = BestMoments()
    moments.add(face(points=np.full((68, 2), np.nan)), 0.0)
    assert moments.best(3) == []


def test_pictures_are_those_of_their_moments(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    path = write(tmp_path / "points.jsonl", demo_results, name="demo.mp4")
    with open_source(DEMO, end=2.0) as source:
        frames = [frame.image for frame in source]
    moments = [(1, _moment(demo_results[k])) for k in (50, 7)]
    with open_recording(path) as recording:
        sheet = contact_sheet(DEMO, recording, moments, [demo_results[30].time])
    assert [one.caption for one in sheet] == ["face 1, 0:02", "face 1, 0:00", "0:01"]
    wanted = cv2.resize(frames[30], (sheet[2].width, sheet[2].height), interpolation=cv2.INTER_AREA)
    errors = [
        np.abs(
            decoded(sheet[2]).astype(int)
            - cv2.resize(frame, wanted.shape[1::-1], interpolation=cv2.INTER_AREA).astype(int)
        ).mean()
        for frame in frames
    ]
    assert int(np.argmin(errors)) == 30
    assert decoded(sheet[0]).shape == (sheet[0].height, sheet[0].width, 3)
    # The face fills the middle, not the corner: skin and not the background.
    assert max(sheet[0].width, sheet[0].height) == 128


def test_pictures_of_a_larger_copy_are_cut_at_its_scale(
    tmp_path: Path, demo_results: list[FrameResult]
) -> None:
    half = [
        FrameResult(one.index, one.time, (320, 240), tuple(_halved(face_) for face_ in one.faces))
        for one in demo_results[:10]
    ]
    from fkp_live.sinks.jsonl import JsonlSink

    source = {"name": "demo.mp4", "width": 320, "height": 240, "fps": 30.0}
    with JsonlSink(tmp_path / "half.jsonl", {"source": source}) as sink:
        for one in half:
            sink.write(one)
    path = write(tmp_path / "full.jsonl", demo_results[:10], name="demo.mp4")
    pictures = []
    for file, results in ((path, demo_results), (tmp_path / "half.jsonl", half)):
        with open_recording(file) as recording:
            (small,) = contact_sheet(DEMO, recording, [(1, _moment(results[5]))], [])
        pictures.append(decoded(small).astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 6


def test_a_mirrored_recording_has_mirrored_pictures(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    shown = []
    for mirror in (False, True):
        path = write(tmp_path / f"{mirror}.jsonl", demo_results[:3], options={"mirror": mirror})
        with open_recording(path) as recording:
            (small,) = contact_sheet(DEMO, recording, [], [0.0])
        shown.append(decoded(small).astype(int))
    assert np.abs(shown[0] - shown[1][:, ::-1]).mean() < 3 < np.abs(shown[0] - shown[1]).mean()


def test_moments_after_the_films_end_are_omitted(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    path = write(tmp_path / "points.jsonl", demo_results)
    with open_recording(path) as recording:
        sheet = contact_sheet(DEMO, recording, [], [1.0, 5.9, 7.0, 100.0])
        assert [one.time for one in sheet] == [1.0, 5.9]
        with pytest.raises(InputError, match=r"demo\.mp4"):
            contact_sheet(DEMO, recording, [], [100.0])


def _moment(result: FrameResult) -> Moment:
    return Moment(1.0, result.time, tuple(result.faces[0].box.tolist()))


def _halved(one: Face) -> Face:
    return replace(one, points=one.points / 2, box=one.box / 2)
