"""Views of a picture: sizes, and that every face is whole in a view that answers for it."""

from __future__ import annotations

import numpy as np
import pytest

from fkp_live.faces.detector import MAX_ENLARGEMENT, WORK_SIZE, YuNet
from fkp_live.faces.detector_views import FINE_SIZE, TILE_SIZE, View, views_of
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import Session, open_session


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(models_dir() / "yunet.onnx", "cpu")


def sizes(views: list[View]) -> list[tuple[int, int]]:
    return [view.size for view in views]


def test_one_reduced_copy_is_enough_where_faces_are_not_small(session: Session) -> None:
    assert sizes(YuNet(session).views(1280, 720)) == [(WORK_SIZE, 180)]
    assert sizes(YuNet(session).views(176, 144)) == [(WORK_SIZE, 262)]
    assert sizes(YuNet(session).views(20, 10)) == [(80, 40)]
    assert sizes(YuNet(session).views(5000, 2)) == [(WORK_SIZE, 1)]
    assert sizes(YuNet(session, min_face=48).views(1280, 720)) == [(FINE_SIZE, 360)]
    usual = YuNet(session, min_face=40, most_size=576)
    assert sizes(usual.views(1920, 1080)) == [(576, 324)]
    assert sizes(usual.views(640, 480)) == [(384, 288)]


def test_a_fine_copy_has_a_coarse_one_beside_it(session: Session) -> None:
    fine, coarse = YuNet(session, min_face=24).views(1280, 720)
    assert (fine.size, coarse.size) == ((1280, 720), (WORK_SIZE, 180))
    assert fine.largest == 200
    assert coarse.largest == np.inf


def test_a_4k_picture_with_tiny_faces_takes_runs_of_bounded_size(session: Session) -> None:
    views = YuNet(session, min_face=10).views(3840, 2160)
    assert max(max(view.size) for view in views) <= TILE_SIZE
    assert len(views) == 8 * 5 + 2 * 2 + 1  # 9216 x 5184, 2304 x 1296 and 576 x 324
    assert views[-1].size == (576, 324)


@pytest.mark.parametrize("size", [(3840, 2160), (5000, 700), (700, 5000), (1921, 1083), (1290, 400)])
@pytest.mark.parametrize("fine", [0.6, 1.0, 2.4])
def test_every_face_is_whole_in_a_view_that_answers_for_it(size: tuple[int, int], fine: float) -> None:
    """Any face from 24 pixels in the finest copy up to the whole picture, wherever it lies."""
    random = np.random.default_rng(0)
    coarse = min(WORK_SIZE / max(size), MAX_ENLARGEMENT)
    views = views_of(*size, fine, coarse)
    for _ in range(300):
        side = min(size) ** random.uniform(np.log(24 / fine) / np.log(min(size)), 1.0)
        corner = random.uniform(0.0, np.array(size) - side)
        box = np.concatenate([corner, corner + side]).astype(np.float32)
        seen = [
            side / view.factor().max()
            for view in views
            if view.uses(box[None])[0]
            and box[0] >= view.region[0] - 1
            and box[1] >= view.region[1] - 1
            and box[2] <= view.region[2] + 1
            and box[3] <= view.region[3] + 1
        ]
        assert any(23.9 <= pixels <= 500 for pixels in seen), (side, box)


def test_boxes_of_neighbouring_tiles_are_used_once_or_twice_at_the_limit() -> None:
    first, second = views_of(1500, 300, 1.0, 0.2)[:2]
    assert (first.region, second.region) == ((0, 0, 814, 300), (686, 0, 1500, 300))

    def used(x: float) -> list[bool]:
        box = np.array([[x - 20, 100, x + 20, 140]], np.float32)
        return [bool(view.uses(box)[0]) for view in (first, second)]

    assert [used(x) for x in (732, 736, 764, 768)] == [
        [True, False],
        [True, True],
        [True, True],
        [False, True],
    ]


def test_boxes_larger_than_a_tile_shows_whole_are_left_to_the_coarser_copy() -> None:
    views = views_of(1500, 1500, 1.0, 0.2)
    small, large = (np.array([[100, 100, 100 + side, 150]], np.float32) for side in (127, 129))
    assert [view.uses(small)[0] for view in views] == [True, False, False, False, True]
    assert [view.uses(large)[0] for view in views] == [False, False, False, False, True]
