from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from analytic import centroid_network
from drawn import write_data
from shapes import FRONTAL, SPEC, face_at

from fkp_live import metrics
from fkp_live.errors import ExitCode, InputError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import Matrix, apply, box_of, crop_matrix, invert
from fkp_live.inference.session import open_session
from fkp_live.types import Image, Landmarks
from train.__main__ import main
from train.data.faces import COVERED, FaceSet
from train.data.splits import splits
from train.evaluate.command import read_peers
from train.evaluate.evaluation import (
    Predictions,
    evaluate,
    figures,
    finite,
    predict,
    protocols,
    report,
)
from train.evaluate.report import bounded_errors, calibration
from train.evaluate.slices import SLICES, slices
from train.evaluate.visible import LABELS, POSES, evaluate_visible, visible_table
from train.fit.loss import FOUND_WITHIN, Truth, total_loss
from train.network.model import Prediction
from train.network.opening import open_network
from train.options import LEAST_EYE_DISTANCE, LossOptions

SHARED = Path(__file__).parents[4] / "shared" / "data"
# Between and around the astronaut's eyes.
EYES, EYE_DISTANCE = (224.0, 113.0), 62.0


class Template:
    """A network that does not look: always the frontal face, filling the crop. Right where the crop is."""

    spec = SPEC

    def __call__(self, image: Image, boxes: np.ndarray) -> Landmarks:
        return self.run_matrices(image, [crop_matrix(box, self.spec) for box in boxes])

    def run_matrices(self, image: Image, matrices: Sequence[Matrix]) -> Landmarks:
        own = apply(crop_matrix(box_of(FRONTAL), self.spec), FRONTAL)
        points = np.stack([apply(invert(matrix), own) for matrix in matrices])
        return Landmarks(points, np.full(points.shape[:2], 0.95, np.float32))


def save(path: Path, image: Image) -> Path:
    path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return path


@pytest.fixture
def faces(tmp_path: Path, astronaut: Image) -> FaceSet:
    """The astronaut twice, then a picture without anybody in it."""
    paths = (
        save(tmp_path / "a_1.jpg", astronaut),
        save(tmp_path / "b_2.jpg", astronaut[:, :400]),
        save(tmp_path / "empty_3.jpg", np.full((300, 400, 3), 120, np.uint8)),
    )
    return FaceSet("people", paths, np.stack([face_at(*EYES, EYE_DISTANCE)] * 3))


