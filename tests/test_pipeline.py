"""The stages together: on a scene that the test moves by hand, and with the shipped networks on a face."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from shapes import World, face_at

import fkp_live
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.engine import Engine
from fkp_live.geometry import box_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.inference import models
from fkp_live.inference.models import stream_model
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.topology import CHIN, LABELS_RIGHT, MIRROR, NOSE_TIP, REGIONS
from fkp_live.types import FaceBox, Frame, FrameResult, Image, Picture

GREY = np.full((480, 640, 3), 100, np.uint8)
# Middles of the eyes of scikit-image's astronaut, read off the picture.
ASTRONAUT_EYES = np.array([[202.5, 101.0], [247.5, 103.0]])


def _frame(image: Image, index: int, rate: float = 30.0) -> Frame:
    return Frame(BgrPicture(image), index, index / rate, 0.0)


def _pipeline(world: World, **options: object) -> Pipeline:
    chosen = PipelineOptions(**options)  # type: ignore[arg-type]
    return Pipeline(chosen, engine=Engine(detector=world.detector, network=world))


def _walk(pipeline: Pipeline, world: World, scenes: list[list[np.ndarray]]) -> list[FrameResult]:
    results = []
    for index, faces in enumerate(scenes):
        world.faces = faces
        results.append(pipeline.process(_frame(GREY, index)))
    return results


@pytest.fixture(scope="module")
def astronaut() -> Image:
    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="module")
def landmarker() -> FaceLandmarker:
    return FaceLandmarker(provider="cpu")


def test_two_faces_come_largest_first_with_all_that_is_known() -> None:
    world = World()
    result = _walk(_pipeline(world), world, [[face_at(150, 200, 40), face_at(420, 200, 70)]] * 3)[-1]
    assert [face.id for face in result.faces] == [2, 1]
    for face in result.faces:
        assert face.points.shape == (68, 2)
        assert face.points.dtype == face.confidence.dtype == face.box.dtype == np.float32
        np.testing.assert_array_equal(face.box, box_of(face.points))
        assert face.raw is not None
        assert face.pose is not None
        assert face.measures is not None
        assert 0 <= face.score <= 1
    assert not result.detected
    assert set(result.timings) == {"detect", "landmark", "track", "smooth", "measure"}
    assert min(result.timings.values()) >= 0


def test_the_largest_face_is_that_of_the_largest_box() -> None:
    world = World()
    wide = (face_at(0, 0) * [1.3, 1.0] + [150, 200]).astype(
        np.float32
    )  # the longer side, but not the larger area
    square = face_at(400, 200, 70.0)
    lefts = [round(400 - 0.82 * 70), round(150 - 1.3 * 0.82 * 60)]
    for result in _walk(_pipeline(world), world, [[wide, square]] * 3):
        assert [round(float(face.box[0])) for face in result.faces] == lefts


def test_the_detector_looks_at_the_first_frame_and_then_rarely() -> None:
    world = World()
    results = _walk(_pipeline(world, detect_every=8), world, [[face_at(300, 200)]] * 17)
    assert [i for i, result in enumerate(results) if result.detected] == [0, 8, 16]
    assert world.looks == 3


def test_all_faces_of_a_frame_take_one_run() -> None:
    world = World()
    _walk(_pipeline(world), world, [[face_at(90 + 150 * i, 200, 40) for i in range(4)]] * 20)
    assert (
        world.runs == 21
    )  # in the first frame the faces are new, and looked at to see which way up they are
    assert len(world.matrices) == 4


def test_an_empty_frame_costs_no_run() -> None:
    world = World()
    results = _walk(_pipeline(world), world, [[]] * 10)
    assert world.runs == 0
    assert all(result.faces == () for result in results)


def test_points_are_smoothed_and_the_raw_ones_kept() -> None:
    world = World(noise=0.15)
    results = _walk(_pipeline(world, smooth="medium"), world, [[face_at(300, 200)]] * 60)
    smooth = np.stack([result.faces[0].points for result in results[10:]])
    raw = np.stack([result.faces[0].raw for result in results[10:]])
    assert smooth.std(0).mean() < 0.6 * raw.std(0).mean()
    off = World(noise=0.15)
    face = _walk(_pipeline(off, smooth="off"), off, [[face_at(300, 200)]] * 5)[-1].faces[0]
    np.testing.assert_array_equal(face.points, face.raw)


def test_a_lost_face_leaves_no_points_behind() -> None:
    world = World()
    results = _walk(_pipeline(world), world, [[face_at(300, 200)]] * 5 + [[]] * 3)
    assert [len(result.faces) for result in results] == [1] * 5 + [0] * 3


def test_smoothing_can_be_changed_while_a_stream_runs() -> None:
    world = World([face_at(300, 200)], noise=0.15)
    pipeline = _pipeline(world, smooth="off")
    begin = [pipeline.process(_frame(GREY, index)).faces[0] for index in range(5)]
    assert all(np.array_equal(face.points, face.raw) for face in begin)
    pipeline.set_smoothing("strong")
    assert pipeline.options.smooth == "strong"
    after = [pipeline.process(_frame(GREY, index)).faces[0] for index in range(5, 65)]
    assert {face.id for face in after} == {begin[0].id}
    smooth, raw = (
        np.stack(points)[10:] for points in zip(*((face.points, face.raw) for face in after), strict=True)
    )
    assert smooth.std(0).mean() < 0.6 * raw.std(0).mean()
    with pytest.raises(ValueError, match="smooth is 'much', expected one of off, light"):
        pipeline.set_smoothing("much")
    assert pipeline.options.smooth == "strong"


def test_a_face_that_comes_back_is_not_smoothed_towards_where_it_was() -> None:
    world = World()
    scenes = [[face_at(300, 200)]] * 5 + [[]] * 4 + [[face_at(330, 210)]] * 4
    results = _walk(_pipeline(world, smooth="strong"), world, scenes)
    back = next(result.faces[0] for result in results[9:] if result.faces)
    assert back.id == 1
    np.testing.assert_array_equal(back.points, back.raw)


def test_what_a_caller_paints_over_is_not_found() -> None:
    with open_source(demo_clip(), max_frames=2) as source:
        frame = next(source)
    hidden = frame.image.copy()
    hidden[:] = 0
    engine = Engine("cpu")
    assert len(Pipeline(engine=engine).process(frame).faces) == 1
    assert len(Pipeline(engine=engine).process_image(hidden, 0.0).faces) == 0


def test_pipelines_that_share_an_engine_know_its_model_and_keep_samples_as_they_are() -> None:
    """Given the networks alone, they lost provider, name and hash, and converted every picture to BGR."""
    engine = Engine("cpu", "fkp68-tiny")
    one, two = Pipeline(engine=engine), Pipeline(PipelineOptions(smooth="off"), engine=engine)
    for pipeline in (one, two):
        assert pipeline.engine is engine
        assert (pipeline.engine.provider, pipeline.engine.model_name) == ("cpu", "fkp68-tiny")
        assert len(pipeline.engine.model_sha256) == 64
    with open_source(demo_clip(), max_frames=3) as source:
        for frame in source:
            results = [pipeline.process(frame) for pipeline in (one, two)]
            np.testing.assert_array_equal(results[0].faces[0].raw, results[1].faces[0].raw)
            assert isinstance(frame.picture, Yuv420Picture)
            assert frame.picture._bgr is None


def test_reset_starts_another_stream() -> None:
    world = World()
    pipeline = _pipeline(world)
    _walk(pipeline, world, [[face_at(300, 200)]] * 5)
    pipeline.reset()
    result = _walk(pipeline, world, [[face_at(300, 200)]])[0]
    assert result.detected
    assert [face.id for face in result.faces] == [2]


@pytest.mark.parametrize("again", [1, 7, 0])
def test_nobody_is_followed_over_a_loss_of_the_source(again: int) -> None:
    """The face is where it was, 1/30 s later, and yet may be another one's."""
    world = World()
    pipeline = _pipeline(world, smooth="strong")
    ids, points = [], []
    for index, (x, connection) in enumerate([(150, 3)] * 5 + [(154, again)] * 2):
        world.faces = [face_at(x, 200, 40)]
        (face,) = pipeline.process(replace(_frame(GREY, index), connection=connection)).faces
        ids.append(face.id)
        points.append(face.points)
    assert ids == [1] * 5 + [2] * 2
    np.testing.assert_allclose(points[5], world.faces[0], atol=0.5)


