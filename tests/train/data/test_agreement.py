"""Labels against the faces that are seen on the pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from labelled import write_csv, write_images
from shapes import face_at

from fkp_live.errors import ExitCode, InputError
from fkp_live.geometry import box_of
from fkp_live.pipeline import FaceLandmarker
from fkp_live.types import Face, Image
from train.__main__ import main
from train.data.agreement import check_labels
from train.data.faces import FaceSet

FACES = 9


def seen(points: np.ndarray) -> Face:
    points = np.asarray(points, np.float32)
    return Face(points, np.ones(68, np.float32), box_of(points), 1.0)


@pytest.fixture
def truth() -> np.ndarray:
    """(9, 68, 2) frontal faces of about 100 px, each somewhere else on pictures of 160x150."""
    return np.stack([face_at(70 + k, 55 - k, 55 + k) for k in range(FACES)])


@pytest.fixture
def faces_of(tmp_path: Path) -> Callable[[np.ndarray], FaceSet]:
    write_images(tmp_path, *(f"{k}.png" for k in range(FACES)))

    def make(points: np.ndarray) -> FaceSet:
        paths = tuple(tmp_path / f"{k}.png" for k in range(FACES))
        return FaceSet("mine", paths, np.asarray(points, np.float32))

    return make


def finder(truth: np.ndarray, detected: int = FACES) -> Callable[[Image], list[Face]]:
    """What is seen on the pictures, which are looked at in their order: the face, another one far from it, or none."""
    looked = iter(range(FACES))

    def find(_: Image) -> list[Face]:
        number = next(looked)
        return [seen(truth[number] + 200), seen(truth[number])] if number < detected else []

    return find


SINGLE = np.arange(68)
SINGLE[[17, 57]] = [57, 17]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda p: p * 0.7, "labels of mine lie"),
        (lambda p: p * [0.6, 1.0], "labels of mine lie"),
        (lambda p: np.add(np.roll(p, 1, axis=0), [0, 20]), "labels of mine lie"),
        (lambda p: np.add(p, [0, 25]), "labels of mine lie"),
        (lambda p: p[:, :, ::-1] * [1, -1] + [0, 150], "labels of mine lie"),
        (lambda p: p[:, SINGLE], "point 17 of the labels of mine"),
    ],
    ids=[
        "smaller picture",
        "another aspect ratio",
        "rows shifted",
        "moved",
        "turned picture",
        "two points exchanged",
    ],
)
def test_labels_that_lie_elsewhere_are_refused_by_set(
    truth: np.ndarray,
    faces_of: Callable[[np.ndarray], FaceSet],
    wrong: Callable[[np.ndarray], np.ndarray],
    said: str,
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        check_labels([faces_of(wrong(truth))], finder(truth))
    assert "9 faces compared" in caught.value.message
    assert "train view" in caught.value.hint


def test_the_farthest_face_is_named(truth: np.ndarray, faces_of: Callable[[np.ndarray], FaceSet]) -> None:
    far = np.add(truth, [0, 25])
    far[4] += 30
    with pytest.raises(InputError, match=r"the farthest is '4\.png'"):
        check_labels([faces_of(far)], finder(truth))


@pytest.mark.parametrize("seed", range(3))
def test_labels_of_another_convention_and_a_few_bad_ones_pass(
    truth: np.ndarray,
    faces_of: Callable[[np.ndarray], FaceSet],
    seed: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(seed)
    labels = truth + rng.normal(0.0, 3.0, truth.shape)  # 3 % of the face's side, more than any real set
    labels[:3] += 60
    check_labels([faces_of(labels)], finder(truth))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("detected", [0, 2])
def test_of_too_few_faces_nothing_is_concluded(
    truth: np.ndarray, faces_of: Callable[[np.ndarray], FaceSet], detected: int
) -> None:
    check_labels([faces_of(truth * 0.5)], finder(truth, detected))


@pytest.mark.parametrize(
    ("offset", "noted"),
    [
        ((1, 1), True),
        ((0.9, 1.2), True),
        ((0, 0), False),
        ((1, 0), False),
        ((-1, -1), False),
        ((2, 2), False),
    ],
)
def test_pixels_that_seem_to_count_from_one_are_noted(
    truth: np.ndarray,
    faces_of: Callable[[np.ndarray], FaceSet],
    offset: tuple[float, float],
    noted: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_labels([faces_of(truth + offset)], finder(truth))
    assert ("mine: the labels lie" in capsys.readouterr().err) == noted


def test_a_training_on_labels_of_another_picture_size_is_refused(
    astronaut: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the shipped network, and a photograph."""
    monkeypatch.chdir(tmp_path)
    points = FaceLandmarker(provider="cpu")(astronaut)[0].points
    (tmp_path / "tiny.toml").write_text("[training]\nepochs = 1\nworkers = 0\nbatch = 2\n")
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(name, astronaut)
    for name, factor in (("right", 1.0), ("wrong", 0.6)):
        rows = [[f"{k}.png", *(f"{v:.2f}" for v in (points * factor).ravel())] for k in "abc"]
        write_csv(tmp_path / f"{name}.csv", rows)
    words = ["fit", "tiny.toml", "--out", "run", "--csv"]
    assert main([*words, "wrong.csv"]) == ExitCode.INPUT
    refused = capsys.readouterr().err
    assert "labels of wrong lie" in refused
    assert "--no-check-labels" in refused
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr(
        "train.fit.loop.load_sources", lambda *_: (_ for _ in ()).throw(InputError("went on"))
    )
    for more in (["right.csv"], ["wrong.csv", "--no-check-labels"]):
        assert main([*words, *more]) == ExitCode.INPUT
        assert "went on" in capsys.readouterr().err
