"""The work at one item, by the shipped networks on real faces."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from batch_archives import face_film, face_picture

from fkp_live.batch.items import Item, Segment, list_items
from fkp_live.batch.work import Job, Plan, Worker, _is_disk
from fkp_live.choices import PipelineOptions
from fkp_live.errors import OutputError
from fkp_live.inference.models import PICTURE_MODEL, stream_model
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Image

OPTIONS = PipelineOptions(provider="cpu", model="fkp68")


@pytest.fixture(scope="module")
def worker() -> Worker:
    return Worker(Plan("jsonl", OPTIONS))


def planned(worker: Worker, **plan: object) -> Worker:
    """The same networks under another plan."""
    other = object.__new__(Worker)
    other.__dict__.update(worker.__dict__, _plan=Plan(**{"form": "jsonl", "pipeline": OPTIONS, **plan}))  # type: ignore[arg-type]
    return other


def job(tmp_path: Path, path: Path, segment: Segment | None = None) -> Job:
    (item,) = list_items([str(path)]).items
    folder = tmp_path / "attempt"
    folder.mkdir(exist_ok=True)
    return Job(item if segment is None else item.part(segment, 1.0), folder)


def test_a_film_gives_what_a_run_gives(tmp_path: Path, worker: Worker, astronaut: Image) -> None:
    film = face_film(tmp_path / "a.mp4", astronaut)
    told: list[tuple[int, int | None]] = []
    report = worker.do(job(tmp_path, film), lambda frames, total: told.append((frames, total)))
    assert (report["status"], report["frames"], report["faces"], report["ids"]) == ("ok", 8, 8, 1)
    assert report["model"]["sha256"] == worker.engine.model_sha256
    assert "licence" in report["model"]
    assert told[0] == (1, 8)
    with open_source(film) as source:
        pipeline = Pipeline(OPTIONS, engine=worker.engine)
        expected = [pipeline.process(frame) for frame in source]
    with open_recording(tmp_path / "attempt" / "points.jsonl") as recording:
        assert recording.header["source"]["name"] == str(film)
        for result, wanted in zip(recording, expected, strict=True):
            assert result.time == pytest.approx(wanted.time, abs=1e-6)
            assert np.abs(result.faces[0].points - wanted.faces[0].points).max() < 0.006
    # The face moves by 2 pixels a frame.
    moved = expected[-1].faces[0].points - expected[0].faces[0].points
    assert moved.mean(0)[0] == pytest.approx(14, abs=2.5)


def test_pictures_get_the_accurate_network_and_films_the_fast_one(tmp_path: Path, astronaut: Image) -> None:
    worker = Worker(Plan("jsonl", PipelineOptions(provider="cpu")))
    film = worker.do(job(tmp_path, face_film(tmp_path / "a.mp4", astronaut)))
    picture = worker.do(job(tmp_path, face_picture(tmp_path / "p.png", astronaut)))
    assert (film["model"]["name"], picture["model"]["name"]) == (stream_model("cpu"), PICTURE_MODEL)
    with open_recording(tmp_path / "attempt" / "points.jsonl") as recording:
        (result,) = recording
        assert recording.header["model"]["name"] == PICTURE_MODEL
    (expected,) = FaceLandmarker("cpu")(cv2.imread(str(tmp_path / "p.png")))
    assert np.abs(result.faces[0].points - expected.points).max() < 0.006


def test_a_model_that_is_named_serves_films_and_pictures(
    tmp_path: Path, worker: Worker, astronaut: Image
) -> None:
    report = worker.do(job(tmp_path, face_picture(tmp_path / "p.png", astronaut)))
    assert report["model"]["name"] == "fkp68"


def test_annotated_films_and_crops(tmp_path: Path, worker: Worker, astronaut: Image) -> None:
    film = face_film(tmp_path / "a.mp4", astronaut)
    report = planned(worker, annotate=True, crops=96).do(job(tmp_path, film))
    folder = tmp_path / "attempt"
    assert report["files"] == {
        "points": "points.jsonl",
        "annotated": "annotated.mp4",
        "crops": ["crop-1.jpg"],
    }
    with open_source(folder / "annotated.mp4") as source, open_source(film) as clean:
        painted = [np.abs(a.image.astype(int) - b.image).max() for a, b in zip(source, clean, strict=True)]
    assert min(painted) > 60
    crop = cv2.imread(str(folder / "crop-1.jpg"))
    assert crop.shape == (96, 96, 3)
    (face,) = FaceLandmarker(engine=worker.engine)(crop)
    assert face.box[0] > 10
    assert face.box[2] < 86
    assert face.pose is not None
    assert abs(face.pose.roll) < 0.08  # its eyes are level


def test_undecodable_bytes_of_a_name_are_readable_in_the_header(
    tmp_path: Path, worker: Worker, astronaut: Image
) -> None:
    picture = face_picture(tmp_path / "p.png", astronaut).rename(tmp_path / "p\udcff.png")
    assert worker.do(job(tmp_path, picture))["status"] == "ok"
    with open_recording(tmp_path / "attempt" / "points.jsonl") as recording:
        assert recording.header["source"]["name"].endswith("p\\udcff.png")


def test_a_picture_is_looked_at_alone(tmp_path: Path, worker: Worker, astronaut: Image) -> None:
    picture = face_picture(tmp_path / "p.png", astronaut)
    report = planned(worker, annotate=True, crops=64).do(job(tmp_path, picture))
    assert (report["status"], report["frames"], report["faces"]) == ("ok", 1, 1)
    assert report["files"] == {
        "points": "points.jsonl",
        "annotated": "annotated.png",
        "crops": ["crop-0.jpg"],
    }
    with open_recording(tmp_path / "attempt" / "points.jsonl") as recording:
        (result,) = recording
    image = cv2.imread(str(picture))
    (expected,) = FaceLandmarker(engine=worker.engine)(image)
    assert result.faces[0].id is None
    assert np.abs(result.faces[0].points - expected.points).max() < 0.006
    painted = cv2.imread(str(tmp_path / "attempt" / "annotated.png"))
    assert painted.shape == image.shape
    assert (painted != image).any()


def test_without_a_face_there_is_a_result(tmp_path: Path, worker: Worker) -> None:
    path = tmp_path / "grey.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), 128, np.uint8))
    report = planned(worker, crops=64).do(job(tmp_path, path))
    assert (report["status"], report["faces"], report["files"]["crops"]) == ("ok", 0, [])


def test_parts_of_a_film_are_all_of_it(tmp_path: Path, worker: Worker, astronaut: Image) -> None:
    film = face_film(tmp_path / "a.mp4", astronaut, frames=75)  # 2.5 s
    divided = planned(worker, segment=1.0)
    frames, starts = 0, []
    for segment in (Segment(0, 0.0, None), Segment(1, 1.0, None)):
        report = divided.do(job(tmp_path, film, segment))
        assert report["status"] == "ok"
        frames += report["frames"]
        starts.append((report["segment"]["start"], report["segment"]["end"]))
        with open_recording(tmp_path / "attempt" / "points.jsonl") as recording:
            results = list(recording)
        assert results[0].index == 0
        assert results[0].time == pytest.approx(report["segment"]["start"])
        assert results[0].faces[0].id == 1
    assert frames == 75
    assert starts == [(0.0, 1.0), (1.0, None)]
    assert report["duration"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", "is empty"),
        ("a.mp4", b"no film at all", "is not a video that can be read"),
        ("a.png", b"no picture", "is not a picture that can be read"),
    ],
)
def test_a_broken_item_is_a_failure_with_its_name(
    tmp_path: Path, worker: Worker, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    report = worker.do(job(tmp_path, tmp_path / name))
    assert report["status"] == "failed"
    assert name in report["error"]
    assert message in report["error"]
    json.dumps(report)


def test_a_file_that_is_gone_is_a_failure(tmp_path: Path, worker: Worker) -> None:
    item = Item("0" * 32, "gone.mp4", str(tmp_path / "gone.mp4"), "film")
    report = worker.do(Job(item, tmp_path))
    assert (report["status"], "gone.mp4" in report["error"]) == ("failed", True)


def test_an_unexpected_error_of_one_item_is_a_failure_too(
    tmp_path: Path, worker: Worker, astronaut: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pipeline, "process", lambda *_: 1 / 0)
    report = worker.do(job(tmp_path, face_film(tmp_path / "a.mp4", astronaut)))
    assert (report["status"], report["error"]) == ("failed", "ZeroDivisionError: division by zero")


def test_a_full_disk_ends_more_than_the_item(tmp_path: Path) -> None:
    full, long = OutputError("x cannot be written"), OutputError("H.264 ends at 16384")
    full.__cause__ = OSError(28, "No space left on device")
    long.__cause__ = OSError(36, "File name too long")
    assert _is_disk(full)
    assert not _is_disk(long)
    assert not _is_disk(OSError(28, "No space left on device"))


def test_the_options_of_the_results_know_the_model_by_its_content(tmp_path: Path) -> None:
    from fkp_live.inference.models import resolve_model

    copy = tmp_path / "own.onnx"
    copy.write_bytes(resolve_model("fkp68").read_bytes())
    shipped = Plan("csv", PipelineOptions(model="fkp68")).options()
    assert Plan("csv", PipelineOptions(model=copy)).options() == shipped
    copy.write_bytes(b"other")
    assert Plan("csv", PipelineOptions(model=copy)).options() != shipped
    assert Plan("csv", PipelineOptions(smooth="off", model="fkp68")).options() != shipped
