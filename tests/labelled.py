"""CSV files of labelled faces, and images to go with them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from shapes import face_at

HEADER = ["", *map(str, range(136))]


def row_of(name: str, shift: float = 0.0) -> list[str]:
    """A row of a frontal face of about 100 px, all of it on the pictures of `write_images`, moved by ``shift``."""
    return [name, *(f"{value:.2f}" for value in face_at(75 + shift, 50 + shift, 60).ravel())]


def write_csv(path: Path, rows: list[list[str]], header: list[str] = HEADER) -> Path:
    path.write_text("".join(",".join(row) + "\n" for row in [header, *rows]))
    return path


def write_images(folder: Path, *names: str) -> None:
    """Grey pictures of 160x150 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(cv2.imencode(".png", np.full((150, 160, 3), 90, np.uint8))[1].tobytes())
