"""benchmarks.eyes: blinks counted, and the sheet of patches."""

from __future__ import annotations

import numpy as np

from benchmarks.eyes import blinks, sheet


def test_blinks_are_counted_among_faces_both_of_whose_eyes_have_a_label() -> None:
    truth = np.array([[0.05, 0.1], [0.05, 0.3], [0.3, 0.3], [0.05, np.nan], [0.0, 0.0]], np.float32)
    found = blinks(truth, np.array([True, True, False, True, False]))
    assert found == {"shut": 2, "found": 50.0, "false": 50.0}
    assert blinks(truth[2:3], np.array([False]))["found"] is None


def test_the_sheet_begins_with_the_shut_eyes_that_read_open() -> None:
    patch = np.full((64, 64), 90, np.uint8)
    made = sheet(
        [(patch, 0.3, 0.3), (patch, 0.3, 0.05), (patch, 0.05, 0.06), (patch, 0.02, 0.3), (patch, np.nan, 0.3)]
    )
    assert made.shape == (96, 12 * 96, 3)
    # Orange: red above green; three tiles are filled.
    texts = [made[:14, 96 * i : 96 * (i + 1)].reshape(-1, 3).astype(int) for i in range(4)]
    assert [bool((text[:, 2] - text[:, 1] > 60).any()) for text in texts] == [True, False, True, False]
    assert bool((texts[1][:, 1] - texts[1][:, 2] > 60).any())
    assert not made[:, 3 * 96 :].any()
    assert sheet([]).shape == (96, 96, 3)
