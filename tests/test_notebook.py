"""The notebook in examples/: it runs from top to bottom in a kernel, learns, and has no outputs in git."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "facial_keypoints.ipynb"
# Less than a reader's run: enough to see that the network learns.
EPOCHS, FACES = 4, 150
# The first test waits for the kernel and the training, beside others on every core.
pytestmark = pytest.mark.timeout(400)


def test_it_holds_no_outputs() -> None:
    content = json.loads(NOTEBOOK.read_text("utf-8"))
    assert set(content["metadata"]) == {"kernelspec", "language_info"}
    assert content["metadata"]["language_info"] == {"name": "python"}
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], cell["id"]
            assert cell["execution_count"] is None, cell["id"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The outputs of the notebook's code cells, by the cell's id; run on the small set, with less to train."""
    pytest.importorskip("torch", reason="the notebook trains a network: pip install -e '.[train]'")
    pytest.importorskip("ipykernel", reason="no kernel for the notebook: pip install -e '.[notebook]'")
    nbclient = pytest.importorskip("nbclient", reason="runs the notebook: pip install -e '.[notebook]'")
    import nbformat

    notebook = nbformat.read(NOTEBOOK, 4)
    (settings,) = (cell for cell in notebook.cells if cell.id == "settings")
    for name, value in (("EPOCHS", EPOCHS), ("FACES", FACES)):
        settings.source, changed = re.subn(
            rf"^{name} = \d+", f"{name} = {value}", settings.source, flags=re.M
        )
        assert changed == 1
    work = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        # Temporary files of its own; no kernels, start-up files or settings of whoever runs the tests.
        for variable in (
            "TMPDIR",
            "IPYTHONDIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_RUNTIME_DIR",
        ):
            patch.setenv(variable, str(work))
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
        where = {"metadata": {"path": str(NOTEBOOK.parent)}}
        nbclient.NotebookClient(notebook, timeout=170, kernel_name="python3", resources=where).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def text(outputs: list[Any]) -> str:
    """What a cell printed, and its Markdown."""
    return "".join(
        one.text if one.output_type == "stream" else one.data.get("text/markdown", "") for one in outputs
    )


def pictures(outputs: list[Any]) -> list[np.ndarray]:
    """The pictures (H, W, 3) that a cell shows, BGR."""
    coded = [one.data["image/png"] for one in outputs if "image/png" in one.get("data", {})]
    found = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in coded]
    assert all(one is not None for one in found)
    return found


def coloured(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """How many pixels have the colour, but for what antialiasing takes off it."""
    return int((np.abs(picture.astype(int) - colour).max(2) < 30).sum())


def test_the_network_learns(outputs: dict[str, list[Any]]) -> None:
    assert "60 training faces, 30 test faces" in text(outputs["look"])
    (error,) = re.findall(r"all points +\| +([\d.]+)", text(outputs["regions"]))
    assert 0 < float(error) < 15
    losses = dict(re.findall(r"^\| ([\w ,']+?) +\| +([\d.]+) \|", text(outputs["losses"]), re.M))
    mean, ours, shipped = (float(value) for value in losses.values())
    # The labels are the shipped network's own.
    assert shipped < 0.001 < ours < mean


def test_it_shows_each_step(outputs: dict[str, list[Any]]) -> None:
    shown = {name: pictures(cell) for name, cell in outputs.items()}
    count = {name: len(found) for name, found in shown.items() if found}
    assert count == {
        "look": 1, "augmented": 1, "training": 1, "test": 1, "stranger": 1, "filters": 1, "maps": 3, "saliency": 1,
        "live": 1,
    }  # fmt: skip
    green, magenta = (80, 230, 80), (255, 60, 255)
    assert coloured(shown["look"][0], green) > 500 > coloured(shown["look"][0], magenta)
    assert coloured(shown["test"][0], magenta) > 500
    assert coloured(shown["stranger"][0], green) > 100 < coloured(shown["stranger"][0], magenta)


def test_the_exported_network_follows_the_face(outputs: dict[str, list[Any]]) -> None:
    assert "# keypoints" in text(outputs["export"])
    assert re.search(r"^90 frames in .*\n90 faces \(1\.00 a frame\)", text(outputs["live"]), re.M)
    (film,) = outputs["film"]
    assert '<source src="data:video/mp4;base64,' in film.data["text/html"]
