from __future__ import annotations

import copy
import dataclasses
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from shapes import face_at

from fkp_live import geometry
from fkp_live.choices import PipelineOptions
from fkp_live.colour import ColourSpace
from fkp_live.display.overlay import Hud, draw
from fkp_live.images import warping
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.pipeline import Pipeline
from fkp_live.sinks import VideoSink
from fkp_live.sources import open_source
from fkp_live.types import Face, Frame, FrameResult, Image

DEMO = Path(str(resources.files("fkp_live") / "assets" / "demo.mp4"))
BT601, BT709 = ColourSpace(6), ColourSpace(1)
MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def flat(*bgr: int) -> Image:
    return np.full((32, 48, 3), bgr, np.uint8)


@pytest.mark.parametrize(
    ("colour", "bgr", "samples"),
    [
        # Brightness, blue and red difference of the primaries, as in the colour bars of both standards.
        (BT601, (0, 0, 255), (81, 90, 240)),
        (BT601, (255, 0, 0), (41, 240, 110)),
        (BT709, (0, 0, 255), (63, 102, 240)),
        (BT709, (0, 255, 0), (173, 42, 26)),
        (BT709, (255, 255, 255), (235, 128, 128)),
        (ColourSpace(2), (0, 0, 0), (16, 128, 128)),
    ],
)
def test_colours_are_those_of_the_standards(
    colour: ColourSpace, bgr: tuple[int, ...], samples: tuple[int, ...]
) -> None:
    planes = Yuv420Picture.from_bgr(flat(*bgr), colour)
    found = [int(plane[4, 4]) for plane in (planes.luma, *planes.chroma)]
    assert found == pytest.approx(samples, abs=1)
    assert np.abs(planes.bgr().astype(int) - flat(*bgr)).max() <= 3


def test_matrices_that_nobody_here_knows_are_refused() -> None:
    assert ColourSpace(9).known is False  # BT.2020
    assert ColourSpace(2).known


@pytest.mark.parametrize("colour", [BT601, BT709])
@pytest.mark.parametrize("scale", [1.3, 0.6, 0.4, 0.2, 0.1])
def test_crops_are_those_of_the_whole_picture(astronaut: Image, colour: ColourSpace, scale: float) -> None:
    planes = Yuv420Picture.from_bgr(astronaut, colour)
    turn = geometry.rotation(0.2)
    matrix = geometry.compose(np.array([[scale, 0.0, -60.0 * scale], [0.0, scale, 20.0]]), turn)
    crop, expected = planes.warp(matrix, 112), warping.warp(planes.bgr(), matrix, 112)
    assert crop.shape == (112, 112, 3)
    assert np.abs(crop.astype(int) - expected).mean() < 2.0


@pytest.mark.parametrize("scale", [0.7, 0.3, 0.13])
@pytest.mark.parametrize("shift", [0.0, 0.31, 1.0])
def test_a_coloured_spot_is_where_it_is_in_the_whole_picture(scale: float, shift: float) -> None:
    """To a twentieth of a pixel, in brightness as in colour."""
    rows, columns = np.mgrid[:1000, :1200]
    x, y = 611.4, 487.7
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (6 / scale) ** 2))
    picture = np.full((1000, 1200, 3), 40.0)
    picture[..., 2] += 200 * spot
    matrix = geometry.compose(
        np.array([[scale, 0.0, 56 - scale * x + shift], [0.0, scale, 56 - scale * y]]), geometry.rotation(0.0)
    )
    crop = Yuv420Picture.from_bgr(picture.astype(np.uint8), BT601).warp(matrix, 112).astype(float)
    v, u = np.mgrid[:112, :112]
    for weights in (crop[..., 2] - crop[..., 0], crop.sum(-1) - crop[:4, :4].sum(-1).mean()):
        found = np.array([(u * weights).sum(), (v * weights).sum()]) / weights.sum()
        np.testing.assert_allclose(found, geometry.apply(matrix, [[x, y]])[0], atol=0.05)


@pytest.mark.parametrize("scale", [1.0, 0.2])
def test_outside_the_picture_is_black(astronaut: Image, scale: float) -> None:
    planes = Yuv420Picture.from_bgr(astronaut, BT709)
    assert planes.warp(np.array([[scale, 0, 200], [0, scale, 200]]), 112).max() == 0
    half = planes.warp(np.array([[scale, 0, 56], [0, scale, 0]]), 112)
    assert half[:, :54].max() == 0
    assert half[:100, 60:100].max(-1).mean() > 50


def test_reduced_copies_are_those_of_the_whole_picture(astronaut: Image) -> None:
    small = Yuv420Picture.from_bgr(astronaut, BT601).reduced((200, 160), cv2.INTER_LINEAR)
    expected = cv2.resize(astronaut, (200, 160), interpolation=cv2.INTER_LINEAR)
    assert small.shape == (160, 200, 3)
    assert np.abs(small.astype(int) - expected).mean() < 4.0


