"""Stickers: an RGBA picture laid on the eyes of every face, with the head's roll, scale, yaw and pitch.

The sticker is a plane in front of the eyes that turns with the head, seen by a camera a few head widths away. Its
middle lies between the eyes, its width is that of the head there.
"""

from __future__ import annotations

import struct
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from fkp_live.colour import ColourSpace
from fkp_live.errors import InputError
from fkp_live.geometry import own_turns
from fkp_live.images.picture import BgrPicture
from fkp_live.images.yuv420 import Yuv420Picture
from fkp_live.recorded import as_recorded
from fkp_live.topology import CHIN, LEFT_EYE_OUTER, REGIONS, RIGHT_EYE_OUTER
from fkp_live.types import Face, FloatArray, Frame, FrameResult, Image, Picture

# The sticker in the package.
GLASSES = "glasses"
# Longest side of a sticker in pixels.
MOST_SIDE = 4096
_MOST_BYTES = 2 * 4 * MOST_SIDE**2
_PNG, _RGBA = b"\x89PNG\r\n\x1a\n", 6
_KINDS = {0: "grey", 2: "RGB without transparency", 3: "a palette", 4: "grey with transparency"}
_CURE = "Save it as a PNG with 8-bit RGBA colours."

# Width of the sticker over the distance of the outer eye corners of a face that looks into the camera.
_WIDTH = 1.62
# The eyes' distance over that from eyes to chin, in a face that looks into the camera: bounds what yaw has taken away.
_EYES_OVER_CHIN = 0.85
# How far in front of the eyes the sticker is, and how far away the camera, in distances of the eye corners.
_FRONT, _CAMERA = 0.18, 8.0
# The angles beyond which pose is a guess, in radians.
_MOST_YAW, _MOST_PITCH = 1.0, 0.5
# A sticker narrower than this, in pixels, is not painted.
_LEAST_WIDTH = 4.0


def load_sticker(name: str | Path) -> Image:
    """The sticker "glasses" of the package, or a PNG file: (H, W, 4) uint8, BGRA.

    Raises
    ------
    InputError
        If the file is missing, no PNG with 8-bit RGBA colours, damaged, or has a side of more than 4096 pixels.
    """
    if name == GLASSES:
        return _decoded(resources.files("fkp_live").joinpath("assets/glasses.png").read_bytes(), GLASSES)
    path = Path(name)
    if path.exists() and not path.is_file():
        raise InputError(f"The sticker {path} is not a file.", _CURE)
    try:
        with path.open("rb") as file:
            head = file.read(33)
            _check_header(head, path)
            return _decoded(head + file.read(_MOST_BYTES), str(path))
    except FileNotFoundError:
        raise InputError(
            f"There is no sticker {path}.", f"Name a PNG file, or {GLASSES} for those in the package."
        ) from None
    except OSError as error:
        raise InputError(f"The sticker {path} cannot be read: {error.strerror}.", _CURE) from error


def _check_header(head: bytes, path: Path) -> None:
    """Refuse a file by its first 33 bytes: signature and header chunk of a PNG."""
    if not head.startswith(_PNG) or head[12:16] != b"IHDR" or len(head) < 33:
        raise InputError(f"The sticker {path} is not a PNG file.", _CURE)
    width, height, depth, kind = struct.unpack(">IIBB", head[16:26])
    if kind != _RGBA or depth != 8:
        found = (
            f"16-bit {'RGBA' if kind == _RGBA else 'samples'}" if depth == 16 else _KINDS.get(kind, "unknown")
        )
        raise InputError(
            f"The sticker {path} has colours of another kind ({found}), expected 8-bit RGBA.", _CURE
        )
    if not 0 < max(width, height) <= MOST_SIDE:
        raise InputError(
            f"The sticker {path} has {width} x {height} pixels, expected at most {MOST_SIDE} a side.",
            "Make it smaller: it is never shown larger than a face.",
        )


def _decoded(content: bytes, name: str) -> Image:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise InputError(f"The sticker {name} is damaged and cannot be decoded.", _CURE)
    return np.asarray(image, np.uint8)


class Stickers:
    """Lays a sticker on the eyes of every face of a stream: an edit of `look_ahead.LookAhead`.

    Parameters
    ----------
    sticker : (H, W, 4) uint8, BGRA, as of `load_sticker`
    """

    def __init__(self, sticker: Image) -> None:
        if sticker.ndim != 3 or sticker.shape[2] != 4 or sticker.dtype != np.uint8:
            raise ValueError(
                f"the sticker has shape {sticker.shape}, {sticker.dtype}, expected (H, W, 4) uint8"
            )
        self._sticker = _Layers(sticker)

    def see(self, frame: Frame, result: FrameResult) -> None:
        """Nothing is needed of it."""

    def apply(self, picture: Picture, result: FrameResult) -> None:
        """Lay the sticker on every face, smallest first, in place."""
        for face in reversed(result.faces):
            # As it is recorded, so that a recording gets its stickers in the same places.
            self._sticker.lay(picture, corners(as_recorded(face), self._sticker.aspect))


