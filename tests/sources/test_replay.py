"""Recorded results handed out again, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import numbered
from written import face, result_of

from fkp_live.errors import InputError
from fkp_live.images.picture import BgrPicture
from fkp_live.sinks import CsvSink, JsonlSink
from fkp_live.sources.recordings import open_recording
from fkp_live.sources.replay import Replay, blank_source, check_film, film_of, renamed, slack_of
from fkp_live.types import Frame, FrameResult, SourceInfo


def film(count: int, *, rate: float = 25.0, first: int = 0) -> list[Frame]:
    return [Frame(BgrPicture(numbered(i)), i, i / rate, 5.0, i, None) for i in range(first, first + count)]


def ids(results: Iterable[FrameResult]) -> list[list[int | None]]:
    return [[one.id for one in result.faces] for result in results]


def replayed(frames: list[Frame], results: list[FrameResult], **more: bool) -> list[tuple[int, FrameResult]]:
    replay = Replay(frames, results, **more)
    return [(frame.index, replay.process(frame)) for frame in replay]


# renaming


def test_ids_are_replaced_and_tracks_joined() -> None:
    results = [
        result_of(0, face(id=1), face(id=2)),
        result_of(1, face(id=3)),
        result_of(2),
        result_of(3, face()),
    ]
    found = list(renamed(results, {3: 1, 2: 7}))
    assert ids(found) == [[1, 7], [1], [], [None]]
    assert found[1].faces[0].points is results[1].faces[0].points
    assert ids(renamed(results, {})) == ids(results)
    assert ids(renamed([result_of(0, face(id=1), face(id=2))], {1: 2, 2: 1})) == [[2, 1]]


def test_two_faces_of_a_frame_are_not_joined() -> None:
    results = [result_of(0, face(id=1)), result_of(7, face(id=3), face(id=1))]
    with pytest.raises(
        InputError, match=r"frame 7 \(at 0\.280 s\) there are both face 3 and face 1"
    ) as caught:
        list(renamed(results, {3: 1}))
    assert caught.value.exit_code == 3
    # What a recording had twice already is not the fault of the renaming.
    twice = [result_of(0, face(id=1), face(id=1))]
    assert ids(renamed(twice, {1: 4})) == [[4, 4]]


# frames and results


def test_each_frame_gets_its_result_with_its_own_exact_time() -> None:
    results = [result_of(i, face(i, id=i + 1), seconds=round(i / 25, 2) + 0.001) for i in range(3)]
    found = replayed(film(3), results)
    assert ids(result for _, result in found) == [[1], [2], [3]]
    assert [(result.time, result.size, result.arrived, result.pts) for _, result in found] == [
        (i / 25, (160, 96), 5.0, i) for i in range(3)
    ]


def test_frames_without_a_result_have_no_face() -> None:
    results = [result_of(1, face(id=1)), result_of(4, face(id=1))]
    assert ids(result for _, result in replayed(film(6), results)) == [[], [1], [], [], [1]]
    assert ids(r for _, r in replayed(film(6), results, whole=False)) == [[], [1], [], [], [1], []]


def test_results_wait_for_frames_that_are_read_ahead() -> None:
    replay = Replay(film(5), [result_of(i, face(id=i)) for i in range(5)])
    ahead = list(replay)
    assert ids(replay.process(frame) for frame in ahead) == [[0], [1], [2], [3], [4]]


def test_a_replay_ends_with_the_recording() -> None:
    frames = iter(film(9))
    replay = Replay(frames, [result_of(i) for i in range(3)])
    assert len(list(replay)) == 3
    assert next(frames).index == 3  # nothing more was read


@pytest.mark.parametrize(
    ("frames", "results", "says"),
    [
        (film(2), [result_of(i) for i in range(4)], r"ends before frame 2 \(at 0\.080 s\)"),
        (
            film(4, rate=30),
            [result_of(i) for i in range(4)],
            r"its frame 3 is at 0\.100 s, and was at 0\.120 s",
        ),
        (film(4), [result_of(2), result_of(1)], r"not in order: frame 1 comes after a later one"),
    ],
)
def test_a_film_that_does_not_fit_is_refused(
    frames: list[Frame], results: list[FrameResult], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        list(Replay(frames, results, slack=0.015))


def test_times_may_differ_by_half_a_frame_and_never_by_much() -> None:
    assert slack_of(SourceInfo("x", 1, 1, fps=50.0)) == 0.01
    assert slack_of(SourceInfo("x", 1, 1, fps=1.0)) == 0.02
    assert slack_of(SourceInfo("x", 1, 1, fps=10_000.0)) == 0.002
    assert slack_of(SourceInfo("x", 1, 1)) == 0.02


def test_size_and_first_frames_are_compared_before_anything_is_made(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "r.jsonl", {"source": {"width": 160, "height": 96}}) as sink:
        for i in range(30):
            sink.write(result_of(i, face(id=1)))
    info = SourceInfo("film.mp4", 160, 96, fps=25.0)
    with open_recording(tmp_path / "r.jsonl") as recording:
        check_film(film(30), info, recording, film="film.mp4")
        with pytest.raises(InputError, match=r"film\.mp4 is not the film of r\.jsonl: its frame"):
            check_film(film(30, rate=24), info, recording, film="film.mp4")
        with pytest.raises(InputError, match="it has 96x160 pixels, and 160x96 were recorded"):
            check_film(film(30), SourceInfo("film.mp4", 96, 160), recording, film="film.mp4")
        # Once more from the first result on.
        check_film(film(30), info, recording, film="film.mp4")


# without a film, and where it is


def test_black_frames_stand_in_for_a_film(tmp_path: Path) -> None:
    with JsonlSink(tmp_path / "r.jsonl", {"source": {"width": 16, "height": 8, "fps": 25}}) as sink:
        for i in (0, 3, 4):
            sink.write(result_of(i, face(id=1)))
    with blank_source(open_recording(tmp_path / "r.jsonl"), ("a.png",)) as source:
        assert (source.info.width, source.info.height, source.info.pictures) == (16, 8, ("a.png",))
        frames = list(source)
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (3, 0.12), (4, 0.16)]
    assert frames[0].picture.size == (16, 8)
    assert not np.any(frames[0].image)


def test_the_film_of_a_recording_lies_beside_it(tmp_path: Path) -> None:
    for name, beside in (
        ("film.mp4", "film.mp4"),
        ("films/Ärger 1.mp4", "Ärger 1.mp4"),
        ("sub/film.mp4", "sub/film.mp4"),
        ("pictures", "pictures"),
    ):
        (tmp_path / beside).parent.mkdir(exist_ok=True)
        (tmp_path / beside).touch()
        JsonlSink(tmp_path / "r.jsonl", {"source": {"name": name}}, overwrite=True).close()
        with open_recording(tmp_path / "r.jsonl") as recording:
            assert film_of(recording) == tmp_path / beside
    for name in ("other.mp4", "http://127.0.0.1/film.mp4", "x" * 5000, "null\0", "r.jsonl"):
        JsonlSink(tmp_path / "r.jsonl", {"source": {"name": name}}, overwrite=True).close()
        with open_recording(tmp_path / "r.jsonl") as recording:
            assert film_of(recording) is None
    CsvSink(tmp_path / "r.csv").close()
    with open_recording(tmp_path / "r.csv") as recording:
        assert film_of(recording) is None
