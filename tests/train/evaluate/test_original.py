from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from analytic import centroid_network
from shapes import face_at

from fkp_live.errors import ExitCode, InputError, UsageError
from train.__main__ import main
from train.evaluate.original import (
    BAR,
    RECIPE_FOLDER,
    RECIPES,
    OriginalNet,
    OriginalRecipe,
    Picture,
    batch_of,
    fit,
    fixed_corners,
    loss_of,
    loss_on_test,
    mean_shape,
    product_loss,
    read_original_recipe,
    rescale,
)


def picture(width: int = 180, height: int = 120, seed: int = 0) -> Picture:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return rescale(image, face_at(80 + 3 * seed, 50, 30))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a small ``udacity`` data set."""
    for which, count in (("training", 4), ("test", 3)):
        folder = tmp_path / "udacity" / which
        folder.mkdir(parents=True)
        rows = ["," + ",".join(map(str, range(136)))]
        for k in range(count):
            image = np.full((120, 150, 3), 40 + k, np.uint8)
            points = face_at(70 + 2 * k, 50, 30)
            cv2.fillConvexPoly(image, points[:27].round().astype(int), (120, 160, 200))
            (folder / f"n_{k}.jpg").write_bytes(cv2.imencode(".png", image)[1].tobytes())
            rows.append(f"n_{k}.jpg," + ",".join(f"{v:.1f}" for v in points.ravel()))
        (tmp_path / "udacity" / f"{which}_frames_keypoints.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_rescale_brings_the_shorter_side_to_250() -> None:
    assert picture(180, 120).image.shape == (250, 375, 3)
    assert picture(120, 180).image.shape == (375, 250, 3)
    points = face_at(80, 50, 30)
    assert rescale(np.zeros((120, 180, 3), np.uint8), points).keypoints == pytest.approx(points * (375 / 180))


def test_crops_are_224_wide_and_move_the_labels_along() -> None:
    one, rng = picture(), np.random.default_rng(0)
    corners = np.array([one.corner(rng) for _ in range(400)])
    assert corners.min(0).tolist() == [0, 0]
    assert corners.max(0).tolist() == [
        375 - 224 - 1,
        250 - 224 - 1,
    ]  # the project's randint leaves the last one out
    corner = np.array([20, 7])
    assert (one.crop(corner) == one.image[7:231, 20:244]).all()
    crops, targets = batch_of([one], [corner])
    assert crops.shape == (1, 1, 224, 224)
    assert 0 <= crops.min() < crops.max() <= 1
    expected = (one.keypoints - corner - 100) / 50
    assert targets.view(68, 2).numpy() == pytest.approx(expected, abs=1e-5)
    blue, green, red = (float(v) for v in one.crop(corner)[100, 50])
    assert float(crops[0, 0, 100, 50]) * 255 == pytest.approx(
        0.114 * blue + 0.587 * green + 0.299 * red, abs=0.6
    )


def test_the_loss_is_in_the_projects_units() -> None:
    true = np.stack([face_at(100, 100, 40).astype(np.float64)] * 2)
    assert loss_of(true, true) == 0
    # 5 px are a tenth of a unit in x and nothing in y: half of 0.01.
    assert loss_of(true + np.array([5.0, 0.0]), true) == pytest.approx(0.005)
    assert pytest.approx(0.00385) == BAR


def test_test_crops_are_the_same_for_everybody() -> None:
    pictures = [picture(seed=k) for k in range(3)]
    assert np.array_equal(fixed_corners(pictures), fixed_corners(pictures))
    model = OriginalNet(0.3, batch_norm=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        mean = mean_shape(pictures)
        model.points[-1].bias.copy_(torch.from_numpy((mean - 100) / 50).flatten())
    truth = np.stack([p.keypoints - c for p, c in zip(pictures, fixed_corners(pictures), strict=True)])
    at_rest = loss_of(np.broadcast_to(mean, truth.shape), truth)
    assert loss_on_test(model, pictures, batch=2) == pytest.approx(at_rest, rel=1e-4)
    loss, missed = product_loss(lambda image: None, pictures, mean, (1.0, 1.0))
    assert (loss, missed) == (pytest.approx(at_rest), 3)


def test_pictures_are_resized_about_pixel_centres() -> None:
    """What `product_loss` undoes: the pixels move by (x + 0.5) * scale - 0.5, the project's labels by x * scale."""
    image = np.zeros((100, 140, 3), np.uint8)
    image[38:43, 58:63] = 255  # centred on 60, 40
    resized = rescale(image, face_at(60, 40, 20)).image[..., 0].astype(float)
    rows, columns = np.mgrid[: resized.shape[0], : resized.shape[1]]
    centre = [(columns * resized).sum() / resized.sum(), (rows * resized).sum() / resized.sum()]
    assert centre == pytest.approx([60.5 * 2.5 - 0.5, 40.5 * 2.5 - 0.5], abs=0.02)


def test_a_product_that_is_right_has_no_loss() -> None:
    offset = np.array([1.3, 0.8])
    pictures = [picture(180, 120, 0), picture(130, 140, 1), picture(200, 300, 2)]

    def right() -> Iterator[np.ndarray]:
        for one, corner in zip(pictures, fixed_corners(pictures), strict=True):
            on_disk = (
                one.keypoints / one.scale - offset
            )  # labels sit off the product's convention by the offset
            yield ((on_disk + 0.5) * one.scale - 0.5 - corner).astype(np.float32)

    answers = right()
    shapes = []

    def find(image: np.ndarray) -> np.ndarray:
        shapes.append(image.shape)
        return next(answers)

    loss, missed = product_loss(find, pictures, mean_shape(pictures), (1.3, 0.8))
    assert loss == pytest.approx(0.0, abs=1e-9)
    assert missed == 0
    assert shapes == [(224, 224, 3)] * 3
    answers = right()
    assert product_loss(find, pictures, mean_shape(pictures), (0.0, 0.0))[0] > 1e-4


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_network_is_the_courses(batch_norm: bool) -> None:
    model = OriginalNet(0.3, batch_norm).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 224, 224)).shape == (1, 136)
    first = model.features[0]
    assert (first.in_channels, first.out_channels, first.kernel_size) == (1, 32, (5, 5))