def test_the_landmarker_keeps_nothing_and_gives_no_ids() -> None:
    world = World(faces=[face_at(150, 200, 40), face_at(420, 200, 70)])
    landmarker = FaceLandmarker(engine=Engine(detector=world.detector, network=world))
    faces = landmarker(GREY)
    assert [face.id for face in faces] == [None, None]
    assert np.ptp(faces[0].points[:, 0]) > np.ptp(faces[1].points[:, 0])
    assert len(FaceLandmarker(max_faces=1, engine=Engine(detector=world.detector, network=world))(GREY)) == 1
    world.faces = []
    assert landmarker(GREY) == []


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((480, 640), np.uint8), r"\(480, 640\)"),
        (np.zeros((480, 640, 4), np.uint8), r"\(480, 640, 4\)"),
        (np.zeros((480, 640, 3), np.float32), "float32"),
        (np.zeros((0, 640, 3), np.uint8), r"\(0, 640, 3\)"),
        ([[1, 2], [3, 4]], "list"),
        (None, "NoneType"),
    ],
    ids=["grey", "alpha", "float", "empty", "list", "none"],
)
def test_a_picture_of_the_wrong_kind_is_refused(image: object, says: str) -> None:
    world = World()
    landmarker = FaceLandmarker(engine=Engine(detector=world.detector, network=world))
    with pytest.raises(ValueError, match=says):
        landmarker(image)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="BGR"):
        landmarker.landmarks(image, [[0, 0, 10, 10]])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8"):
        _pipeline(world).process_image(image, 0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("time", [np.nan, np.inf, -np.inf])
def test_a_time_that_is_not_finite_is_refused(time: float) -> None:
    """No JSON holds it, and no video."""
    with pytest.raises(ValueError, match=f"time is {time}, expected seconds"):
        _pipeline(World()).process_image(GREY, time)


@pytest.mark.parametrize("boxes", [[[0, 0, 10]], [[10, 0, 0, 10]], [[0, 0, np.nan, 10]]])
def test_boxes_that_are_none_are_refused(boxes: list[list[float]]) -> None:
    world = World()
    with pytest.raises(ValueError, match="box"):
        FaceLandmarker(engine=Engine(detector=world.detector, network=world)).landmarks(GREY, boxes)


def test_no_boxes_give_no_points() -> None:
    world = World()
    points = FaceLandmarker(engine=Engine(detector=world.detector, network=world)).landmarks(
        GREY, np.empty((0, 4))
    )
    assert points.shape == (0, 68, 2)


def test_the_package_loads_nothing_until_it_is_asked() -> None:
    code = "import sys, fkp_live; print(fkp_live.__version__, 'numpy' in sys.modules, 'cv2' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [fkp_live.__version__, "False", "False"]
    assert set(fkp_live.__all__) <= set(dir(fkp_live))
    assert fkp_live.FaceLandmarker is FaceLandmarker
    with pytest.raises(AttributeError, match="nonsense"):
        _ = fkp_live.nonsense


def _meaning(points: np.ndarray) -> None:
    middle = {name: points[numbers].mean(0) for name, numbers in REGIONS.items()}
    assert (
        middle["right_brow"][1]
        < middle["right_eye"][1]
        < points[NOSE_TIP, 1]
        < middle["mouth"][1]
        < points[CHIN, 1]
    )
    assert middle["right_eye"][0] < points[NOSE_TIP, 0] < middle["left_eye"][0]


def test_the_astronaut_has_one_face_and_eyes_where_they_are(
    astronaut: Image, landmarker: FaceLandmarker
) -> None:
    (face,) = landmarker(astronaut)
    _meaning(face.points)
    eyes = np.stack([face.points[REGIONS[name]].mean(0) for name in ("right_eye", "left_eye")])
    np.testing.assert_allclose(eyes, ASTRONAUT_EYES, atol=4)
    assert face.confidence.mean() > 0.6
    assert face.measures is not None
    assert not face.measures.blink
    assert face.pose is not None
    assert abs(np.degrees(face.pose.yaw)) < 35


def test_points_move_by_the_shift(astronaut: Image, landmarker: FaceLandmarker) -> None:
    (here,) = landmarker(astronaut)
    (there,) = landmarker(np.roll(astronaut, (24, 40), (0, 1)))
    np.testing.assert_allclose(there.points - here.points, np.tile([[40.0, 24.0]], (68, 1)), atol=1.5)


def test_the_mirrored_picture_has_the_mirrored_points(astronaut: Image, landmarker: FaceLandmarker) -> None:
    (face,) = landmarker(astronaut)
    (mirrored,) = landmarker(np.ascontiguousarray(astronaut[:, ::-1]))
    back = mirrored.points[MIRROR] * [-1, 1] + [astronaut.shape[1] - 1, 0]
    assert np.linalg.norm(back - face.points, axis=1).mean() < 3
    assert face.pose is not None
    assert mirrored.pose is not None
    assert mirrored.pose.yaw == pytest.approx(-face.pose.yaw, abs=0.12)


def test_threads_may_share_a_landmarker(astronaut: Image, landmarker: FaceLandmarker) -> None:
    images = [np.roll(astronaut, 12 * k, 1) for k in range(8)]
    alone = [landmarker(image)[0] for image in images]
    boxes = [face.box for face in alone]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(landmarker, images * 5))
        points = list(pool.map(landmarker.landmarks, images * 5, boxes * 5))
    for k, (found, given) in enumerate(zip(together, points, strict=True)):
        (face,) = found
        np.testing.assert_array_equal(face.points, alone[k % 8].points)
        np.testing.assert_array_equal(given, landmarker.landmarks(images[k % 8], boxes[k % 8]))


