"""Confidence against what is right, by yaw and by what covers a face."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.reliability import Judged, by_region, by_yaw, markdown
from fkp_live.topology import REGIONS


def _judged() -> Judged:
    """A frontal face, and a half profile with the far half of the jaw hidden and its mouth covered."""
    seen, covered = np.ones((2, 68), bool), np.zeros((2, 68), bool)
    seen[1, 9:17] = False
    covered[1, REGIONS["mouth"]] = True
    right = seen & ~covered
    network = np.full((2, 68), 0.9)
    return Judged(np.array([3.0, 50.0]), seen, covered, right, network, np.where(seen, network, 0.2))


def test_hidden_points_are_counted_apart_from_seen_ones() -> None:
    rows = by_yaw(_judged())
    assert list(rows) == ["0 to 15°", "45 to 60°"]
    profile = rows["45 to 60°"]
    assert profile["all right"] == pytest.approx(40 / 68)
    assert profile["seen right"] == pytest.approx(40 / 60)
    assert (profile["said of hidden, network"], profile["said of hidden, now"]) == pytest.approx((0.9, 0.2))
    assert profile["success, now"] == 1.0
    assert "said of hidden, now" not in rows["0 to 15°"]


def test_covered_points_have_rows_of_their_own() -> None:
    rows = by_region(_judged())
    assert rows["mouth, covered"] == pytest.approx(
        {"points": 20, "right": 0, "said, network": 0.9, "said, now": 0.9}
    )
    assert rows["mouth, seen"]["right"] == 1.0
    assert rows["jaw, seen"]["points"] == 17 + 9
    assert "jaw, covered" not in rows


def test_a_table_leaves_cells_empty_where_nothing_is_hidden() -> None:
    head, _, frontal, profile = ([cell.strip() for cell in line.split("|")] for line in _lines())
    place = head.index("said of hidden, now")
    assert (frontal[place], profile[place]) == ("", "0.20")


def _lines() -> list[str]:
    return markdown(by_yaw(_judged()), "yaw").splitlines()
