"""Pictures of a data set: decoded by their content, refused by their header where they are too large.

image = read_image(Path("face.jpg"))  # (H, W, 3) uint8 BGR
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.choices import MAX_PIXELS
from fkp_live.errors import InputError
from fkp_live.sources.picture_header import picture_size

# The headers of cameras' JPEGs, a preview among them, are shorter.
_HEAD_BYTES = 1 << 16
_CURE = "Save it again as JPEG or PNG, or remove its row."


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image file as (H, W, 3) uint8 BGR, upright by its Exif, whatever its extension says.

    Raises
    ------
    InputError
        The file is missing, is not an image or has more than `MAX_PIXELS` pixels.
    """
    content = _bytes_of(path)
    size = picture_size(content)
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise InputError(
            f"image {path} has {size[0]}x{size[1]} pixels, expected at most {MAX_PIXELS:,}", "Scale it down."
        )
    try:
        # What has no header is refused before OpenCV sees it: a damaged one can take gigabytes.
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if size else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path} is not an image that can be decoded", _CURE)
    return np.asarray(image, np.uint8)


def stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height by the file's header, before an Exif rotation; None where the first bytes do not hold it.

    Raises InputError where the file cannot be read.
    """
    return picture_size(_bytes_of(path, _HEAD_BYTES))


def exists(path: Path) -> bool:
    """Whether this is a file; of a name that no file can have, such as one of 300 letters, False."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _bytes_of(path: Path, most: int = -1) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"cannot read image {path}: it is not a regular file", _CURE)
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"cannot read image {path}: {error.strerror}", _CURE) from error
    except ValueError as error:  # a null byte in the name
        raise InputError(f"cannot read image {path}: {error}", _CURE) from error
