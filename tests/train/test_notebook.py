"""examples/facial_keypoints.ipynb: runs from top to bottom, and has no outputs in git."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "facial_keypoints.ipynb"
CELLS = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]


def test_it_has_no_outputs() -> None:
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_it_runs_and_the_network_follows_the_face(tmp_path: Path) -> None:
    """Its cells as one program: they use nothing of Jupyter, so no kernel has to be installed and started."""
    program = tmp_path / "notebook.py"
    code = "\n\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code")
    # Also where the official archive is there: it takes minutes.
    assert code.count('ROOT / "data"') == 1
    program.write_text(code.replace('ROOT / "data"', "Path() / 'no data'"))
    environment = {**os.environ, "MPLBACKEND": "Agg", "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, program],
        cwd=ROOT / "examples",
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (nme,) = re.findall(r"^NME ([\d.]+) %, loss of the course 0\.0\d+$", done.stdout, re.MULTILINE)
    assert 0 < float(nme) < 10
    assert len(re.findall(r"^\d\.\d\d s: \['face \d+, yaw", done.stdout, re.MULTILINE)) == 3
