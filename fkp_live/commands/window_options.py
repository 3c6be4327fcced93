"""The options of the window and of the overlay's look."""

from __future__ import annotations

import argparse
import re

from fkp_live.display.look import FACE_LAYERS, USUAL_LAYERS
from fkp_live.errors import UsageError

_SMALLEST, _LARGEST = 16, 16_384  # pixels of a side of the window


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--layers``, ``--fullscreen`` and ``--window-size``."""
    group = parser.add_argument_group("overlay and window")
    group.add_argument(
        "--layers",
        type=layers,
        default=",".join(USUAL_LAYERS),
        metavar="LIST",
        help=f"what is painted of a face, in files and at first in the window: {','.join(FACE_LAYERS)}, all or none",
    )
    group.add_argument(
        "--fullscreen",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="a window that fills the screen",
    )
    group.add_argument(
        "--window-size", type=window_size, metavar="WxH", help="pixels of the window, such as 1280x720"
    )


def layers(text: str) -> frozenset[str]:
    """For argparse: names of `FACE_LAYERS` with commas between them, or all, or none."""
    names = {"all": FACE_LAYERS, "none": ()}.get(text, tuple(text.split(",")))
    if unknown := [name for name in names if name not in FACE_LAYERS]:
        hud = " (for the HUD there is --hud)" if "hud" in unknown else ""
        raise argparse.ArgumentTypeError(
            f"expected some of {','.join(FACE_LAYERS)}, or all, or none, got {unknown[0]!r}{hud}"
        )
    return frozenset(names)


def window_size(text: str) -> tuple[int, int]:
    """For argparse: (width, height) of WxH."""
    found = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(_SMALLEST <= side <= _LARGEST for side in size):
        raise argparse.ArgumentTypeError(
            f"expected WIDTHxHEIGHT from {_SMALLEST} to {_LARGEST}, such as 1280x720, got {text!r}"
        )
    return size


def check_window(*, headless: bool | None, fullscreen: bool, size: tuple[int, int] | None) -> None:
    """Refuse options of a window where none is wanted.

    Raises
    ------
    UsageError
    """
    given = "--fullscreen" if fullscreen else "--window-size" if size is not None else ""
    if headless and given:
        raise UsageError(f"{given} is for the window, and --headless asks for none.", "Omit one of the two.")
