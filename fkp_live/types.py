"""What travels between the stages: frozen records of arrays, each with its shape and unit.

Coordinates everywhere are x, y in pixels of the frame, pixel centres at integers, x to the right and y down.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.colour import ColourSpace
from fkp_live.geometry import Matrix
from fkp_live.measured import ShapeMeasures
from fkp_live.wording import counted

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]
# A picture of a caller's: cv2's functions are typed as giving numbers of any kind; that they are uint8 is checked.
AnyImage = NDArray[Any]


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Frame:
    """One picture of a source.

    Attributes
    ----------
    picture : upright (a display rotation is already applied)
    index : counted from 0 in the source
    time : seconds on the stream's own clock (presentation timestamp of a file, capture time of a live source)
    arrived : ``time.perf_counter()`` when the picture reached this process; the age of a result is measured from it
    pts, time_base : the exact presentation timestamp and its unit in seconds, where the source has one
    connection : how often a live source that was lost had been opened again; nobody is followed from one connection
        to the next
    """

    picture: Picture
    index: int
    time: float
    arrived: float
    pts: int | None = None
    time_base: Fraction | None = None
    connection: int = 0

    def __repr__(self) -> str:
        width, height = self.picture.size
        return f"Frame({self.index}, {self.time:.3f} s, {width}x{height})"

    @property
    def image(self) -> Image:
        """(H, W, 3) uint8, BGR, read-only; copy it to paint on it."""
        return self.picture.bgr()


@dataclass(frozen=True, slots=True, eq=False)
class FaceBox:
    """One detected face.

    Attributes
    ----------
    box : (4,) float32 x0, y0, x1, y1, tight around the 68 points as far as the detector can tell
    score : detector's score in [0, 1]
    angle : by which the face is known to be turned in the picture, in radians, clockwise as seen; as `Pose.roll`
    """

    box: FloatArray
    score: float
    angle: float = 0.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Landmarks:
    """What the landmark network returns for N faces.

    Attributes
    ----------
    points : (N, 68, 2) float32, frame pixels, iBUG order
    confidence : (N, 68) float32 in [0, 1], the estimated probability that the point lies within a tenth of the
        eye distance of its true place, where a person would put it; the eye distance is that of the outer eye corners,
        but at least 0.34 of the longer side of the face's box (in turned heads the eye corners nearly coincide)
    """

    points: FloatArray
    confidence: FloatArray

    def __repr__(self) -> str:
        return f"Landmarks(of {counted(len(self.points), 'face')})"


@dataclass(frozen=True, slots=True)
class Pose:
    """Orientation of a head in radians, as the camera sees it.

    ``pitch`` is positive when the head looks up, ``yaw`` when it turns towards the right edge of the picture,
    ``roll`` when the head tilts clockwise in the picture. All zero: looking into the camera, upright.
    The rotation is Rx(pitch) Ry(yaw) Rz(roll), as in OpenFace: pitch and yaw say where the head looks.

    ``pitch_sd``, ``yaw_sd`` and ``roll_sd`` are how far off each may be, in radians: two of three errors are smaller.
    None where they are not known, as in tables and in recordings of old versions.
    """

    pitch: float
    yaw: float
    roll: float
    pitch_sd: float | None = None
    yaw_sd: float | None = None
    roll_sd: float | None = None

    def rounded(self, digits: int) -> dict[str, float]:
        """Its numbers by name, as one object of JSONL; standard deviations only where they are known."""
        found = {"pitch": self.pitch, "yaw": self.yaw, "roll": self.roll}
        if self.pitch_sd is not None and self.yaw_sd is not None and self.roll_sd is not None:
            found |= {"pitch_sd": self.pitch_sd, "yaw_sd": self.yaw_sd, "roll_sd": self.roll_sd}
        return {name: round(float(angle), digits) for name, angle in found.items()}


@dataclass(frozen=True, slots=True)
class Measures:
    """Openness of eyes and mouth, and measures of the face's shape.

    "Left" and "right" are the person's own. Ratios have no unit: height of the opening over its width. Each number in
    words: docs/measures.md.

    Attributes
    ----------
    blink : whether the eyes are shut: in a stream by what is usual for this face (see `faces.openness.Blinks`), in a
        single picture by the probability that the eye network gives
    eyes_open : of both eyes together, the wider one counting for more, as in a turned head the near one does
    shape : the other measures, computed once they are asked for; None where they are not known, as in recordings of
        old versions. `values`, `relative` and `arkit` read them
    eyes_by_points : whether the openness of the eyes is that of the points, as in recordings of old versions and of
        other programs, in which a blink is half as deep; otherwise the eye network saw them

    >>> face.measures.relative["smile_left"], face.measures.arkit["JawOpen"]
    """

    right_eye_open: float
    left_eye_open: float
    mouth_open: float
    blink: bool
    eyes_open: float
    shape: ShapeMeasures | None = field(default=None, compare=False, repr=False)
    eyes_by_points: bool = field(default=True, compare=False, repr=False)

    @property
    def ear_left(self) -> float:
        """Eye aspect ratio of the left eye by the points, however `left_eye_open` was measured; NaN if not known."""
        return self.left_eye_open if self.eyes_by_points else self.values.get("ear_left", math.nan)

    @property
    def ear_right(self) -> float:
        """Eye aspect ratio of the right eye by the points, however `right_eye_open` was measured; NaN if not known."""
        return self.right_eye_open if self.eyes_by_points else self.values.get("ear_right", math.nan)

    @property
    def mar(self) -> float:
        """Mouth aspect ratio of the outer lips, see docs/measures.md; NaN where it is not known."""
        return self.values.get("mar", math.nan)

    @property
    def values(self) -> dict[str, float]:
        """Each of `measured.MEASURES` by name; empty where they are not known."""
        return {} if self.shape is None else self.shape.values

    @property
    def relative(self) -> dict[str, float]:
        """The same less what is usual for the person, in a picture less those of the average face."""
        return {} if self.shape is None else self.shape.relative

    @property
    def arkit(self) -> dict[str, float]:
        """Each of `measured.ARKIT` by name, in [0, 1]; ARKit's other shapes cannot be had from 68 points."""
        return {} if self.shape is None else self.shape.arkit


