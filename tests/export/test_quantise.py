"""A network in 8-bit integers: which nodes, on which faces, how close to the float one, and its metadata."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from analytic import centroid_network
from onnx import numpy_helper

from export.__main__ import main
from export.quantise import Comparison, calibration_crops, inner_nodes, write_card
from export.ship import evaluated_sets
from fkp_live.errors import ModelError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.inference.models import models_dir
from fkp_live.inference.runtime import onnxruntime_module
from fkp_live.inference.session import open_session
from fkp_live.pipeline import FaceLandmarker
from fkp_live.types import Image
from train.data.faces import FaceSet
from train.data.splits import splits

FLOAT = models_dir() / "fkp68-tiny.onnx"


@pytest.fixture(name="portrait", scope="module")
def _portrait(astronaut: Image) -> tuple[Image, np.ndarray]:
    """A real face and the float network's points on it, (68, 2)."""
    picture = np.ascontiguousarray(astronaut[:320, 60:380])
    return picture, FaceLandmarker(provider="cpu")(picture)[0].points


@pytest.fixture(name="data", scope="module")
def _data(portrait: tuple[Image, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both data sets in the shape of the real ones, the same face in every picture."""
    root = tmp_path_factory.mktemp("data")
    picture, points = portrait
    encoded = cv2.imencode(".png", picture)[1].tobytes()
    row = ",".join(f"{value:.2f}" for value in points.ravel())
    tables = {
        "udacity/training_frames_keypoints.csv": ("training", ["Ann_1.jpg", "Ann_2.jpg", "Held_1.jpg"]),
        "udacity/test_frames_keypoints.csv": ("test", ["Ann_9.jpg", "Held_9.jpg"]),
        "wild/keypoints.csv": ("images", ["a.jpg", "b.jpg", "val.jpg"]),
    }
    for csv, (folder, names) in tables.items():
        images = (root / csv).parent / folder
        images.mkdir(parents=True)
        for name in names:
            (images / name).write_bytes(encoded)
        header = "," + ",".join(map(str, range(136)))
        (root / csv).write_text("\n".join([header, *(f"{name},{row}" for name in names)]) + "\n")
    (root / "udacity" / "unseen_persons.txt").write_text("Held\n")
    (root / "wild" / "val.txt").write_text("val.jpg\n")
    return root


def command(data: Path, out: Path, *more: str, model: Path = FLOAT) -> list[str]:
    return ["quantise", str(model), "--data", str(data), "--out", str(out), "--rounds", "3", *more]


@pytest.fixture(name="quantised", scope="module")
def _quantised(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "small.onnx"
    assert main(command(data, out)) == 0
    assert [path.name for path in out.parent.iterdir()] == ["small.onnx"]
    return out


@pytest.mark.parametrize("faces", [1, 3])
def test_its_points_are_the_float_networks_within_a_fraction_of_a_pixel(
    quantised: Path, portrait: tuple[Image, np.ndarray], faces: int
) -> None:
    picture, points = portrait
    box = np.concatenate([points.min(0), points.max(0)])
    boxes = np.stack([box + 2.0 * number for number in range(faces)])
    found, expected = (
        LandmarkNetwork(open_session(path, "cpu"))(picture, boxes) for path in (quantised, FLOAT)
    )
    distance = np.linalg.norm(found.points - expected.points, axis=-1)
    eyes = np.linalg.norm(points[36] - points[45])
    assert 0.0 < distance.mean() < 0.005 * eyes
    assert found.confidence == pytest.approx(expected.confidence, abs=0.02)


def test_onnxruntime_runs_the_inner_convolutions_as_integers(quantised: Path, tmp_path: Path) -> None:
    onnxruntime = onnxruntime_module()
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(str(quantised), options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(str(tmp_path / "optimised.onnx")).graph.node
    kinds = [node.op_type for node in nodes]
    in_all = sum(node.op_type == "Conv" for node in onnx.load(str(FLOAT)).graph.node)
    assert kinds.count("QLinearConv") == in_all - 2
    assert kinds.count("Conv") == 2
    assert "MatMul" in kinds  # the soft-argmax
    assert not any(kind.startswith("QGemm") for kind in kinds)  # the confidence


def test_weights_keep_to_seven_bits_so_that_no_kernel_overflows(quantised: Path) -> None:
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in onnx.load(str(quantised)).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert weights
    assert max(np.abs(weight.astype(int)).max() for weight in weights) <= 64


def test_its_metadata_describe_it(quantised: Path) -> None:
    original, quantised_session = (open_session(path, "cpu") for path in (FLOAT, quantised))
    assert quantised_session.metadata["name"] == "fkp68-tiny-int8"
    note = quantised_session.metadata["quantisation"]
    assert (note["of"], note["sha256"]) == ("fkp68-tiny", original.sha256)
    assert "4 crops of wild_train, udacity_train" in note["calibration"]
    for key in ("training", "crop", "input", "licence", "git_commit"):
        assert quantised_session.metadata[key] == original.metadata[key]
    assert set(quantised_session.metadata["figures"]) == {
        f"wild_val, {way}, raw" for way in ("exact", "jitter", "second", "detector")
    }


def test_nothing_of_this_machine_is_inside(quantised: Path) -> None:
    content = quantised.read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content
    assert b"/tmp" not in content
    onnx.checker.check_model(str(quantised), full_check=True)


def test_the_same_command_gives_the_same_file(
    quantised: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "again.onnx")) == 0
    assert (tmp_path / "again.onnx").read_bytes() == quantised.read_bytes()
    accuracy, cost, path = capsys.readouterr().out.splitlines()
    assert "loss" in accuracy
    assert "gain" in cost
    assert path == str(tmp_path / "again.onnx")


def test_an_existing_file_is_kept(quantised: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = quantised.read_bytes()
    assert main(command(data, quantised)) == 6
    assert quantised.read_bytes() == before
    assert "--overwrite" in capsys.readouterr().err


def test_a_failure_half_way_leaves_the_old_file_and_no_other(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ModelError("broken")

    (tmp_path / "old.onnx").write_bytes(b"old")
    monkeypatch.setattr("export.quantise.milliseconds", fail)
    assert main(command(data, tmp_path / "old.onnx", "--overwrite")) == 4
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_held_out_faces_are_never_read_for_calibration(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = FaceSet.image

    def image(self: FaceSet, index: int) -> Image:
        asked.append(self.names[index])
        return read(self, index)

    def stop(*_: object) -> None:
        raise ModelError("far enough")

    monkeypatch.setattr(FaceSet, "image", image)
    monkeypatch.setattr("export.quantise.quantised_graph", stop)
    assert main(command(data, tmp_path / "x.onnx")) == 4
    assert sorted(asked) == ["Ann_1.jpg", "Ann_2.jpg", "a.jpg", "b.jpg"]


def test_calibration_takes_equal_parts_of_crops_as_the_network_gets_them(data: Path) -> None:
    sets = splits(data)
    spec = LandmarkNetwork(open_session(FLOAT, "cpu")).spec
    crops = calibration_crops([sets["wild_train"], sets["udacity_train"]], spec, faces=2, seed=0)
    assert crops.shape == (2, 3, spec.size, spec.size)
    assert crops.dtype == np.float32
    assert crops.max() > 200
    assert not np.array_equal(crops[0], crops[1])  # one face, two boxes


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--faces", "1"], 2, "at least 2 faces"),
        (["--out", "y.json"], 6, "extension .json"),
    ],
)
def test_nonsense_is_refused(
    data: Path, tmp_path: Path, more: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(data, tmp_path / "x.onnx", *more)) == code
    assert message in capsys.readouterr().err


def test_missing_things_are_named(
    quantised: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x.onnx"
    for arguments, code, message in [
        (command(data, out, model=tmp_path / "none.onnx"), 4, "none.onnx"),
        (command(data, out, model=models_dir() / "yunet.onnx"), 4, "a face detector"),
        (command(data, out, model=quantised), 4, "quantised already"),
        (command(data, out, model=centroid_network(tmp_path / "flat.onnx")), 4, "0 convolutions"),
        (command(tmp_path, out), 3, "no such data set"),
        (command(data, tmp_path / "none" / "x.onnx"), 6, "There is no folder"),
    ]:
        assert main(arguments) == code
        assert message in capsys.readouterr().err
        assert not out.exists()


def test_first_and_last_convolution_stay_float() -> None:
    graph = onnx.load(str(FLOAT))
    chosen = inner_nodes(graph)
    convolutions = [node.name for node in graph.graph.node if node.op_type == "Conv"]
    assert not {convolutions[0], convolutions[-1]} & set(chosen)
    assert set(convolutions[1:-1]) < set(chosen)


@pytest.mark.parametrize(
    ("nme", "milliseconds", "verdicts"),
    [
        ((4.0, 4.079), (2.8, 2.0), ("keeps", "keeps")),
        ((4.0, 4.080), (2.8, 2.0), ("MISSES", "keeps")),
        ((4.0, 3.9), (2.7, 2.0), ("keeps", "MISSES")),
    ],
)
def test_the_bars_decide(
    nme: tuple[float, float], milliseconds: tuple[float, float], verdicts: tuple[str, str]
) -> None:
    for line, verdict in zip(Comparison(nme, milliseconds).report().splitlines(), verdicts, strict=True):
        assert f": {verdict} the bar" in line


def test_the_card_shows_the_comparison(quantised: Path, data: Path, tmp_path: Path) -> None:
    model = tmp_path / "fkp68-tiny-int8.onnx"
    shutil.copy(quantised, model)
    write_card(model, evaluated_sets(data), Comparison((4.0, 4.1), (1.0, 0.5)))
    text, content = (
        model.with_suffix(".md").read_text(),
        json.loads(model.with_suffix(".json").read_text()),
    )
    assert "loss +2.50 %: MISSES the bar" in text
    assert "gain 2.00: keeps the bar" in text
    assert "fkp68-tiny in 8-bit integers" in text
    assert content["sha256"] == open_session(model, "cpu").sha256
    assert set(content["figures"]) == {"udacity_test", "unseen", "wild_val"}


def test_figures_are_renewed_and_the_rest_of_the_card_stays(data: Path, tmp_path: Path) -> None:
    for suffix in (".onnx", ".json", ".md"):
        shutil.copy(FLOAT.with_suffix(suffix), tmp_path / f"net{suffix}")
    card, facts = tmp_path / "net.md", tmp_path / "net.json"
    old, before = card.read_text(), json.loads(facts.read_text())
    assert main(["renew", str(tmp_path / "net.onnx"), "--data", str(data)]) == 0
    new, after = card.read_text(), json.loads(facts.read_text())
    assert after["figures"]["unseen"]["ways"] != before.pop("figures")["unseen"]["ways"]
    assert {key: after[key] for key in before} == before
    assert new.partition("## Figures")[0] == old.partition("## Figures")[0]
    assert new.partition("## Stillness")[2] == old.partition("## Stillness")[2] != ""
    assert "Seventeen of the 300" in new
    assert new.count("Box given: ") == 1
    measured = re.findall(r"^\| unseen, 0-15 deg .*$", old, re.MULTILINE)
    assert measured
    assert all(row not in new for row in measured)
    assert f"{open_session(FLOAT, 'cpu').sha256}  net.onnx" in (tmp_path / "SHA256SUMS").read_text()


def test_figures_of_a_network_without_a_card_are_not_renewed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(FLOAT, tmp_path / "net.onnx")
    assert main(["renew", str(tmp_path / "net.onnx"), "--data", str(data)]) == 4
    assert "has no figures to renew" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_a_card_that_fails_leaves_the_old_model(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "old.onnx").write_bytes(b"old")
    monkeypatch.setattr("export.quantise.measure", interrupt)
    assert main(command(data, tmp_path / "old.onnx", "--overwrite", "--card")) == 130
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_the_model_itself_is_never_the_output(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.onnx"
    shutil.copy(FLOAT, model)
    assert main(command(data, tmp_path / "." / "net.onnx", "--overwrite", model=model)) == 6
    assert "is the input itself" in capsys.readouterr().err
    assert model.read_bytes() == FLOAT.read_bytes()


def test_a_card_that_exists_is_kept(data: Path, tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("mine")
    assert main(command(data, tmp_path / "x.onnx", "--card")) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["x.md"]
