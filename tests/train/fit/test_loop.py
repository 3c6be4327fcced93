"""Training for real on a handful of drawn faces: it learns, stops, resumes exactly, and refuses nonsense."""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import mean_shape, write_data, write_drawn

from fkp_live.errors import FkpError, UsageError
from fkp_live.geometry import CropSpec
from train.__main__ import main
from train.data.sampling import Crops, face_weights, load_sources
from train.data.splits import training_sets, validation_sets
from train.fit.advice import few_faces, meaning
from train.fit.loop import Run, evaluate, fit
from train.network.checkpoint import load_checkpoint, read_checkpoint
from train.options import DataOptions, Recipe
from train.recipe import read_recipe

# Those of `train original-table`, `train expression` and `train eyes` have forms of their own and tests of their own.
RECIPES = sorted(
    path
    for path in (Path(__file__).parents[3] / "train" / "recipes").rglob("*.toml")
    if not path.stem.startswith(("original", "expression", "eyes"))
)
TOML = """
name = "tiny"
[model]
size = 32
channels = [4, 8, 8, 16]
blocks = [0, 1, 1]
decoder = [8, 8]
[loss]
maps = 3.0
[training]
epochs = 2
batch = 8
workers = 0
evaluate_every = 1
epoch_faces = 32
"""


