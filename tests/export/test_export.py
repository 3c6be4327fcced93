"""Export of a checkpoint to an ONNX file with metadata, which the product runs."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export import landmark, ship
from export.__main__ import main
from export.ship import staging_folder, write_sums
from export.written import git_commit, halve_weights, sha256_of
from fkp_live.errors import FkpError, InputError, OutputError
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.inference.session import open_session
from fkp_live.types import Image
from train.network.checkpoint import save_checkpoint
from train.network.initial import folded_network
from train.network.model import LandmarkNet
from train.options import ModelOptions, Recipe

OPTIONS = ModelOptions(size=32, channels=(4, 8, 8, 16), blocks=(0, 1, 1), decoder=(8, 8))


@pytest.fixture(name="model", scope="module")
def _model() -> LandmarkNet:
    """An untrained network whose batch norms have seen something, so that folding them matters."""
    torch.manual_seed(0)
    model = LandmarkNet(OPTIONS)
    for _ in range(3):
        model.train()(torch.rand(8, 3, 32, 32) * 255)
    return model.eval()


@pytest.fixture(name="graph", scope="module")
def _graph(model: LandmarkNet) -> onnx.ModelProto:
    return landmark.traced(model)


@contextmanager
def traced_already(graph: onnx.ModelProto) -> Iterator[None]:
    """The model's graph, which torch takes seconds to make, once for all tests that ask what becomes of it."""

    def copied(_: LandmarkNet) -> onnx.ModelProto:
        copy = onnx.ModelProto()
        copy.CopyFrom(graph)
        return copy

    with pytest.MonkeyPatch.context() as patch:
        for module in (landmark, ship):
            patch.setattr(module, "traced", copied)
        yield


@pytest.fixture
def traced(graph: onnx.ModelProto) -> Iterator[None]:
    with traced_already(graph):
        yield


