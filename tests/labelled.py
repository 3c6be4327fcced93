"""CSV files of labelled faces, and images to go with them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

HEADER = ["", *map(str, range(136))]


def row_of(name: str, start: float = 10.0) -> list[str]:
    """A row whose x0, y0, x1, y1 … count up from ``start``."""
    return [name, *(f"{start + k}" for k in range(136))]


def write_csv(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]))
    return path


def write_images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", np.full((20, 30, 3), 90, np.uint8))[1].tobytes())
