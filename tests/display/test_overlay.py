"""The overlay on BGR pictures: what is painted, where, and in which colour."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from shapes import face_at

from fkp_live import FaceLandmarker
from fkp_live.colour import ColourSpace
from fkp_live.display.layers import head_axes
from fkp_live.display.look import LAYERS, Look
from fkp_live.display.overlay import Hud, draw, draw_look, mirrored
from fkp_live.geometry import box_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.types import Face, Image, Measures, Pose

HUD = Hud(fps=29.97, age_ms=12.4, provider="openvino", faces=2, note="paused")


def face(
    x: float = 320, y: float = 200, eyes: float = 150, number: int | None = 1, confidence: float = 0.9
) -> Face:
    points = face_at(x, y, eyes)
    return Face(points, np.full(68, confidence, np.float32), box_of(points), 0.9, number)


AHEAD = Pose(0.0, 0.0, 0.0)


def whole_face(pose: Pose = AHEAD, openness: float = 0.3, blink: bool = False, **more: Any) -> Face:
    found = Measures(openness, openness, openness, blink, openness)
    return replace(face(**more), pose=pose, measures=found)


def flat(grey: int, height: int = 480, width: int = 640) -> Image:
    return np.full((height, width, 3), grey, np.uint8)


def painted(image: Image, grey: int) -> Any:
    """(H, W) bool, where anything was painted."""
    return (image != grey).any(2)


def test_draw_paints_in_place() -> None:
    image = flat(100)
    assert draw(image, [face()], HUD) is image
    assert painted(image, 100).any()


def test_a_read_only_frame_is_refused_with_the_cure() -> None:
    image = flat(128)
    image.flags.writeable = False
    for picture in (image, BgrPicture(image)):
        with pytest.raises(ValueError, match=r"read-only.*paint on a copy: picture\.copy\(\)"):
            draw(picture, [whole_face()])
    draw(image.copy(), [whole_face()])


def test_without_faces_and_hud_nothing_is_painted() -> None:
    assert not painted(draw(flat(100), []), 100).any()


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("eyes", [25, 60, 150])
def test_all_68_points_show_on_any_background(grey: int, eyes: float) -> None:
    shown = face(eyes=eyes)
    image = draw(flat(grey), [shown], box=False, ids=False)
    for x, y in np.rint(shown.points).astype(int):
        around = image[y - 3 : y + 4, x - 3 : x + 4].astype(int)
        assert around.max() - around.min() > 70
        # The core is where the point is, to the pixel.
        assert image[y, x].min() > 200


def test_a_face_on_white_shows() -> None:
    image = draw(flat(255), [face(eyes=150)], box=False, ids=False)
    assert (image.min(2) < 120).sum() > 500


def test_points_move_by_fractions_of_a_pixel() -> None:
    parts = {"contours": False, "box": False, "ids": False}
    here = draw(flat(0), [face(x=320.0)], **parts).astype(float)[..., 0]
    there = draw(flat(0), [face(x=320.5)], **parts).astype(float)[..., 0]
    columns = np.arange(640)
    # On black what is bright is the points: their centre of mass moves as they do.
    moved = (there.sum(0) @ columns) / there.sum() - (here.sum(0) @ columns) / here.sum()
    assert moved == pytest.approx(0.5, abs=0.15)


def test_points_of_low_confidence_are_smaller_and_dark() -> None:
    parts = {"contours": False, "box": False, "ids": False}
    strong = draw(flat(128), [face(confidence=0.9)], **parts)
    weak = draw(flat(128), [face(confidence=0.45)], **parts)
    assert (strong > 200).all(2).sum() > 68
    assert not (weak > 200).any()
    assert (weak < 60).all(2).sum() > 68
    assert 0 < painted(weak, 128).sum() < painted(strong, 128).sum()


def test_points_fade_with_their_confidence() -> None:
    parts = {"contours": False, "box": False, "ids": False}
    shown = face()
    confidence = np.linspace(0.05, 0.98, 68).astype(np.float32)
    image = draw(flat(128), [replace(shown, confidence=confidence)], **parts)
    cores = [int(image[y, x].mean()) for x, y in np.rint(shown.points).astype(int)]
    assert cores[0] < 60
    assert cores[-1] > 240
    assert sum(a > b + 12 for a, b in itertools.pairwise(cores)) <= 2  # neighbours may cover one another
    assert len({round(core, -1) for core in cores}) >= 4


def test_one_weak_point_among_strong_ones() -> None:
    shown = face()
    confidence = shown.confidence.copy()
    confidence[30] = 0.1
    image = draw(flat(128), [replace(shown, confidence=confidence)], contours=False, box=False, ids=False)
    nose, chin = (tuple(np.rint(shown.points[number]).astype(int)[::-1]) for number in (30, 8))
    assert image[nose].max() < 60
    assert image[chin].min() > 200


def test_each_part_can_be_omitted() -> None:
    everything = {"points": True, "contours": True, "box": True, "ids": True}
    whole = draw(flat(128), [face()], **everything)
    for part in everything:
        assert (draw(flat(128), [face()], **{**everything, part: False}) != whole).any(), part
    nothing = dict.fromkeys(everything, False)
    assert not painted(draw(flat(128), [face()], **nothing), 128).any()
    # Axes and bars are painted only if they are asked for, and of what was computed.
    for part in ("pose", "measures"):
        assert (draw(flat(128), [whole_face()], **everything, **{part: True}) != whole).any(), part
        assert np.array_equal(draw(flat(128), [whole_face()], **everything, **{part: False}), whole)
        assert np.array_equal(draw(flat(128), [face()], **everything, **{part: True}), whole)


def test_contours_run_along_the_face_only() -> None:
    shown = face()
    image = draw(flat(128), [shown], points=False, box=False, ids=False)
    rows, columns = np.nonzero(painted(image, 128))
    x0, y0, x1, y1 = shown.box
    assert x0 - 4 <= columns.min() <= x0 + 2
    assert x1 - 2 <= columns.max() <= x1 + 4
    assert y0 - 4 <= rows.min() <= y0 + 2
    assert y1 - 2 <= rows.max() <= y1 + 4
    # No line runs between the eyebrows and the eyes.
    between = (shown.points[19] + shown.points[37]) / 2
    assert (image[round(between[1]), round(between[0])] == 128).all()


def test_the_box_is_four_corners_that_rest_while_the_face_hardly_moves() -> None:
    parts = {"points": False, "contours": False, "ids": False}
    pictures = [painted(draw(flat(128), [face(x=320.0 + 0.1 * step)], **parts), 128) for step in range(20)]
    assert sum((a != b).any() for a, b in itertools.pairwise(pictures)) <= 2
    rows, columns = np.nonzero(pictures[0])
    x0, y0, x1, y1 = face().box
    left, top, right, bottom = columns.min(), rows.min(), columns.max(), rows.max()
    assert 0 < x0 - left < 0.1 * (x1 - x0)
    assert 0 < right - x1 < 0.1 * (x1 - x0)
    assert 0 < y0 - top < 0.1 * (y1 - y0)
    assert 0 < bottom - y1 < 0.1 * (y1 - y0)
    assert not pictures[0][:, (left + right) // 2].any()
    assert not pictures[0][(top + bottom) // 2].any()


def test_strokes_grow_with_the_face() -> None:
    areas = [
        painted(draw(flat(0), [face(eyes=e)], contours=False, box=False, ids=False), 0).sum()
        for e in (40, 200)
    ]
    assert areas[1] > 2 * areas[0]


def test_the_colour_follows_the_id() -> None:
    def of(number: int, x: float) -> Any:
        return draw(flat(0), [face(x=x, number=number)], points=False, ids=False).reshape(-1, 3).max(0)

    assert (of(1, 250) == of(1, 400)).all()
    assert (of(1, 300) != of(2, 300)).any()


def test_a_face_without_id_has_no_text() -> None:
    parts = {"points": False, "contours": False, "box": False}
    assert painted(draw(flat(128), [face(number=7)], **parts), 128).any()
    assert not painted(draw(flat(128), [face(number=None)], **parts), 128).any()


BARE = {"points": False, "contours": False, "box": False, "ids": False}
RIGHT, UP = 0.5, 0.5


@pytest.mark.parametrize(
    ("pose", "nose", "chin", "side"),
    [
        (Pose(0, 0, 0), (0, 0), (0, 1), (1, 0)),
        (Pose(0, RIGHT, 0), (np.sin(RIGHT), 0), (0, 1), (np.cos(RIGHT), 0)),
        (Pose(UP, 0, 0), (0, -np.sin(UP)), (0, np.cos(UP)), (1, 0)),
        # A head that lies on its side, clockwise in the picture: its chin points to the left, its own right side down.
        (Pose(0, 0, np.pi / 2), (0, 0), (-1, 0), (0, 1)),
        (Pose(UP, 0, np.pi / 2), (0, -np.sin(UP)), (-1, 0), (0, np.cos(UP))),
    ],
)
def test_axes_point_where_the_head_does(pose: Pose, nose: Any, chin: Any, side: Any) -> None:
    np.testing.assert_allclose(head_axes(pose), [side, chin, nose], atol=1e-9)


def test_axes_are_painted_from_the_tip_of_the_nose() -> None:
    shown = whole_face(Pose(0.0, 0.8, 0.0))
    image = draw(flat(0), [shown], pose=True, **BARE)
    x, y = np.rint(shown.points[30]).astype(int)
    blue, green, red = (image[..., channel] > 150 for channel in range(3))
    # To the right what is red and blue, below what is green.
    assert (red | blue)[y, x + 20 : x + 60].all()
    assert green[y + 30 : y + 60, x].all()
    assert not painted(image, 0)[y, : x - 10].any()
    assert not painted(image, 0)[: y - 10].any()
    assert blue.any()


def test_axes_of_a_real_face_point_as_it_looks(astronaut: Image) -> None:
    (found,) = FaceLandmarker(provider="cpu")(astronaut)
    assert found.pose is not None
    side, chin, nose = head_axes(found.pose)
    eyes = found.points[45] - found.points[36]
    assert abs(np.arctan2(*(eyes[::-1])) - np.arctan2(*(side[::-1]))) < 0.12
    assert chin[1] > 0.9
    assert np.linalg.norm(nose) < 0.5


def bar_lengths(image: Image, tint: Any) -> list[int]:
    """Pixels of each bar, from top to bottom."""
    rows = (np.abs(image.astype(int) - tint).max(2) < 4).sum(1)
    return [int(row) for row, before in zip(rows[1:], rows, strict=False) if row and not before]


def test_measures_are_bars_as_long_as_eyes_and_mouth_are_open() -> None:
    open_, half, shut, blinking = (
        draw(flat(128), [whole_face(openness=openness, blink=blink)], measures=True, **BARE)
        for openness, blink in ((0.4, False), (0.2, False), (0.0, False), (0.2, True))
    )
    colour = (255, 200, 70)
    wide, narrow = bar_lengths(open_, colour), bar_lengths(half, colour)
    assert len(wide) == len(narrow) == 3
    assert [a / b for a, b in zip(wide, narrow, strict=True)] == pytest.approx([2, 2, 2], rel=0.1)
    assert bar_lengths(shut, colour) == []
    # In a blink only the mouth's has the colour of the face.
    assert len(bar_lengths(blinking, colour)) == 1
    rows, columns = np.nonzero(painted(half, 128))
    assert rows.min() > face().box[3]
    assert columns.max() < 639


@pytest.mark.parametrize("place", [(0, 0), (-100, 240), (640, 480), (320, -80), (320, 600)])
@pytest.mark.parametrize("yuv", [False, True])
def test_measures_stay_whole_in_the_picture(place: tuple[float, float], yuv: bool) -> None:
    def of(x: float, y: float) -> Any:
        target = Yuv420Picture.from_bgr(flat(128), ColourSpace()) if yuv else BgrPicture(flat(128))
        return painted(draw(target, [whole_face(x=x, y=y)], measures=True, **BARE).bgr(), 128).sum()

    assert of(*place) == pytest.approx(of(320, 200), rel=0.02)


def test_both_forms_of_pictures_have_the_same_axes_and_bars() -> None:
    shown = whole_face(Pose(0.3, 0.6, 0.2))
    image = draw(flat(128), [shown], pose=True, measures=True, **BARE)
    picture = draw(
        Yuv420Picture.from_bgr(flat(128), ColourSpace()), [shown], pose=True, measures=True, **BARE
    )
    assert np.abs(picture.bgr().astype(int) - image).mean() < 1.5


@pytest.mark.parametrize("eyes", [20, 60])
def test_axes_have_their_colours_on_small_faces_too(eyes: float) -> None:
    picture = draw(
        Yuv420Picture.from_bgr(flat(128), ColourSpace()), [whole_face(eyes=eyes)], pose=True, **BARE
    )
    spread = picture.bgr().astype(int)
    assert (spread.max(2) - spread.min(2) > 60).sum() > eyes


def test_scale_makes_all_that_is_drawn_larger() -> None:
    parts = ("points", "contours", "box", "ids", "pose", "measures")
    for part in parts:
        only = {**dict.fromkeys(parts, False), part: True}
        small, usual, large = (
            painted(draw(flat(0), [whole_face(eyes=200)], scale=scale, **only), 0).sum()
            for scale in (0.5, 1.0, 2.0)
        )
        assert small <= usual < large, part
    assert painted(draw(flat(0), [], HUD, scale=2.0), 0).sum() > 2 * painted(draw(flat(0), [], HUD), 0).sum()


def test_a_mirrored_face_lies_on_the_mirrored_picture() -> None:
    shown = replace(whole_face(Pose(0.1, 0.5, 0.2)), points=face_at(250, 200, 100, roll=0.3))
    shown = replace(shown, box=box_of(shown.points))
    straight = draw(flat(128), [shown], ids=False)
    turned = draw(flat(128), [mirrored(shown, 640)], ids=False)
    difference = np.abs(straight[:, ::-1].astype(int) - turned).max(2) > 60
    assert difference.sum() < 0.1 * painted(turned, 128).sum()
    again = mirrored(mirrored(shown, 640), 640)
    np.testing.assert_allclose(again.points, shown.points)
    np.testing.assert_allclose(again.box, shown.box, atol=1e-3)
    assert again.pose == shown.pose
    assert mirrored(shown, 640).pose == Pose(0.1, -0.5, -0.2)
    assert mirrored(face(), 640).pose is None


def test_a_look_paints_its_layers() -> None:
    shown = [whole_face()]
    everything = Look(frozenset(LAYERS))
    whole = draw_look(flat(128), shown, HUD, everything)
    for layer in LAYERS:
        assert (draw_look(flat(128), shown, HUD, everything.switched(layer)) != whole).any(), layer
    assert np.array_equal(draw_look(flat(128), shown, HUD, Look()), draw(flat(128), shown, HUD))
    assert not painted(draw_look(flat(128), shown, HUD, Look(frozenset())), 128).any()


def test_sizes_go_up_and_down_and_end() -> None:
    look = Look()
    assert look.switched("pose").switched("pose") == look
    up = [look.resized(steps).scale for steps in range(-9, 10)]
    assert up == sorted(up)
    assert (up[0], up[9], up[-1]) == (0.5, 1.0, 4.0)
    assert look.resized(2).resized(-2) == look


@pytest.mark.parametrize("place", [(0, 0), (-100, 240), (640, 480), (320, -80)])
def test_a_face_over_the_edge_is_the_visible_part_of_the_whole_face(place: tuple[float, float]) -> None:
    x, y = place
    around = 600  # a multiple of the grid that box corners lie on
    image = draw(flat(128), [face(x, y)], ids=False)
    whole = draw(flat(128, 480 + 2 * around, 640 + 2 * around), [face(x + around, y + around)], ids=False)
    differs = np.abs(image.astype(int) - whole[around:-around, around:-around]).max(2) > 20
    # OpenCV clips strokes at the border, so anti-aliasing may differ there.
    assert painted(image, 128).sum() > 200
    assert differs.sum() < 0.03 * painted(image, 128).sum()
    assert not differs[4:-4, 4:-4].any()


@pytest.mark.parametrize("place", [(1e6, -1e6), (-3e9, 200), (2000, 2000)])
def test_of_a_face_far_outside_only_the_id_is_painted(place: tuple[float, float]) -> None:
    assert not painted(draw(flat(128), [face(*place)], ids=False), 128).any()
    assert painted(draw(flat(128), [face(*place)]), 128).any()


def test_the_hud_shows_fps_age_provider_and_faces() -> None:
    assert HUD.parts() == ["30.0 fps", "12 ms", "openvino", "2 faces", "paused"]
    assert replace(HUD, dropped=3).parts()[2] == "3 dropped"
    assert replace(HUD, faces=1, age_ms=None, note="").parts() == ["30.0 fps", "openvino", "1 face"]


@pytest.mark.parametrize(
    ("height", "width"), [(144, 176), (480, 640), (720, 1280), (1080, 1920), (1920, 1080)]
)
def test_the_hud_stays_in_its_corner_and_fits(height: int, width: int) -> None:
    image = draw(flat(200, height, width), [], HUD)
    rows, columns = np.nonzero(painted(image, 200))
    assert rows.max() < height / 2
    assert columns.max() < width - 1
    # Light text on a dark plate.
    assert (image > 220).all(2).sum() > 50
    assert (image[rows, columns] < 100).all(1).mean() > 0.5


def test_the_hud_changes_with_its_numbers() -> None:
    one = draw(flat(0), [], HUD)
    other = draw(flat(0), [], replace(HUD, fps=31.2))
    assert (one != other).any()


@pytest.mark.parametrize("size", [(1, 1), (8, 30), (40, 3)])
def test_a_tiny_picture_takes_a_hud(size: tuple[int, int]) -> None:
    assert painted(draw(flat(128, *size), [], HUD), 128).any()


def test_what_is_painted_depends_on_the_numbers_as_they_are_recorded() -> None:
    """So that a recording drawn again gives the same picture, sample for sample."""
    random = np.random.default_rng(4)
    for _ in range(40):
        x, y = random.uniform(200, 400, 2)
        exact = replace(
            face(x, y),
            confidence=random.uniform(0.49, 0.87, 68).astype(np.float32),
            pose=Pose(*random.uniform(-0.5, 0.5, 3)),
            measures=Measures(*random.uniform(0, 0.5, 3), False, 0.3),
        )
        text = json.loads(json.dumps(exact.to_dict()))
        pose, m = text["pose"], text["measures"]
        read = Face(
            *(np.array(text[name], np.float32) for name in ("points", "confidence", "box")),
            text["score"],
            text["id"],
            None,
            Pose(pose["pitch"], pose["yaw"], pose["roll"]),
            Measures(m["right_eye_open"], m["left_eye_open"], m["mouth_open"], m["blink"], math.nan),
        )
        pictures = [draw(flat(128), [one], pose=True, measures=True) for one in (exact, read)]
        np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_face_that_is_no_face_is_not_painted(value: float) -> None:
    one = face(300, 200)
    for name in ("points", "box"):
        numbers = getattr(one, name).copy()
        numbers[-1] = value
        broken = replace(one, **{name: numbers})
        if name == "box" or not np.isfinite(value):
            assert not painted(draw(flat(128), [broken]), 128).any()


def test_measures_and_pose_that_are_no_numbers_are_not_painted() -> None:
    """A recording may lack some of them."""
    nothing = Measures(math.nan, math.nan, math.nan, False, math.nan)
    bare = whole_face(openness=0.0)
    empty = draw(flat(128), [replace(bare, measures=nothing)], measures=True)
    np.testing.assert_array_equal(empty, draw(flat(128), [bare], measures=True))
    turned = replace(bare, pose=Pose(math.nan, 0.0, 0.0))
    np.testing.assert_array_equal(draw(flat(128), [turned], pose=True), draw(flat(128), [turned]))


def test_no_contour_runs_to_a_guess() -> None:
    parts = {"points": False, "box": False, "ids": False}
    shown = face(eyes=200)
    confidence = np.full(68, 0.9, np.float32)
    confidence[[*range(9, 17), 45, 48]] = 0.49
    whole, partly = (
        painted(draw(flat(100), [replace(shown, confidence=each)], **parts), 100)
        for each in (shown.confidence, confidence)
    )
    x, y = np.rint(shown.points).astype(int).T
    kept, left_out = [2, 5, 8, 36, 43, 51, 60], [12, 45, 48]
    assert whole[y, x][kept + left_out].all()
    assert partly[y, x][kept].all()
    assert not partly[y, x][left_out].any()
    nobody = draw(flat(100), [replace(shown, confidence=np.zeros(68, np.float32))], **parts)
    assert not painted(nobody, 100).any()
