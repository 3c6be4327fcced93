"""Presentation timestamps of files, and clocks that begin anew."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import joined, number_of, read

from fkp_live.sources import open_source

MakeClip = Callable[..., Path]
pytestmark = [pytest.mark.usefixtures("no_thread_left"), pytest.mark.timeout(60)]


def test_b_frames_in_avi_come_in_order(make_clip: MakeClip, tmp_path: Path) -> None:
    """AVI knows decoding times only, and what ffmpeg guesses from them goes back and forth."""
    path = make_clip(tmp_path / "a.avi", 40, rate=25, options={"bf": "2", "b_strategy": "0"})
    frames = read(path)
    assert [number_of(f.image) for f in frames] == list(range(40))
    assert np.diff([f.time for f in frames]) == pytest.approx(np.full(39, 0.04), abs=1e-3)


def test_uneven_rate_and_late_start_are_kept_exactly(make_clip: MakeClip, tmp_path: Path) -> None:
    pts = [4500, 5000, 9000, 9001, 30000, 31500]
    path = make_clip(tmp_path / "vfr.mp4", 6, pts=pts, time_base=Fraction(1, 30000))
    frames = read(path)
    exact = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    assert exact == [Fraction(p, 30000) for p in pts]
    assert [f.time for f in frames] == pytest.approx([p / 30000 for p in pts], abs=1e-6)


def test_parts_of_a_joined_stream_follow_each_other_in_time(make_clip: MakeClip, tmp_path: Path) -> None:
    """The clock of the second part begins anew; B-frames, which are stored out of order, are no jump."""
    part = make_clip(tmp_path / "part.ts", 40, options={"bf": "3", "g": "20"})
    with open_source(joined(tmp_path / "j.ts", part, part, part)) as source:
        frames = list(source)
        assert source.note == "the clock of j.ts jumped back 2 times; its parts were joined"
    assert [number_of(f.image) for f in frames] == [*range(40)] * 3
    assert [f.time - source.info.origin for f in frames] == pytest.approx(np.arange(120) / 30, abs=1e-3)
    exact = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    assert [float(stamp) for stamp in exact] == pytest.approx([f.time for f in frames])


def test_a_gap_in_the_clock_stays(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "gap.ts", 20, pts=[*range(10), *range(100, 110)])
    with open_source(path) as source:
        times = [frame.time for frame in source]
        assert source.note == ""
    assert times[10] - times[9] == pytest.approx(91 / 30, abs=1e-3)


def test_origin_is_where_a_player_begins(make_clip: MakeClip, tmp_path: Path) -> None:
    with open_source(make_clip(tmp_path / "a.ts", 5)) as source:
        assert 0.0 < source.info.origin == pytest.approx(next(source).time, abs=1e-3)
    with open_source(make_clip(tmp_path / "a.mp4", 5)) as source:
        assert source.info.origin == 0.0
