"""Clinical measures over a recording: raw points of heads that look at the camera, medians, and the plot."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import mean_shape
from recorded import face, film, write

from fkp_live.errors import InputError
from fkp_live.faces.symmetry import FOUND, NAMES, symmetry
from fkp_live.plots import clinical
from fkp_live.plots.clinical import COLUMNS, FilmSides, RunningSides, found_share, observe_sides
from fkp_live.sources.recordings import open_recording
from fkp_live.types import Face, Pose

HEIGHT = NAMES.index("commissure_height")


def uneven(shift: float, **more: object) -> Face:
    """A drawn face whose left corner of the mouth is lowered, in units of its shape."""
    points = mean_shape().copy()
    points[[54, 64], 1] += shift
    return face(points=points, **more)  # type: ignore[arg-type]


def test_medians_are_of_the_raw_points() -> None:
    running = RunningSides()
    for shift in (0.0, 0.04, 0.04, 0.04, 0.3):
        one = uneven(0.0)
        running.add(replace(one, raw=uneven(shift).points))
    seen, expected = running.result(), symmetry(uneven(0.04).points)
    assert (seen.frames, seen.raw) == (5, True)
    np.testing.assert_allclose(seen.sides, expected.sides, atol=1e-4)
    np.testing.assert_allclose(seen.deviation, expected.deviation, atol=1e-4)
    np.testing.assert_allclose(seen.ratio, expected.ratio, rtol=1e-3)
    assert seen.deviation[HEIGHT] > 0.02
    assert seen.spread[HEIGHT, 0] <= seen.deviation[HEIGHT] <= seen.spread[HEIGHT, 1]


def test_turned_heads_and_broken_points_do_not_count() -> None:
    running = RunningSides()
    assert running.add(uneven(0.1, pose=Pose(0.0, 0.2, 0.0))) is None
    assert running.add(uneven(0.1, pose=Pose(0.0, math.nan, 0.0))) is None
    assert running.add(uneven(math.nan)) is None
    assert running.add(face(points=np.zeros((68, 2)))) is None
    assert running.result().frames == 0
    assert np.isnan(running.result().sides).all()
    # A table without poses is measured by its points.
    assert running.add(uneven(0.0, pose=None)) is not None
    assert not running.result().raw


def test_memory_of_a_long_film_stays_flat_and_its_medians_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clinical, "_KEPT", 64)
    running = RunningSides()
    for i in range(200):
        running.add(uneven(i / 2000))
    assert len(running._kept) <= 64
    expected = symmetry(uneven(0.05).points).deviation[HEIGHT]
    assert running.result().deviation[HEIGHT] == pytest.approx(expected, rel=0.04)


def test_millimetres_come_from_the_distance_of_the_outer_eye_corners() -> None:
    plain, scaled = RunningSides(), RunningSides(92.0)
    for running in (plain, scaled):
        running.add(uneven(0.05))
    assert scaled.result().fai == pytest.approx(92.0 * plain.result().fai)
    film_sides = FilmSides(92.0)
    film_sides.add([uneven(0.05)])
    cells = film_sides.cells(1)
    assert tuple(cells) == COLUMNS
    assert (cells["clinical_unit"], cells["clinical_points"]) == ("mm", "recorded")
    assert cells["commissure_height_found"] == found_share("commissure_height") != ""
    assert set(film_sides.cells(5).values()) == {None}


def test_shares_found_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "symmetry.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if "| raw |" in line]
    found = {row[2]: [float(cell.rstrip(" %")) / 100 for cell in row[7:10]] for row in rows}
    assert {name: (min(shares), max(shares)) for name, shares in found.items()} == FOUND


def test_the_plot_has_a_row_for_each_measure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need matplotlib")
    from fkp_live.plots.clinical_figure import draw_clinical
    from fkp_live.plots.figure import style

    turned = uneven(0.0, pose=Pose(0.0, 0.9, 0.0))
    frames = [[uneven(0.05)] if i % 3 else [turned] for i in range(30)]
    path = write(tmp_path / "a $x^.jsonl", film([*frames, [replace(turned, id=2)]]))
    with open_recording(path) as recording:
        seen = observe_sides(recording, "a $x^", None)
    with style():
        figure = draw_clinical(seen, 1)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title.split(":")[0] for title in titles[1:] if title] == list(NAMES)
    words = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert words.count("shows") == len(FOUND)
    with style(), pytest.raises(InputError, match="never looks within 10 degrees"):
        draw_clinical(seen, 2)