def corners(face: Face, aspect: float) -> FloatArray:
    """Where the corners of a sticker lie on a face: (4, 2) pixels, from the upper left one clockwise.

    Parameters
    ----------
    face : with its pose; without one it is taken to look into the camera
    aspect : height of the sticker over its width
    """
    points = face.points.astype(np.float64)
    right, left = points[RIGHT_EYE_OUTER], points[LEFT_EYE_OUTER]
    eyes = (points[REGIONS["right_eye"]].mean(0) + points[REGIONS["left_eye"]].mean(0)) / 2
    pitch, yaw, _ = (
        own_turns(face.pose.pitch, face.pose.yaw, face.pose.roll) if face.pose else (0.0, 0.0, 0.0)
    )
    pitch, yaw = float(np.clip(pitch, -_MOST_PITCH, _MOST_PITCH)), float(np.clip(yaw, -_MOST_YAW, _MOST_YAW))
    seen, height = float(np.hypot(*(left - right))), float(np.hypot(*(points[CHIN] - eyes)))
    # Of a turned face the eyes' distance is shortened, and from pose or from the height of the face known again.
    eye_distance = max(seen, min(seen / np.cos(yaw), 1.25 * _EYES_OVER_CHIN * height))
    roll = float(np.arctan2(*(left - right)[::-1])) if seen > 1e-6 else 0.0
    half = _WIDTH * eye_distance / 2
    plane = np.array([[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]]) * half
    # x to the right, y down, z away from the camera; looking to the right turns the right side away.
    x, y, z = plane[:, 0], plane[:, 1], np.full(4, -_FRONT * eye_distance)
    y, z = y * np.cos(pitch) + z * np.sin(pitch), z * np.cos(pitch) - y * np.sin(pitch)
    x, z = x * np.cos(yaw) - z * np.sin(yaw), x * np.sin(yaw) + z * np.cos(yaw)
    scale = _CAMERA / (_CAMERA + z / max(eye_distance, 1e-6))
    x, y = x * scale, y * scale
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([eyes[0] + c * x - s * y, eyes[1] + s * x + c * y], 1).astype(np.float32)


class _Layers:
    """A sticker in the samples of pictures: colours multiplied by opacity, and opacity, at full size and smaller."""

    def __init__(self, sticker: Image) -> None:
        self.aspect = sticker.shape[0] / sticker.shape[1]
        self._sticker = sticker
        self._levels: dict[ColourSpace | None, list[Image]] = {}

    def lay(self, picture: Picture, corners: FloatArray) -> None:
        """Paint the sticker into a picture, its corners at (4, 2) pixels, from the upper left one clockwise.

        Raises
        ------
        TypeError
            For a picture of another kind than the two of `images`.
        """
        # From even pixels to even ones, so that half-size planes have the same region.
        low, high = np.floor(corners.min(0)) // 2 * 2, np.ceil(corners.max(0)) // 2 * 2 + 2
        x0, y0 = np.clip(low, 0, picture.size).astype(int).tolist()
        x1, y1 = np.clip(high, 0, picture.size).astype(int).tolist()
        width = float(np.hypot(*(corners[1] - corners[0])))
        if x0 >= x1 or y0 >= y1 or width < _LEAST_WIDTH:
            return
        space = picture.colour if isinstance(picture, Yuv420Picture) else None
        if space not in self._levels:
            self._levels[space] = _levels(self._sticker, space)
        levels = self._levels[space]
        image = next((level for level in reversed(levels) if level.shape[1] >= width), levels[0])
        rows, columns = image.shape[:2]
        onto = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32) - np.float32(0.5)
        matrix = cv2.getPerspectiveTransform(onto, corners - np.array([x0, y0], np.float32))
        warped = np.asarray(
            cv2.warpPerspective(image, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR), np.uint8
        )
        if isinstance(picture, Yuv420Picture):
            _blend(picture.luma[y0:y1, x0:x1], warped[..., 0], warped[..., 3])
            size = ((x1 - x0) // 2, (y1 - y0) // 2)
            halved = np.asarray(cv2.resize(warped, size, interpolation=cv2.INTER_AREA), np.uint8)
            for plane, channel in zip(picture.chroma, (1, 2), strict=True):
                region = plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
                _blend(region, halved[..., channel], halved[..., 3])
        elif isinstance(picture, BgrPicture):
            opacity = np.repeat(warped[..., 3:], 3, 2)
            _blend(picture.pixels[y0:y1, x0:x1], warped[..., :3], opacity)
        else:
            raise TypeError(
                f"cannot paint on a {type(picture).__name__}, expected a BgrPicture or a Yuv420Picture"
            )


def _levels(sticker: Image, space: ColourSpace | None) -> list[Image]:
    """The sticker in samples of ``space`` (None: BGR) with opacity as the fourth, halved until it is tiny."""
    colours = sticker[..., :3]
    if space is not None:
        colours = np.asarray(cv2.transform(np.ascontiguousarray(colours), space.from_bgr), np.uint8)
    opacity = sticker[..., 3:].astype(np.float32) / 255
    image = np.concatenate([np.rint(colours * opacity).astype(np.uint8), sticker[..., 3:]], 2)
    levels = [image]
    while min(image.shape[:2]) >= 16:
        image = np.asarray(
            cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
        )
        levels.append(image)
    return levels


def _blend(region: Image, colours: Image, opacity: Image) -> None:
    """Lay colours, multiplied by their opacity already, over the region, in place."""
    region[:] = cv2.add(cv2.multiply(region, 255 - opacity, scale=1 / 255), colours)
