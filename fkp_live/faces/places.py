"""Ids by place: faces numbered from left to right, for people who sit side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fkp_live.types import TrackedFace

# A face that appears takes the nearest empty place within this many sides of the face's box, else a place of its own.
_NEAR = 1.0
# Seconds that a place must have been held to be kept when its face is gone: a poster that was taken for a face for a
# moment must not shift the numbers for good.
_KEPT_AFTER = 1.0


@dataclass(slots=True, eq=False)
class _Place:
    """Where one person sits.

    Attributes
    ----------
    x : centre of the last face seen there, in pixels
    track : the tracker's id of that face
    since : seconds of the stream at which that face took the place
    settled : whether the place was held long enough to be kept
    """

    x: float
    track: int
    since: float
    settled: bool = False


class LeftToRight:
    """Replaces the ids of a stream's faces by places: 1 is the leftmost.

    - A face keeps its place while it is followed, also when it moves past a neighbour.
    - When somebody leaves, the place stays empty and the others keep their numbers. Whoever appears at an empty place,
      within the width of a face, takes it: so a person who was lost for a while comes back under the same number.
    - When somebody appears elsewhere, the new place is put in order with the others by x, and the numbers to the right
      of it grow by one from this frame on. Once everybody has been seen, the numbers stay.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []  # from left to right

    def reset(self) -> None:
        """Forget every place."""
        self._places.clear()

    def __call__(self, faces: Sequence[TrackedFace], time: float) -> list[TrackedFace]:
        """The faces of the next frame in the order in which they came, with the numbers of their places for ids.

        Parameters
        ----------
        faces : with the tracker's ids
        time : seconds of the stream
        """
        of_track = {place.track: place for place in self._places}
        held: list[_Place] = []
        for face in faces:
            if face.id in of_track:
                place = of_track[face.id]
                place.x = _x(face)
                place.settled = place.settled or time - place.since >= _KEPT_AFTER
                held.append(place)
        for face in sorted(faces, key=_x):
            if face.id not in of_track:
                held.append(self._taken_by(face, face.id, held, time))
        self._places = [place for place in self._places if place.settled or place in held]
        numbers = {place.track: number for number, place in enumerate(self._places, 1)}
        return [replace(face, id=numbers[face.id]) for face in faces]

    def _taken_by(self, face: TrackedFace, track: int, held: Sequence[_Place], time: float) -> _Place:
        """The nearest empty place, or a new one among the others."""
        x, side = _x(face), float(max(face.box[2] - face.box[0], face.box[3] - face.box[1]))
        empty = [place for place in self._places if place not in held and abs(place.x - x) <= _NEAR * side]
        if empty:
            place = min(empty, key=lambda place: abs(place.x - x))
            place.x, place.track, place.since = x, track, time
            return place
        place = _Place(x, track, time)
        right = (number for number, other in enumerate(self._places) if other.x > x)
        self._places.insert(next(right, len(self._places)), place)
        return place


def _x(face: TrackedFace) -> float:
    """Centre of the face in pixels."""
    return float(face.box[0] + face.box[2]) / 2
