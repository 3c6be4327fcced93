"""Blend shapes with ARKit's names, as far as 68 points can show them: values in [0, 1] for avatars.

Each shape is a deviation of a few points from the neutral face, in eye distances (outer corners), after place, size
and pose of the head are taken off: at a first amount it begins, at a second it is 1, and in between it is linear.
The neutral face is the one that a recording usually shows (`NeutralFace`), or the average one. 27 of ARKit's 52
shapes can be had so; gaze, tongue, cheeks, nose and what lips do without moving their edges cannot.

"Left" and "right" are the person's own. Beyond about 35 degrees of yaw the far side is a guess of the network.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.geometry import rotation_of
from fkp_live.types import Pose

Array = NDArray[np.float64]

# Share of what lies across the face that is seen at 60 degrees of yaw; less of it is taken for this.
_LEAST_SEEN = 0.5
# Points that no expression moves, or hardly: bridge and base of the nose, corners of the eyes.
_STILL = np.array([27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45])


class _Measure(NamedTuple):
    """What is usual for a measure, and between which values a face's own usual one is believed.

    Who laughs through a whole film has no neutral frame in it: the bounds keep that from becoming the neutral face.
    """

    average: float
    least: float = -1.0
    most: float = 1.0


# Medians of neutral photographs. Lengths in eye distances, openness and lower lid in widths of the eye.
_MEASURES = {
    "eye": _Measure(0.28, 0.22, 0.45),  # openness
    "lower_lid": _Measure(0.095),  # below the line through the eye's corners
    "lips_apart": _Measure(0.01, 0.0, 0.03),  # inner edges
    "chin": _Measure(0.0, -0.06, 0.06),  # to the person's left
    "mouth": _Measure(0.0, -0.04, 0.04),  # its middle, to the person's left
    "corner_up": _Measure(-0.35, -1.0, -0.32),  # above the tip of the nose
    "corner_out": _Measure(0.30, 0.26, 0.325),  # from the middle of the lips
    "upper_lip": _Measure(0.14),  # below the base of the nose
    "lower_lip": _Measure(0.335),  # above the chin
    "brow_inner": _Measure(0.22),  # above the line through the eye's corners
    "brow_middle": _Measure(0.25),
    "brow_outer": _Measure(0.19),
}
_SINGLE = ("lips_apart", "chin", "mouth")
_PAIRED = tuple(name for name in _MEASURES if name not in _SINGLE)
# Order of the measures of a face: those of the right side, of the left, and of no side.
_ORDER = (*((name, "Right") for name in _PAIRED), *((name, "Left") for name in _PAIRED))
_AVERAGE, _LEAST, _MOST = (
    np.array([*(_MEASURES[name][k] for name, _ in _ORDER), *(_MEASURES[name][k] for name in _SINGLE)])
    for k in range(3)
)

# Deviations at which a shape begins and at which it is 1; shares of the usual openness for the eyes. With these a
# blink of the clips reaches 1 and still faces stay at 0.
_BLINK, _WIDE, _SQUINT = (0.18, 0.40), (0.10, 0.30), (0.10, 0.40)
_JAW_OPEN, _JAW_ASIDE, _MOUTH_ASIDE = (0.03, 0.42), (0.05, 0.14), (0.015, 0.08)
_SMILE, _FROWN, _STRETCH, _PUCKER = (0.03, 0.14), (0.02, 0.08), (0.015, 0.07), (0.025, 0.12)
_UPPER_UP, _LOWER_DOWN = (0.010, 0.06), (0.03, 0.12)
_BROW_DOWN, _BROW_INNER_UP, _BROW_OUTER_UP = (0.015, 0.10), (0.015, 0.12), (0.012, 0.08)
# An open jaw takes the mouth's corners down and the lower lip towards the chin as seen from the front, by this share
# of the lips' distance (clips of two people who speak).
_CORNERS_WITH_JAW, _LOWER_LIP_WITH_JAW = 0.3, 0.25

NAMES: tuple[str, ...] = (
    *("EyeBlinkLeft", "EyeSquintLeft", "EyeWideLeft", "EyeBlinkRight", "EyeSquintRight", "EyeWideRight"),
    *("JawRight", "JawLeft", "JawOpen", "MouthPucker", "MouthRight", "MouthLeft"),
    *("MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight"),
    *("MouthStretchLeft", "MouthStretchRight", "MouthLowerDownLeft", "MouthLowerDownRight"),
    *("MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp"),
    *("BrowOuterUpLeft", "BrowOuterUpRight"),
)


def blendshapes(points: ArrayLike, pose: Pose, neutral: NeutralFace | None = None) -> dict[str, float]:
    """Value in [0, 1] of each shape in `NAMES`, from points (68, 2) in pixels and the head's pose.

    Parameters
    ----------
    neutral : the face's neutral one; by default the average face, for which only strong expressions count

    Example
    -------
    >>> blendshapes(face.points, face.pose)["JawOpen"]
    """
    seen = _measures(points, pose)
    usual = _AVERAGE if neutral is None else neutral.measures()
    off = seen - usual
    lips, chin, mouth = off[-3:].tolist()
    values = {
        "JawOpen": _between(lips, _JAW_OPEN),
        "JawLeft": _between(chin, _JAW_ASIDE),
        "JawRight": _between(-chin, _JAW_ASIDE),
        "MouthLeft": _between(mouth, _MOUTH_ASIDE),
        "MouthRight": _between(-mouth, _MOUTH_ASIDE),
    }
    inner_up = outward = 0.0
    for start, side in ((0, "Right"), (len(_PAIRED), "Left")):
        now = dict(zip(_PAIRED, off[start:].tolist(), strict=False))
        usually = dict(zip(_PAIRED, usual[start:].tolist(), strict=False))
        wider = now["eye"] / usually["eye"]
        corner = now["corner_up"] + _CORNERS_WITH_JAW * max(lips, 0.0)
        smile = _between(corner + now["corner_out"], _SMILE)
        lower = -now["lower_lip"] - _LOWER_LIP_WITH_JAW * max(lips, 0.0)
        values |= {
            f"EyeBlink{side}": _between(-wider, _BLINK),
            f"EyeWide{side}": _between(wider, _WIDE),
            f"EyeSquint{side}": _between(-now["lower_lid"] / max(usually["lower_lid"], 1e-3), _SQUINT),
            f"MouthSmile{side}": smile,
            f"MouthFrown{side}": _between(-corner, _FROWN),
            f"MouthStretch{side}": _between(now["corner_out"], _STRETCH) * (1.0 - smile),
            f"MouthUpperUp{side}": _between(-now["upper_lip"], _UPPER_UP),
            f"MouthLowerDown{side}": _between(lower, _LOWER_DOWN),
            f"BrowDown{side}": _between(-(now["brow_inner"] + now["brow_middle"]) / 2, _BROW_DOWN),
            f"BrowOuterUp{side}": _between(now["brow_outer"], _BROW_OUTER_UP),
        }
        inner_up += now["brow_inner"] / 2
        outward += now["corner_out"] / 2
    values["BrowInnerUp"] = _between(inner_up, _BROW_INNER_UP)
    values["MouthPucker"] = _between(-outward, _PUCKER)
    return {name: values[name] for name in NAMES}


class NeutralFace:
    """The neutral face of a person: medians of what a recording shows of it, within the bounds of neutral faces.

    Of a long recording evenly spread frames count, so that memory stays flat. While there are few, the average face
    counts too.

    Example
    -------
    >>> neutral = NeutralFace()
    >>> for result in recording:
    ...     neutral.add(result.faces[0].points, result.faces[0].pose)
    """

    # Frames that are kept at most; and how many the average face counts for.
    _KEPT, _PRIOR = 4096, 20

    def __init__(self) -> None:
        self._kept: list[Array] = []
        self._seen, self._stride = 0, 1
        self._usual: Array | None = None

    def add(self, points: ArrayLike, pose: Pose) -> None:
        """One frame more: points (68, 2) in pixels and the head's pose."""
        if self._seen % self._stride == 0:
            self._kept.append(_measures(points, pose))
            self._usual = None
            if len(self._kept) > self._KEPT:
                del self._kept[1::2]
                self._stride *= 2
        self._seen += 1

    def measures(self) -> Array:
        """The neutral values of the measures, in their order."""
        if self._usual is None:
            self._usual = _AVERAGE
            if count := len(self._kept):
                median = np.clip(np.median(self._kept, axis=0), _LEAST, _MOST)
                self._usual = (self._PRIOR * _AVERAGE + count * median) / (self._PRIOR + count)
        return self._usual


