"""What is shipped: the wheel's content, and that the house files agree with each other."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy
import pytest

from fkp_live import __version__

ROOT = Path(__file__).parents[1]
CONFIG = configparser.ConfigParser()
CONFIG.read(ROOT / "setup.cfg")


# What `python -m build` does, with the setuptools that is here.
BUILD = """
import os, sys, tarfile
from setuptools.build_meta import build_sdist, build_wheel
folder = sys.argv[1]
name = build_sdist(folder)
tarfile.open(os.path.join(folder, name)).extractall(folder, filter="data")
os.chdir(os.path.join(folder, name.removesuffix(".tar.gz")))
build_wheel(folder)
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _done(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=150, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the source archive of this checkout, built without network from a copy of it."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "checkout"
    copy.mkdir()
    for name in ("fkp_live", "models", "train", "export", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "setup.cfg",
        "setup.py",
        "pyproject.toml",
        "MANIFEST.in",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
    ):
        shutil.copy(ROOT / name, copy)
    (copy / ".git").mkdir()
    (copy / ".git" / "HEAD").write_text(f"{COMMIT}\n")
    _done(sys.executable, "-c", BUILD, folder, cwd=copy)
    (built,) = folder.glob("*.whl")
    assert built.name == f"fkp_live-{__version__}-py3-none-any.whl"
    return built


@pytest.fixture(scope="module")
def wheel(wheel_path: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(wheel_path)


def test_the_wheel_runs_in_an_environment_of_its_own(wheel_path: Path, tmp_path: Path) -> None:
    made = tmp_path / "venv"
    venv.create(made, with_pip=False)
    values = {"base": str(made), "platbase": str(made), "installed_base": str(made)}
    site, scripts = (Path(sysconfig.get_path(name, "venv", values)) for name in ("purelib", "scripts"))
    # What it depends on is not downloaded again; the environment's own packages come before it.
    (site / "dependencies.pth").write_text(str(Path(numpy.__file__).parents[1]))
    words = ["-m", "pip", "--python", made, "install", "--no-deps", "--no-index", "--no-compile", "-q"]
    _done(sys.executable, *words, "--ignore-installed", wheel_path, cwd=tmp_path)
    command = scripts / "fkp-live"
    assert _done(command, "--version", cwd=tmp_path) == f"fkp-live {__version__} (commit {COMMIT[:10]})\n"
    _done(
        command,
        "--demo",
        "--headless",
        "--max-frames",
        "5",
        "--csv",
        "points.csv",
        "--out",
        "a.mp4",
        cwd=tmp_path,
    )
    assert len((tmp_path / "points.csv").read_text().splitlines()) == 6
    assert (tmp_path / "a.mp4").stat().st_size > 10_000
    shown = json.loads(_done(command, "models", "fkp68", "--json", cwd=tmp_path))
    assert Path(shown[0]["file"]).name == "fkp68.onnx"


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
    assert wheel.read("fkp_live/commit.txt").decode() == f"{COMMIT}\n"


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
    } - {"fkp-live"}
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert wanted <= set(pins), wanted - set(pins)
    assert all(re.fullmatch(r"[\w.]+", version) for version in pins.values())


def test_every_extra_that_is_named_exists() -> None:
    extras = {*CONFIG["options.extras_require"]}
    assert {
        "server",
        "batch",
        "ray",
        "parquet",
        "plots",
        "lsl",
        "camera",
        "osc",
        "train",
        "dev",
        "all",
    } <= extras
    texts = [path for folder in ("fkp_live", "docs", "examples") for path in (ROOT / folder).rglob("*.*")]
    for path in [*texts, ROOT / "README.md"]:
        if path.suffix in (".py", ".md", ".ipynb"):
            for named in re.findall(r"fkp-live\[([\w,]+)\]", path.read_text("utf-8")):
                assert {*named.split(",")} <= extras, f"{path.name}: {named}"
