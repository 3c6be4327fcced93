"""Pictures saved by a key: one as it is painted, one clean, both as PNG."""

from __future__ import annotations

import os
from contextlib import suppress

import cv2

from fkp_live.commands.stamped import stamped
from fkp_live.errors import OutputError
from fkp_live.types import Image, SourceInfo

_PICTURE, _CLEAN = ".png", "-clean.png"


def save_pictures(info: SourceInfo, picture: Image, clean: Image) -> tuple[str, str]:
    """Save ``NAME-YYYYMMDD-HHMMSS.png`` and ``…-clean.png`` in the working folder; their names.

    No file is ever replaced, and after a failure none is left half written.

    Raises
    ------
    OutputError : there is no room, or no permission
    """
    stem = stamped(info, (_PICTURE, _CLEAN))
    _write(stem + _PICTURE, picture)
    _write(stem + _CLEAN, clean)
    return stem + _PICTURE, stem + _CLEAN


def _write(name: str, image: Image) -> None:
    _, encoded = cv2.imencode(".png", image)
    made = False
    try:
        with open(name, "xb") as file:
            made = True
            file.write(encoded.tobytes())
    except OSError as exc:
        if made:
            with suppress(OSError):
                os.unlink(name)
        raise OutputError(
            f"{name} cannot be written: {exc.strerror}.", "Make room, or start elsewhere."
        ) from exc
