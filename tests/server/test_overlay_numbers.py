"""The overlay of the browser pages has the numbers of the overlay in Python: lines, colours, sizes, names of layers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fkp_live import topology
from fkp_live.display import canvas, layers, overlay, text
from fkp_live.display.look import FACE_LAYERS, USUAL_LAYERS

COMMON = Path(__file__).parents[2] / "fkp_live" / "server" / "static" / "common"


def exported(name: str) -> dict[str, Any]:
    """The constants of a module, each of which is written as JSON."""
    source = (COMMON / name).read_text(encoding="utf-8")
    found = re.findall(r"^export const (\w+) = (.*?);$", source, re.MULTILINE | re.DOTALL)
    return {constant: json.loads(value) for constant, value in found}


def rgb(colour: tuple[int, ...]) -> list[int]:
    return list(colour[::-1])


def test_lines_are_those_of_the_topology() -> None:
    numbers = exported("topology.js")
    assert numbers.pop("CONTOURS") == [
        [name, list(points), closed] for name, points, closed in topology.CONTOURS
    ]
    assert numbers == {"NOSE_TIP": topology.NOSE_TIP}


def test_colours_and_sizes_are_those_of_the_window() -> None:
    assert exported("look.js") == {
        "PALETTE": [rgb(colour) for colour in overlay._PALETTE],
        "LIMITS": list(layers._LIMITS),
        "FADE": [rgb(colour) for colour in layers._FADE],
        "PANEL": rgb(layers.PANEL),
        "CORE": rgb(layers.CORE),
        "SHUT": rgb(layers._SHUT),
        "AXES": [rgb(colour) for colour in layers._AXES],
        "AXIS": layers._AXIS,
        "AIR": layers._AIR,
        "CORNER": layers._CORNER,
        "GRID": layers._GRID,
        "FULL_EYE": layers._FULL_EYE,
        "FULL_MOUTH": layers._FULL_MOUTH,
        "DOTTED": canvas.DOTTED,
        "PLATE": pytest.approx(text.PLATE),
        "LARGEST": overlay._LARGEST,
    }


def test_layers_have_the_names_and_keys_of_the_window() -> None:
    source = (COMMON / "overlay.js").read_text(encoding="utf-8")
    found = re.findall(r'\{ name: "(\w+)", label: "\w+", usual: (true|false) \}', source)
    # The window writes the expression with the id; its seventh key is the HUD, which a page has outside the picture.
    assert [name for name, _ in found] == [*FACE_LAYERS, "expression"]
    assert {name for name, usual in found if usual == "true"} == {*USUAL_LAYERS, "expression"}