def test_a_pipeline_is_for_one_thread_at_a_time() -> None:
    world, inside, leave = World(), Event(), Event()

    def detect(_: object) -> list[FaceBox]:
        inside.set()
        assert leave.wait(30)
        return []

    pipeline = Pipeline(engine=Engine(detector=detect, network=world))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pipeline.process, _frame(GREY, 0))
        assert inside.wait(30)
        with pytest.raises(RuntimeError, match="at work in another thread"):
            pipeline.process(_frame(GREY, 1))
        leave.set()
        assert first.result().faces == ()
    assert pipeline.process(_frame(GREY, 1)).index == 1


def test_a_picture_that_is_refused_changes_nothing() -> None:
    """A time that goes back begins a new stream, but not for a thread that has to stay outside."""
    world, inside, leave = World(), Event(), Event()
    world.faces = [face_at(320, 240)]

    def detect(picture: Picture) -> list[FaceBox]:
        inside.set()
        assert leave.wait(30)
        return world.detector(picture)

    pipeline = Pipeline(PipelineOptions(detect_every=1), engine=Engine(detector=detect, network=world))
    leave.set()
    assert [face.id for face in pipeline.process_image(GREY, 5.0).faces] == [1]
    inside.clear()
    leave.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pipeline.process_image, GREY, 5.04)
        assert inside.wait(30)
        with pytest.raises(RuntimeError, match="at work in another thread"):
            pipeline.process_image(GREY, 1.0)
        leave.set()
        assert [face.id for face in first.result().faces] == [1]
    # No warning, which would be an error here: the stream is where it was.
    assert pipeline.process_image(GREY, 5.08).index == 2