@pytest.fixture(name="exported", scope="module")
def _exported(model: LandmarkNet, graph: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    extra = {"epoch": 7, "recipe": Recipe(name="tiny", model=OPTIONS).as_dict()}
    save_checkpoint(folder / "last.pt", model, **extra)
    with traced_already(graph):
        assert main([str(folder / "last.pt"), "--name", "tiny", "--out", str(folder)]) == 0
    return folder / "tiny.onnx"


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_file_gives_torchs_points_at_any_batch(model: LandmarkNet, exported: Path, batch: int) -> None:
    crops = np.random.default_rng(batch).uniform(0, 255, (batch, 3, 32, 32)).astype(np.float32)
    points, confidence = open_session(exported, "cpu").run({"image": crops})
    with torch.no_grad():
        expected = model(torch.from_numpy(crops))
    assert points == pytest.approx(expected[0].numpy(), abs=0.01)
    assert confidence == pytest.approx(expected[1].numpy(), abs=1e-3)


def test_the_product_runs_it(exported: Path, astronaut: Image) -> None:
    network = LandmarkNetwork(open_session(exported, "cpu"))
    assert network.spec == OPTIONS.crop_spec
    found = network(astronaut, np.array([[170.0, 60.0, 280.0, 180.0]]))
    assert found.points.shape == (1, 68, 2)


def test_its_metadata_describe_it(exported: Path) -> None:
    metadata = open_session(exported, "cpu").metadata
    assert metadata["schema"] == "fkp-landmarks/1"
    assert metadata["input"]["size"] == 32
    assert metadata["crop"] == {"kind": "square", "margin": 0.125}
    assert metadata["training"]["epochs"] == 7
    assert "non-commercial" in metadata["licence"]


def test_nothing_of_this_machine_is_inside(exported: Path) -> None:
    content = exported.read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content
    assert b".py" not in content
    onnx.checker.check_model(str(exported), full_check=True)


def test_card_figures_and_sums_lie_beside_it(exported: Path) -> None:
    card = exported.with_suffix(".md").read_text()
    digest = sha256_of(exported)
    assert digest in card
    assert json.loads(exported.with_suffix(".json").read_text())["sha256"] == digest
    assert f"{digest}  tiny.onnx" in (exported.parent / "SHA256SUMS").read_text().splitlines()


@pytest.mark.usefixtures("traced")
def test_an_existing_model_is_kept(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = exported.read_bytes()
    arguments = [str(exported.parent / "last.pt"), "--name", "tiny", "--out", str(exported.parent)]
    assert main(arguments) == 6
    assert exported.read_bytes() == before
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0


def test_a_missing_checkpoint_is_a_model_error(tmp_path: Path) -> None:
    assert main([str(tmp_path / "none.pt"), "--out", str(tmp_path)]) == 4


@pytest.mark.usefixtures("traced")
def test_a_file_that_differs_from_torch_is_not_written(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmark, "TOLERANCE", -1.0)
    with pytest.raises(FkpError, match="differ from torch's"):
        landmark.export_onnx(model, tmp_path / "x.onnx", landmark.metadata(model, "x", {}, {}))
    assert list(tmp_path.iterdir()) == []


def a_checkpoint(folder: Path, model: LandmarkNet, **extra: Any) -> list[str]:
    """Words of the command that exports it as "good" into a folder of its own beside it."""
    (folder / "out").mkdir()
    extra = {"epoch": 7, "recipe": Recipe(name="tiny", model=OPTIONS).as_dict(), **extra}
    save_checkpoint(folder / "last.pt", model, **extra)
    return [str(folder / "last.pt"), "--name", "good", "--out", str(folder / "out")]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (InputError("no faces"), 3),
        (KeyboardInterrupt(), 130),
        (OSError(errno.ENOSPC, "No space left on device"), 6),
    ],
)
def test_a_failure_half_way_leaves_the_good_model_and_nothing_else(
    model: LandmarkNet,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: BaseException,
    code: int,
) -> None:
    command = a_checkpoint(tmp_path, model)
    for suffix in ship.SHIPPED:
        shutil.copy(exported.with_suffix(suffix), tmp_path / "out" / f"good{suffix}")
    before = contents(tmp_path / "out")

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(ship, "evaluated_sets", lambda _: {"wild_val": None})
    monkeypatch.setattr(ship, "measure", fail)
    capsys.readouterr()
    assert main([*command, "--data", "somewhere", "--overwrite"]) == code
    assert contents(tmp_path / "out") == before
    assert "Traceback" not in capsys.readouterr().err


