"""Plots and trainings write what was requested only: no cache of matplotlib, fontconfig, torch or onnxruntime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPORT = """
from pathlib import Path
from train.evaluate.report import plot_calibration, plot_error_curves
plot_error_curves({"äöü \\u65e5 $x^2$": [1.0, 2.0, 3.0]}, Path("e.png"), "curves")
plot_calibration({"some": [{"points": 30.0, "confidence": 0.5, "found": 0.5, "error": 4.0}]}, Path("k.png"))
"""
FIT = r"""
from pathlib import Path
from drawn import write_drawn
from train.__main__ import main
Path("tiny.toml").write_text(
    "[model]\nsize = 32\nchannels = [4, 4, 8, 8]\nblocks = [0, 0, 0]\ndecoder = [8, 8]\n"
    "[training]\nepochs = 1\nbatch = 4\nworkers = 0\nevaluate_every = 1\n"
)
write_drawn(Path("faces.csv"), Path("images"), [f"{k}.png" for k in range(4)])
assert main(["fit", "tiny.toml", "--csv", "faces.csv", "--val", "faces.csv", "--out", "run"]) == 0
"""
FOLDERS = """
import matplotlib
from train.plotting import pyplot
pyplot()
print(matplotlib.get_cachedir())
"""


def fresh_home(tmp_path: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Python with nothing in its home folder and its folder for temporary files."""
    for name in ("home", "tmp", "work"):
        (tmp_path / name).mkdir(exist_ok=True)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_", "MPL"))}
    paths = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    places = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, **places, **more},
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_training_and_its_plots_write_what_was_requested_only(tmp_path: Path) -> None:
    done = fresh_home(tmp_path, FIT + REPORT)
    assert {name.split("/")[1] for name in files_below(tmp_path)} == {
        "tiny.toml", "faces.csv", "images", "run", "e.png", "k.png",
    }  # fmt: skip
    assert (tmp_path / "work" / "run" / "curves.png").is_file()
    assert list((tmp_path / "home").iterdir()) == []
    # torch makes an empty folder there.
    assert all(path.name.startswith("torchinductor_") for path in (tmp_path / "tmp").iterdir())
    assert "cache" not in done.stderr  # matplotlib has notices about its folders and the time they take


def test_a_folder_that_the_user_has_set_for_matplotlib_stays(tmp_path: Path) -> None:
    own = tmp_path / "own"
    done = fresh_home(tmp_path, FOLDERS, MPLCONFIGDIR=str(own))
    assert done.stdout.strip() == str(own)
    assert list((tmp_path / "home").iterdir()) == []


def test_the_environment_is_as_before() -> None:
    before = dict(os.environ)
    from train.plotting import pyplot

    pyplot.cache_clear()
    pyplot()
    assert dict(os.environ) == before