def test_a_failure_does_not_leave_the_pipeline_taken() -> None:
    def detect(_: object) -> list[FaceBox]:
        raise OSError("the detector")

    pipeline = Pipeline(engine=Engine(detector=detect, network=World()))
    for index in range(2):
        with pytest.raises(OSError, match="the detector"):
            pipeline.process(_frame(GREY, index))


def test_a_time_that_goes_back_begins_a_new_stream() -> None:
    world = World()
    world.faces = [face_at(320, 240)]
    pipeline = _pipeline(world)
    ids = [pipeline.process_image(GREY, time).faces[0].id for time in (5.0, 5.04, 5.0, 5.08)]
    with pytest.warns(RuntimeWarning, match=r"went back from 5.080 to 1.000 s"):
        later = pipeline.process_image(GREY + 20, 1.0)
    assert ids == [1] * 4
    assert later.detected
    assert pipeline.process_image(GREY, 1.04).faces[0].id == 2


@pytest.mark.parametrize("frame", [GREY, "film.mp4", None], ids=["array", "name", "none"])
def test_what_is_not_a_frame_is_refused(frame: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a Frame of open_source; for a picture: process_image\("):
        _pipeline(World()).process(frame)


@pytest.mark.parametrize("time", [np.nan, np.inf])
def test_a_time_that_is_not_finite_is_refused_from_a_frame_too(time: float) -> None:
    pipeline = _pipeline(World())
    with pytest.raises(ValueError, match="expected seconds"):
        pipeline.process(Frame(BgrPicture(GREY), 0, time, 0.0))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"provider": "gpu"}, ValueError, "provider is 'gpu', expected one of auto, cpu"),
        ({"smooth": "much"}, ValueError, "smooth is 'much', expected one of off, light"),
        ({"smooth": None}, ValueError, "smooth is None"),
        ({"detect_every": 0}, ValueError, "detect_every is 0, expected 1 or more"),
        ({"detect_every": 2.5}, TypeError, "detect_every is 2.5, expected a whole number"),
        ({"max_faces": 0}, ValueError, "max_faces is 0, expected 1 or more, or None"),
        ({"max_faces": True}, TypeError, "max_faces is True"),
        ({"min_face": float("nan")}, ValueError, "min_face is nan"),
        ({"min_face": -1}, ValueError, "min_face is -1"),
        ({"min_face": "40"}, TypeError, "min_face is '40', expected a number of pixels"),
        ({"min_face": True}, TypeError, "min_face is True"),
        ({"model": 5}, TypeError, "model is 5, expected a name, a path, or None"),
        ({"threads": 0}, ValueError, "threads is 0"),
    ],
)
def test_options_are_checked_when_they_are_made(
    options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        PipelineOptions(**options)


def test_options_are_the_dataclass() -> None:
    with pytest.raises(TypeError, match="options is 'medium', expected PipelineOptions"):
        Pipeline("medium")  # type: ignore[arg-type]


def test_options_may_be_numbers_of_numpy() -> None:
    assert PipelineOptions(min_face=np.float32(40), max_faces=np.int64(2)).max_faces == 2  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("most", "error"),
    [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError), (True, TypeError)],
)
def test_what_is_no_number_of_faces_is_refused(most: Any, error: type[Exception]) -> None:
    world = World()
    with pytest.raises(error, match=f"max_faces is {most!r}"):
        FaceLandmarker(max_faces=most, engine=Engine(detector=world.detector, network=world))


