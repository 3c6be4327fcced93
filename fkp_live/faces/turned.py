"""Faces of any roll: crops looked at in eight turns, and the whole picture searched in turns.

Detector and landmark network know upright faces. The detector still finds most turned ones, if with a lower score; the
landmark network answers a crop that is turned the wrong way with a confidence near 0 (wild validation faces: 0.01 in
the median, where it is 0.98 the right way up). So the score may be low where the confidence is the judge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from fkp_live import geometry
from fkp_live.faces.crop_follower import level_matrix, roll_of
from fkp_live.faces.detector import SCORE, FaceDetector, candidates_of
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.images.turned import TurnedPicture
from fkp_live.types import FaceBox, FloatArray, Landmarks, Picture

# Mean confidence below which a face may be upside down: 12 to 16 % of upright wild faces. The most confident points the
# wrong way up in 300 faces turned by 135 or 180 degrees have 0.924 (fkp68-large).
UNSURE = 0.94
# From this mean on three looks at quarter turns decide first, instead of twenty at all: if none has this share of the
# mean, the face is the right way up. Turned faces so sure of the wrong way (25 of 3,600) have 1.02 of it and more in
# one of the three; three quarters of the upright ones that are unsure are spared the twenty.
_FAIRLY_SURE, _RIVAL = 0.8, 0.6
# Mean confidence that a face needs which was found by its turn or by a low score. The most that 848 pictures without
# faces gave in any turn, by day and in the dark, is 0.74 with fkp68 and its 8-bit form, 0.75 with fkp68-tiny and 0.80
# with fkp68-large (a cup of coffee).
LEAST = 0.82
# A turn must be better by this much than the way up that the face was found in, and differ by more than this angle: a
# face that is merely a little clearer in another crop is left as it is.
_BETTER, _OTHER_WAY = 0.05, math.radians(40)
_TURNS = tuple(math.tau * number / 8 for number in range(8))
# How many of eight second looks get a third one. The box of a turned face may be so far off that the first look at the
# right way up is no surer than the others.
_THIRD = 4
# Candidates with a low score that are looked at in one picture, the best ones.
_CANDIDATES = 8
# Angles by which a picture is searched, in radians, in the order in which they are tried. The diagonals would find 3 %
# more of the faces that are turned by 45 or 135 degrees, but make eight detections more of a picture without a face.
QUARTERS = tuple(math.radians(degrees) for degrees in (90, -90, 180))
# A find of which more than this share overlaps a face, or the other way round, is part of that face.
_SAME = 0.3


class Network(Protocol):
    """A landmark network."""

    spec: CropSpec

    def run_matrices(self, picture: Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks of the faces in the crops given by N affines."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A face that was found and looked at.

    Attributes
    ----------
    find : of the detector
    points, confidence : (68, 2) in frame pixels and (68,)
    mean : of the confidence
    """

    find: FaceBox
    points: FloatArray
    confidence: FloatArray
    mean: float

    def as_box(self) -> FaceBox:
        """A find that is tight around the points and knows the turn."""
        return FaceBox(geometry.box_of(self.points), self.find.score, roll_of(self.points))


def look(picture: Picture, finds: Sequence[FaceBox], network: Network, *, twice: bool = True) -> list[Seen]:
    """The points of finds, each at the angle that its find has: one run, and with ``twice`` a second in level crops."""
    if not finds:
        return []
    matrices = [geometry.crop_matrix(find.box, network.spec, find.angle) for find in finds]
    found = network.run_matrices(picture, matrices)
    if twice:
        found = network.run_matrices(picture, [level_matrix(points, network.spec) for points in found.points])
    return _seen(finds, found)


def look_around(picture: Picture, find: FaceBox, network: Network) -> Seen:
    """The points of a find in that of eight turns of its crop in which the network is most confident."""
    turns = [geometry.crop_matrix(find.box, network.spec, find.angle + turn) for turn in _TURNS]
    found = network.run_matrices(picture, turns)
    again = network.run_matrices(picture, [level_matrix(points, network.spec) for points in found.points])
    best = np.argsort(-again.confidence.mean(-1), kind="stable")[:_THIRD]
    last = network.run_matrices(picture, [level_matrix(again.points[i], network.spec) for i in best])
    return max(_seen([find] * len(best), last), key=lambda seen: seen.mean)


