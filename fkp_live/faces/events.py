"""Events of faces: blinks, shut eyes, PERCLOS, yawns, nods and shakes, smiles, looking away, coming and going.

Found in the results of a stream, live or recorded, for each face by itself. docs/events.md says how, and how often they
are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from fkp_live.event_options import EventOptions
from fkp_live.faces.blendshapes import blendshapes
from fkp_live.faces.event_signals import ROUNDING, Lids, Phase, ShutShare, Span, Swings
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.openness import Blinks, measures
from fkp_live.topology import LEFT_EYE_INNER, LEFT_EYE_OUTER, RIGHT_EYE_INNER, RIGHT_EYE_OUTER
from fkp_live.types import EXPRESSIONS, Event, Face, FloatArray, FrameResult, Measures, Pose

_EYE_CORNERS = (RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER)
_HAPPY = EXPRESSIONS.index("happy")
# Share of the depth of a blink that the points show, whose lids do not meet.
_OF_POINTS = 0.51
# Eyes that are judged go on being judged this much beyond the limits of size and turn: points that tremble would cut a
# blink in two there, and neither half is one.
_SLACK = 1.05
# Seconds between two looks at the mouth for a smile: the blend shapes are most of the cost.
_SMILE_EVERY = 0.25


class EventFinder:
    """Events of followed faces: call it with each result in order, and `finish` at the end.

    A time that goes back begins a new stream. Results whose time is not finite, and faces whose points are not, are
    passed over.

    Example
    -------
    >>> finder = EventFinder(EventOptions(eyes_shut=2.0))
    >>> for frame in source:
    ...     for event in finder(pipeline.process(frame)):
    ...         print(event.name, event.face_id, event.start)
    """

    def __init__(self, options: EventOptions | None = None) -> None:
        self.options = options or EventOptions()
        self._faces: dict[int, _Watched] = {}
        self._blinks = Blinks()  # of results without measures
        self._time, self._frame = -math.inf, 0

    def __call__(self, result: FrameResult) -> list[Event]:
        """What became known with this result."""
        time = result.time
        if not math.isfinite(time):
            return []
        events = self.finish() if time < self._time else []
        self._time, self._frame = time, result.index
        for number, watched in [*self._faces.items()]:
            if time - watched.time > self.options.vanish:
                events += self._events(number, watched.finish())
                events.append(self._event("vanish", number, watched.appeared, watched.time))
                del self._faces[number]
                self._blinks.forget(number)
        for place, face in enumerate(result.faces):
            if _is_finite(face.points):
                events += self._seen(place if face.id is None else face.id, face)
        return events

    def finish(self) -> list[Event]:
        """The ends of all that goes on, and the finder is as new."""
        events: list[Event] = []
        for number, watched in self._faces.items():
            events += self._events(number, watched.finish())
        self._faces.clear()
        self._blinks.reset()
        self._time = -math.inf
        return events

    def _seen(self, number: int, face: Face) -> Iterator[Event]:
        watched = self._faces.get(number)
        if watched is None:
            by_points = face.measures is None or face.measures.eyes_by_points
            watched = self._faces[number] = _Watched(self.options, self._time, by_points=by_points)
            yield self._event("appear", number, self._time)
        pose = head_pose(face.points) if face.pose is None else face.pose
        seen = face.measures
        if seen is None or seen.eyes_by_points or math.isnan(seen.eyes_open):
            raw = face.points if face.raw is None or not _is_finite(face.raw) else face.raw
            seen = measures(raw)
        shut = (face.measures or self._blinks(number, seen, pose.yaw, self._time)).blink
        yield from self._events(number, watched.step(face, pose, seen, self._time, shut=shut))

    def _events(self, number: int, found: Iterator[tuple[str, Phase]]) -> Iterator[Event]:
        for name, phase in found:
            yield self._event(name, number, *phase)

    def _event(
        self, name: str, number: int, start: float, end: float = math.nan, value: float = math.nan
    ) -> Event:
        return Event(name, number, start, end, value, self._time, self._frame)


class _Watched:
    """One face, and what goes on for it."""

    def __init__(self, options: EventOptions, time: float, *, by_points: bool) -> None:
        self.appeared = self.time = time
        self._options = o = options
        self._lids = Lids(o.blink_depth * (_OF_POINTS if by_points else 1.0))
        self._are_lids_seen = False
        self._share = ShutShare(o.perclos_window)
        self._smiled = math.nan, math.nan  # last time that it was looked for, and how much
        self._spans = {
            "eyes_shut": Span(1.0, o.eyes_shut),
            "perclos": Span(o.perclos, 0.0),
            "yawn": Span(o.yawn, o.yawn_seconds),
            "smile": Span(o.smile, o.smile_seconds),
            "look_away": Span(o.look_away, o.look_away_seconds),
        }
        self._nods, self._shakes = Swings(o.nod, o.swing_seconds), Swings(o.shake, o.swing_seconds)

    def step(
        self, face: Face, pose: Pose, seen: Measures, time: float, *, shut: bool
    ) -> Iterator[tuple[str, Phase]]:
        """Names and times of what begins or ends with the face at this time, in seconds.

        Parameters
        ----------
        seen : openness of eyes and mouth, by the points before smoothing
        shut : whether the eyes are shut by what is usual for the face
        """
        seconds, self.time = time - self.time, time
        yaw, pitch = math.degrees(pose.yaw), math.degrees(pose.pitch)
        values = dict.fromkeys(self._spans, math.nan)
        values["look_away"] = yaw
        turn = max(abs(yaw), abs(pitch))
        frontal = turn <= self._options.turned
        if frontal:
            if not time - self._smiled[0] < _SMILE_EVERY:
                self._smiled = time, _smile(face, pose)
            values["smile"] = self._smiled[1]
            values["yawn"] = seen.mouth_open
        slack = _SLACK if self._are_lids_seen else 1.0
        self._are_lids_seen = (
            turn <= self._options.turned * slack
            and _eye_width(face.points) * slack >= self._options.eye_width
        )
        if self._are_lids_seen:
            yield from self._blink(seen.eyes_open, time, shut=shut)
            values["eyes_shut"] = float(shut)
        else:
            self._lids.clear()
            shut, seconds = False, 0.0  # neither shut nor open
        values["perclos"] = self._share.step(time, min(seconds, self._options.vanish), shut=shut)
        for name, span in self._spans.items():
            if (phase := span.step(values[name], time)) is not None:
                yield _named(name, phase)
        for name, swings, angle in (("nod", self._nods, pitch), ("shake", self._shakes, yaw)):
            if math.isfinite(angle) and (phase := swings.step(angle, time)) is not None:
                yield name, phase

    def _blink(self, openness: float, time: float, *, shut: bool) -> Iterator[tuple[str, Phase]]:
        lowered = self._lids.step(openness, time, shut=shut)
        if lowered is None or self._spans["eyes_shut"].begun:
            return
        seconds = lowered.end - lowered.start - ROUNDING
        if seconds < self._options.eyes_shut:
            yield ("slow_blink" if seconds > self._options.slow_blink else "blink"), lowered

    def finish(self) -> Iterator[tuple[str, Phase]]:
        """The ends of what goes on, at the last time."""
        for name, span in self._spans.items():
            if (phase := span.finish()) is not None:
                yield _named(name, phase)


def _named(name: str, phase: Phase) -> tuple[str, Phase]:
    if name == "eyes_shut":
        phase = phase._replace(value=math.nan)  # shut or not has no size
    return (name if math.isnan(phase.end) else f"{name}_end"), phase


def _smile(face: Face, pose: Pose) -> float:
    """In [0, 1]: the probability of the expression where there is one, which is right more often; else by the mouth."""
    if face.expression is not None:
        return float(face.expression.probabilities[_HAPPY])
    shapes = blendshapes(face.points, pose)
    return (shapes["MouthSmileLeft"] + shapes["MouthSmileRight"]) / 2


def _is_finite(points: FloatArray) -> bool:
    """Whether no coordinate is NaN or infinite, nor so large that their sum is."""
    return math.isfinite(points.sum())


def _eye_width(points: FloatArray) -> float:
    """Mean width of the eyes in pixels."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = (points[number].tolist() for number in _EYE_CORNERS)
    return (math.hypot(ax - bx, ay - by) + math.hypot(cx - dx, cy - dy)) / 2
