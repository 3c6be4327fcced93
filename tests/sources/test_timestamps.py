"""Presentation timestamps of files, and clocks that begin anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import joined, number_of, read

from fkp_live.sources import open_source
from fkp_live.sources.timestamps import Timestamps

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


BASE = Fraction(1, 1000)


def stamps(*read: int | None, rate: int = 25) -> tuple[list[int], str]:
    """What becomes of these times on a file's clock, in milliseconds; and the note."""
    timestamps = Timestamps(BASE, Fraction(rate), by_decoding=False)
    pictures: Any = [SimpleNamespace(pts=pts, dts=None) for pts in read]
    given = list(timestamps.stamped(pictures))
    assert [picture for _, picture in given] == pictures
    assert all(b > a for (a, _), (b, _) in itertools.pairwise(given))
    return [stamp for stamp, _ in given], timestamps.note("f")


@pytest.mark.parametrize(
    ("read", "expected", "note"),
    [
        ((0, 40, 80), (0, 40, 80), ""),
        ((7, 11, 500), (7, 11, 500), ""),
        ((None, None, 80), (0, 40, 80), ""),
        # out of order by less than half a second
        ((0, 40, 30, 120), (0, 40, 60, 120), "f: 1 timestamp out of order"),
        ((0, 40, 40, 80), (0, 40, 60, 80), "f: 1 timestamp out of order"),
        ((0, 0, 0, 0, 160), (0, 20, 40, 60, 160), "f: 3 timestamps out of order"),
        ((1000, 600, 640, 1100), (1000, 1020, 1040, 1100), "f: 2 timestamps out of order"),
        # a clock that begins anew
        ((1000, 1040, 0, 40), (1000, 1040, 1080, 1120), "jumped back once; its parts were joined"),
        ((1000, 0, 0, 40), (1000, 1040, 1060, 1080), "jumped back once"),
        # a gap is a gap, up to hours
        ((0, 40, 20_000, 20_040), (0, 40, 20_000, 20_040), ""),
        ((0, 40, 18_000_000, 18_000_040), (0, 40, 18_000_000, 18_000_040), ""),
        ((0, 40, 20_000), (0, 40, 20_000), ""),
        # more is not
        ((0, 40, 10**10, 10**10 + 40), (0, 40, 80, 120), "jumped forward once; the gap was closed"),
        ((0, 10**10, 2 * 10**10), (0, 40, 80), "jumped forward 2 times"),
        # one wild timestamp
        ((0, 40, 10**10, 120, 160), (0, 40, 80, 120, 160), "f: 1 timestamp out of order"),
        ((0, 40, 60_000, 120), (0, 40, 80, 120), "f: 1 timestamp out of order"),
    ],
)
def test_one_clock_that_grows(read: tuple[int | None, ...], expected: tuple[int, ...], note: str) -> None:
    given, noted = stamps(*read)
    assert tuple(given) == expected
    assert note in noted
    assert bool(note) == bool(noted)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "nut"])
def test_a_file_whose_clock_jumps_forward(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    """A header that declares years is no reason to expect as many pictures."""
    pts = [*range(10), *range(600_000, 600_010)]
    path = make_clip(tmp_path / f"a.{suffix}", 20, rate=25, pts=pts, options={"bf": "0"})
    with open_source(path) as source:
        frames = list(source)
        note = source.note
    assert len(frames) == 20
    assert [frame.time for frame in frames] == pytest.approx(np.arange(20) / 25, abs=2e-3)
    assert note == f"the clock of a.{suffix} jumped forward once; the gap was closed"
    assert source.info.frames in (None, 20)