def test_a_box_given_needs_no_detector(astronaut: Image, landmarker: FaceLandmarker) -> None:
    (face,) = landmarker(astronaut)
    points = landmarker.landmarks(astronaut, np.stack([face.box, face.box + 2]))
    assert points.shape == (2, 68, 2)
    assert points.dtype == np.float32
    assert np.linalg.norm(points - face.points, axis=-1).mean() < 3


def test_a_second_look_mends_a_loose_box(astronaut: Image, landmarker: FaceLandmarker) -> None:
    (face,) = landmarker(astronaut)
    loose = face.box + np.float32([-30, -25, 10, 30])
    off = [
        np.linalg.norm(landmarker.landmarks(astronaut, loose, looks=looks)[0] - face.points, axis=-1).mean()
        for looks in (1, 2)
    ]
    assert off[1] < 0.7 * off[0]
    with pytest.raises(ValueError, match="looks is 3, expected 1 or 2"):
        landmarker.landmarks(astronaut, loose, looks=3)


def test_with_the_mirror_image_a_mirrored_picture_gives_the_same(
    astronaut: Image, landmarker: FaceLandmarker
) -> None:
    (face,) = landmarker(astronaut)
    width = astronaut.shape[1]
    box = np.round(face.box) + np.float32([-2, -1, 0, 1])
    other = box[[2, 1, 0, 3]] * (-1, 1, -1, 1) + (width - 1, 0, width - 1, 0)
    here = landmarker.landmarks(astronaut, box, looks=1, flip=True)[0]
    there = landmarker.landmarks(astronaut[:, ::-1].copy(), other, looks=1, flip=True)[0, MIRROR]
    # Points lie a little to the right of what they name, in the mirror too.
    shift = 2 * LABELS_RIGHT * (box[2:] - box[:2]).max()
    np.testing.assert_allclose(width - 1 - there[:, 0] + shift, here[:, 0], atol=0.2)
    np.testing.assert_allclose(there[:, 1], here[:, 1], atol=0.2)
    plain = landmarker.landmarks(astronaut, box, looks=1)[0]
    assert 0.05 < np.linalg.norm(plain - here, axis=-1).mean() < 2
    empty = landmarker.landmarks(astronaut, np.empty((0, 4)), flip=True)
    assert empty.shape == (0, 68, 2)