def face(x: float, y: float, eyes: float) -> Face:
    angle = np.linspace(0, 2 * np.pi, 68)
    points = np.stack([x + eyes * np.cos(angle), y + eyes * np.sin(angle)], 1).astype(np.float32)
    return Face(points, np.full(68, 0.9, np.float32), geometry.box_of(points), 0.9, 1)


@pytest.mark.parametrize("eyes", [20.0, 40.0, 120.0])
def test_painting_looks_as_it_does_on_bgr_and_touches_nothing_else(astronaut: Image, eyes: float) -> None:
    planes = Yuv420Picture.from_bgr(astronaut, BT709)
    clean = planes.samples.copy()
    hud = Hud(30.0, 12.0, "cpu", 1)
    painted = draw(planes, [face(300, 330, eyes)], hud)
    assert painted is planes
    expected = draw(Yuv420Picture(clean.copy(), BT709).bgr().copy(), [face(300, 330, eyes)], hud)
    assert np.abs(planes.bgr().astype(int) - expected).mean() < 2.5
    touched = planes.samples != clean
    where = np.argwhere(touched[:512])
    assert len(where) > 300
    reach = 1.2 * eyes + 40
    in_face = (np.abs(where[:, 1] - 300) < reach) & (np.abs(where[:, 0] - 330) < reach)
    assert (in_face | (where[:, 0] < 40)).all()


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize(("eyes", "is_coloured"), [(25.0, False), (90.0, True)])
def test_lines_of_small_faces_show_without_colour(grey: int, eyes: float, is_coloured: bool) -> None:
    """At half the size their colour would fill eyes and mouth."""
    planes = Yuv420Picture.from_bgr(np.full((480, 640, 3), grey, np.uint8), BT601)
    shown = face(300, 200, eyes)
    draw(planes, [shown], box=False, ids=False)
    on_the_lines = np.abs(planes.chroma.astype(int) - 128).max((1, 2)) > 20
    assert on_the_lines.any() == is_coloured
    for x, y in np.rint(shown.points).astype(int):
        around = planes.luma[y - 3 : y + 4, x - 3 : x + 4].astype(int)
        assert around.max() - around.min() > 40


@pytest.mark.parametrize(("eyes", "is_coloured"), [(90.0, False), (260.0, True)])
def test_eyes_and_mouth_of_faces_that_are_not_large_stay_clear(eyes: float, is_coloured: bool) -> None:
    planes = Yuv420Picture.from_bgr(np.full((700, 900, 3), 128, np.uint8), BT601)
    points = face_at(450, 300, eyes)
    shown = Face(points, np.full(68, 0.9, np.float32), geometry.box_of(points), 0.9, 1)
    draw(planes, [shown], points=False, box=False, ids=False)

    def colour_on(number: int) -> int:
        x, y = np.rint(points[number] / 2).astype(int)
        return int(np.abs(planes.chroma[:, y - 1 : y + 2, x - 1 : x + 2].astype(int) - 128).max())

    assert all(colour_on(number) > 20 for number in (0, 8, 19, 30))  # jaw, brow, nose
    assert [colour_on(number) > 20 for number in (37, 46, 51, 62)] == [is_coloured] * 4  # eyes, lips


@pytest.mark.parametrize("x", [-30.0, 0.0, 511.0, 560.0])
def test_faces_over_the_edge_are_painted_as_far_as_they_are_in_the_picture(
    astronaut: Image, x: float
) -> None:
    """The same as in the middle of a larger picture, cut to this one."""
    for eyes in (20.0, 80.0):
        around = cv2.copyMakeBorder(astronaut, 256, 256, 256, 256, cv2.BORDER_REPLICATE)
        whole = Yuv420Picture.from_bgr(around, BT601)
        picture = Yuv420Picture.from_bgr(astronaut, BT601)
        draw(picture, [face(x, 500.0, eyes)], ids=False)
        draw(whole, [face(x + 256, 756.0, eyes)], ids=False)
        clean = Yuv420Picture.from_bgr(astronaut, BT601)
        touched = picture.luma != clean.luma
        assert touched.any() == (x + eyes > 0 and x - eyes < 511)
        expected = whole.luma[256:768, 256:768]
        assert (np.abs(picture.luma.astype(int) - expected) > 40).mean() < 1e-3


def demo_frame() -> tuple[Frame, Yuv420Picture]:
    with open_source(DEMO, max_frames=1) as source:
        frame = next(source)
        assert isinstance(frame.picture, Yuv420Picture)
        assert source.info.colour == frame.picture.colour
    return frame, frame.picture


def test_a_file_comes_in_its_own_samples_and_is_bgr_on_demand() -> None:
    frame, picture = demo_frame()
    image = frame.image
    assert image is frame.image
    assert (picture.size, image.shape) == ((640, 480), (480, 640, 3))
    swscale = cv2.cvtColor(picture.samples, cv2.COLOR_YUV2BGR_I420)
    assert np.abs(image.astype(int) - swscale).mean() < 3.0


