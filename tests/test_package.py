"""What is shipped: the wheel's content, and that the house files agree with each other."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fkp_live import __version__

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built without network from a copy of it."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    copy.mkdir()
    for name in ("fkp_live", "models", "train", "export", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, copy)
    words = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
    done = subprocess.run(
        [*words, "-w", str(folder), str(copy)], capture_output=True, text=True, timeout=150, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    assert built.name == f"fkp_live-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_product_and_its_models(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    shipped = {f"fkp_live/models/{path.name}" for path in (ROOT / "models").iterdir() if path.is_file()}
    assert "fkp_live/models/fkp68.onnx" in names
    assert "fkp_live/models/yunet.onnx" in names
    assert "fkp_live/models/SHA256SUMS" in names
    assert shipped <= names
    code = {f"fkp_live/{path.name}" for path in (ROOT / "fkp_live").glob("*.py")}
    assets = (ROOT / "fkp_live" / "assets").rglob("*.*")
    assert code | {str(path.relative_to(ROOT)) for path in assets} | {"fkp_live/py.typed"} <= names


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"fkp_live", f"fkp_live-{__version__}.dist-info"}
    for name in wheel.namelist():
        assert not re.search(r"torch|train/|export/|test_|\.pyc$", name), name


def test_the_wheel_asks_for_the_product_s_needs_only(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read(f"fkp_live-{__version__}.dist-info/METADATA").decode()
    needs = [line.split(":", 1)[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    plain = {re.split(r"[<>=!~ ;\[]", need.strip())[0] for need in needs if "extra ==" not in need}
    assert plain == {"numpy", "opencv-python", "onnxruntime", "av", "lapx", "orjson", "tqdm"}
    assert f"Requires-Python: {CONFIG['options']['python_requires']}" in metadata
    entry_points = wheel.read(f"fkp_live-{__version__}.dist-info/entry_points.txt").decode()
    assert "fkp-live = fkp_live.commands.cli:main" in entry_points


def test_constraints_pin_every_requirement_exactly() -> None:
    sections = [CONFIG["options"]["install_requires"], *CONFIG["options.extras_require"].values()]
    wanted = {
        re.split(r"[<>=!~ ;\[]", line.strip())[0].lower()
        for section in sections
        for line in section.splitlines()
        # What only an older Python needs is not installed by CI.
        if line.strip() and not line.strip().startswith("#") and "python_version" not in line
    }
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert wanted <= set(pins), wanted - set(pins)
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values())
