"""Plots show what was recorded: lines at the readings' values, rows where a face was, ellipses where points spread."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="plots need matplotlib")

from recorded import OPEN, SHUT, face, film, shown, write

from fkp_live.choices import PLOT_KINDS
from fkp_live.errors import OutputError
from fkp_live.plots.drawing import draw
from fkp_live.plots.figure import clock, save, style
from fkp_live.plots.observed import Observed, observe
from fkp_live.plots.path import RunningPath
from fkp_live.plots.shape import RunningShape
from fkp_live.sources.recordings import open_recording
from fkp_live.topology import REGIONS
from fkp_live.types import FrameResult, Pose

KINDS = list(PLOT_KINDS)


def observed(tmp_path: Path, results: list[FrameResult], name: str = "film.mp4") -> Observed:
    with open_recording(write(tmp_path / "points.jsonl", results, name=name)) as recording:
        return observe(recording, name, KINDS)


def frames(count: int = 90) -> list[FrameResult]:
    """Face 1 blinks, turns and walks to the right; face 2 is there in the middle third."""
    made = []
    for i in range(count):
        shut = 40 <= i < 44
        one = face(
            1, at=(100 + 3 * i, 240), measures=SHUT if shut else OPEN, pose=Pose(0.0, 0.01 * (i % 20), 0.0)
        )
        made.append([one] + ([face(2, scale=50)] if count // 3 <= i < 2 * count // 3 else []))
    return film(made)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_a_picture(tmp_path: Path, kind: str) -> None:
    seen = observed(tmp_path, frames(), name="a $x_ film^{ <b> 日本 \n.mp4")
    with style():
        save(draw(kind, seen, 1), tmp_path / "plot.png", overwrite=False)
    image = cv2.imread(str(tmp_path / "plot.png"))
    assert image is not None
    assert image.shape[1] == 1200
    assert image.std() > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.png", "points.jsonl"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_face_of_one_frame_can_be_drawn(tmp_path: Path, kind: str) -> None:
    seen = observed(tmp_path, film([[], [face(3)], []]))
    with style():
        save(draw(kind, seen, 3), tmp_path / "plot.svg", overwrite=False)
    assert "</svg>" in (tmp_path / "plot.svg").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_finite_can_be_drawn(tmp_path: Path, kind: str) -> None:
    bad = face(1, points=np.full((68, 2), np.nan), pose=None, measures=None)
    for name, frames_ in (("some", [[face(1)], [bad], [face(1)]]), ("all", [[bad], [bad]])):
        (tmp_path / name).mkdir()
        seen = observed(tmp_path / name, film(frames_))
        with style():
            save(draw(kind, seen, 1), tmp_path / f"{name}.png", overwrite=False)


def test_the_timeline_has_every_reading_and_every_blink(tmp_path: Path) -> None:
    seen = observed(tmp_path, frames())
    with style():
        figure = draw("timeline", seen, 1)
    eyes, mouth, pose, presence = figure.axes
    right = eyes.lines[0]
    np.testing.assert_allclose(right.get_xdata(), np.arange(90) / 30, atol=1e-6)
    expected = [SHUT.right_eye_open if 40 <= i < 44 else OPEN.right_eye_open for i in range(90)]
    np.testing.assert_allclose(right.get_ydata(), expected, atol=1e-6)
    shades = [path.get_extents() for path in eyes.collections[0].get_paths()]
    assert [round(shade.x0 * 30) for shade in shades] == [40, 41, 42, 43]
    assert shades[-1].x1 == pytest.approx(44 / 30, abs=1e-6)
    yaw = pose.lines[0].get_ydata()
    np.testing.assert_allclose(yaw, np.degrees(0.01 * (np.arange(90) % 20)), atol=1e-2)
    assert "degrees" in pose.get_ylabel()
    assert "(s)" in presence.get_xlabel()
    assert mouth.get_legend() is not None


def test_the_raster_has_a_row_a_face_where_it_was(tmp_path: Path) -> None:
    seen = observed(tmp_path, frames())
    with style():
        figure = draw("raster", seen, 1)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1 (main)", "2"]
    second = axes.collections[1].get_paths()[0].get_extents()
    assert (second.x0, second.x1) == pytest.approx((1.0, 2.0), abs=0.01)


def test_the_path_follows_the_boxes(tmp_path: Path) -> None:
    seen = observed(tmp_path, frames())
    with style():
        axes, bar = draw("path", seen, 1).axes
    segments = axes.collections[0].get_segments()
    assert len(segments) == 89
    assert segments[-1][1][0] - segments[0][0][0] == pytest.approx(3 * 89, abs=0.1)
    assert axes.get_xlim() == (0, 640)
    assert axes.get_ylim() == (480, 0), "as in the picture: y down"
    assert "time" in bar.get_ylabel()


def test_a_path_is_thinned_evenly_and_keeps_its_bound() -> None:
    path = RunningPath()
    for index in range(100_000):
        path.add(np.array([index, 0, index + 2, 2], np.float32), index / 30)
    kept = path.kept
    assert 4096 <= len(kept) <= 8192
    assert len({round(step, 3) for step in np.diff(kept[:, 0])}) == 1


def test_the_mean_shape_removes_place_size_and_tilt() -> None:
    rng = np.random.default_rng(0)
    shape = RunningShape()
    still = face().points
    for _ in range(200):
        angle, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.5, 2)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = still.copy()
        moved[REGIONS["mouth"][0]] += (0, rng.normal(0, 2))
        shape.add((moved @ turn.T + rng.uniform(0, 500, 2)).astype(np.float32))
    spread = np.sqrt(np.trace(shape.covariance, axis1=1, axis2=2))
    assert spread.argmax() == REGIONS["mouth"][0]
    assert np.sort(spread)[-2] < 0.1 * spread.max()
    covariance = shape.covariance[REGIONS["mouth"][0]]
    assert covariance[1, 1] > 20 * covariance[0, 0], "up and down alone"
    assert shape.mean[36, 0] < shape.mean[45, 0]
    assert shape.mean[36, 1] < shape.mean[8, 1], "the eyes lie above the chin, y down"


def test_a_shape_takes_turned_heads_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    turned = [[face(pose=Pose(0.0, 0.8, 0.0))] for _ in range(20)]
    assert observed(tmp_path, film(turned)).shape(1)[1] is False
    (tmp_path / "both").mkdir()
    shape, frontal = observed(tmp_path / "both", film(turned + [[face()]] * 12)).shape(1)
    assert frontal
    assert shape.frames == 12


def test_left_and_right_have_their_sign(tmp_path: Path) -> None:
    points = face(scale=1.0, at=(0, 0)).points.astype(float)
    points[REGIONS["left_brow"], 1] -= 0.05
    seen = observed(tmp_path, film([[face(1, points=points)]] * 5))
    with style():
        figure = draw("symmetry", seen, 1)
    assert (figure.axes[1].lines[0].get_ydata() > 0.05).all()
    assert np.allclose(figure.axes[2].lines[0].get_ydata(), 0, atol=1e-3)


def test_the_same_recording_gives_the_same_file(tmp_path: Path) -> None:
    seen = observed(tmp_path, frames(20))
    for name in ("a.svg", "b.svg"):
        with style():
            save(draw("timeline", seen, 1), tmp_path / name, overwrite=False)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_plot_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "plot.png").write_bytes(b"mine")
    seen = observed(tmp_path, frames(5))
    with style(), pytest.raises(OutputError, match="exists"):
        save(draw("raster", seen, 1), tmp_path / "plot.png", overwrite=False)
    assert (tmp_path / "plot.png").read_bytes() == b"mine"


def test_the_common_style_does_not_stay() -> None:
    import matplotlib as mpl

    before = mpl.rcParams["axes.grid"]
    with style():
        assert mpl.rcParams["axes.grid"]
    assert mpl.rcParams["axes.grid"] == before


def test_clock() -> None:
    assert [clock(t) for t in (0, 59.6, 65, 3599, 3600, 7325, -5)] == [
        *("0:00", "1:00", "1:05", "59:59", "1:00:00", "2:02:05", "-0:05")
    ]


def test_the_timeline_has_expressions_only_where_the_recording_has_them(tmp_path: Path) -> None:
    faces = [[shown("happy")]] * 20 + [[]] * 5 + [[shown("afraid")]] * 20
    with style():
        drawn = draw("timeline", observed(tmp_path, film(faces)), 1)
        (tmp_path / "points.jsonl").unlink()
        plain = draw("timeline", observed(tmp_path, film([[face()]] * 5)), 1)
    assert (len(drawn.axes), len(plain.axes)) == (5, 4)
    (axes,) = [axes for axes in drawn.axes if "expression" in axes.get_ylabel()]
    # Nothing is drawn where the face was away.
    middle = 22 / 30
    assert not any(
        path.contains_point((middle, 0.5)) for part in axes.collections for path in part.get_paths()
    )
    assert any(path.contains_point((0.3, 0.5)) for part in axes.collections for path in part.get_paths())
