"""Crops of followed faces: level eyes, and a dead band that keeps jitter of the points out of the crop."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.topology import N_POINTS, REGIONS
from fkp_live.types import FloatArray

# (68,): its product with the points is the vector from the middle of the right eye to that of the left one.
_ACROSS = np.zeros(N_POINTS, np.float32)
_ACROSS[list(REGIONS["left_eye"])] = 1 / len(REGIONS["left_eye"])
_ACROSS[list(REGIONS["right_eye"])] = -1 / len(REGIONS["right_eye"])


def level_matrix(points: FloatArray, spec: CropSpec) -> Matrix:
    """Affine (2, 3) of the crop around (68, 2) points in frame pixels, turned so that the eyes are level."""
    return _Place.around(points).matrix(spec)


def roll_of(points: FloatArray) -> float:
    """By how much the line of the eyes of (68, 2) points is turned, in radians, clockwise as seen."""
    return -_Place.around(points).angle


class CropFollower:
    """The crop of one face from frame to frame: it stays where it is until the points leave a dead band.

    Parameters
    ----------
    spec : size and margin of the crop
    options : ``dead_band`` is used
    """

    __slots__ = ("_options", "_place", "_spec")

    def __init__(self, spec: CropSpec, options: TrackerOptions) -> None:
        self._spec, self._options = spec, options
        self._place: _Place | None = None

    def restart(self) -> None:
        """Forget where the crop was, so that the next one is centred on its points."""
        self._place = None

    def __call__(self, points: FloatArray, lead: complex = 0j) -> Matrix:
        """Affine (2, 3) of the next crop, frame pixels to crop pixels.

        Parameters
        ----------
        points : (68, 2) of the face in its last frame, frame pixels
        lead : x + iy in pixels, how far the face is expected to have moved since
        """
        wanted = _Place.around(points)
        centre = wanted.centre + lead
        if self._place is None:
            self._place = _Place(centre, wanted.side, wanted.angle)
        else:
            place, band = self._place, self._options.dead_band
            pixels = band * place.side
            off, turn = centre - place.centre, math.remainder(wanted.angle - place.angle, math.tau)
            self._place = _Place(
                place.centre + complex(_beyond(off.real, pixels), _beyond(off.imag, pixels)),
                place.side + _beyond(wanted.side - place.side, pixels),
                place.angle + _beyond(turn, band),
            )
        return self._place.matrix(self._spec)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a crop belongs: centre (x + iy), longer side of the box in pixels, angle to turn it by in radians."""

    centre: complex
    side: float
    angle: float

    @classmethod
    def around(cls, points: FloatArray) -> _Place:
        """The place of a face (68, 2), turned to level eyes, the pose that the networks handle best."""
        across = (_ACROSS @ points).tolist()
        angle = -math.atan2(across[1], across[0])
        c, s = math.cos(angle), math.sin(angle)
        turned = points @ np.array([[c, s], [-s, c]], np.float32)
        (x0, y0), (x1, y1) = turned.min(0).tolist(), turned.max(0).tolist()
        middle = complex(x0 + x1, y0 + y1) / 2
        return cls(middle * complex(c, -s), max(x1 - x0, y1 - y0, 1e-3), angle)

    def matrix(self, spec: CropSpec) -> Matrix:
        """Affine (2, 3) from frame pixels to crop pixels."""
        x, y = self.centre.real, self.centre.imag
        scale, middle = spec.face_side / self.side, (spec.size - 1) / 2
        c, s = scale * math.cos(self.angle), scale * math.sin(self.angle)
        return np.array([[c, -s, middle - c * x + s * y], [s, c, middle - s * x - c * y]])


def _beyond(off: float, band: float) -> float:
    """The part of ``off`` that lies outside a dead band of ``band`` to both sides."""
    return math.copysign(max(abs(off) - band, 0.0), off)