def test_several_pictures_at_once(astronaut: Image, landmarker: FaceLandmarker) -> None:
    pictures = [astronaut, GREY, astronaut[:300].copy()]
    for given in (pictures, tuple(pictures), []):
        found = landmarker(given)
        assert [len(faces) for faces in found] == [1, 0, 1][: len(given)]
        for faces, picture in zip(found, given, strict=True):
            for face, alone in zip(faces, landmarker(picture), strict=True):
                np.testing.assert_array_equal(face.points, alone.points)


def test_a_landmarker_is_pickled_by_its_options(astronaut: Image, tmp_path: Path) -> None:
    own = tmp_path / "own.onnx"
    shutil.copy(models.resolve_model("fkp68-tiny"), own)
    for landmarker in (FaceLandmarker("cpu", "fkp68-tiny", 1, min_face=30), FaceLandmarker("cpu", own)):
        packed = pickle.dumps(landmarker)
        again = pickle.loads(packed)
        assert len(packed) < 500
        assert again.max_faces == landmarker.max_faces
        assert again.engine.model_sha256 == landmarker.engine.model_sha256
        np.testing.assert_array_equal(again(astronaut)[0].points, landmarker(astronaut)[0].points)
    stream = pickle.loads(pickle.dumps(Engine.for_streams(PipelineOptions(provider="cpu"))))
    assert stream.model_name == stream_model("cpu")
    with pytest.raises(TypeError, match="of the caller's"):
        pickle.dumps(Engine(network=World()))


@pytest.mark.parametrize("picture", ["black", "noise", "bricks", "checkerboard"])
def test_no_face_is_found_where_there_is_none(picture: str, landmarker: FaceLandmarker) -> None:
    image = {
        "black": lambda: np.zeros((480, 640, 3), np.uint8),
        "noise": lambda: np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8),
        "bricks": lambda: cv2.cvtColor(skimage.data.brick(), cv2.COLOR_GRAY2BGR),
        "checkerboard": lambda: np.ascontiguousarray(skimage.data.checkerboard()[..., None].repeat(3, 2)),
    }[picture]()
    assert landmarker(image) == []


def test_a_moving_face_keeps_its_id_and_its_points(astronaut: Image) -> None:
    pipeline = Pipeline(PipelineOptions(provider="cpu", detect_every=10))
    shifts = [(round(25 * np.sin(i / 5)), 2 * i) for i in range(40)]
    tracks = []
    for i, (down, right) in enumerate(shifts):
        result = pipeline.process(_frame(np.roll(astronaut, (down, right), (0, 1)), i))
        (face,) = result.faces
        assert face.id == 1
        _meaning(face.points)
        tracks.append(face.points - [right, down])
    assert max(np.linalg.norm(b - a, axis=1).mean() for a, b in pairwise(tracks)) < 2.5
    assert pipeline.engine.provider == "cpu"
    assert pipeline.engine.model_name == stream_model("cpu")
    assert len(pipeline.engine.model_sha256) == 64


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_only_is_listed_does_not_cost_the_cpu_its_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "has_vnni", lambda: True)
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: names)
    pipeline = Pipeline()
    assert (pipeline.engine.provider, pipeline.engine.model_name) == ("cpu", "fkp68-medium-int8")
    assert "cuda is listed but does not run" in pipeline.engine.note
    assert Pipeline(PipelineOptions(model="fkp68")).engine.model_name == "fkp68"


def test_the_face_is_gone_with_the_picture(astronaut: Image) -> None:
    """Points must not stay on a wall, on a cut and when the face is painted over without one."""
    pipeline = Pipeline(PipelineOptions(provider="cpu", detect_every=1000))
    covered = astronaut.copy()
    covered[40:190, 150:300] = covered[5:25, 5:25].mean((0, 1)).astype(np.uint8)
    images = [astronaut] * 4 + [covered] * 4 + [astronaut] * 4 + [np.full_like(astronaut, 40)] * 3
    counts = [len(pipeline.process(_frame(image, i)).faces) for i, image in enumerate(images)]
    assert counts[:4] == [1] * 4
    assert counts[4:8] == [0] * 4
    assert counts[11] == 1
    assert counts[12:] == [0] * 3