@pytest.fixture
def csv(faces: FaceSet, tmp_path: Path) -> Path:
    rows = ["," + ",".join(map(str, range(136)))]
    rows += [
        f"{n}," + ",".join(f"{v:.3f}" for v in p.ravel())
        for n, p in zip(faces.names, faces.points, strict=True)
    ]
    (tmp_path / "people.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "people.csv"


def test_the_three_protocols(faces: FaceSet) -> None:
    predictions = predict(Template(), faces, seed=0)
    errors = {way: metrics.nme(some.points, faces.points) for way, some in predictions.items()}
    # Given the true box, the template is the truth; what jitter adds is the jitter.
    assert errors["exact"] == pytest.approx(0.0, abs=1e-3)
    assert (errors["jitter"] > 0.5).all()
    assert (errors["jitter"] < 30).all()
    # End to end the two astronauts are found and the empty picture is a miss.
    assert np.isfinite(errors["detector"]).tolist() == [True, True, False]
    assert (errors["detector"][:2] < 30).all()
    assert np.isnan(predictions["detector"].confidence[2]).all()


def test_jitter_is_the_detectors_and_repeatable(faces: FaceSet) -> None:
    image, points = np.zeros((300, 400, 3), np.uint8), faces.points[0]
    asked = [protocols(Template(), seed)["jitter"] for seed in (0, 0, 1)]
    once, again, other = (
        np.stack([ask_one(image, points, k).points for k in range(150)]) for ask_one in asked
    )
    assert (once == again).all()
    assert not (once == other).any(-1).all()
    boxes, true = box_of(once), box_of(np.repeat(faces.points[:1], 150, 0))
    sides = true[:, 2:] - true[:, :2]
    shift = ((boxes[:, :2] + boxes[:, 2:]) - (true[:, :2] + true[:, 2:])) / 2 / sides
    scale = np.log((boxes[:, 2:] - boxes[:, :2]).max(1) / sides.max(1))
    # 4 % and 5 % as standard deviations; 150 draws show them to within a sixth or so.
    assert shift.std(0) == pytest.approx([0.04, 0.04], rel=0.25)
    assert scale.std() == pytest.approx(0.05, rel=0.25)


def test_the_found_face_is_the_one_that_was_labelled(faces: FaceSet) -> None:
    elsewhere = FaceSet("elsewhere", faces.paths[:1], faces.points[:1] + np.float32(200))
    assert np.isnan(predict(Template(), elsewhere, 0)["detector"].points).all()


def test_the_labels_own_convention_adds_the_offset(faces: FaceSet) -> None:
    labelled = faces.shifted((1.0, 2.0)).select([0, 1])
    evaluated = evaluate(Template(), faces.select([0, 1]), (1.0, 2.0), seed=0)
    assert evaluated.own is not None
    assert metrics.nme(evaluated.own["exact"].points, labelled.points) == pytest.approx(0.0, abs=1e-3)
    found = evaluated.figures()["ways"]["exact"]
    one_step = 100 * np.hypot(1.0, 2.0) / EYE_DISTANCE
    assert found["raw"]["nme"] == pytest.approx(0.0, abs=1e-3)
    assert found["own"]["nme"] == pytest.approx(one_step, rel=1e-3)
    assert "own" not in evaluate(Template(), faces.select([0]), None, seed=0).figures()["ways"]["exact"]


def test_figures_count_misses_in_everything_but_the_mean(faces: FaceSet) -> None:
    points = faces.points.copy()
    points[0] += 3.1
    points[2] = np.nan
    found = figures(Predictions(points, np.ones((3, 68), np.float32)), faces)
    error = 100 * np.hypot(3.1, 3.1) / EYE_DISTANCE
    assert found["faces"] == 3
    assert found["missed"] == 1
    assert found["nme"] == pytest.approx(error / 2, rel=1e-4)
    assert found["fr10"] == pytest.approx(100 / 3)
    assert found["p95"] == np.inf
    assert found["by_region"]["mouth"] == pytest.approx(error / 2, rel=1e-4)
    assert list(found["by_yaw"]) == ["0-15 deg"]
    assert list(found["by_size"]) == ["100-200 px"]


def test_slices_part_the_faces(tmp_path: Path) -> None:
    narrow = face_at(100, 100) * np.float32(1)
    turned = FRONTAL.copy()
    # A head turned to its left: the nose and all that stands out moves across, the far half narrows.
    far = turned[:, 0] > 0
    turned[far, 0] *= 0.25
    points = np.stack([narrow, turned * 60 + 100, narrow * 3, narrow * 0.4]).astype(np.float32)
    for name, grey in (("dark", 30), ("light", 130)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((400, 400, 3), grey, np.uint8))
    dark, light = tmp_path / "dark.png", tmp_path / "light.png"
    covered = np.zeros((4, 68), np.uint8)
    covered[1, :30] = COVERED
    parts = slices(FaceSet("four", (dark, light, light, light), points, covered))
    for masks in parts.values():
        assert (np.stack(list(masks.values())).sum(0) == 1).all()
    assert parts["by_light"]["0-60 grey"].tolist() == [True, False, False, False]
    assert parts["by_cover"][">25 % covered"].tolist() == [False, True, False, False]
    assert set(parts) < set(SLICES)
    assert "by_cover" not in slices(FaceSet("four", (dark,) * 4, points))
    assert parts["by_yaw"]["0-15 deg"].tolist() == [True, False, True, True]
    assert parts["by_size"]["0-60 px"].tolist() == [False, False, False, True]
    assert parts["by_size"][">200 px"].tolist() == [False, False, True, False]


def test_validation_faces_are_judged_without_the_photographs_of_training_too(
    faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.evaluate.slices.twins_in_validation", lambda: {"a_1.jpg"})
    validation = faces.select([0, 1], "wild_val")
    found = evaluate(Template(), validation, None, seed=0).figures()
    part = found["ways"]["jitter"]["raw"]["by_photograph"]["photograph not in training"]
    alone = evaluate(Template(), validation, None, seed=0)
    assert part["faces"] == 1
    assert part["nme"] == pytest.approx(metrics.nme(alone.raw["jitter"].points, validation.points)[1])
    assert "wild_val, photograph not in training" in report({"wild_val": found})
    assert "by_photograph" not in slices(faces.select([0, 1], "people"))


def test_calibration_of_true_and_of_too_high_confidence() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, (300, 68))
    errors = np.where(rng.uniform(size=confidence.shape) < confidence, 5.0, 20.0)
    true = calibration(confidence, errors)
    assert true["ece"] < 0.03
    assert true["auroc"] == pytest.approx(5 / 6, abs=0.01)  # what uniform, calibrated odds can rank
    assert sum(row["points"] for row in true["bins"]) == confidence.size
    boastful = calibration(np.full((10, 68), 0.97), np.full((10, 68), 30.0))
    assert boastful["ece"] == pytest.approx(0.97)
    assert boastful["auroc"] is None
    assert (boastful["points"], boastful["confidence"], boastful["found"]) == (680, pytest.approx(0.97), 0)
    assert boastful["bins"][9] == {
        "from": 0.9, "points": 680.0, "confidence": pytest.approx(0.97), "found": 0.0, "error": 30.0
    }  # fmt: skip
    assert calibration(np.ones((1, 68)), np.zeros((1, 68)))["bins"][9]["points"] == 68


def test_evaluation_and_training_mean_the_same_by_confidence() -> None:
    """A turned head, whose outer eye corners nearly coincide: the distance is bounded by the side of the box."""
    turned = FRONTAL * [0.2, 1.0] * 60.0 + 100.0
    side = np.ptp(turned, axis=0).max()
    for share, within in ((0.95, True), (1.05, False)):
        off = turned + np.array([share * FOUND_WITHIN * LEAST_EYE_DISTANCE * side, 0.0])
        assert metrics.point_errors(off[None], turned[None]).min() > 100.0 * FOUND_WITHIN
        assert bool((bounded_errors(off[None], turned[None]) < 100.0 * FOUND_WITHIN).all()) == within
        # The loss of a confidence that is certain of every point is small only where the points are near.
        points = torch.from_numpy(np.stack([turned, off])[:, None]).float()
        prediction = Prediction(points[1], torch.full((1, 68), 20.0), torch.zeros(1, 68, 4, 4))
        truth = Truth(
            points[0], torch.tensor([True]), torch.ones(1), torch.tensor([False]), torch.ones(1, 68)
        )
        loss = total_loss(prediction, truth, LossOptions(), float(side))["confidence"]
        assert bool(loss < 1.0) == within
    frontal = face_at(*EYES, EYE_DISTANCE)[None]
    assert bounded_errors(frontal + 1, frontal) == pytest.approx(metrics.point_errors(frontal + 1, frontal))


def test_an_onnx_file_is_run_by_the_products_code(csv: Path, tmp_path: Path) -> None:
    path = centroid_network(tmp_path / "net.onnx")
    out, figures_file = tmp_path / "report", tmp_path / "figures.json"
    (tmp_path / "peers.json").write_text(json.dumps({"a rival": [3.0, 4.0, None]}))
    command = ["evaluate", str(path), "--csv", str(csv), "--out", str(out), "--json", str(figures_file)]
    assert main([*command, "--peers", str(tmp_path / "peers.json"), "--peers-set", "people"]) == ExitCode.OK
    content = json.loads(figures_file.read_text())
    network, identity = open_network(path)
    assert isinstance(network, LandmarkNetwork)
    assert content["sha256"] == identity["sha256"] == open_session(path, "cpu").sha256
    errors = json.loads((out / "errors.json").read_text())["people"]
    faces = [cv2.imread(str(csv.parent / name)) for name in ("a_1.jpg", "b_2.jpg", "empty_3.jpg")]
    truth = face_at(*EYES, EYE_DISTANCE)
    direct = [metrics.nme(network(face, box_of(truth)[None]).points, truth[None])[0] for face in faces]
    assert errors["exact"] == pytest.approx(direct, abs=2e-3)
    exact = content["sets"]["people"]["ways"]["exact"]["raw"]
    assert exact["nme"] == pytest.approx(np.mean(direct), abs=2e-3)
    assert content["sets"]["people"]["ways"]["detector"]["raw"]["p95"] is None  # infinite is no JSON
    assert {p.name for p in out.iterdir()} == {
        "report.md", "errors.json", "ced_people.png", "sheet_people.png", "calibration.png"
    }  # fmt: skip
    for picture in out.glob("*.png"):
        image = cv2.imread(str(picture))
        assert image is not None
        assert image.std() > 5
    text = (out / "report.md").read_text()
    assert f"| {exact['nme']:.2f} |" in text
    for explained in ("**NME**", "**FR8**, **FR10**", "**AUC10**", "green", "magenta"):
        assert explained in text.split("# Figures")[0]


def test_the_report_has_a_row_for_each_way(faces: FaceSet) -> None:
    text = report({"people": evaluate(Template(), faces, (1.0, 1.0), seed=0).figures()})
    for label in (
        "people, box given ",
        "people, end to end, labels' own convention",
        "people, 0-15 deg",
        "right_brow",
    ):
        assert label in text
    # Among the slices by their NME, and among the confidences.
    assert text.count("people, 0-15 deg ") == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "not a list of errors"),
        ('{"a": [1, 2]}', "'a'"),
        ('{"a": ["x", 1, 2]}', "errors"),
        ("", "errors"),
    ],
)
def test_peers_of_another_form_are_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "peers.json").write_text(content)
    with pytest.raises(InputError, match=said):
        read_peers(tmp_path / "peers.json", 3)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--limit", "0"], ExitCode.USAGE),
        (["--peers", "p.json", "--peers-set", "people"], ExitCode.USAGE),
        (["--peers", "p.json", "--out", "o"], ExitCode.USAGE),
        (["--peers", "p.json", "--peers-set", "people", "--out", "o"], ExitCode.INPUT),
        (["--sets", "unseen"], ExitCode.USAGE),
        (["--images", "elsewhere"], ExitCode.INPUT),
    ],
)
def test_nonsense_is_refused(csv: Path, tmp_path: Path, options: list[str], code: ExitCode) -> None:
    model = centroid_network(tmp_path / "net.onnx")
    assert main(["evaluate", str(model), "--csv", str(csv), *options]) == code