def test_training_learns_and_is_repeatable() -> None:
    pictures = [picture(seed=k) for k in range(3)]
    recipe = OriginalRecipe("tiny", 0.001, 0, 0, epochs=3, batch=3, batch_norm=False)
    once, again = (fit(recipe, pictures, pictures[:1]) for _ in range(2))
    losses = [row["train"] for row in once["history"]]
    assert losses[-1] < losses[0]
    assert once["history"] == again["history"]
    assert once["faces"] == 3


def test_a_last_batch_of_one_face_is_omitted_where_batch_norm_needs_two() -> None:
    pictures = [picture(seed=k) for k in range(3)]
    recipe = OriginalRecipe("tiny", 0.001, 0, 0, epochs=1, batch=2, width=2)
    assert np.isfinite(fit(recipe, pictures, pictures[:1])["history"][0]["train"])
    with pytest.raises(UsageError, match="one face"):
        fit(recipe, pictures[:1], pictures)


def test_recipes_hold_the_published_settings() -> None:
    rows = [read_original_recipe(RECIPE_FOLDER / f"{name}.toml") for name in RECIPES]
    assert [(r.learning_rate, r.published_train, r.published_test) for r in rows] == [
        (0.01, 0.099, 0.077),
        (0.001, 0.476, 0.463),
    ]
    assert all(recipe.epochs == 10 for recipe in rows)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("name = ", InputError),
        ('name = "x"\nlr = 1', UsageError),
        ('name = "x"', UsageError),
        *[
            (f'name = "x"\nlearning_rate = 0.1\npublished_train = 1\npublished_test = 1\n{line}', UsageError)
            for line in (
                "batch = 0",
                "batch = 1",
                "batch = 2.5",
                "epochs = 0",
                "width = 0",
                "seed = -1",
                "dropout = 1.5",
                "dropout = nan",
                'batch_norm = "no"',
            )
        ],
        *[
            (f"name = '{name}'\nlearning_rate = {rate}\npublished_train = 1\npublished_test = 1", UsageError)
            for name, rate in (("../../esc", "0.1"), ("", "0.1"), ("x", "'x'"), ("x", "0"), ("x", "inf"))
        ],
        (None, InputError),
    ],
)
def test_spoilt_recipes_are_refused(tmp_path: Path, text: str | None, error: type[Exception]) -> None:
    if text is not None:
        (tmp_path / "r.toml").write_text(text)
    with pytest.raises(error):
        read_original_recipe(tmp_path / "r.toml")


def test_the_table_shows_kept_rows_and_the_product(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    recipe = tmp_path / "short.toml"
    recipe.write_text(
        'name = "short"\nlearning_rate = 0.001\npublished_train = 0.5\npublished_test = 0.4\nepochs = 1\nbatch = 4\n'
    )
    model = centroid_network(tmp_path / "net.onnx")
    figures = tmp_path / "table.json"
    command = [
        "original-table",
        "--data",
        str(data),
        "--recipe",
        str(recipe),
        "--runs",
        str(runs),
        "--threads",
        "1",
    ]
    command += ["--model", str(model), "--json", str(figures)]
    assert main(command) == ExitCode.OK
    assert "--fit" in capsys.readouterr().out
    runs.mkdir()
    (runs / "short.json").write_text("[]")
    assert main(command) == ExitCode.OK
    assert "--fit" in capsys.readouterr().out
    assert main([*command, "--fit"]) == ExitCode.OK
    trained = capsys.readouterr().out
    kept = json.loads((runs / "short.json").read_text())
    assert f"{kept['history'][-1]['test']:.4f}" in trained
    assert main(command) == ExitCode.OK
    assert capsys.readouterr().out == trained
    rows = {row["row"]: row for row in json.loads(figures.read_text())}
    product = rows[str(model)]
    assert product["faces"] == 3
    # Nobody is in these drawings: every miss is scored with the mean shape.
    assert product["missed"] == 3
    assert product["test"] == pytest.approx(rows["mean shape"]["test"])
    assert product["within_bar"] is False
    recipe.write_text(recipe.read_text().replace("0.001", "0.01"))
    assert main(command) == ExitCode.OK
    assert "--fit" in capsys.readouterr().out  # another recipe is another row


@pytest.mark.parametrize("option", ["--json", "--runs"])
def test_outputs_that_cannot_be_written_are_refused_before_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("train.evaluate.original_table.fit", lambda *_: pytest.fail("trained"))
    model = centroid_network(tmp_path / "net.onnx")
    command = ["original-table", "--data", str(data), "--model", str(model), "--fit", "--runs", str(tmp_path)]
    assert main([*command, option, str(model / "x")]) == ExitCode.OUTPUT


@pytest.mark.parametrize("option", ["--epochs", "--limit", "--threads"])
def test_nonsense_is_refused(data: Path, option: str) -> None:
    assert main(["original-table", "--data", str(data), option, "0"]) == ExitCode.USAGE