def righted(picture: Picture, seen: Seen, network: Network) -> Seen:
    """What was seen or, where that is unsure, the same face another way up."""
    if seen.mean >= UNSURE or (seen.mean >= _FAIRLY_SURE and not _has_rival(picture, seen, network)):
        return seen
    other = look_around(picture, seen.find, network)
    turn = abs(math.remainder(roll_of(other.points) - roll_of(seen.points), math.tau))
    return other if turn > _OTHER_WAY and other.mean >= max(LEAST, seen.mean + _BETTER) else seen


def _has_rival(picture: Picture, seen: Seen, network: Network) -> bool:
    """Whether the network is nearly as confident in a crop turned by 90, 180 or 270 degrees."""
    find = seen.find
    turns = [geometry.crop_matrix(find.box, network.spec, find.angle + quarter) for quarter in QUARTERS]
    return float(network.run_matrices(picture, turns).confidence.mean(-1).max()) >= _RIVAL * seen.mean


def faces_of_any_roll(
    picture: Picture, finds: Sequence[FaceBox], network: Network, least: float, turned: FaceDetector | None
) -> list[Seen]:
    """The faces of a single picture, whichever way up they are.

    Parameters
    ----------
    finds : of `detector.candidates_of`
    least : mean confidence that a face needs that was found upright
    turned : detector for the turned picture, searched where nothing is found otherwise; None: it is not
    """
    sure = [find for find in finds if find.score >= SCORE]
    faces = [righted(picture, seen, network) for seen in look(picture, sure, network)]
    faces = [face for face in faces if face.mean >= least]
    for find in finds[len(sure) :][:_CANDIDATES]:
        if not _overlaps(find.box, faces):
            _add(look_around(picture, find, network), faces)
    if not faces and turned is not None:
        for angle in QUARTERS:
            for find in found_turned(picture, angle, turned)[:_CANDIDATES]:
                if find.score < SCORE:
                    seen = look_around(picture, find, network)
                else:
                    seen = righted(picture, look(picture, [find], network)[0], network)
                _add(seen, faces)
            if faces:
                break
    return faces


def found_turned(picture: Picture, angle: float, detector: FaceDetector) -> list[FaceBox]:
    """Faces and candidates at about this angle, with squares as boxes, in pixels of the picture as it is."""
    turned = TurnedPicture(picture, angle)
    finds = []
    for find in candidates_of(detector, turned):
        x0, y0, x1, y1 = find.box.tolist()
        centre = geometry.apply(turned.onto, [[(x0 + x1) / 2, (y0 + y1) / 2]])[0]
        half = max(x1 - x0, y1 - y0) / 2
        finds.append(FaceBox(np.concatenate([centre - half, centre + half]), find.score, angle))
    return finds


def _seen(finds: Sequence[FaceBox], found: Landmarks) -> list[Seen]:
    return [
        Seen(find, points, confidence, float(confidence.mean()))
        for find, points, confidence in zip(finds, found.points, found.confidence, strict=True)
    ]


def _add(face: Seen, faces: list[Seen]) -> None:
    """Append a face that was found by its turn or a low score, if it is one and not there already."""
    if face.mean >= LEAST and not _overlaps(geometry.box_of(face.points), faces):
        faces.append(face)


def _overlaps(box: FloatArray, faces: Sequence[Seen]) -> bool:
    """Whether a face is there already, or half of it: upside down a forehead may pass for a chin."""
    for face in faces:
        other = geometry.box_of(face.points)
        sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
        smaller = min((box[2:] - box[:2]).prod(), (other[2:] - other[:2]).prod())
        if sides.min() > 0 and sides.prod() > _SAME * smaller:
            return True
    return False
