"""Training of the eye network: closed lids, its figures, and a run of two epochs that is stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp_live.errors import ExitCode, ModelError, OutputError, UsageError

torch = pytest.importorskip("torch")

from train.__main__ import main as train  # noqa: E402
from train.cutouts import loop  # noqa: E402
from train.cutouts.command import read_schedule  # noqa: E402
from train.eyes import fit  # noqa: E402
from train.eyes.augment import disturbed, network_patches  # noqa: E402
from train.eyes.closing import can_close, closed  # noqa: E402
from train.eyes.data import EYE, KEPT_EYE, KEPT_SIZE, SIZE, Eyes, labelled_openness  # noqa: E402
from train.eyes.evaluation import evaluate  # noqa: E402
from train.eyes.figures import judged, line, recall, report  # noqa: E402
from train.eyes.network import network_of, read_eye_checkpoint  # noqa: E402
from train.network.checkpoint import write_content  # noqa: E402

RECIPE = Path(__file__).parents[3] / "train" / "recipes" / "eyes.toml"


def drawn_eye(openness: float) -> tuple[np.ndarray, np.ndarray]:
    """A kept patch (64, 64) with a dark slit of this openness on skin, and its lids (6, 2)."""
    rows, columns = np.mgrid[: KEPT_SIZE[1], : KEPT_SIZE[0]] - 31.5
    half = KEPT_EYE / 2
    bow = openness * KEPT_EYE / 2 * (1 - (columns / half) ** 2)
    patch = np.where((np.abs(rows) < bow) & (np.abs(columns) < half), 40, 180)
    x = np.array([-half, -half / 3, half / 3, half, half / 3, -half / 3])
    y = openness * KEPT_EYE / 2 * (1 - (x / half) ** 2) * [0, -1, -1, 0, 1, 1]
    return patch.astype(np.uint8), np.stack([x, y], 1).astype(np.float32) + 31.5


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    """Drawn ones: half of the faces of wild_train, and each of the held-out sets."""
    rng = np.random.default_rng(0)
    openness = rng.uniform(0.0, 0.5, (120, 2)).astype(np.float32)
    openness[3, 1] = np.nan
    drawn = [[drawn_eye(0.0 if np.isnan(o) else o) for o in row] for row in openness]
    name = np.array(["wild_train"] * 60 + ["wild_val"] * 30 + ["hard_mtfl"] * 30)
    return Eyes(
        np.array([[patch for patch, _ in row] for row in drawn]),
        np.array([[lids for _, lids in row] for row in drawn]),
        openness,
        np.ones((120, 2), np.bool_),
        np.full((120, 2), 20, np.float32),
        0.18 + 0.45 * openness,
        np.zeros(120, np.float32),
        name,
        name != "wild_train",
    )


def kept(eyes: Eyes, path: Path) -> Path:
    path.mkdir()
    np.savez(path / "eyes.npz", **{field: getattr(eyes, field) for field in Eyes.__slots__})
    return path


def test_a_run_that_is_resumed_ends_as_one_that_was_not(
    eyes: Eyes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text("[eyes]\nepochs = 2\nbatch = 32\nwidth = 4\n")
    words = ["eyes", str(recipe), "--data", str(tmp_path)]
    whole, parts = (kept(eyes, tmp_path / name) for name in ("whole", "parts"))
    assert train([*words, "--out", str(whole)]) == 0
    assert "| network |" in capsys.readouterr().out

    def save_and_stop(path: Path, content: dict[str, Any]) -> None:
        write_content(path, content)
        raise OutputError("stopped after an epoch")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "write_content", save_and_stop)
        assert train([*words, "--out", str(parts)]) == ExitCode.OUTPUT
    assert train([*words, "--out", str(parts)]) == ExitCode.OUTPUT
    assert train([*words, "--out", str(parts), "--resume"]) == 0
    first, second = (read_eye_checkpoint(path / "last.pt")["ema"] for path in (whole, parts))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_it_learns_how_far_drawn_eyes_are_open(eyes: Eyes, tmp_path: Path) -> None:
    torch.manual_seed(0)
    recipe = fit.EyeRecipe(epochs=25, batch=24, width=4, ema=0.9, closed=0.0)
    net = network_of(read_eye_checkpoint(fit.fit(recipe, eyes, tmp_path, resume=False)))
    figures = evaluate(net, eyes)
    assert set(figures) == {"wild_val", "hard, held out"}
    network, points = (figures["wild_val"]["ways"][way] for way in ("network", "points"))
    assert network["slope"] > 0.7
    assert network["correlation"] > 0.9
    assert points["slope"] == pytest.approx(0.45, abs=0.01)
    assert "wild_val: 30 faces" in report(figures)


def test_lids_that_are_drawn_down_leave_that_much_less_open() -> None:
    patch, lids = drawn_eye(0.4)
    x, given = torch.from_numpy(patch)[None, None].float(), torch.from_numpy(lids)[None]
    assert can_close(given).tolist() == [True]
    dark = [float((closed(x, given, torch.tensor([share])) < 110).float().sum()) for share in (0.0, 0.5, 1.0)]
    assert dark[0] == float((x < 110).float().sum())
    assert dark[1] == pytest.approx(dark[0] / 2, rel=0.2)
    assert dark[2] < 0.1 * dark[0]
    missing, crossed = given.clone(), given[:, [3, 2, 1, 0, 4, 5]]
    missing[0, 2] = torch.nan
    assert not can_close(torch.cat([missing, crossed])).any()


def test_patches_that_nothing_disturbs_are_those_of_the_product() -> None:
    patch, _ = drawn_eye(0.4)
    x = network_patches(torch.from_numpy(patch)[None, None].float())
    assert x.shape == (1, 1, SIZE[1], SIZE[0])
    across = (x[0, 0, SIZE[1] // 2] < 110).float().sum()
    assert float(across) == pytest.approx(EYE, abs=2)
    torch.manual_seed(0)
    moved = disturbed(x.new_full((4, 1, 64, 64), 100.0))
    assert moved.shape == (4, 1, 24, 32)
    assert torch.isfinite(moved).all()
    assert 0 <= float(moved.min()) <= float(moved.max()) <= 255


def test_figures() -> None:
    truth = np.array([[0.05, 0.3], [0.1, 0.35], [0.15, np.nan], [0.4, 0.25]], np.float32)
    found = judged(truth, {"half": (truth / 2, truth)})
    assert (found["faces"], found["eyes"], found["shut"], found["between"]) == (4, 7, 2, 1)
    assert found["ways"]["half"]["slope"] == pytest.approx(0.5, abs=0.001)
    assert found["ways"]["half"]["shut_found"] == 100
    assert line(np.float32([0, 1]), np.float32([1, 3]))["intercept"] == 1
    assert recall(np.float32([0, 1]), np.array([False, False]), np.array([True, True])) is None
    score = np.arange(100, dtype=np.float32)
    assert recall(score, score < 4, score >= 4) == 100
    assert recall(-score, score < 4, score >= 4) == 0


def test_labelled_openness_is_the_distance_of_the_lids_over_the_width() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, [36, 37, 38, 39, 40, 41]] = [[0, 0], [3, -2], [7, -2], [10, 0], [7, 1], [3, 1]]
    points[0, 42:48] = np.nan
    openness, width = labelled_openness(points)
    assert openness[0, 0] == pytest.approx(0.3)
    assert width[0, 0] == 10
    assert np.isnan(openness[0, 1])


def test_the_shipped_recipe_is_read_and_another_section_refused(tmp_path: Path) -> None:
    assert read_schedule(RECIPE, "eyes", fit.EyeRecipe).width == 8
    recipe = tmp_path / "other.toml"
    recipe.write_text("[data]\n")
    with pytest.raises(UsageError, match="unknown section 'data'"):
        read_schedule(recipe, "eyes", fit.EyeRecipe)
    with pytest.raises(ModelError, match="no checkpoint"):
        read_eye_checkpoint(tmp_path / "none.pt")
    torch.save({"kind": "expression"}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="was not written by `python -m train eyes`"):
        read_eye_checkpoint(tmp_path / "other.pt")
    torch.save({"kind": "eyes", "recipe": {}, "ema": {}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="holds no optimiser"):
        read_eye_checkpoint(tmp_path / "other.pt", ("optimiser",))
