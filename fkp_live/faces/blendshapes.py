"""Blend shapes with ARKit's names, as far as 68 points can show them: values in [0, 1] for avatars.

Each shape is a deviation of a few points from the neutral face, in eye distances (outer corners), after place, size
and pose of the head are taken off: at a first amount it begins, at a second it is 1, and in between it is linear.
The neutral face is the one that a recording usually shows (`NeutralFace`), or the average one. 27 of ARKit's 52
shapes can be had so; gaze, tongue, cheeks, nose and what lips do without moving their edges cannot.

"Left" and "right" are the person's own. Beyond about 35 degrees of yaw the far side is a guess of the network.
"""

from __future__ import annotations

from functools import cache, lru_cache

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
_EYES, _LIDS = ([side[name] for side in (RIGHT, LEFT)] for name in ("eye", "lower_lid"))
_MOUTH_SIDES = [
    [NAMES.index(f"Mouth{shape}{side}") for shape in ("Smile", "Stretch")] for side in ("Right", "Left")
]


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
    weights, subtracted, shares, lips = _shapes_from(usual.tobytes())
    apart = max(float(seen[SINGLE["lips_apart"]]) - lips, 0.0)
    # Without numpy: behind a network, with cold caches, each of its calls takes longer than these sums.
    values = [
        min(max(value + apart * share, 0.0), 1.0)
        for value, share in zip((weights @ seen - subtracted).tolist(), shares, strict=True)
    ]
    for smile, stretch in _MOUTH_SIDES:
        values[stretch] *= 1.0 - values[smile]  # a smile widens the mouth, too
    return values


@lru_cache(maxsize=64)
def _shapes_from(usual: bytes) -> tuple[Array, Array, list[float], float]:
    """How the shapes follow from a face's parts, from the bytes of its usual ones, which change seldom.

    Weights (27, 27) of the parts, what is subtracted (27,), what lips that are apart count for (27), and how far the
    lips are apart as usual.
    """
    weights, apart, begin = _shapes()
    parts_of = np.frombuffer(usual)
    # Eyes and lids in shares of what is usual for the eye.
    unit = np.ones_like(parts_of)
    unit[_EYES] = parts_of[_EYES]
    unit[_LIDS] = np.maximum(parts_of[_LIDS], 1e-3)
    weights = weights / unit
    return weights, weights @ parts_of + begin, apart.tolist(), float(parts_of[SINGLE["lips_apart"]])


@cache
def _shapes() -> tuple[Array, Array, Array]:
    """How the shapes in `NAMES` follow from deviations: 0 where it begins, 1 where it is full, for each of them.

    Weights (27, 27) of the parts' deviations, those of lips that are apart (27,), and what is subtracted (27,).
    """
    lips, chin, mouth, apart = (SINGLE["lips_apart"], SINGLE["chin"], SINGLE["mouth"], len(AVERAGE))
    made: dict[str, tuple[dict[int, float], tuple[float, float]]] = {
        "JawOpen": ({lips: 1.0}, _JAW_OPEN),
        "JawLeft": ({chin: 1.0}, _JAW_ASIDE),
        "JawRight": ({chin: -1.0}, _JAW_ASIDE),
        "MouthLeft": ({mouth: 1.0}, _MOUTH_ASIDE),
        "MouthRight": ({mouth: -1.0}, _MOUTH_ASIDE),
        "BrowInnerUp": ({side["brow_inner"]: 0.5 for side in (LEFT, RIGHT)}, _BROW_INNER_UP),
        "MouthPucker": ({side["corner_out"]: -0.5 for side in (LEFT, RIGHT)}, _PUCKER),
    }
    for place, side in ((RIGHT, "Right"), (LEFT, "Left")):
        corner = {place["corner_up"]: 1.0, apart: _CORNERS_WITH_JAW}
        down = {place["corner_up"]: -1.0, apart: -_CORNERS_WITH_JAW}
        made |= {
            f"EyeBlink{side}": ({place["eye"]: -1.0}, _BLINK),
            f"EyeWide{side}": ({place["eye"]: 1.0}, _WIDE),
            f"EyeSquint{side}": ({place["lower_lid"]: -1.0}, _SQUINT),
            f"MouthSmile{side}": (corner | {place["corner_out"]: 1.0}, _SMILE),
            f"MouthFrown{side}": (down, _FROWN),
            f"MouthStretch{side}": ({place["corner_out"]: 1.0}, _STRETCH),
            f"MouthUpperUp{side}": ({place["upper_lip"]: -1.0}, _UPPER_UP),
            f"MouthLowerDown{side}": (
                {place["lower_lip"]: -1.0, apart: -_LOWER_LIP_WITH_JAW},
                _LOWER_DOWN,
            ),
            f"BrowDown{side}": ({place["brow_inner"]: -0.5, place["brow_middle"]: -0.5}, _BROW_DOWN),
            f"BrowOuterUp{side}": ({place["brow_outer"]: 1.0}, _BROW_OUTER_UP),
        }
    weights = np.zeros((len(NAMES), len(AVERAGE) + 1))
    for row, name in zip(weights, NAMES, strict=True):
        shares, _ = made[name]
        row[list(shares)] = list(shares.values())
    begin, full = np.array([made[name][1] for name in NAMES]).T
    weights /= (full - begin)[:, None]
    return weights[:, :-1].copy(), weights[:, -1].copy(), begin / (full - begin)


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
