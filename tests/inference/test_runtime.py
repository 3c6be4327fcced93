"""The import of onnxruntime: without its usage telemetry, and what happens where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from fkp_live.errors import ExitCode, ProviderError
from fkp_live.inference import runtime

ROOT = Path(__file__).parents[2]
OPEN = """
from fkp_live.inference.models import models_dir
from fkp_live.inference.session import open_session
open_session(models_dir() / "yunet.onnx", "cpu")
"""


def python(*words: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with a home folder of its own, and without the variable that a test before may have set."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *words],
        env={**inherited, "HOME": str(home), "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


WITH_TORCH = pytest.mark.skipif(
    find_spec("torch") is None, reason="export/ needs torch, which is not installed"
)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(OPEN, id="product"),
        pytest.param("import export.quantise" + OPEN, id="export", marks=WITH_TORCH),
    ],
)
def test_a_network_leaves_no_file_in_the_home_folder(tmp_path: Path, code: str) -> None:
    """onnxruntime 1.32 for Linux writes a device id and a database under ~/.cache unless it is switched off."""
    python("-c", code, home=tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_the_demo_writes_the_requested_file_only(tmp_path: Path) -> None:
    words = ["--demo", "--max-frames", "2", "--headless", "--quiet", "--csv", str(tmp_path / "points.csv")]
    python("-m", "fkp_live", *words, home=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["points.csv"]


def test_a_user_may_switch_the_telemetry_on(tmp_path: Path) -> None:
    code = "import os, fkp_live.inference.runtime; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert python("-c", code, home=tmp_path).stdout == "1\n"
    assert python("-c", code, home=tmp_path, ORT_DISABLE_TELEMETRY="0").stdout == "0\n"


def test_an_onnxruntime_that_cannot_be_imported_is_named_with_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderError, match="onnxruntime cannot be imported") as caught:
        runtime.runtime_version()
    assert caught.value.exit_code == ExitCode.PROVIDER
    assert "pip install" in caught.value.hint
