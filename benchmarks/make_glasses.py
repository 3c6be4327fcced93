"""Draw the glasses behind ``--sticker glasses``: black frames, dark lenses that let the eyes through, a gleam.

    python -m benchmarks.make_glasses [OUTPUT]

Everything is drawn here, four times larger and averaged down; no other picture is used. The middle of the picture lies
between the eyes and its width is that of the head, as `fkp_live.display.sticker` lays it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.script import result_file, run

TARGET = Path(__file__).parents[1] / "fkp_live" / "assets" / "glasses.png"
WIDTH, HEIGHT, FINER = 768, 300, 4
# Pixels of the finished picture: middles of the lenses from the middle of the picture, half sides, width of the frame.
LENS_X, LENS_Y, HALF_X, HALF_Y, FRAME = 186, 14, 152, 106, 22
FRAME_COLOUR, LENS_COLOUR, GLEAM_COLOUR = (28, 22, 20), (60, 38, 24), (255, 250, 245)  # BGR
LENS_OPACITY, GLEAM_OPACITY = 190, 110


def lens_outline(side: int, inset: float) -> np.ndarray:
    """(K, 2) outline of a lens, ``side`` -1 or 1 of the middle, smaller by ``inset``; rounded, narrower below."""
    angle = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55 * (HALF_X - inset)
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.62 * (HALF_Y - inset)
    x = x * (1.0 - 0.10 * (y / HALF_Y)) + side * 10 * (-y / HALF_Y)
    return np.stack([WIDTH / 2 + side * LENS_X + x, HEIGHT / 2 + LENS_Y + y], 1)


def fill(layer: np.ndarray, outline: np.ndarray, colour: tuple[int, int, int], opacity: int) -> None:
    """Fill an outline, in pixels of the finished picture, with a colour and its opacity."""
    cv2.fillPoly(layer, [np.rint(outline * FINER).astype(np.int32)], (*colour, opacity))


def glasses() -> np.ndarray:
    """(HEIGHT, WIDTH, 4) uint8, BGRA."""
    layer = np.zeros((HEIGHT * FINER, WIDTH * FINER, 4), np.uint8)
    middle, height = WIDTH / 2, HEIGHT / 2 + LENS_Y
    top = np.array([middle, height - 0.45 * HALF_Y])
    bridge = np.array([[-52, 14], [-30, -8], [30, -8], [52, 14], [52, 34], [24, 12], [-24, 12], [-52, 34]])
    fill(layer, bridge + top, FRAME_COLOUR, 255)
    for side in (-1, 1):
        # The hinge, where the arm of the glasses goes back.
        inner, outer = LENS_X + 0.8 * HALF_X, middle - 2
        hinge = np.array([[inner, -28], [outer, -20], [outer, 2], [LENS_X + HALF_X, 12]])
        fill(layer, hinge * [side, 1] + top, FRAME_COLOUR, 255)
        fill(layer, lens_outline(side, 0), FRAME_COLOUR, 255)
        fill(layer, lens_outline(side, FRAME), LENS_COLOUR, LENS_OPACITY)
    for side in (-1, 1):
        corners = np.array([[-70, 62], [-8, -66], [22, -66], [-40, 62]])
        gleam = corners + np.array([middle + side * LENS_X, height])
        mask = np.zeros(layer.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(gleam * FINER).astype(np.int32)], 255)
        lens = np.zeros_like(mask)
        cv2.fillPoly(lens, [np.rint(lens_outline(side, FRAME + 8) * FINER).astype(np.int32)], 255)
        share = (mask & lens).astype(np.float32)[..., None] / 255 * GLEAM_OPACITY / 255
        layer[..., :3] = np.rint(layer[..., :3] * (1 - share) + np.array(GLEAM_COLOUR) * share)
    # Averages of colours count by their opacity, or the rims would take in the black of what is transparent.
    opacity = layer[..., 3:].astype(np.float32)
    size = (WIDTH, HEIGHT)
    colours = cv2.resize(layer[..., :3] * opacity, size, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
    small = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    small[..., :3] = np.rint(colours / np.maximum(mean, 1e-6)[..., None])
    small[..., 3] = np.rint(mean)
    return small


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "target", type=result_file, nargs="?", default=TARGET, help="default: the one in the package"
    )
    target = parser.parse_args().target
    cv2.imwrite(str(target), glasses(), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{target}: {WIDTH} x {HEIGHT}, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    run(main)
