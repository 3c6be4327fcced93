"""Covers: where a head's outline lies, what remains inside of it, and which frames have one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from shapes import face_at

from fkp_live.colour import BLACK, NO_COLOUR, ColourSpace
from fkp_live.display.cover_tracks import HOLD, FaceCover
from fkp_live.display.covering import Blackout, blacken, cover, outline_of_box, outline_of_points
from fkp_live.geometry import box_of, iou
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.types import Face, FaceBox, FloatArray, Frame, FrameResult, Image, Picture

WIDTH, HEIGHT, RATE = 640, 480, 30
STYLES = ("blur", "pixelate", "black")


def noise(width: int = WIDTH, height: int = HEIGHT) -> Image:
    """A picture with as much detail as there can be."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def inside(outline: FloatArray, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> np.ndarray:
    """(H, W) bool of the pixels in an outline."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(cv2.convexHull(outline)).astype(np.int32), 1)
    return mask > 0


def covers(outlines: Sequence[FloatArray], points: np.ndarray) -> bool:
    """Whether one of the outlines holds every point."""
    return any(
        all(cv2.pointPolygonTest(cv2.convexHull(o), tuple(map(float, p)), False) >= 0 for p in points)
        for o in outlines
    )


def face(x: float, y: float, eyes: float = 60, number: int = 1, roll: float = 0.0) -> Face:
    points = face_at(x, y, eyes, roll)
    return Face(points, np.full(68, 0.9, np.float32), box_of(points), 0.9, number)


class Stream:
    """Plays frames of faces to a `FaceCover`, ``ahead`` frames before their outlines are asked for."""

    def __init__(self, face_cover: FaceCover, ahead: int = 0, rate: float = RATE) -> None:
        self.cover, self.ahead, self.rate = face_cover, ahead, rate
        self.finds: list[FaceBox] = []
        self.looks = 0

    def detect(self, picture: Picture) -> list[FaceBox]:
        self.looks += 1
        return self.finds

    def outlines(self, frames: Sequence[Sequence[Face]], detected: bool = False) -> list[list[FloatArray]]:
        found = []
        for index, faces in enumerate(frames):
            frame = Frame(BgrPicture(noise(8, 8)), index, index / self.rate, 0.0)
            self.cover.see(frame, FrameResult.of(frame, faces, detected=detected))
            if index >= self.ahead:
                found.append(self.cover.outlines())
        while len(found) < len(frames):
            found.append(self.cover.outlines())
        return found


# ----- outlines


@pytest.mark.parametrize("roll", [0.0, 0.5, -1.2])
def test_the_outline_holds_all_points_and_the_hair(roll: float) -> None:
    one = face(320, 240, 60, roll=roll)
    outline = outline_of_points(one.points)
    assert covers([outline], one.points)
    up = (one.points[27] - one.points[8]) / np.linalg.norm(one.points[27] - one.points[8])
    chin_to_eyes = np.linalg.norm(one.points[27] - one.points[8])
    # The top of a head lies about as far above the eyes as the chin lies below them.
    assert covers([outline], (one.points[27] + 1.15 * chin_to_eyes * up)[None])
    assert covers([outline], (one.points[8] - 0.1 * chin_to_eyes * up)[None])
    # But not a second head.
    assert not covers([outline], (one.points[27] + 1.8 * chin_to_eyes * up)[None])


def test_outlines_of_points_and_of_a_box_agree() -> None:
    one = face(320, 240)
    a, b = outline_of_points(one.points), outline_of_box(one.box)
    assert iou(box_of(a), box_of(b))[0, 0] > 0.75
    assert covers([b], one.points)


def test_points_in_one_place_have_an_outline() -> None:
    assert np.isfinite(outline_of_points(np.full((68, 2), 7.0, np.float32))).all()


# ----- what remains


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("planar", [False, True])
def test_outside_of_the_outline_nothing_changes_and_inside_all_detail_goes(style: str, planar: bool) -> None:
    image, space = noise(), ColourSpace()
    before: Picture = Yuv420Picture.from_bgr(image, space) if planar else BgrPicture(image)
    picture = before.copy()
    outline = outline_of_points(face(320, 240).points)
    cover(picture, [outline], style)
    mask = inside(outline)
    around = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (picture.luma[~around] == before.luma[~around]).all()
    assert (picture.luma != before.luma)[mask].mean() > 0.95
    # Neighbours differ by some 85 levels in noise; averages are flat.
    steps = np.abs(np.diff(picture.luma.astype(int), axis=1))[mask[:, 1:] & mask[:, :-1]]
    assert steps.mean() < 6
    if planar:
        assert isinstance(picture, Yuv420Picture)
        assert isinstance(before, Yuv420Picture)
        for plane, old in zip(picture.chroma, before.chroma, strict=True):
            assert (
                plane[~around[::2, ::2] & ~around[1::2, 1::2]] == old[~around[::2, ::2] & ~around[1::2, 1::2]]
            ).all()
            # Every sample of which a pixel is covered.
            any_of_four = mask[::2, ::2] | mask[1::2, ::2] | mask[::2, 1::2] | mask[1::2, 1::2]
            if style == "black":
                assert (plane[any_of_four] == NO_COLOUR).all()
            assert (
                np.abs(np.diff(plane.astype(int), axis=1))[any_of_four[:, 1:] & any_of_four[:, :-1]].mean()
                < 6
            )


@pytest.mark.parametrize("style", ["blur", "pixelate"])
@pytest.mark.parametrize("eyes", [15, 60, 160])
def test_a_large_face_keeps_no_more_detail_than_a_small_one(style: str, eyes: float) -> None:
    # Stripes 8 to a face, and finer ones, must not be told from grey.
    picture = BgrPicture(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    outline = outline_of_points(face_at(320, 240, eyes))
    width = np.ptp(outline[:, 0])
    stripes = (128 + 100 * np.sign(np.sin(np.arange(WIDTH) * 2 * np.pi * 16 / width))).astype(np.uint8)
    picture.pixels[:] = stripes[None, :, None]
    cover(picture, [outline], style)
    assert picture.luma[inside(outline)].std() < 25


def test_pixelated_blocks_are_about_eight_over_a_face() -> None:
    picture = BgrPicture(noise())
    outline = outline_of_points(face_at(320, 240, 120))
    cover(picture, [outline], "pixelate")
    x0, x1 = round(float(outline[:, 0].min())) + 2, round(float(outline[:, 0].max())) - 2
    row = picture.luma[240, x0:x1].astype(int)
    assert 6 <= (np.diff(row) != 0).sum() + 1 <= 10


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("place", [(0, 0), (WIDTH, HEIGHT), (-20, 240), (320, 470)])
def test_of_a_head_over_the_edge_the_visible_part_is_covered(planar: bool, place: tuple[int, int]) -> None:
    picture: Picture = BgrPicture(np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    if planar:
        picture = Yuv420Picture.from_bgr(picture.bgr(), ColourSpace())
    outline = outline_of_points(face_at(*place))
    cover(picture, [outline], "black")
    mask = inside(outline)
    assert mask.any()
    assert (picture.luma[mask] <= BLACK).all()


@pytest.mark.parametrize("place", [(-1e9, 0), (5000, 5000), (320, -4000)])
@pytest.mark.parametrize("style", STYLES)
def test_a_head_outside_of_the_picture_changes_nothing(place: tuple[float, float], style: str) -> None:
    picture = BgrPicture(noise())
    before = picture.pixels.copy()
    cover(picture, [outline_of_points(face_at(*place))], style)
    assert (picture.pixels == before).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (17, 9)])
@pytest.mark.parametrize("style", STYLES)
def test_tiny_pictures_are_covered(size: tuple[int, int], style: str) -> None:
    picture = BgrPicture(noise(*size))
    cover(picture, [outline_of_points(face_at(size[0] / 2, size[1] / 2, 40))], style)
    if style == "black":
        assert not picture.pixels.any()


def test_other_styles_and_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="blur, pixelate, black"):
        cover(BgrPicture(noise()), [], "smear")
    with pytest.raises(ValueError, match="'smear', expected one of blur, pixelate, black"):
        FaceCover("smear")
    with pytest.raises(TypeError, match="ndarray"):
        cover(noise(), [], "blur")  # type: ignore[arg-type]


@pytest.mark.parametrize("planar", [False, True])
def test_a_blackout_leaves_nothing(planar: bool) -> None:
    image = noise()
    picture: Picture = Yuv420Picture.from_bgr(image, ColourSpace()) if planar else BgrPicture(image)
    frame = Frame(picture, 0, 0.0, 0.0)
    blackout, result = Blackout(), FrameResult.of(frame, ())
    blackout.see(frame, result)
    blackout.apply(picture, result)
    assert not picture.bgr().any()
    blacken(picture)
    assert not picture.bgr().any()


# ----- which frames


def test_a_face_is_covered_where_it_is() -> None:
    frames = [[face(100 + 5 * i, 200)] for i in range(20)]
    for outlines, (one,) in zip(Stream(FaceCover("blur")).outlines(frames), frames, strict=True):
        assert len(outlines) == 1
        assert covers(outlines, one.points)


@pytest.mark.parametrize("rate", [10.0, 30.0, 60.0])
def test_a_lost_face_stays_covered_for_half_a_second_of_the_stream(rate: float) -> None:
    seen = [[face(300, 200)]] * 5
    stream = Stream(FaceCover("blur"), rate=rate)
    outlines = stream.outlines([*seen, *[[]] * 60])
    held = [bool(one) for one in outlines]
    last = max(i for i, is_held in enumerate(held) if is_held)
    assert all(held[: last + 1])
    assert (last - 4) / rate == pytest.approx(HOLD, abs=1.01 / rate)
    # A little larger with time.
    areas = [cv2.contourArea(cv2.convexHull(one[0])) for one in outlines[4 : last + 1]]
    assert areas == sorted(areas)
    assert 1.1 < areas[-1] / areas[0] < 2.2


def test_a_lost_face_is_covered_where_it_was_and_where_it_went() -> None:
    step = 8.0  # pixels a frame
    stream = Stream(FaceCover("blur"))
    outlines = stream.outlines([*[[face(100 + step * i, 200)] for i in range(10)], *[[]] * 6])
    for gone in range(1, 6):
        assert covers(outlines[9 + gone], face_at(100 + step * 9, 200)), "where it was"
        assert covers(outlines[9 + gone], face_at(100 + step * (9 + gone), 200)), "where it went"


@pytest.mark.parametrize("other", [1, 7])
def test_a_gap_between_two_sightings_is_covered_on_the_way(other: int) -> None:
    # Also where the face comes back under another id.
    def at(i: int) -> np.ndarray:
        return face_at(100 + 6 * i, 200)

    frames = [
        [face(100 + 6 * i, 200, number=1 if i < 10 else other)] if not 10 <= i < 20 else [] for i in range(30)
    ]
    outlines = Stream(FaceCover("blur"), ahead=15).outlines(frames)
    assert all(covers(one, at(i)) for i, one in enumerate(outlines))


def test_with_look_ahead_a_face_is_covered_before_it_is_first_seen() -> None:
    frames = [[face(400 - 6 * i, 200)] if i >= 20 else [] for i in range(40)]
    live = Stream(FaceCover("blur")).outlines(frames)
    ahead = Stream(FaceCover("blur"), ahead=15).outlines(frames)
    assert [bool(one) for one in live] == [i >= 20 for i in range(40)]
    assert [bool(one) for one in ahead] == [i >= 5 for i in range(40)]
    for i in range(14, 20):
        assert covers(ahead[i], face_at(400 - 6 * i, 200))


def test_excepted_faces_stay_uncovered_and_others_do_not() -> None:
    frames = [[face(150, 200, number=1), face(450, 200, number=2)]] * 3
    for outlines in Stream(FaceCover("blur", except_ids=[2])).outlines(frames):
        assert covers(outlines, face_at(150, 200))
        assert not covers(outlines, face_at(450, 200))


def test_what_only_the_detector_finds_is_covered_too() -> None:
    face_cover = FaceCover("blur", detect=lambda picture: stream.detect(picture))
    stream = Stream(face_cover)
    stranger = face_at(450, 200)
    stream.finds = [FaceBox(box_of(stranger), 0.7), FaceBox(box_of(face_at(150, 200)), 0.9)]
    for outlines in stream.outlines([[face(150, 200)]] * 10):
        assert len(outlines) == 2
        assert covers(outlines, stranger)
    # In every third frame: 0, 3, 6, 9.
    assert stream.looks == 4


def test_the_detector_looks_more_often_where_frames_are_rare() -> None:
    stream = Stream(FaceCover("blur", detect=lambda picture: stream.detect(picture)), rate=5.0)
    stream.outlines([[]] * 10)
    assert stream.looks == 10


def test_a_find_on_an_excepted_face_is_not_covered() -> None:
    stream = Stream(FaceCover("blur", except_ids=[1], detect=lambda picture: stream.detect(picture)))
    stream.finds = [FaceBox(box_of(face_at(152, 203)), 0.9)]
    # The find comes a frame before the face is followed.
    assert stream.outlines([[], *[[face(150, 200)]] * 5])[1:] == [[]] * 5


def test_two_heads_that_cross_are_both_covered_throughout() -> None:
    frames = [[face(100 + 8 * i, 200, number=1), face(500 - 8 * i, 210, number=2)] for i in range(50)]
    # One is hidden by the other for a while.
    frames = [faces[:1] if 21 <= i <= 29 else faces for i, faces in enumerate(frames)]
    for i, outlines in enumerate(Stream(FaceCover("blur"), ahead=15).outlines(frames)):
        assert covers(outlines, face_at(100 + 8 * i, 200))
        assert covers(outlines, face_at(500 - 8 * i, 210)), i


def test_ids_that_change_places_do_not_uncover_anyone() -> None:
    # As with numbers given from left to right: the left one is lost, and the right one becomes number 1.
    both = [face(150, 200, number=1), face(450, 200, number=2)]
    frames = [both] * 5 + [[face(450, 200, number=1)]] * 5
    for outlines in Stream(FaceCover("blur")).outlines(frames):
        assert covers(outlines, face_at(150, 200))
        assert covers(outlines, face_at(450, 200))


@pytest.mark.parametrize("back", [0.2, 100.0])
def test_a_clock_that_goes_back_uncovers_nothing(back: float) -> None:
    face_cover, held = FaceCover("blur"), []
    times = [0.0, 0.1, 0.2, 0.2 - back, 0.3 - back, 0.3 - back]
    for index, (time, seen) in enumerate(zip(times, [1, 1, 1, 0, 0, 0], strict=True)):
        frame = Frame(BgrPicture(noise(8, 8)), index, time, 0.0)
        face_cover.see(frame, FrameResult.of(frame, [face(300, 200)] if seen else []))
        held.append(bool(face_cover.outlines()))
    assert all(held)


def test_nothing_grows_with_the_stream() -> None:
    face_cover = FaceCover("blur")
    frames = [[face(100 + i % 50, 200)] if i % 100 < 60 else [] for i in range(1000)]
    Stream(face_cover, ahead=15).outlines(frames)
    assert len(face_cover._tracks) <= 1
    assert sum(len(track.sightings) for track in face_cover._tracks) < 60


def test_the_cover_of_a_still_face_rests() -> None:
    outlines = Stream(FaceCover("blur")).outlines([[face(300, 200)]] * 5)
    assert all((a[0] == b[0]).all() for a, b in itertools.pairwise(outlines))
