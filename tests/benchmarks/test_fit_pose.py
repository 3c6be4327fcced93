"""The map from points to head pose: blocks of photos, spreads, and real photos read and fitted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fit_pose
from benchmarks.fit_pose import Setting, blocks, fit_spread

SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_neighbouring_photos_and_faces_of_one_photo_lie_in_one_block() -> None:
    block = blocks(np.array([7, 3, 900, 3, 8, 901, 9]), 3)
    assert block[1] == block[3]
    assert block[2] == block[5]
    assert set(block) == {0, 1, 2}


def test_two_of_three_errors_lie_within_the_spread_whatever_it_depends_on() -> None:
    random = np.random.default_rng(0)
    away = random.uniform(0, 1, 3000)
    features = np.stack([np.ones_like(away), away], 1)
    errors = np.abs(random.normal(0, np.exp(-3 + 2 * away)))[:, None]
    spread = fit_spread(features, np.degrees(errors))
    assert spread[:, 0] == pytest.approx([-3, 2], abs=0.15)
    for low in (0, 0.5):
        part = (away >= low) & (away < low + 0.5)
        assert (errors[part] < np.exp(features[part] @ spread)).mean() == pytest.approx(0.6827, abs=0.03)


@pytest.mark.skipif(not SHARED.exists(), reason="needs ../shared/data")
def test_photos_are_read_fitted_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _copy(SHARED / "pose", tmp_path / "pose", "pose.csv", every=20)
    hard = Path("hard") / "merl_aflw"
    _copy(SHARED / hard, tmp_path / hard, "keypoints.csv", every=30)
    _copy(SHARED / hard, tmp_path / hard, "keypoints_partial.csv", every=60)
    for name in ("pose.csv", "visibility.csv"):
        (tmp_path / hard / name).write_text((SHARED / hard / name).read_text())
    written: list[fit_pose.PoseMap] = []
    monkeypatch.setattr(fit_pose, "write", written.append)
    monkeypatch.setattr(fit_pose, "SETTINGS", [Setting(6, 1.0), Setting(4, 3.0)])
    monkeypatch.setattr(fit_pose, "FOLDS", 2)
    monkeypatch.setattr(fit_pose, "INNER", 2)
    figures = tmp_path / "figures.json"
    options = ["fit_pose", "--data", str(tmp_path), "--json", str(figures), "--write"]
    monkeypatch.setattr("sys.argv", options)
    fit_pose.main()
    found = json.loads(figures.read_text())
    # Twenty photos teach signs and orders; the published map needs all of them.
    assert found["errors"]["yaw 0 to 60"]["mean"] < 10
    assert found["standard deviations"]["all"]["within one"] == pytest.approx([68] * 3, abs=30)
    (pose_map,) = written
    photos, count = fit_pose.read_faces(tmp_path / "pose", fit_pose.FaceLandmarker(provider="cpu"))
    assert count >= 17
    assert fit_pose.off(pose_map, photos).mean() < 10


def _copy(source: Path, target: Path, table: str, every: int) -> None:
    """Some rows of a table of photos."""
    target.mkdir(parents=True, exist_ok=True)
    if not (target / "images").exists():
        (target / "images").symlink_to((source / "images").resolve())
    with (source / table).open(newline="") as file:
        head, *rows = csv.reader(file)
    with (target / table).open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows[::every]])
