"""The benchmark of covers: what counts as open, and that covering leaves nothing open."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from benchmarks.covering import COVERED, entering, frames_of, share_in, watched
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.display.cover_tracks import HOLD
from fkp_live.types import FaceBox

FIND = FaceBox(np.array([20, 20, 60, 80], np.float32), 0.9)


def test_the_share_is_that_of_the_visible_face() -> None:
    mask = np.zeros((100, 100), np.uint8)
    assert share_in(mask, FIND) == 0.0
    mask[:, :40] = 1
    assert share_in(mask, FIND) == pytest.approx(0.5, abs=0.05)
    mask[:] = 1
    assert share_in(mask, FIND) == 1.0
    # The picture ends in the middle of the face: only what is in it counts.
    assert share_in(np.zeros((50, 100), np.uint8), FIND) == 0.0
    assert share_in(np.ones((50, 100), np.uint8), FIND) == 1.0
    assert share_in(mask, FaceBox(FIND.box + 500, 0.9)) == 1.0


def test_a_followed_face_is_never_open() -> None:
    watch = watched(islice(frames_of(demo_clip()), 8), "black", True, 0.0)
    assert (watch.faces, watch.open, watch.found) == (8, [], 0)
    assert all(share is not None and share > COVERED for share in watch.shares)
    assert len(watch.ratios) == len(watch.pictures) == 8


def test_a_face_that_slides_in_is_open_only_without_look_ahead() -> None:
    live, ahead = (watched(entering(13, -1), "black", True, seconds) for seconds in (0.0, HOLD))
    assert live.open
    assert ahead.open == []
