"""Options of a pipeline and of a source. Light, so that every command can import them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from operator import index
from pathlib import Path
from typing import SupportsIndex

from fkp_live.errors import UsageError

PROVIDERS = ("auto", "cpu", "cuda", "tensorrt", "openvino", "coreml", "directml")
SMOOTHING = ("off", "light", "medium", "strong")
ID_ORDERS = ("appearance", "left-right")
PROGRESS = ("bar", "jsonl", "off")
CSV_COLUMN_SETS = ("all", "openface")
# Forms in which results are kept by a batch; a file of a form ends in its name.
TABLE_FORMATS = ("parquet", "csv", "jsonl")
COVERS = ("blur", "pixelate", "black")
PLOT_KINDS = ("timeline", "raster", "shape", "path", "symmetry")
PLOT_SUFFIXES = (".png", ".svg", ".pdf")
# 16,384 x 16,384, the largest side of H.264: more than any phone's picture, and 800 MB as BGR.
MAX_PIXELS = 1 << 28
# The fields of `PipelineOptions` that shape the result: what the header of a recording holds.
SHAPING = (
    *("max_faces", "detect_every", "min_face", "smooth", "threads", "id_order", "expression", "any_roll"),
)


@dataclass(frozen=True)
class PipelineOptions:
    """How a stream is processed.

    Attributes
    ----------
    provider : execution provider, one of `PROVIDERS`
    model : name of a shipped landmark network, path of an .onnx file, or None for the one that is fastest here
    max_faces : track at most this many faces, or None for all
    detect_every : frames from one detection to the next at most, and so until a new face appears
    smooth : one of `SMOOTHING`
    min_face : side in pixels of the smallest face to detect; None: 40, or a 24th of the picture's longer side where
        that is more
    threads : threads inside one operator of the networks
    id_order : one of `ID_ORDERS`: ids count faces as they appear, or places from left to right (see `faces.places`)
    expression : whether faces get an `Expression`
    any_roll : whether faces are found that lie on their side or are upside down

    Raises
    ------
    ValueError, TypeError
        When it is made: an unknown name, a number out of range, or something that is not of this type.
    """

    provider: str = "auto"
    model: str | Path | None = None
    max_faces: int | None = None
    detect_every: int = 15
    smooth: str = "medium"
    min_face: float | None = None
    threads: int = 1
    id_order: str = "appearance"
    expression: bool = False
    any_roll: bool = True

    def __post_init__(self) -> None:
        for name, known in (("provider", PROVIDERS), ("smooth", SMOOTHING), ("id_order", ID_ORDERS)):
            if (chosen := getattr(self, name)) not in known:
                raise ValueError(f"{name} is {chosen!r}, expected one of {', '.join(known)}")
        for name in ("expression", "any_roll"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} is {getattr(self, name)!r}, expected True or False")
        for name in ("detect_every", "threads"):
            check_count(name, getattr(self, name))
        if self.max_faces is not None:
            check_count("max_faces", self.max_faces, ", or None")
        if not isinstance(self.model, str | Path | None):
            raise TypeError(f"model is {self.model!r}, expected a name, a path, or None")
        if not isinstance(self.min_face, Real | None) or isinstance(self.min_face, bool):
            raise TypeError(f"min_face is {self.min_face!r}, expected a number of pixels, or None")
        if self.min_face is not None and not 0 < self.min_face < float("inf"):
            raise ValueError(f"min_face is {self.min_face}, expected a positive number of pixels, or None")


def check_count(name: str, count: object, otherwise: str = "") -> None:
    """Refuse anything but a whole number from 1 up; ``otherwise`` is what else the message allows.

    Raises
    ------
    TypeError, ValueError
    """
    if not isinstance(count, SupportsIndex) or isinstance(count, bool):
        raise TypeError(f"{name} is {count!r}, expected a whole number{otherwise}")
    if index(count) < 1:
        raise ValueError(f"{name} is {count}, expected 1 or more{otherwise}")


def check_number(name: str, number: object, otherwise: str = "") -> None:
    """Refuse anything but a real number; ``otherwise`` as of `check_count`.

    Raises
    ------
    TypeError
    """
    if not isinstance(number, Real) or isinstance(number, bool):
        raise TypeError(f"{name} is {number!r}, expected a number{otherwise}")


def check_range(start: float | None, end: float | None, max_frames: int | None) -> None:
    """Refuse a part of a source that makes no sense: seconds from its beginning, and a number of frames.

    Raises
    ------
    UsageError
    """
    for name, value in (("--start", start), ("--end", end)):
        if value is not None:
            check_number(name.removeprefix("--"), value, " of seconds, or None")
        if value is not None and not 0.0 <= value < float("inf"):
            raise UsageError(f"{name} must be a number of seconds from 0 up, not {value}.")
    if end is not None and end <= (start or 0.0):
        raise UsageError(f"--end ({end}) must be greater than --start ({start or 0}).")
    if not isinstance(max_frames, SupportsIndex | None) or isinstance(max_frames, bool):
        raise TypeError(f"max_frames is {max_frames!r}, expected a whole number, or None")
    if max_frames is not None and index(max_frames) < 1:
        raise UsageError(f"--max-frames must be at least 1, not {max_frames}.")
