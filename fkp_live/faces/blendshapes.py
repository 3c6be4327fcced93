"""Blend shapes with ARKit's names, as far as 68 points can show them: values in [0, 1] for avatars.

Each shape is a deviation of a few points from the neutral face, in eye distances (outer corners), after place, size
and pose of the head are taken off: at a first amount it begins, at a second it is 1, and in between it is linear.
The neutral face is the one that a recording usually shows (`NeutralFace`), or the average one. 27 of ARKit's 52
shapes can be had so; gaze, tongue, cheeks, nose and what lips do without moving their edges cannot.

"Left" and "right" are the person's own. Beyond about 35 degrees of yaw the far side is a guess of the network.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live.faces.measures import AVERAGE, LEAST, LEFT, MOST, RIGHT, SINGLE, parts
from fkp_live.measured import ARKIT
from fkp_live.types import Pose

Array = NDArray[np.float64]

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

NAMES = ARKIT


def blendshapes(points: ArrayLike, pose: Pose, neutral: NeutralFace | None = None) -> dict[str, float]:
    """Value in [0, 1] of each shape in `NAMES`, from points (68, 2) in pixels and the head's pose.

    Parameters
    ----------
    neutral : the face's neutral one; by default the average face, for which only strong expressions count

    Example
    -------
    >>> blendshapes(face.points, face.pose)["JawOpen"]
    """
    found = shapes(parts(points, pose), AVERAGE if neutral is None else neutral.parts())
    return dict(zip(NAMES, found, strict=True))


def shapes(seen: Array, usual: Array) -> list[float]:
    """Value in [0, 1] of each shape in `NAMES`, from a face's parts (27,) and its usual ones, see `measures.parts`."""
    off = seen - usual
    lips, chin, mouth = (float(off[SINGLE[name]]) for name in ("lips_apart", "chin", "mouth"))
    values = {
        "JawOpen": _between(lips, _JAW_OPEN),
        "JawLeft": _between(chin, _JAW_ASIDE),
        "JawRight": _between(-chin, _JAW_ASIDE),
        "MouthLeft": _between(mouth, _MOUTH_ASIDE),
        "MouthRight": _between(-mouth, _MOUTH_ASIDE),
    }
    inner_up = outward = 0.0
    for places, side in ((RIGHT, "Right"), (LEFT, "Left")):
        now = {name: float(off[place]) for name, place in places.items()}
        wider = now["eye"] / float(usual[places["eye"]])
        lid = now["lower_lid"] / max(float(usual[places["lower_lid"]]), 1e-3)
        corner = now["corner_up"] + _CORNERS_WITH_JAW * max(lips, 0.0)
        smile = _between(corner + now["corner_out"], _SMILE)
        lower = -now["lower_lip"] - _LOWER_LIP_WITH_JAW * max(lips, 0.0)
        values |= {
            f"EyeBlink{side}": _between(-wider, _BLINK),
            f"EyeWide{side}": _between(wider, _WIDE),
            f"EyeSquint{side}": _between(-lid, _SQUINT),
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
    return [values[name] for name in NAMES]


class NeutralFace:
    """The neutral face of a person: medians of what a recording shows of it, within the bounds of neutral faces.

    Of a long recording evenly spread frames count, so that memory stays flat. While there are few, the average face
    counts too.

    Parameters
    ----------
    kept : frames that are kept at most
    prior : how many frames the average face counts for

    Example
    -------
    >>> neutral = NeutralFace()
    >>> for result in recording:
    ...     neutral.add(result.faces[0].points, result.faces[0].pose)
    """

    def __init__(self, kept: int = 4096, prior: int = 20) -> None:
        self._most, self._prior = kept, prior
        self._kept: list[Array] = []
        self._seen, self._stride = 0, 1
        self._usual: Array | None = None

    def __len__(self) -> int:
        """How many frames are kept."""
        return len(self._kept)

    def add(self, points: ArrayLike, pose: Pose) -> None:
        """One frame more: points (68, 2) in pixels and the head's pose."""
        self.add_parts(parts(points, pose))

    def add_parts(self, seen: Array) -> None:
        """One frame more, by its parts (27,)."""
        if self._seen % self._stride == 0:
            self._kept.append(seen)
            self._usual = None
            if len(self._kept) > self._most:
                del self._kept[1::2]
                self._stride *= 2
        self._seen += 1

    def parts(self) -> Array:
        """(27,): the neutral parts, see `measures.parts`."""
        if self._usual is None:
            self._usual = AVERAGE
            if count := len(self._kept):
                # np.median would import numpy.ma, which takes longer than a frame.
                kept = np.sort(self._kept, axis=0)
                median = np.clip((kept[(count - 1) // 2] + kept[count // 2]) / 2, LEAST, MOST)
                self._usual = (self._prior * AVERAGE + count * median) / (self._prior + count)
        return self._usual


def _between(value: float, ends: tuple[float, float]) -> float:
    """0 up to the first end, 1 from the second on."""
    begin, full = ends
    return min(max((value - begin) / (full - begin), 0.0), 1.0)