def test_data_that_cannot_be_read_is_refused_before_the_export(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = a_checkpoint(tmp_path, model)
    monkeypatch.setattr(ship, "export_onnx", lambda *_: pytest.fail("exported"))
    assert main([*command, "--data", str(tmp_path / "none")]) == 3
    assert contents(tmp_path / "out") == {}


@pytest.mark.usefixtures("traced")
def test_a_full_disk_is_an_output_error_and_leaves_nothing(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(onnx, "save", full)
    assert main(a_checkpoint(tmp_path, model)) == 6
    assert "No space left" in capsys.readouterr().err
    assert contents(tmp_path / "out") == {}


def test_an_export_that_torch_cannot_do_is_one_message(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.onnx.OnnxExporterError("no such operator\n\nSummary of a hundred lines")

    monkeypatch.setattr(torch.onnx, "export", fail)
    assert main(a_checkpoint(tmp_path, model)) == 1
    message = capsys.readouterr().err
    assert "no such operator" in message
    assert "Summary" not in message
    assert contents(tmp_path / "out") == {}


def test_weights_that_are_not_finite_are_a_model_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = LandmarkNet(OPTIONS)
    with torch.no_grad():
        broken.heads.weight[3] = torch.nan
    assert main(a_checkpoint(tmp_path, broken)) == 4
    assert "heads.weight" in capsys.readouterr().err
    assert contents(tmp_path / "out") == {}


@pytest.mark.usefixtures("traced")
def test_points_that_are_not_finite_do_not_pass_for_equal(
    model: LandmarkNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmark, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(FkpError, match="differ from torch's"):
        landmark.export_onnx(model, tmp_path / "x.onnx", landmark.metadata(model, "x", {}, {}))


@pytest.mark.parametrize("name", ["", "../escaped", "sub/x", ".hidden", "x" * 300])
def test_a_name_that_is_not_a_file_name_is_refused(model: LandmarkNet, tmp_path: Path, name: str) -> None:
    command = a_checkpoint(tmp_path, model)
    assert main([*command, "--name", name]) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"last.pt", "out"}
    assert contents(tmp_path / "out") == {}


@pytest.mark.parametrize("suffix", [".md", ".json"])
def test_a_card_that_exists_is_kept(model: LandmarkNet, tmp_path: Path, suffix: str) -> None:
    command = a_checkpoint(tmp_path, model)
    (tmp_path / "out" / f"good{suffix}").write_text("mine")
    assert main(command) == 6
    assert contents(tmp_path / "out") == {f"good{suffix}": b"mine"}


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_commit() == "unknown"


def test_a_checkpoint_without_a_recipe_is_a_model_error(model: LandmarkNet, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "bare.pt", model)
    assert main([str(tmp_path / "bare.pt"), "--out", str(tmp_path)]) == 4


def test_sums_of_the_shipped_models_are_right() -> None:
    models = Path(__file__).parents[2] / "models"
    before = (models / "SHA256SUMS").read_text()
    for line in before.splitlines():
        digest, name = line.split("  ")
        assert sha256_of(models / name) == digest, name
    listed = {line.split("  ")[1] for line in before.splitlines()}
    assert {path.name for path in models.glob("*.onnx")} <= listed


def test_write_sums_is_sorted_and_complete(tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    for name in ("b.onnx", "a.onnx", "note.md", "cut-off.partial.onnx"):
        (tmp_path / name).write_text(name)
    (staging / "b.onnx").write_text("new")
    write_sums(tmp_path, staging)
    lines = (staging / "SHA256SUMS").read_text().splitlines()
    assert [line[66:] for line in lines] == ["a.onnx", "b.onnx"]
    assert lines[1].startswith(hashlib.sha256(b"new").hexdigest())


@pytest.mark.parametrize("at", range(1, 7))
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_all_files_are_replaced_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, fault: BaseException
) -> None:
    old = {name: b"old" for name in ("x.json", "x.md", "x.onnx")}
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    replace, calls = Path.replace, 0

    def failing(self: Path, to: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == at:
            raise fault
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", failing)

    def write() -> None:
        with staging_folder(tmp_path) as staging:
            for name in old:
                (staging / name).write_bytes(b"new")

    with pytest.raises(OutputError if isinstance(fault, OSError) else KeyboardInterrupt):
        write()
    assert contents(tmp_path) == old


def test_weights_in_16_bits_are_half_the_file_and_train_further(
    tmp_path: Path, model: LandmarkNet, graph: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = Path(a_checkpoint(tmp_path, model)[0])
    # The network of the tests is small.
    monkeypatch.setattr(ship, "halve_weights", lambda graph: halve_weights(graph, 256))
    with traced_already(graph):
        ship.ship(last, "whole", tmp_path, None, overwrite=False)
        ship.ship(last, "half", tmp_path, None, overwrite=False, half=True)
    whole, half = (tmp_path / f"{name}.onnx" for name in ("whole", "half"))
    weights = sum(p.numel() for p in model.parameters() if p.numel() >= 256)
    assert whole.stat().st_size - half.stat().st_size == pytest.approx(2 * weights, rel=0.2)
    crops = np.random.default_rng(0).uniform(0, 255, (3, 3, 32, 32)).astype(np.float32)
    one, other = (open_session(path, "cpu").run({"image": crops})[0] for path in (whole, half))
    assert 0 < np.abs(one - other).max() < 0.05
    fine, rough = (folded_network(path)[1] for path in (whole, half))
    for name, value in fine.items():
        assert torch.allclose(value, rough[name], rtol=1e-3, atol=1e-6)
