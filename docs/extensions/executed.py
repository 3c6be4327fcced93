"""A notebook that is run while the site is built: its text, its code and what each cell shows, as Markdown for MyST.

Pictures and films lie in the page itself, so the site loads nothing else. What a cell writes to standard error is left
out: progress bars.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).parents[2]
# Seconds for one cell.
_LONGEST = 900
_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def executed(path: Path) -> str:
    """The page of a notebook (.ipynb), run from top to bottom in the folder where it lies.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell failed.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, 4)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), before]))
    try:
        where = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=_LONGEST, kernel_name="python3", resources=where).execute()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return "\n\n".join(part for cell in notebook.cells for part in _cell(cell))


def _cell(cell: Any) -> Iterator[str]:
    if cell.cell_type != "code":
        yield cell.source
        return
    yield _block("python", cell.source)
    for name, outputs in groupby(cell.outputs, key=lambda one: one.get("name", "")):
        if name == "stdout":
            printed = "".join(one.text for one in outputs)
            yield _block("text", _TERMINAL_COLOURS.sub("", printed).strip("\n"))
        elif name != "stderr":
            yield from (_shown(one.data) for one in outputs)


def _shown(data: Any) -> str:
    """The best form of an output that a page can show."""
    if "image/png" in data:
        return f"![what the cell shows]({_picture(base64.b64decode(data['image/png']))})"
    if "text/html" in data:
        return _block("{raw} html", data["text/html"])
    return (
        str(data["text/markdown"]) if "text/markdown" in data else _block("text", data.get("text/plain", ""))
    )


def _picture(png: bytes) -> str:
    """A data URI: the picture as JPEG, a fifth of the bytes, where it is larger that way as PNG."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("an output of the notebook is not a PNG picture")
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    kind, coded = min(("jpeg", jpeg), ("png", png), key=lambda form: len(form[1]))
    return f"data:image/{kind};base64,{base64.b64encode(coded).decode('ascii')}"


def _block(language: str, text: str) -> str:
    return f"````{language}\n{text}\n````"