def _between(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on."""
    begin, full = ends
    return min(max((value - begin) / (full - begin), 0.0), 1.0)


def _measures(points: ArrayLike, pose: Pose) -> Array:
    """The measures of a face in their order, see `_MEASURES`."""
    x, y = _from_the_front(np.asarray(points, np.float64), pose).T
    lips = float(x[[51, 57, 62, 66]].mean())
    values = []
    # Outer corner, upper lids, inner corner, lower lids; corner, edge of upper and lower lip; brow from the inside.
    for eye, inwards, corner, upper, lower, nose, brow in (
        ((36, 37, 38, 39, 40, 41), 1.0, 48, 50, 58, 32, (21, 20, 19, 18, 17)),
        ((45, 44, 43, 42, 47, 46), -1.0, 54, 52, 56, 34, (22, 23, 24, 25, 26)),
    ):
        width = max(float(np.hypot(x[eye[0]] - x[eye[3]], y[eye[0]] - y[eye[3]])), 1e-6)
        height = np.hypot(x[eye[1]] - x[eye[5]], y[eye[1]] - y[eye[5]])
        height += np.hypot(x[eye[2]] - x[eye[4]], y[eye[2]] - y[eye[4]])
        line = (y[eye[0]] + y[eye[3]]) / 2
        values += [
            height / 2 / width,
            ((y[eye[4]] + y[eye[5]]) / 2 - line) / width,
            -y[corner],
            inwards * (lips - x[corner]),
            y[upper] - y[nose],
            y[8] - y[lower],
            line - (y[brow[0]] + y[brow[1]]) / 2,
            line - y[brow[2]],
            line - (y[brow[3]] + y[brow[4]]) / 2,
        ]
    apart = (y[[67, 66, 65]] - y[[61, 62, 63]]).mean()
    return np.array([*values, apart, x[[7, 8, 9]].mean(), x[48:60].mean()], np.float64)


def _from_the_front(points: Array, pose: Pose) -> Array:
    """Points (68, 2) as a camera in front of the face sees them: in eye distances, the tip of the nose near 0.

    Each point is as deep in the face as in the mean head, under weak perspective.
    """
    turn = rotation_of(pose.pitch, pose.yaw, pose.roll)
    head = _mean_head()
    turned, seen = (head @ turn.T)[_STILL, :2], points[_STILL]
    turned_middle, middle = turned.mean(0), seen.mean(0)
    across, centred = (turned - turned_middle).ravel(), (seen - middle).ravel()
    scale = max(float(across @ centred) / float(across @ across), 1e-6)
    placed = (points - middle) / scale + turned_middle - np.outer(head[:, 2], turn[:2, 2])
    (a, b), (c, d) = turn[:2, :2].tolist()
    # In profile hardly anything across the face is seen; without a limit it would be enlarged without end.
    area = max(a * d - b * c, _LEAST_SEEN)
    return placed @ (np.array([[d, -c], [-b, a]]) / area)


@cache
def _mean_head() -> Array:
    """(68, 3) in eye distances, the tip of the nose at 0: x to the right in the picture, y down, z away."""
    with resources.files("fkp_live").joinpath("assets/head.npz").open("rb") as file, np.load(file) as arrays:
        return np.asarray(arrays["head"], np.float64)
