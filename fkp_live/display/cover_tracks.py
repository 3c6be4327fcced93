"""Which outlines to cover in each frame: faces that are seen, just lost, or about to be seen.

Every sighting (a face of the result, or a find of the detector that the pipeline did not take for one) is joined to a
track by its place, not by its id: a face that was lost and came back under another id is the same head. A head is
covered in every frame in which it was sighted, between two sightings, for half a second after the last one, and, as
far as the look-ahead reaches, for half a second before the first one. Where it was not sighted the outline is where
its motion would take it, joined with where it was, and a little larger.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fkp_live.display.covering import check_style, cover, grown, outline_of_box, outline_of_points
from fkp_live.geometry import iou
from fkp_live.recorded import PIXEL_DECIMALS, rounded
from fkp_live.types import Face, FaceBox, FloatArray, Frame, FrameResult, Picture

# Seconds of the stream that a head stays covered without being sighted, on either side of its sightings.
HOLD = 0.5
# The detector looks for further heads in every third frame, and at least this often in seconds.
EVERY, _EVERY_SECONDS = 3, 0.1
# An outline grows by this share in the HOLD seconds after a sighting.
_GROWTH = 0.4
# Motion is measured over this many seconds, and fades with this time constant: heads turn back.
_MOTION_SECONDS, _FADING = 0.12, 0.25
# A sighting belongs to a track if the middles are less than this apart, in widths of the outline, and the sizes alike.
_NEAR, _ALIKE = 0.6, 1.8
# A find is a face that the result has if the boxes overlap by more than this, or the middle of one is in the other.
_SAME = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class _Sighting:
    """A head in one frame: time in seconds, outline (32, 2), and whether it is a face of the result."""

    time: float
    outline: FloatArray
    is_face: bool

    @property
    def middle(self) -> FloatArray:
        """(2,) x, y in pixels."""
        return np.asarray((self.outline.min(0) + self.outline.max(0)) / 2, np.float32)

    @property
    def width(self) -> float:
        """Shorter side of the outline in pixels."""
        return max(float((self.outline.max(0) - self.outline.min(0)).min()), 1e-3)


class _Track:
    """The sightings of one head, in order of time."""

    def __init__(self, first: _Sighting) -> None:
        self.sightings = deque([first])

    @property
    def last(self) -> _Sighting:
        return self.sightings[-1]

    def distance(self, sighting: _Sighting) -> float:
        """How far a sighting is from where this head is expected, in widths; ``inf`` if it cannot be the same."""
        last = self.last
        ratio = sighting.width / last.width
        if not (1 / _ALIKE < ratio < _ALIKE and sighting.time - last.time <= HOLD):
            return math.inf
        expected = last.middle + self._motion(forward=True) * (sighting.time - last.time)
        away = min(math.dist(sighting.middle, expected), math.dist(sighting.middle, last.middle))
        return away / max(last.width, sighting.width)

    def outline_at(self, time: float) -> tuple[FloatArray, bool] | None:
        """Outline (K, 2) to cover at ``time``, and whether it comes from a face; None if the head is not near."""
        before = after = None
        for sighting in self.sightings:
            if sighting.time == time:
                return sighting.outline, sighting.is_face
            if sighting.time < time:
                before = sighting
            else:
                after = sighting
                break
        if before is not None and time - before.time > HOLD:
            before = None
        if after is not None and after.time - time > HOLD:
            after = None
        if before is not None and after is not None:
            share = (time - before.time) / (after.time - before.time)
            between = (1 - share) * before.outline + share * after.outline
            away = min(time - before.time, after.time - time)
            return grown(between, _growth(away)), before.is_face or after.is_face
        near = before or after
        if near is None:
            return None
        away = abs(time - near.time)
        motion = self._motion(forward=near is before)
        shift = motion * (_FADING * (1.0 - math.exp(-away / _FADING)))
        here = grown(near.outline, _growth(away))
        return np.concatenate([here, here + shift]), near.is_face

    def _motion(self, *, forward: bool) -> FloatArray:
        """Pixels per second, (2,): past the last sighting, or back in time before the first one."""
        ordered = list(self.sightings)[::-1] if forward else list(self.sightings)
        near = far = ordered[0]
        for sighting in ordered[1:]:
            if abs(sighting.time - near.time) > 2 * _MOTION_SECONDS:
                break
            far = sighting
            if abs(far.time - near.time) >= _MOTION_SECONDS:
                break
        seconds = abs(far.time - near.time)
        if seconds < 1e-3:
            return np.zeros(2, np.float32)
        return np.asarray((near.middle - far.middle) / seconds, np.float32)


class FaceCover:
    """Covers the faces of a stream: an edit of `look_ahead.LookAhead`.

    Parameters
    ----------
    style : "blur", "pixelate" or "black"
    except_ids : faces of these ids are left as they are
    detect : a detector that finds further heads, which the pipeline does not follow; None: only faces of the results
        are covered. It is called for every frame that the pipeline detected in, and for every third one
    every : frames from one detection to the next
    """

    def __init__(
        self,
        style: str,
        *,
        except_ids: Collection[int] = (),
        detect: Callable[[Picture], Sequence[FaceBox]] | None = None,
        every: int = EVERY,
    ) -> None:
        check_style(style)
        if every < 1:
            raise ValueError(f"every is {every}, expected 1 or more")
        self._style, self._except, self._detect, self._every = style, frozenset(except_ids), detect, every
        self._tracks: list[_Track] = []
        # Steady time of each frame that was seen and not applied yet, and the outlines of its excepted faces.
        self._waiting: deque[tuple[float, list[FloatArray]]] = deque()
        self._time = self._timestamp = -math.inf
        self._detected: tuple[int, float] | None = None  # frames since the last detection, and its time

    def see(self, frame: Frame, result: FrameResult) -> None:
        """Take note of the faces of the next frame."""
        time = self._steady(frame.time)
        excepted = [face for face in result.faces if face.id in self._except]
        covered = [face for face in result.faces if face.id not in self._except]
        sightings = [_Sighting(time, _outline(face), True) for face in covered]
        if self._detect is not None and self._is_detection_due(result, time):
            self._detected = (0, time)
            for find in self._detect(frame.picture):
                if not _is_known(find, result.faces):
                    sightings.append(_Sighting(time, outline_of_box(find.box), False))
        self._join(sightings)
        self._waiting.append((time, [_outline(face) for face in excepted]))

    def outlines(self) -> list[FloatArray]:
        """Outlines (K, 2) to cover in the oldest frame that was seen and not asked for yet."""
        time, excepted = self._waiting.popleft()
        outlines = []
        for track in self._tracks:
            found = track.outline_at(time)
            if found is None:
                continue
            outline, is_face = found
            # What only the detector saw, where an excepted face is, is that face.
            if is_face or not any(_is_inside(outline, other) for other in excepted):
                outlines.append(outline)
        self._forget(time)
        return outlines

    def apply(self, picture: Picture, result: FrameResult) -> None:
        """Cover the heads in the picture of that frame, in place."""
        cover(picture, self.outlines(), self._style)

    def _steady(self, timestamp: float) -> float:
        """Seconds that never go back: frames out of order, and a clock that begins anew, count as no time."""
        if self._time == -math.inf:
            self._time = 0.0
        else:
            self._time += max(timestamp - self._timestamp, 1e-6)
        self._timestamp = timestamp
        return self._time

    def _is_detection_due(self, result: FrameResult, time: float) -> bool:
        if self._detected is None or result.detected:
            return True
        frames, last = self._detected
        self._detected = (frames + 1, last)
        return frames + 1 >= self._every or time - last >= _EVERY_SECONDS

    def _join(self, sightings: Sequence[_Sighting]) -> None:
        """Add each sighting to the track that it is nearest to, nearest pairs first, or begin a track."""
        pairs = sorted(
            (distance, i, j)
            for i, track in enumerate(self._tracks)
            for j, sighting in enumerate(sightings)
            if (distance := track.distance(sighting)) < _NEAR
        )
        taken: set[int] = set()
        joined: set[int] = set()
        for _, i, j in pairs:
            if i not in taken and j not in joined:
                self._tracks[i].sightings.append(sightings[j])
                taken.add(i)
                joined.add(j)
        self._tracks += [_Track(one) for j, one in enumerate(sightings) if j not in joined]

    def _forget(self, time: float) -> None:
        """Drop what no frame from ``time`` on can need."""
        for track in self._tracks:
            # The motion before the last sighting is still needed.
            while len(track.sightings) > 1 and track.sightings[1].time < time - HOLD:
                track.sightings.popleft()
        self._tracks = [track for track in self._tracks if track.last.time >= time - HOLD]


def _outline(face: Face) -> FloatArray:
    """The outline of a face by its points as they are recorded, so that a recording is covered alike."""
    return outline_of_points(rounded(face.points, PIXEL_DECIMALS))


def _growth(away: float) -> float:
    """Factor of an outline ``away`` seconds from the sighting."""
    return 1.0 + _GROWTH * min(away / HOLD, 1.0)


def _is_known(find: FaceBox, faces: Sequence[Face]) -> bool:
    """Whether a find of the detector is one of the faces."""
    if not faces:
        return False
    boxes = np.stack([face.box for face in faces])
    middle = (find.box[:2] + find.box[2:]) / 2
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    found_inside = ((boxes[:, :2] < middle) & (middle < boxes[:, 2:])).all(1)
    face_inside = ((find.box[:2] < middles) & (middles < find.box[2:])).all(1)
    return bool(((found_inside & face_inside) | (iou(find.box, boxes)[0] > _SAME)).any())


def _is_inside(outline: FloatArray, other: FloatArray) -> bool:
    """Whether the middle of one outline lies in the box around another."""
    middle = (outline.min(0) + outline.max(0)) / 2
    return bool(((other.min(0) < middle) & (middle < other.max(0))).all())
