"""Opening model files: good ones, damaged ones, and files that are not models."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from fkp_live.errors import ExitCode, ModelError
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session

YUNET = models_dir() / "yunet.onnx"
CPU = "CPUExecutionProvider"


def test_cpu_really_runs() -> None:
    session = open_session(YUNET, "cpu")
    assert session.provider == "cpu"
    assert session.ort.get_providers() == [CPU]
    assert session.sha256 == hashlib.sha256(YUNET.read_bytes()).hexdigest()
    assert session.metadata["name"] == "yunet"
    image = np.zeros((2, 3, 32, 64), np.float32)
    keypoints, score = session.run({"image": image}, ["keypoints", "score"])
    assert keypoints.shape == (2, 4 * 8 + 2 * 4 + 1 * 2, 10)
    assert score.shape == (2, 42, 1)


def test_threads_reach_the_session() -> None:
    assert open_session(YUNET, "cpu", threads=2).ort.get_session_options().intra_op_num_threads == 2
    assert open_session(YUNET, "cpu").ort.get_session_options().intra_op_num_threads == 1


def damaged(kind: str, folder: Path) -> Path:
    path = folder / "model.onnx"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        whole = YUNET.read_bytes()
        contents = {
            "empty": b"",
            "text": b"this is no model\n" * 20,
            "truncated": whole[: len(whole) // 2],
            "random": np.random.default_rng(0).bytes(20000),
            "picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
        }
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "truncated", "random", "picture"])
@pytest.mark.parametrize("provider", ["auto", "cpu"])
def test_files_that_are_not_models(tmp_path: Path, kind: str, provider: str) -> None:
    path = damaged(kind, tmp_path)
    with pytest.raises(ModelError, match=r"model\.onnx") as caught:
        open_session(path, provider)
    assert caught.value.exit_code == ExitCode.MODEL
    assert len(caught.value.message.splitlines()) == 1


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="provider is 'gpu', expected one of auto, cpu"):
        open_session(YUNET, "gpu")
    with pytest.raises(ValueError, match="threads is 0"):
        open_session(YUNET, "cpu", threads=0)