@pytest.fixture(name="faces", scope="module")
def _faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 12 drawn faces."""
    folder = tmp_path_factory.mktemp("faces")
    return write_drawn(folder / "keypoints.csv", folder / "images", [f"Person_{n}.png" for n in range(12)])


@pytest.fixture(name="recipe")
def _recipe(faces: Path, tmp_path: Path) -> Recipe:
    path = tmp_path / "tiny.toml"
    path.write_text(TOML)
    data = DataOptions(sets=(), csv=(str(faces),), validation=(str(faces),))
    return replace(read_recipe(path), data=data)


def test_it_learns_and_leaves_its_files(recipe: Recipe, tmp_path: Path) -> None:
    longer = replace(
        recipe, training=replace(recipe.training, epochs=30, lr=5e-3, epoch_faces=64, evaluate_every=10)
    )
    history = fit(longer, Path(), tmp_path / "run", torch.device("cpu"), resume=False).history
    errors = [row["keypoints_nme"] for row in history if "keypoints_nme" in row]
    assert errors[-1] < 15.0 < errors[0]
    assert (tmp_path / "run" / "curves.png").stat().st_size > 5000
    with open(tmp_path / "run" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert float(rows[-1]["keypoints_nme"]) == pytest.approx(errors[-1], rel=1e-3)


def test_a_resumed_run_ends_where_an_unbroken_one_does(recipe: Recipe, tmp_path: Path) -> None:
    whole = replace(recipe, training=replace(recipe.training, epochs=4))
    cpu = torch.device("cpu")
    fit(whole, Path(), tmp_path / "whole", cpu, resume=False)

    class StopError(Exception):
        pass

    def stop_after_two(folder: Path) -> None:
        import train.fit.loop as module

        saved = module.Run.save

        def save(run: module.Run) -> None:
            saved(run)
            if run.epoch == 2:
                raise StopError

        module.Run.save = save  # type: ignore[method-assign]
        try:
            with pytest.raises(StopError):
                fit(whole, Path(), folder, cpu, resume=False)
        finally:
            module.Run.save = saved  # type: ignore[method-assign]

    stop_after_two(tmp_path / "broken")
    assert read_checkpoint(tmp_path / "broken" / "last.pt")["epoch"] == 2
    fit(whole, Path(), tmp_path / "broken", cpu, resume=True)
    first, second = (read_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "broken"))
    assert first["step"] == second["step"]
    assert all(torch.equal(first["ema"][key], second["ema"][key]) for key in first["ema"])


def test_a_second_cycle_starts_from_the_average_of_the_first(recipe: Recipe, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    first = fit(recipe, Path(), tmp_path / "first", cpu, resume=False)
    run = Run(recipe, tmp_path / "second", cpu)
    run.start_from(first.checkpoint, torch.zeros(2, 3, 32, 32))
    weights = run.model.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in first.ema.state_dict().items())
    narrower = replace(recipe, model=replace(recipe.model, decoder=(8, 4)))
    with pytest.raises(FkpError, match="may grow, not shrink") as caught:
        fit(narrower, Path(), tmp_path / "third", cpu, resume=False, init=first.checkpoint)
    assert caught.value.exit_code == 2


def test_items_depend_only_on_seed_epoch_and_number(recipe: Recipe) -> None:
    sets = load_sources(training_sets(recipe, Path()), recipe.data)
    one, two = Crops(sets, recipe), Crops(sets, recipe)
    one.start(3)
    two.start(1)
    two.start(3)
    assert torch.equal(one[5][0], two[5][0])
    two.start(4)
    assert not torch.equal(one[5][0], two[5][0])


def test_every_face_is_shown_once_where_all_weights_are_equal(recipe: Recipe) -> None:
    even = replace(recipe, training=replace(recipe.training, epoch_faces=12, pose_balance=0.0))
    crops = Crops(load_sources(training_sets(even, Path()), even.data), even)
    assert sorted(crops.order(0)) == list(range(12))
    assert list(crops.order(0)) != list(crops.order(1))


def test_rare_shapes_are_drawn_oftener() -> None:
    rng = np.random.default_rng(0)
    shapes = mean_shape()[None] + rng.normal(0, 0.004, (50, 68, 2))
    shapes[:5, :, 0] *= 0.5  # five turned heads
    weights = face_weights(shapes.astype(np.float32), 1.0)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[:5].min() > 1.5 * np.median(weights[5:])
    assert np.ptp(face_weights(shapes.astype(np.float32), 0.0)) == pytest.approx(0.0)


def test_ctrl_c_keeps_the_last_checkpoint(faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TOML.replace("epochs = 2", "epochs = 5000"))
    command = [
        sys.executable,
        "-m",
        "train",
        "fit",
        str(recipe),
        "--csv",
        str(faces),
        "--out",
        str(tmp_path / "run"),
        "--threads",
        "1",
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    deadline = time.monotonic() + 150
    while not (tmp_path / "run" / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 130, log
    assert "Traceback" not in log
    assert "holds epoch" in log
    assert load_checkpoint(tmp_path / "run" / "last.pt")


def test_a_run_is_not_overwritten_and_resumes_only_with_its_recipe(
    recipe: Recipe, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fit", str(tmp_path / "tiny.toml"), "--csv", str(faces), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--resume"]) == 3
    assert main([*arguments, "--epochs", "1"]) == 0
    assert main(arguments) == 6
    assert main([*arguments, "--resume", "--seed", "5"]) == 2
    assert "trained with another recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        (None, 3, "cannot read recipe"),
        ("[training", 3, "is not TOML"),
        ("[trainin]\nepochs = 3", 2, "unknown section 'trainin'"),
        ("[training]\nepoch = 3", 2, "unknown key 'epoch'"),
        ("[training]\nepochs = 0", 2, "epochs = 0, expected a whole number from 1"),
        ('[loss]\nkind = "l3"', 2, "kind = 'l3', expected one of l1, l2"),
        ("training = 3", 2, "expected a section"),
    ],
)
def test_a_bad_recipe_is_refused_by_name(
    content: str | None, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_text(content)
    assert main(["fit", str(path), "--out", str(tmp_path / "run")]) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    assert read_recipe(path).name == path.stem.replace("_", "-")


def test_more_faces_join_those_of_the_recipe(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few.csv"
    few.write_text("\n".join(faces.read_text().splitlines()[:4]) + "\n")
    (tmp_path / "images").symlink_to(faces.parent / "images")
    (tmp_path / "tiny.toml").write_text(TOML)
    arguments = [str(tmp_path / "tiny.toml"), "--csv", str(faces), "--more", str(few), "--epochs", "1"]
    assert main(["fit", *arguments, "--out", str(tmp_path / "run")]) == 0
    stored = read_checkpoint(tmp_path / "run" / "last.pt")["recipe"]["data"]["csv"]
    assert [Path(csv).name for csv in stored] == ["keypoints.csv", "few.csv"]


@pytest.mark.parametrize(("count", "said"), [(200, True), (999, True), (1000, False)])
def test_few_faces_need_first_weights(count: int, said: bool) -> None:
    warning = few_faces(count, CropSpec(80, 0.125))
    assert ("--init models/fkp68-tiny.onnx" in warning) == said
    assert ("--init models/fkp68.onnx" in few_faces(count, CropSpec(112, 0.125))) == said


def test_what_a_figure_means() -> None:
    assert meaning({}) == ""
    assert "About 4 is good; over 15 is not a face" in meaning({"mine": 4.2})
    assert "mine" not in meaning({"mine": 4.2, "yours": 50.9})
    assert meaning({"mine": 4.2, "yours": 50.9}).endswith("Not a face yet: yours.")


def test_pictures_may_lie_elsewhere(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = tmp_path / "tables" / "moved.csv"
    moved.parent.mkdir()
    moved.write_bytes(faces.read_bytes())
    (tmp_path / "tiny.toml").write_text(TOML)
    command = ["fit", str(tmp_path / "tiny.toml"), "--csv", str(moved), "--val", str(moved), "--epochs", "1"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 3
    assert "--images DIR" in capsys.readouterr().err
    assert main([*command, "--out", str(tmp_path / "run"), "--images", str(faces.parent / "images")]) == 0
    assert "Not a face yet: moved" in (err := capsys.readouterr().err)
    assert "12 training faces and random weights" in err


def test_a_folder_of_pictures_goes_with_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.toml").write_text(TOML)
    assert main(["fit", str(tmp_path / "tiny.toml"), "--images", ".", "--out", str(tmp_path / "run")]) == 2
    assert "--images goes with --csv" in capsys.readouterr().err


def test_missing_data_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(FkpError, match="no such data set") as caught:
        training_sets(Recipe(), tmp_path)
    assert caught.value.exit_code == 3


def test_a_recipe_builds_on_another(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(TOML)
    (tmp_path / "more.toml").write_text('base = "base.toml"\nname = "more"\n[training]\nepochs = 5\n')
    base, more = read_recipe(tmp_path / "base.toml"), read_recipe(tmp_path / "more.toml")
    assert more == replace(base, name="more", training=replace(base.training, epochs=5))
    (tmp_path / "round.toml").write_text('base = "about.toml"')
    (tmp_path / "about.toml").write_text('base = "round.toml"')
    with pytest.raises(FkpError, match="leads back to itself"):
        read_recipe(tmp_path / "round.toml")


def test_stillness_is_a_term_of_its_own(recipe: Recipe, tmp_path: Path) -> None:
    still = replace(recipe, loss=replace(recipe.loss, stillness=0.5))
    finished = fit(still, Path(), tmp_path / "run", torch.device("cpu"), resume=False)
    assert all(row["stillness"] > 0.0 for row in finished.history)
    weighted = finished.history[-1]
    terms = weighted["points"] + 3.0 * weighted["maps"] + 0.1 * weighted["confidence"]
    assert weighted["loss"] == pytest.approx(terms + 0.5 * weighted["stillness"], rel=1e-4)


def test_a_training_that_diverges_fails_and_keeps_the_last_finite_checkpoint(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = Run.train_one_epoch

    def train_one_epoch(run: Run, *rest: Any) -> dict[str, float]:
        row = trained(run, *rest)
        if run.epoch == 1:  # the last step of the second epoch spoils a weight; the loss was taken before it
            with torch.no_grad():
                run.model.stem[0].weight[0] = torch.nan
        return row

    monkeypatch.setattr(Run, "train_one_epoch", train_one_epoch)
    with pytest.raises(FkpError, match="diverged in epoch 2") as caught:
        fit(recipe, Path(), tmp_path / "run", torch.device("cpu"), resume=False)
    assert caught.value.exit_code == 1
    content = read_checkpoint(tmp_path / "run" / "last.pt")
    assert content["epoch"] == 1
    assert all(value.isfinite().all() for value in content["ema"].values())


def test_a_loss_that_is_not_finite_ends_in_exit_code_1(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TOML.replace("batch = 8", "batch = 8\nlr = 1e9"))
    assert (
        main(["fit", str(path), "--csv", str(faces), "--out", str(tmp_path / "run"), "--threads", "1"]) == 1
    )
    assert "diverged in epoch 1" in capsys.readouterr().err
    assert not (tmp_path / "run" / "last.pt").exists()


def test_a_point_that_is_not_finite_is_a_failure(recipe: Recipe, tmp_path: Path) -> None:
    run = Run(recipe, tmp_path, torch.device("cpu"))
    with torch.no_grad():
        run.ema.heads.bias.fill_(torch.nan)
    validation = {"own": (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.rand(2, 68, 2))}
    assert evaluate(run.ema, validation)["own_fr10"] == 100.0


@pytest.mark.parametrize(
    "extra", [["--epochs", "0"], ["--epochs", "-3"], ["--seed", "-1"], ["--threads", "0"]]
)
def test_impossible_numbers_are_refused(extra: list[str], tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(TOML)
    assert main(["fit", str(path), "--out", str(tmp_path / "run"), *extra]) == 2


@pytest.mark.parametrize("out", ["file", "file/x", "/proc/nope"])
def test_a_folder_that_cannot_be_made_is_refused_before_images_are_read(
    out: str, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_reading(*_: object) -> None:
        raise AssertionError("images were read")

    (tmp_path / "file").touch()
    monkeypatch.setattr("train.fit.loop.load_sources", no_reading)
    path = tmp_path / "tiny.toml"
    path.write_text(TOML)
    words = ["fit", str(path), "--csv", str(faces), "--threads", "1"]
    assert main([*words, "--out", str(tmp_path / out)]) == 6
    assert main([*words, "--out", str(tmp_path / "run"), "--val", str(tmp_path / "none.csv")]) == 3


def test_what_cannot_be_resumed_is_refused(
    recipe: Recipe, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    arguments = [
        "fit",
        str(tmp_path / "tiny.toml"),
        "--csv",
        str(faces),
        "--out",
        str(folder),
        "--threads",
        "1",
    ]
    assert main(arguments) == 0
    content = read_checkpoint(folder / "last.pt")
    spoilt: list[tuple[dict[str, Any], str]] = [
        ({"recipe": None}, "holds no recipe"),
        ({"ema": None}, "holds no ema"),  # as `train average` writes it
        ({"recipe": {**content["recipe"], "data": 3}}, "damaged recipe"),
        ({"model": {**content["model"], "stem.0.weight": torch.zeros(3)}}, "another network"),
        ({"optimiser": {"state": {}, "param_groups": []}}, "state of the optimiser"),
    ]
    for changes, message in spoilt:
        changed = {key: value for key, value in {**content, **changes}.items() if value is not None}
        torch.save(changed, folder / "last.pt")
        assert main([*arguments, "--resume"]) == 4
        assert message in capsys.readouterr().err


def test_resuming_a_finished_run_writes_the_figures_that_are_missing(
    recipe: Recipe, faces: Path, tmp_path: Path
) -> None:
    fit(recipe, Path(), tmp_path / "run", torch.device("cpu"), resume=False)
    written = (tmp_path / "run" / "metrics.csv").read_text()
    (tmp_path / "run" / "metrics.csv").unlink()
    fit(recipe, Path(), tmp_path / "run", torch.device("cpu"), resume=True)
    assert (tmp_path / "run" / "metrics.csv").read_text() == written


def test_sets_that_are_not_trained_on_are_refused_in_share_weight_and_guessed(recipe: Recipe) -> None:
    for changes in ({"share": {"keypoint": 2.0}}, {"weight": {"keypoint": 2.0}}, {"guessed": ("keypoint",)}):
        with pytest.raises(UsageError, match="no set 'keypoint' is trained on"):
            training_sets(replace(recipe, data=replace(recipe.data, **changes)), Path())
    with pytest.raises(UsageError, match="0 for every set"):
        training_sets(replace(recipe, data=replace(recipe.data, share={"keypoints": 0.0})), Path())


def test_only_the_folders_of_the_chosen_sets_are_needed(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    shutil.rmtree(data / "wild")
    recipe = Recipe(data=DataOptions(sets=("udacity_train",)))
    assert [len(faces) for faces in training_sets(recipe, data)] == [3]
    assert list(validation_sets(recipe, data)) == ["unseen"]
    with pytest.raises(FkpError, match="no such data set") as caught:
        training_sets(Recipe(), data)
    assert "quick.toml" in caught.value.hint


def test_without_balance_no_shapes_are_compared() -> None:
    assert face_weights(np.zeros((3, 68, 2), np.float32), 0.0).tolist() == [1.0, 1.0, 1.0]
