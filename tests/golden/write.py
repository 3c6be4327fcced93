"""Write the golden boxes and points anew, after a network was replaced: ``python -m tests.golden.write``.

Prints how far each scene moved, in pixels; eyes in openness and probability. Look at the overlay of the new points
before committing them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fkp_live.engine import Engine
from tests.golden import scenes


def main() -> None:
    """Measure every scene with every network, print the differences and write the record."""
    old: dict[str, Any] = json.loads(scenes.RECORD.read_text()) if scenes.RECORD.exists() else {}
    picture, frames = scenes.astronaut(), scenes.demo_frames()
    measured: dict[str, dict[str, Any]] = {"yunet": scenes.detect(picture, frames, Engine("cpu").detector)}
    for name in scenes.NETWORKS:
        measured[name] = scenes.locate(picture, frames, Engine("cpu", name))
    measured["fkp-eyes"] = scenes.look(picture, frames, Engine("cpu"), measured["fkp68"])
    for network, found in measured.items():
        for scene, values in found.items():
            _print_change(f"{network}, {scene}", values, old.get(network, {}).get(scene))
    _write(scenes.RECORD, measured)
    print(f"{scenes.RECORD}: {len(measured)} networks, {sum(map(len, measured.values()))} scenes")


def _print_change(label: str, new: ArrayLike, old: ArrayLike | None) -> None:
    if old is None:
        print(f"{label}: new")
    elif np.shape(old) != np.shape(new):
        print(f"{label}: shape {np.shape(new)}, was {np.shape(old)}")
    else:
        off = np.abs(np.subtract(new, old))
        print(f"{label}: moved by {off.mean():.2f} px in the mean, {off.max():.2f} at most")


def _write(path: Path, measured: dict[str, dict[str, Any]]) -> None:
    """One line a scene, two decimals, three of eyes, so that a difference can be read."""
    blocks = []
    for network, found in measured.items():
        decimals = 3 if network == "fkp-eyes" else 2
        lines = [
            f'  "{scene}": {json.dumps(np.round(np.asarray(v, float), decimals).tolist())}'
            for scene, v in found.items()
        ]
        blocks.append(f'"{network}": {{\n' + ",\n".join(lines) + "\n}")
    path.write_text("{" + ", ".join(blocks) + "}\n")


if __name__ == "__main__":
    main()