def test_the_image_is_read_only_and_painting_is_on_a_copy() -> None:
    frame, picture = demo_frame()
    with pytest.raises(ValueError, match="read-only"):
        frame.image[:] = 0
    before = picture.samples.copy()
    painted = picture.copy()
    draw(painted, [face(300, 330, 40)])
    assert (picture.samples == before).all()
    assert np.abs(painted.bgr().astype(int) - frame.image).max() > 50


def test_reading_the_image_changes_no_result() -> None:
    """Reading it made the tracker see another array shape, so it called a cut: 53 detections instead of 12."""
    detections = []
    for every in (10**9, 7):
        pipeline = Pipeline(PipelineOptions(provider="cpu"))
        with open_source(DEMO) as source:
            count = 0
            for frame in source:
                if frame.index % every == every - 1:
                    assert frame.image.any()
                count += pipeline.process(frame).detected
        detections.append(count)
    assert detections[0] == detections[1] == 12


def test_threads_that_read_one_image_get_the_same_array() -> None:
    for _ in range(20):
        frame, _ = demo_frame()
        gate = threading.Barrier(4)

        def read(frame: Frame = frame, gate: threading.Barrier = gate) -> Image:
            gate.wait()
            return frame.image

        with ThreadPoolExecutor(4) as pool:
            images = [done.result() for done in [pool.submit(read) for _ in range(4)]]
        assert all(image is images[0] for image in images)


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda frame: pickle.loads(pickle.dumps(frame)), dataclasses.replace],
    ids=["copy", "deepcopy", "pickle", "replace"],
)
def test_copies_of_a_frame_are_the_same(copied: Callable[[Frame], Frame]) -> None:
    frame, picture = demo_frame()
    other = copied(frame)
    assert isinstance(other.picture, Yuv420Picture)
    assert np.array_equal(other.picture.samples, picture.samples)
    assert np.array_equal(other.image, frame.image)
    for name in ("index", "time", "arrived", "pts", "time_base"):
        assert getattr(other, name) == getattr(frame, name)


def test_results_hold_no_pixels() -> None:
    frame, _ = demo_frame()
    result = FrameResult.of(frame, (), timings={"detect": 0.1})
    assert len(pickle.dumps(result)) < 2000
    assert (result.index, result.time, result.size, result.pts) == (0, frame.time, (640, 480), frame.pts)
    assert copy.deepcopy(result).timings == {"detect": 0.1}


@pytest.mark.parametrize("cut", [{"mirror": True}])
def test_mirrored_frames_come_as_bgr(cut: dict[str, Any]) -> None:
    with open_source(DEMO, **cut) as source, open_source(DEMO) as straight:
        frame, other = next(source), next(straight)
        assert not isinstance(frame.picture, Yuv420Picture)
        assert (frame.image == other.image[:, ::-1]).all()


def test_the_faces_of_planes_are_those_of_bgr() -> None:
    one, two = (Pipeline(PipelineOptions(provider="cpu")) for _ in range(2))
    with open_source(DEMO, max_frames=12) as source:
        for frame in source:
            planar = one.process(frame).faces
            usual = two.process(Frame(BgrPicture(frame.image), frame.index, frame.time, frame.arrived)).faces
            assert [f.id for f in planar] == [f.id for f in usual]
            for a, b in zip(planar, usual, strict=True):
                assert a.raw is not None
                assert b.raw is not None
                eyes = np.linalg.norm(b.raw[36] - b.raw[45])
                assert np.linalg.norm(a.raw - b.raw, axis=1).mean() < 0.01 * eyes


def test_samples_that_nobody_painted_on_and_their_colours_come_out_as_they_went_in(tmp_path: Path) -> None:
    out = tmp_path / "a.mp4"
    samples = []
    with open_source(DEMO, max_frames=5) as source, VideoSink(out, source.info, crf=0) as sink:
        for frame in source:
            assert isinstance(frame.picture, Yuv420Picture)
            samples.append(frame.picture.samples.copy())
            sink.write(FrameResult.of(frame, ()), frame.picture)
        colour = source.info.colour
    with open_source(out) as copy:
        assert copy.info.colour == colour
        for frame, before in zip(copy, samples, strict=True):
            assert isinstance(frame.picture, Yuv420Picture)
            assert (frame.picture.samples == before).all()


def test_bgr_pictures_are_written_in_the_colours_of_the_file(tmp_path: Path, astronaut: Image) -> None:
    out = tmp_path / "a.mp4"
    with open_source(DEMO) as source:
        info = source.info
    for colour in (BT709, BT601):
        from dataclasses import replace

        size = {"width": 512, "height": 512, "colour": colour, "time_base": Fraction(1, 30)}
        with VideoSink(out, replace(info, **size), crf=10, overwrite=True) as sink:
            frame = Frame(BgrPicture(astronaut), 0, 0.0, time.perf_counter(), 0, Fraction(1, 30))
            sink.write(FrameResult.of(frame, ()), frame.picture)
        with open_source(out) as copy:
            assert copy.info.colour == colour
            assert np.abs(next(copy).image.astype(int) - astronaut).mean() < 4.0
