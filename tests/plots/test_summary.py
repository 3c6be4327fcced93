"""One row a film and face: its numbers are those that pandas counts, and its choices do not depend on order."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from drawn import mean_shape
from recorded import OPEN, SHUT, face, film, result, shown, write

from fkp_live.plots.readings import timed
from fkp_live.plots.summary import COLUMNS, EXPRESSION_COLUMNS, BlinkCount, FilmSummary, cells, summarise
from fkp_live.sources.recordings import open_recording
from fkp_live.topology import REGIONS
from fkp_live.types import FrameResult, Pose


def rows(results: list[FrameResult]) -> list[dict]:
    summary = FilmSummary()
    for one, seconds in timed(results, 30.0):
        summary.add(one, seconds)
    return summary.rows("film.mp4", "film.jsonl")


def test_a_film_without_a_face_has_one_row() -> None:
    (row,) = rows(film([[]] * 30))
    assert tuple(row) == COLUMNS
    assert (row["face_id"], row["main"], row["frames"], row["with_face_share"]) == (-1, 0, 30, 0.0)
    assert (row["tracked_frames"], row["tracked_share"], row["blinks"]) == (0, 0.0, None)
    assert row["seconds"] == pytest.approx(1.0)


def test_shares_are_of_the_films_time() -> None:
    # Face 1 in the first half, face 2 in the third quarter, nobody in the last.
    frames = [[face(1)]] * 30 + [[face(2)]] * 15 + [[]] * 15
    one, two = rows(film(frames))
    assert one["with_face_share"] == two["with_face_share"] == pytest.approx(0.75)
    assert (one["tracked_share"], two["tracked_share"]) == pytest.approx((0.5, 0.25))
    assert (one["main"], two["main"]) == (1, 0)
    assert (two["first_second"], two["last_second"]) == pytest.approx((1.0, 1.5))
    assert one["blinks_per_minute"] == 0.0


def test_an_uneven_rate_is_weighed_by_time() -> None:
    # Ten frames in the first second with a face, and one in the second without.
    results = [result(i, i / 10, face()) for i in range(10)] + [result(10, 1.0), result(11, 2.0)]
    (row,) = rows(results)
    assert row["tracked_seconds"] == pytest.approx(1.0)
    assert row["tracked_share"] == pytest.approx(1.0 / (2.0 + 2.0 / 11))


@pytest.mark.parametrize("order", [1, -1])
def test_the_main_face_is_the_one_with_most_time_then_the_larger_then_the_surer(order: int) -> None:
    def main(*faces: object) -> int:
        found = rows(film([list(faces)[::order]] * 10))
        return next(int(row["face_id"]) for row in found if row["main"])

    assert main(face(4, scale=80, confidence=0.95), face(5, scale=100)) == 5
    assert main(face(4, scale=100), face(5, scale=100, confidence=0.95)) == 5
    assert main(face(4), face(5)) == 4
    longest = rows([*film([[face(4, scale=20), face(5)]] * 10), result(10, 10 / 30, face(4, scale=20))])
    assert [row["main"] for row in longest] == [1, 0]


def test_one_blink_is_one_run_of_shut_eyes() -> None:
    def count(pattern: str, rate: float = 30.0) -> int:
        blinks = BlinkCount()
        for index, letter in enumerate(pattern):
            if letter != ".":
                blinks.add(letter == "x", index / rate)
        return blinks.count

    assert count("ooxxxooo") == 1
    assert count("xx") == 1
    assert count("ooxxoxxo") == 1, "a single open frame in between"
    assert count("ooxxooxxo") == 2
    assert count("oxoxoxo") == 1
    assert count("xx" + "." * 20 + "xx") == 2, "the face was away"
    assert count("oooo") == 0


def test_blinks_a_minute_are_of_the_faces_own_time() -> None:
    frames = [[face(measures=SHUT if i % 60 in (5, 6, 7) else OPEN)] for i in range(300)] + [[]] * 300
    (row,) = rows(film(frames))
    assert row["blinks"] == 5
    assert row["blinks_per_minute"] == pytest.approx(30.0)


def test_pose_is_in_degrees_with_its_range() -> None:
    yaws = np.linspace(-0.5, 0.3, 41)
    (row,) = rows(film([[face(pose=Pose(0.1, float(yaw), 0.0))] for yaw in yaws]))
    assert row["yaw_mean_deg"] == pytest.approx(np.degrees(yaws.mean()))
    assert row["yaw_sd_deg"] == pytest.approx(np.degrees(yaws.std(ddof=1)))
    assert (row["yaw_min_deg"], row["yaw_max_deg"]) == pytest.approx(tuple(np.degrees([-0.5, 0.3])))
    assert row["pitch_mean_deg"] == pytest.approx(np.degrees(0.1))


def test_a_smile_is_a_mouth_wider_than_usual_for_its_face() -> None:
    smile = mean_shape()
    mouth = REGIONS["mouth"]
    smile[mouth, 0] *= 1.3
    frames = [[face(points=smile if i % 10 < 2 else None)] for i in range(100)]
    (row,) = rows(film(frames))
    assert row["smile_share"] == pytest.approx(0.2)
    assert row["smile_p95_ratio"] == pytest.approx(1.3, abs=0.02)
    (row,) = rows(film([[face(points=smile)]] * 100))
    assert row["smile_share"] == 0.0, "a face is measured by its own usual width"


def test_turned_heads_do_not_smile() -> None:
    smile = mean_shape()
    smile[REGIONS["mouth"], 0] *= 1.3
    turned = face(points=smile, pose=Pose(0.0, 0.6, 0.0))
    (row,) = rows(film([[face()]] * 50 + [[turned]] * 30))
    assert row["smile_share"] == 0.0


def test_a_picture_has_shares_though_it_has_no_time() -> None:
    summary = FilmSummary()
    for one, seconds in timed([result(0, 0.0, face(None))]):
        summary.add(one, seconds)
    (row,) = summary.rows("a.jpg", "a.jsonl")
    assert (row["face_id"], row["with_face_share"], row["tracked_share"]) == (0, 1.0, 1.0)
    assert row["blinks_per_minute"] is None
    assert FilmSummary().rows("", "")[0]["with_face_share"] == 0.0


def test_cells_are_plain_numbers_and_empty_where_not_known() -> None:
    row = rows(film([[face(pose=None)]] * 10))[0]
    text = dict(zip(COLUMNS, cells(row), strict=True))
    assert text["yaw_mean_deg"] == text["roll_sd_deg"] == ""
    assert (text["seconds"], text["tracked_share"], text["right_eye_open_mean"]) == (
        "0.333",
        "1.0000",
        "0.3000",
    )
    assert text["expression_movement_eye_distances_per_second"] == "0.0000"
    assert text["film"] == "film.mp4"


def test_numbers_that_are_not_finite_do_not_spoil_the_rest(tmp_path: Path) -> None:
    bad = face(points=np.full((68, 2), np.nan))
    path = write(tmp_path / "points.jsonl", film([[face()], [bad], [face()], [face()]]))
    with open_recording(path) as recording:
        (row,) = summarise(recording)
    assert row["tracked_frames"] == 4
    assert np.isfinite(row["confidence_mean"])
    assert np.isfinite(row["mouth_width_median_eye_distances"])
    assert np.isfinite(row["box_side_mean_px"])


def test_rows_are_what_pandas_counts_in_the_table(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    pd = pytest.importorskip("pandas")
    from fkp_live.sinks import CsvSink

    with CsvSink(tmp_path / "points.csv") as sink:
        for one in demo_results:
            sink.write(one)
    with open_recording(tmp_path / "points.csv") as recording:
        (row,) = summarise(recording)
    table = pd.read_csv(tmp_path / "points.csv")
    assert row["frames"] == row["tracked_frames"] == len(table)
    assert row["yaw_mean_deg"] == pytest.approx(np.degrees(-table.pose_Ry.mean()), abs=1e-3)
    assert row["roll_sd_deg"] == pytest.approx(np.degrees(table.pose_Rz.std()), abs=1e-3)
    assert row["mouth_open_mean"] == pytest.approx(table.mouth_open.mean(), abs=1e-6)
    assert row["confidence_mean"] == pytest.approx(table.confidence.mean(), abs=1e-5)
    assert (
        row["head_movement_eye_distances_per_second"]
        > 10 * row["expression_movement_eye_distances_per_second"]
    ), "the demo's head moves, its face does not"


def test_jsonl_and_csv_give_the_same_row(tmp_path: Path, demo_results: list[FrameResult]) -> None:
    from fkp_live.sinks import CsvSink

    jsonl = write(tmp_path / "a.jsonl", demo_results)
    with CsvSink(tmp_path / "b.csv") as sink:
        for one in demo_results:
            sink.write(one)
    found = []
    for path in (jsonl, tmp_path / "b.csv"):
        with open_recording(path) as recording:
            (row,) = summarise(recording, "demo")
        found.append({name: value for name, value in row.items() if name != "recording"})
    for name, value in found[0].items():
        if isinstance(value, float):
            assert value == pytest.approx(found[1][name], abs=2e-3), name
        else:
            assert value == found[1][name]


def test_a_row_can_be_read_back(demo_results: list[FrameResult]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *(cells(row) for row in rows(demo_results))])
    (back,) = csv.DictReader(io.StringIO(text.getvalue()))
    assert back["main"] == "1"
    assert float(back["yaw_max_deg"]) >= float(back["yaw_mean_deg"]) >= float(back["yaw_min_deg"])


def test_shares_of_expressions_are_of_the_time_with_one() -> None:
    # Happy for 20 frames, sad for 10, and 10 without: that part was recorded without them.
    faces = [shown("happy")] * 20 + [shown("sad")] * 10 + [face()] * 10
    (row,) = rows(film([[one] for one in faces]))
    found = [row[name] for name in EXPRESSION_COLUMNS]
    assert found == pytest.approx([0, 2 / 3, 0, 1 / 3, 0, 0, 0], abs=1e-6)
    (without,) = rows(film([[face()]] * 5))
    assert all(without[name] is None for name in EXPRESSION_COLUMNS)
