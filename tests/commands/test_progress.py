"""The figures of the HUD, by a clock that moves only by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ticking import Clock

from fkp_live.commands.progress import HudFigures
from fkp_live.images.picture import BgrPicture
from fkp_live.stats import RunStats
from fkp_live.types import Face, Frame, FrameResult

FACE = Face(np.zeros((68, 2), np.float32), np.ones(68, np.float32), np.zeros(4, np.float32), 1.0)


def result(arrived: float, faces: int = 1) -> FrameResult:
    frame = Frame(BgrPicture(np.zeros((4, 4, 3), np.uint8)), 0, 0.0, arrived)
    return FrameResult.of(frame, [FACE] * faces)


def test_figures_stay_for_a_quarter_of_a_second() -> None:
    clock = Clock()
    figures = HudFigures(RunStats(clock), "cpu", live=True)
    shown = []
    for _ in range(60):
        shown.append(figures(result(clock() - 0.04)))
        assert figures.current is shown[-1]
        clock.pass_(0.1)
    changes = [number for number in range(1, 60) if shown[number] is not shown[number - 1]]
    # Once as soon as there is a rate, then at every third of frames 0.1 s apart.
    assert changes[0] == 1
    assert set(np.diff(changes)) == {3}
    assert shown[-1].fps == pytest.approx(10.0)
    assert shown[-1].age_ms == pytest.approx(40.0)
    assert shown[-1].provider == "cpu"


def test_another_number_of_faces_shows_at_once() -> None:
    clock = Clock()
    figures = HudFigures(RunStats(clock), "cpu", live=True)
    for faces in (1, 1, 2, 2, 0):
        clock.pass_(0.01)
        assert figures(result(clock(), faces)).faces == faces


def test_a_file_has_neither_age_nor_drops_to_show() -> None:
    hud = HudFigures(RunStats(), "cpu", live=False)(result(0.0))
    assert (hud.age_ms, hud.dropped) == (None, None)


def test_frames_of_a_live_source_that_were_dropped_are_counted() -> None:
    clock, dropped = Clock(), [0]
    figures = HudFigures(RunStats(clock), "cpu", live=True, dropped=lambda: dropped[0])
    assert figures(result(clock())).dropped == 0
    dropped[0] = 7
    clock.pass_(0.3)
    assert figures(result(clock())).dropped == 7


def test_a_pause_is_neither_in_the_rate_nor_in_the_age() -> None:
    clock = Clock()
    stats = RunStats(clock)
    figures = HudFigures(stats, "cpu", live=True)
    for _ in range(30):
        arrived = clock()
        with stats.waiting():
            clock.pass_(3.0)
        clock.pass_(0.05)
        hud = figures(result(arrived))
    assert hud.fps == pytest.approx(20.0)
    assert hud.age_ms == pytest.approx(50.0)
