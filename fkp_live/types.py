"""What travels between the stages: frozen records of arrays, each with its shape and unit.

Coordinates everywhere are x, y in pixels of the frame, pixel centres at integers, x to the right and y down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fkp_live.colour import ColourSpace
from fkp_live.geometry import Matrix

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]


class Picture(Protocol):
    """One picture, in the form it was decoded to. Reading it in any way changes nothing.

    `images.picture.BgrPicture` and `images.yuv420.Yuv420Picture` are its two forms.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @property
    def luma(self) -> Image:
        """(H, W) uint8: luma, or what stands for it."""

    def bgr(self) -> Image:
        """(H, W, 3) uint8, BGR, read-only; the same values at every call."""

    def copy(self) -> Picture:
        """A copy in the same form, to paint on."""

    def reduced(self, size: tuple[int, int], method: int) -> Image:
        """(height, width, 3) BGR at ``size`` (width, height), by OpenCV's interpolation ``method``."""

    def warp(self, matrix: Matrix, size: int) -> Image:
        """(size, size, 3) BGR: the crop under a (2, 3) affine from picture pixels to crop pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes
    ----------
    picture : upright (a display rotation is already applied)
    index : counted from 0 in the source
    time : seconds on the stream's own clock (presentation timestamp of a file, capture time of a live source)
    arrived : ``time.perf_counter()`` when the picture reached this process; the age of a result is measured from it
    pts, time_base : the exact presentation timestamp and its unit in seconds, where the source has one
    """

    picture: Picture
    index: int
    time: float
    arrived: float
    pts: int | None = None
    time_base: Fraction | None = None

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, BGR, read-only; copy it to paint on it."""
        return self.picture.bgr()


@dataclass(frozen=True, slots=True, eq=False)
class FaceBox:
    """A detector's find.

    Attributes
    ----------
    box : (4,) float32 x0, y0, x1, y1, tight around the 68 points as far as the detector can tell
    score : detector's score in [0, 1]
    """

    box: FloatArray
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmark network's answer for N faces.

    Attributes
    ----------
    points : (N, 68, 2) float32, frame pixels, iBUG order
    confidence : (N, 68) float32 in [0, 1], the estimated probability that the point lies within a tenth of the
        bounded eye distance of where a person would put it; that is the distance of the outer eye corners, but at
        least 0.34 of the longer side of the face's box (in turned heads the eye corners nearly coincide)
    """

    points: FloatArray
    confidence: FloatArray


@dataclass(frozen=True, slots=True)
class Pose:
    """Orientation of a head in radians, as the camera sees it.

    ``pitch`` is positive when the head looks up, ``yaw`` when it turns towards the right edge of the picture,
    ``roll`` when the head tilts clockwise in the picture. All zero: looking into the camera, upright.
    """

    pitch: float
    yaw: float
    roll: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Openness of eyes and mouth, from the points.

    "Left" and "right" are the person's own. Ratios have no unit: height of the opening over its width.

    Attributes
    ----------
    blink : whether the eyes are shut: in a stream by what is usual for this face (see `measure.Blinks`), in a single
        picture by `eyes_open` alone, which misses most
    eyes_open : of both eyes together, the wider one counting for more, as in a turned head the near one does
    """

    right_eye_open: float
    left_eye_open: float
    mouth_open: float
    blink: bool
    eyes_open: float


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of one frame.

    Attributes
    ----------
    points : (68, 2) float32, frame pixels, iBUG order, smoothed where smoothing is on
    confidence : (68,) float32 in [0, 1], see `Landmarks`
    box : (4,) float32 x0, y0, x1, y1, tight around the points
    score : in [0, 1], the detector's score in the frame where it found the face, afterwards the mean confidence
    id : number of the track, or of the place (`PipelineOptions.id_order`); None where nothing is tracked
    raw : (68, 2) float32, the points before smoothing
    pose, measures : head pose and openness of eyes and mouth, None where not computed
    """

    points: FloatArray
    confidence: FloatArray
    box: FloatArray
    score: float
    id: int | None = None
    raw: FloatArray | None = None
    pose: Pose | None = None
    measures: Measures | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """All that is known of one frame, but not its picture: keeping results keeps no pixels.

    Attributes
    ----------
    index, time, arrived, pts, time_base : of the frame, see `Frame`
    size : width and height of the picture in pixels
    faces : largest first
    detected : whether the detector ran on this frame, or the faces were carried on from the last one
    timings : seconds spent in each stage by name
    """

    index: int
    time: float
    size: tuple[int, int]
    faces: tuple[Face, ...]
    detected: bool = True
    timings: Mapping[str, float] = field(default_factory=dict)
    arrived: float = math.nan
    pts: int | None = None
    time_base: Fraction | None = None

    @classmethod
    def of(
        cls,
        frame: Frame,
        faces: Sequence[Face],
        *,
        detected: bool = True,
        timings: Mapping[str, float] | None = None,
    ) -> FrameResult:
        """What was found in ``frame``."""
        stamps = (frame.arrived, frame.pts, frame.time_base)
        return cls(
            frame.index, frame.time, frame.picture.size, tuple(faces), detected, timings or {}, *stamps
        )


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before it is read.

    Attributes
    ----------
    name : for people: file name, "camera 0", or URL without its password
    width, height : pixels of an upright frame
    fps : average frames per second, None where unknown
    frames : how many frames will come, an estimate; None where unknown or endless
    live : frames come at their own pace and are dropped when nobody takes them
    duration : seconds of the whole source, None where unknown or endless
    has_audio : whether `path` has sound that can be copied
    path : the file (or URL of a file) that was opened, None for cameras, live streams and pictures
    time_base : unit of `Frame.pts` in seconds, None for live sources
    start : seconds cut off at the front by request
    colour : of the file's own samples; where frames come as BGR what that is written as again; None: not known
    origin : seconds on the source's clock at which a player begins; not 0 in a file whose clock starts later
    pixel_aspect : width of a pixel over its height, in the pictures as they are handed out; None: square, or unknown
    pictures : file name of each frame, where the source is a folder or pattern of pictures; else empty
    """

    name: str
    width: int
    height: int
    fps: float | None = None
    frames: int | None = None
    live: bool = False
    duration: float | None = None
    has_audio: bool = False
    path: str | None = field(default=None, repr=False)  # a URL may hold a password or a token
    time_base: Fraction | None = None
    start: float = 0.0
    colour: ColourSpace | None = None
    origin: float = 0.0
    pixel_aspect: Fraction | None = None
    pictures: tuple[str, ...] = field(default=(), repr=False)  # may be long