# What `Expression.probabilities` are of, in its order.
EXPRESSIONS = ("neutral", "happy", "surprised", "sad", "angry", "disgusted", "afraid")


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """What a face looks like to people who judge photographs; not what the person feels.

    Attributes
    ----------
    probabilities : (7,) float32, of `EXPRESSIONS`; their sum is 1
    label : the expression shown; in a stream it is steady, so it may lag behind the probabilities for half a second
    logits : (7,) float32, the network's own answer, before the person's neutral face was taken off; None in recordings
    """

    probabilities: FloatArray
    label: str
    logits: FloatArray | None = field(default=None, repr=False)

    @property
    def confidence(self) -> float:
        """Probability of the label, in [0, 1]."""
        return float(self.probabilities[EXPRESSIONS.index(self.label)])

    def to_dict(self) -> dict[str, Any]:
        """As one object of JSONL."""
        shares = {
            name: _rounded(share, 3) for name, share in zip(EXPRESSIONS, self.probabilities, strict=True)
        }
        return {"label": self.label, "confidence": _rounded(self.confidence, 3), "probabilities": shares}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
    pose, measures : head pose, and openness of eyes and mouth with further measures; None where not computed
    expression : what the face shows, None where it was not asked for
    """

    points: FloatArray
    confidence: FloatArray
    box: FloatArray
    score: float
    id: int | None = None
    raw: FloatArray | None = None
    pose: Pose | None = None
    measures: Measures | None = None
    expression: Expression | None = None

    def __repr__(self) -> str:
        x0, y0, x1, y1 = (round(side) for side in self.box.tolist())
        name = type(self).__name__
        return f"{name}(id {self.id}, box {x0}, {y0}, {x1}, {y1}, confidence {self.confidence.mean():.2f})"

    def to_dict(self) -> dict[str, Any]:
        """The face as one object of JSONL: lists and numbers, rounded as there; None for NaN and infinity.

        >>> json.dumps(face.to_dict())
        """
        result = {
            "id": self.id,
            "box": _rounded(self.box, 2),
            "score": _rounded(self.score, 3),
            "points": _rounded(self.points, 2),
            "confidence": _rounded(self.confidence, 3),
        }
        if self.raw is not None:
            result["raw"] = _rounded(self.raw, 2)
        if (pose := self.pose) is not None:
            result["pose"] = {name: _rounded(angle, 4) for name, angle in pose.rounded(4).items()}
        if (m := self.measures) is not None:
            openness = {"right_eye_open": m.right_eye_open, "left_eye_open": m.left_eye_open}
            openness["mouth_open"] = m.mouth_open
            result["measures"] = {name: _rounded(value, 3) for name, value in openness.items()}
            result["measures"] |= {"blink": bool(m.blink), "eyes_open": _rounded(m.eyes_open, 3)}
            if m.shape is not None:
                result["measures"] |= {name: _rounded(value, 3) for name, value in m.values.items()}
                for kind, found in (("relative", m.relative), ("arkit", m.arkit)):
                    result["measures"][kind] = {name: _rounded(value, 3) for name, value in found.items()}
        if self.expression is not None:
            result["expression"] = self.expression.to_dict()
        return result


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MeasuredFace(Face):
    """A face as `FaceLandmarker` gives it: pose, measures and raw points are always there."""

    raw: FloatArray = field(kw_only=True)
    pose: Pose = field(kw_only=True)
    measures: Measures = field(kw_only=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrackedFace(MeasuredFace):
    """A face as `Pipeline` gives it: the number of its track is always there too."""

    id: int = field(kw_only=True)


def _rounded(values: ArrayLike, digits: int) -> Any:
    """``values`` as numbers in lists of lists of the same shape, rounded; JSON has no NaN, so that is None."""
    array = np.asarray(values, np.float64)
    if array.ndim:
        return [_rounded(value, digits) for value in array]
    return round(float(array), digits) if np.isfinite(array) else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.index}, {self.time:.3f} s, {counted(len(self.faces), 'face')})"

    @classmethod
    def of(
        cls,
        frame: Frame,
        faces: Sequence[Face],
        *,
        detected: bool = True,
        timings: Mapping[str, float] | None = None,
    ) -> Self:
        """What was found in ``frame``."""
        stamps = (frame.arrived, frame.pts, frame.time_base)
        return cls(
            frame.index, frame.time, frame.picture.size, tuple(faces), detected, timings or {}, *stamps
        )

    def to_dict(self) -> dict[str, Any]:
        """The result as one line of JSONL."""
        return {
            "frame": self.index,
            "time": round(self.time, 6),
            "detected": bool(self.detected),
            "faces": [face.to_dict() for face in self.faces],
        }


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class TrackedResult(FrameResult):
    """The result of `Pipeline`: its faces are followed and measured."""

    faces: tuple[TrackedFace, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one face, see `faces.events`.

    Attributes
    ----------
    name : one of `event_options.EVENTS`
    face_id : number of the face, its place in the frame where nothing is tracked
    start, end : seconds; ``end`` is NaN while it goes on
    value : depth of a blink, degrees of a turn and so on, see docs/events.md; NaN where there is none
    time, frame : seconds and index, from 0, of the frame with which it became known
    """

    name: str
    face_id: int
    start: float
    end: float
    value: float
    time: float
    frame: int

    @property
    def seconds(self) -> float:
        """How long it lasted, NaN while it goes on."""
        return self.end - self.start


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
    colour : colour space of the samples; where frames come as BGR, the one to encode them in; None: not known
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
