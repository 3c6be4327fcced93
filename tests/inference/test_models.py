"""Names and paths of model files, and the network that streams take by default."""

from __future__ import annotations

from pathlib import Path

import pytest

from fkp_live.errors import ExitCode, ModelError
from fkp_live.inference import models
from fkp_live.inference.models import models_dir, resolve_model
from fkp_live.inference.session import open_session

YUNET = models_dir() / "yunet.onnx"
CPU = "CPUExecutionProvider"


def test_names_and_paths_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_model("yunet") == YUNET
    assert resolve_model("yunet") == YUNET
    assert resolve_model(str(YUNET)) == YUNET
    own = tmp_path / "own.onnx"
    own.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert resolve_model("own.onnx") == Path("own.onnx")
    for given in ("fkp99", "no.onnx", tmp_path / "no" / "no.onnx", tmp_path):
        with pytest.raises(ModelError, match=r"shipped model|folder|not a file") as caught:
            resolve_model(given)
        assert "Shipped models:" in caught.value.hint
        assert "yunet" not in caught.value.hint


@pytest.mark.parametrize("given", ["x" * 300, "x" * 300 + ".onnx", "x/" * 3000 + "y.onnx", "a\0.onnx"])
def test_a_name_that_no_file_system_takes_is_refused(given: str) -> None:
    with pytest.raises(ModelError, match="The model") as caught:
        resolve_model(given)
    assert caught.value.exit_code == ExitCode.MODEL
    with pytest.raises(ModelError, match="The model"):
        open_session(given, "cpu")


@pytest.mark.parametrize(
    ("provider", "listed", "vnni", "expected"),
    [
        ("auto", [CPU], True, "fkp68-medium-int8"),
        ("auto", ["AzureExecutionProvider", CPU], True, "fkp68-medium-int8"),
        ("auto", [CPU], False, "fkp68"),
        ("auto", ["CUDAExecutionProvider", CPU], True, "fkp68"),
        ("cpu", ["CUDAExecutionProvider", CPU], True, "fkp68-medium-int8"),
        ("openvino", ["OpenVINOExecutionProvider", CPU], True, "fkp68"),
    ],
)
def test_streams_take_the_8_bit_network_only_where_it_pays(
    monkeypatch: pytest.MonkeyPatch, provider: str, listed: list[str], vnni: bool, expected: str
) -> None:
    monkeypatch.setattr(models, "available_providers", lambda: listed)
    monkeypatch.setattr(models, "has_vnni", lambda: vnni)
    assert models.stream_model(provider) == expected
