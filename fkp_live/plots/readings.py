"""Readings: the numbers of one face in one frame that curves, rows and reports are made of.

"Left" and "right" are the person's own. An eye distance is the distance of the outer eye corners, but at least 0.34 of
the longer side of the box around the points: in a turned head the eye corners nearly coincide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.openness import Blinks, measures
from fkp_live.topology import LEFT_EYE_OUTER, MOUTH_LEFT, MOUTH_RIGHT, REGIONS, RIGHT_EYE_OUTER
from fkp_live.types import EXPRESSIONS, Face, FrameResult

# What `reading` gives, in its order.
RIGHT_EYE, LEFT_EYE, MOUTH, YAW, PITCH, ROLL, MOUTH_WIDTH = range(7)
N_READINGS = 7
N_SHARES = len(EXPRESSIONS)
# The yaw up to which a face counts as seen from the front, in degrees, as where blinks are looked for.
FRONTAL_DEG = 25.0

_LEAST_EYES = 0.34
# A frame stays on for no longer than this, in seconds, or three times the usual step: then frames are missing.
_LONGEST_STEP, _USUAL_STEPS = 1.0, 3.0


def eye_distance(points: NDArray[np.float64]) -> float:
    """The eye distance of points (68, 2), in their unit; above 0."""
    across = points[LEFT_EYE_OUTER] - points[RIGHT_EYE_OUTER]
    box = points.max(0) - points.min(0)
    return max(math.hypot(*across.tolist()), _LEAST_EYES * float(box.max()), 1e-6)


def reading(face: Face) -> NDArray[np.float64]:
    """(7,): openness of right eye, left eye and mouth; yaw, pitch and roll in degrees; mouth width in eye distances.

    Openness is height over width. What is not known is NaN. A face without `measures` is measured by its points.
    """
    points = np.asarray(face.points, np.float64)
    seen = measures(points) if face.measures is None else face.measures
    width = math.hypot(*(points[MOUTH_LEFT] - points[MOUTH_RIGHT]).tolist()) / eye_distance(points)
    angles = (math.nan,) * 3
    if (pose := face.pose) is not None:
        angles = (math.degrees(pose.yaw), math.degrees(pose.pitch), math.degrees(pose.roll))
    return np.array([seen.right_eye_open, seen.left_eye_open, seen.mouth_open, *angles, width])


def differences(face: Face) -> NDArray[np.float64]:
    """(3,): left minus right: eye openness; height of the brow over its eye; height of the mouth's corner.

    Heights are in eye distances, along the perpendicular to the line through the eyes' centres, so that a tilted head
    makes no difference. 0 is symmetric; above 0 the person's left side is more open, or higher.
    """
    points = np.asarray(face.points, np.float64)
    right, left = (points[REGIONS[f"{side}_eye"]].mean(0) for side in ("right", "left"))
    along = left - right
    length = max(math.hypot(*along.tolist()), 1e-6)
    # Up in the face: y points down in pictures.
    up = np.array([along[1], -along[0]]) / length
    brows = [
        float((points[REGIONS[f"{side}_brow"]].mean(0) - eye) @ up)
        for side, eye in (("left", left), ("right", right))
    ]
    corners = float((points[MOUTH_LEFT] - points[MOUTH_RIGHT]) @ up)
    seen = measures(points) if face.measures is None else face.measures
    unit = eye_distance(points)
    return np.array([seen.left_eye_open - seen.right_eye_open, (brows[0] - brows[1]) / unit, corners / unit])


def shares(face: Face) -> NDArray[np.float64]:
    """(7,): probabilities of `EXPRESSIONS`; NaN where the recording has none."""
    if face.expression is None:
        return np.full(N_SHARES, math.nan)
    return np.asarray(face.expression.probabilities, np.float64)


def is_frontal(yaw_deg: float) -> bool:
    """Whether a head is turned by no more than 25 degrees; also where its yaw is not known."""
    return not abs(yaw_deg) > FRONTAL_DEG


def numbered(faces: Iterable[Face]) -> Iterator[tuple[int, Face]]:
    """Each face with its number: the track's, or its place in the frame where nothing was tracked, as in CSV."""
    for place, face in enumerate(faces):
        yield (place if face.id is None else face.id), face


def timed(results: Iterable[FrameResult], fps: float | None = None) -> Iterator[tuple[FrameResult, float]]:
    """Each result, and the seconds for which it stands: to the next one's time.

    A step that goes back counts 0, and one over a second (or three frames at ``fps``) only that much: there frames are
    missing. The last result stands as long as the mean of the others, or a frame at ``fps``. Faces without measures,
    as in a table of OpenFace's columns, are measured here, blinks included. A time that is not finite repeats the one
    before.
    """
    step = 1.0 / fps if fps else 0.0
    longest = max(_LONGEST_STEP, _USUAL_STEPS * step)
    blinks = Blinks()
    before: FrameResult | None = None
    steps, total = 0, 0.0
    for result in results:
        if not math.isfinite(result.time):
            result = replace(result, time=0.0 if before is None else before.time)
        result = _measured(result, blinks)
        if before is not None:
            seconds = min(max(result.time - before.time, 0.0), longest)
            steps, total = steps + 1, total + seconds
            yield before, seconds
        before = result
    if before is not None:
        yield before, total / steps if total else step


def _measured(result: FrameResult, blinks: Blinks) -> FrameResult:
    if all(face.measures is not None for face in result.faces):
        return result
    faces = []
    for number, face in numbered(result.faces):
        if face.measures is None:
            yaw = 0.0 if face.pose is None or math.isnan(face.pose.yaw) else face.pose.yaw
            face = replace(face, measures=blinks(number, measures(face.points), yaw, result.time))
        faces.append(face)
    return replace(result, faces=tuple(faces))