@pytest.mark.parametrize("options", [["--offset", "nan", "1"], ["--offset", "1", "inf"], ["--seed", "-1"]])
def test_numbers_that_are_none_are_refused(csv: Path, options: list[str]) -> None:
    assert main(["evaluate", "net.onnx", "--csv", str(csv), *options]) == ExitCode.USAGE


def test_two_files_of_one_name_are_not_judged_as_one(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = centroid_network(tmp_path / "net.onnx")
    assert main(["evaluate", str(model), "--csv", str(csv), "--csv", "other/people.csv"]) == ExitCode.USAGE
    assert "other/people.csv" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--out"])
def test_outputs_without_a_place_are_known_before_anything_is_asked(
    csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    places = {"--json": tmp_path / "folder", "--out": csv}
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr("train.evaluate.command.evaluate", lambda *_: pytest.fail("asked"))
    model = centroid_network(tmp_path / "net.onnx")
    command = ["evaluate", str(model), "--csv", str(csv), option, str(places[option])]
    assert main(command) == ExitCode.OUTPUT


def test_pictures_may_lie_elsewhere(csv: Path, tmp_path: Path) -> None:
    model = centroid_network(tmp_path / "net.onnx")
    moved = tmp_path / "tables" / "moved.csv"
    moved.parent.mkdir()
    moved.write_bytes(csv.read_bytes())
    command = ["evaluate", str(model), "--csv", str(moved)]
    assert main(command) == ExitCode.INPUT
    assert main([*command, "--images", str(csv.parent)]) == ExitCode.OK


def test_sets_without_a_folder_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "data")
    shutil.rmtree(data / "wild")
    model = centroid_network(tmp_path / "net.onnx")
    command = ["evaluate", str(model), "--data", str(data)]
    assert main(command) == ExitCode.OK
    out, err = capsys.readouterr()
    assert "unseen, box given" in out
    assert "wild_val left out" in err
    assert main([*command, "--images", str(tmp_path)]) == ExitCode.USAGE
    shutil.rmtree(data / "udacity")
    assert main(command) == ExitCode.INPUT


def test_missing_and_foreign_models(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint")
    for model in ("absent.onnx", "absent.pt", str(tmp_path / "text.pt"), "yunet"):
        assert main(["evaluate", model, "--csv", str(csv)]) == ExitCode.MODEL


def test_json_holds_no_infinities() -> None:
    assert finite({"a": [np.inf, 1.5], "b": {"c": float("nan"), "d": "x"}}) == {
        "a": [None, 1.5],
        "b": {"c": None, "d": "x"},
    }


@pytest.mark.skipif(not SHARED.is_dir(), reason="the data sets are not beside this checkout")
def test_the_detector_finds_real_faces_and_knows_which_is_meant() -> None:
    wild = splits(SHARED)["wild_val"].select(np.arange(0, 300, 15))
    found = figures(predict(Template(), wild, 0)["detector"], wild)
    # A mean face in the detector's box, turned by nothing: far from good, but on the right face.
    assert found["missed"] <= 2
    assert found["median"] < 30


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data, which is not here")
def test_turned_faces_are_judged_by_the_points_that_can_be_seen() -> None:
    network, _ = open_network("fkp68")
    rows = evaluate_visible(network, SHARED, 12)
    assert sum(row["faces"] for row in rows) == 12
    assert [row["from"] for row in rows] == [0, 30, 60]
    assert all(1 < row[figure] < 8 for row in rows if row["faces"] for figure in ("box_error", "box_median"))
    assert visible_table(rows).count("\n") == 4


def test_missing_angles_are_named(tmp_path: Path) -> None:
    (tmp_path / "pose/images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "pose/images/a.png"), np.zeros((150, 150, 3), np.uint8))
    cells = ",".join(f"{value:.1f}" for value in face_at(75, 75).ravel())
    (tmp_path / LABELS).write_text(f",{','.join(map(str, range(136)))}\na.png,{cells}\n")
    (tmp_path / POSES).write_text("image,yaw_deg\nb.png,3\n")
    with pytest.raises(InputError, match="angles and boxes"):
        evaluate_visible(Template(), tmp_path)
