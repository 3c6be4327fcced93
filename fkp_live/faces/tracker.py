"""Multi-face tracking: ids, detection schedule, crop prediction.

A detected face is followed by its own points: they give the crop of the next frame, and the confidence of the landmark
network decides whether a face is still in it. The detector runs every few frames, when a face was lost, at a scene
cut, and more often while no face is followed. Times are in seconds of the stream's clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from lap import lapjvx
from numpy.typing import NDArray

from fkp_live import geometry
from fkp_live.choices import PipelineOptions
from fkp_live.faces.crop_follower import CropFollower, roll_of
from fkp_live.faces.scene_cut import SceneCut
from fkp_live.faces.steady_time import SteadyTime
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.topology import N_POINTS
from fkp_live.types import FaceBox, FloatArray, Landmarks

# Stands for an infinite cost in an assignment: as many pairs as possible come first, then the cheapest.
_IMPOSSIBLE = 1e6
# Radians of roll from which an upright crop hardly shows the network a face.
_TURNED = math.radians(50)
_Costs = NDArray[np.float64]


@dataclass(slots=True, eq=False)
class Track:
    """One followed face.

    Attributes
    ----------
    id : number from 1, never used twice
    points, confidence : (68, 2) in frame pixels and (68,), unsmoothed, of the last frame in which it was seen
    box : (4,) x0, y0, x1, y1, tight around the points
    score : the detector's score in the frame that detected it, the mean confidence afterwards
    time : of the last frame in which it was seen, in seconds
    follower : the crop of its next frame
    velocity : of the centre in pixels per second, x + iy
    missed : detections in a row that did not find it
    path : centre, velocity and time when it was last apart from all others: where it is going, whatever covers it now
    centre, side : of the box, x + iy, and its longer side, in pixels
    """

    id: int
    points: FloatArray
    confidence: FloatArray
    box: FloatArray
    score: float
    time: float
    follower: CropFollower
    velocity: complex = 0j
    missed: int = 0
    path: tuple[complex, complex, float] = field(init=False)
    centre: complex = field(init=False)
    side: float = field(init=False)

    def __post_init__(self) -> None:
        self.measure()
        self.note_path(self.time)

    def measure(self) -> None:
        """Set centre and side from the box."""
        x0, y0, x1, y1 = self.box.tolist()
        self.centre, self.side = complex(x0 + x1, y0 + y1) / 2, max(x1 - x0, y1 - y0)

    def note_path(self, time: float) -> None:
        """Take centre and velocity at ``time`` as its path."""
        self.path = (self.centre, self.velocity, time)

    def expected(self, time: float, most: float) -> complex:
        """Centre that its path predicts for ``time``, at most ``most`` seconds ahead."""
        centre, velocity, seen = self.path
        return centre + velocity * min(time - seen, most)


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """A place to run the network on: a followed or lost face, a detection, or both."""

    track: Track | None
    detection: FaceBox | None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What to do with one frame: made by `Tracker.plan`, used once by `Tracker.update`.

    Attributes
    ----------
    matrices : N affines (2, 3) from frame pixels to the crops that the landmark network is to see
    detected : whether the detector ran on this frame
    time : of the frame in seconds, see `SteadyTime`: not before that of the last plan unless the clock began anew
    size : width and height of the picture
    targets : what each of the N crops is for
    """

    matrices: list[Matrix]
    detected: bool
    time: float
    size: tuple[int, int]
    targets: list[_Target]


class Tracker:
    """Decides when to detect, keeps ids, and gives the crops of each frame.

    For each frame, in this order::

        plan = tracker.plan(luma, timestamp, lambda: detector(image))
        tracks = tracker.update(plan, network.run_matrices(image, plan.matrices))

    Parameters
    ----------
    spec : crop of the landmark network
    detect_every, max_faces : see `PipelineOptions`, which checks them
    options : thresholds and times

    Attributes
    ----------
    tracks : the faces of the last frame, largest first
    ended : ids that the last frame ended; a face that comes back under its id starts anew
    """

    def __init__(
        self,
        spec: CropSpec,
        *,
        detect_every: int = PipelineOptions.detect_every,
        max_faces: int | None = None,
        options: TrackerOptions | None = None,
    ) -> None:
        self.spec, self.detect_every, self.max_faces = spec, detect_every, max_faces
        self._options = options or TrackerOptions()
        self._scene_cut, self._steady_time = SceneCut(self._options), SteadyTime()
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget every face and the last picture; ids go on."""
        self.tracks: list[Track] = []
        self.ended: list[int] = []
        self._lost: list[Track] = []
        self._plan: Plan | None = None
        self._since: int | None = None  # frames since the last detection
        self._just_lost = self._cut = False
        self._scene_cut.reset()
        self._steady_time.reset()

    def plan(
        self, luma: NDArray[np.uint8], timestamp: float, detect: Callable[[], Sequence[FaceBox]]
    ) -> Plan:
        """Where to look for landmarks in the next frame.

        Parameters
        ----------
        luma : (H, W) uint8, or any plane that stands for it, such as the green one
        timestamp : of the frame in seconds
        detect : runs the detector on this frame; called only when a detection is due

        A plan replaces an earlier one that was never used: the frame of that one is left out.
        """
        time, began_anew = self._steady_time(timestamp)
        self._cut = self._scene_cut(luma) or began_anew
        self._lost = [] if self._cut else [t for t in self._lost if self._may_return(t, time)]
        detected = self._is_detection_due()
        if detected:
            targets = self._match(detect(), time)
            self._since = 0
        else:
            targets = [_Target(track, None) for track in self.tracks]
            self._since = 0 if self._since is None else self._since + 1
        matrices = [self._matrix(target, time) for target in targets]
        self._plan = Plan(matrices, detected, time, (luma.shape[1], luma.shape[0]), targets)
        return self._plan

    def update(self, plan: Plan, landmarks: Landmarks) -> list[Track]:
        """The faces that are in the frame, largest first, from the landmarks in the plan's crops.

        Parameters
        ----------
        plan : the last one that `plan` gave
        landmarks : of the plan's N crops, in their order

        Raises
        ------
        RuntimeError
            If the plan was used before, or is not the last one.
        ValueError
            If there are not N landmarks.
        """
        if plan is not self._plan:
            raise RuntimeError(
                "this plan was used before or is not the last one; expected one update per plan"
            )
        if len(landmarks.points) != len(plan.targets):
            raise ValueError(
                f"landmarks of {len(landmarks.points)} faces, expected {len(plan.targets)}, one per crop"
            )
        self._plan, time = None, plan.time
        before, self.tracks = self.tracks, []
        boxes = geometry.box_of(landmarks.points)
        # Sums, because numpy's mean takes three times as long on arrays of this size.
        means = (landmarks.confidence.sum(-1) / N_POINTS).tolist()
        for i, target in enumerate(plan.targets):
            points, confidence, box, mean = landmarks.points[i], landmarks.confidence[i], boxes[i], means[i]
            if not self._is_face(target, points, box, mean, plan.size):
                continue
            old = target.track
            # A track that is later than the frame is of a clock that began anew.
            if old is None or old in self._lost or old.time > time:
                self._begin(target, points, confidence, box, time)
            else:
                self._continue(old, target, points, confidence, box, mean, time)
        self._resolve_overlaps(time)
        ids = {track.id for track in self.tracks}
        gone = [track for track in before if track.id not in ids]
        self.ended = [track.id for track in gone]
        self._just_lost = bool(gone)
        self._lost = [t for t in self._lost if t.id not in ids] + ([] if self._cut else gone)
        self.tracks.sort(key=lambda track: -track.side)
        return self.tracks

    def _may_return(self, track: Track, time: float) -> bool:
        return time - track.time <= self._options.revive_seconds

    def _is_detection_due(self) -> bool:
        if self._since is None or self._cut or self._just_lost:
            return True
        every = self.detect_every
        if not self.tracks or self._lost:
            every = min(every, self._options.search_every)
        return self._since + 1 >= every

    def _match(self, detections: Sequence[FaceBox], time: float) -> list[_Target]:
        """Detections matched with tracks, lost ones among them; each one that is left becomes a new face."""
        known = self.tracks + self._lost
        pairs = _assign(self._costs(detections, known, time)) if detections and known else {}
        targets = []
        for i, track in enumerate(known):
            detection = detections[pairs[i]] if i in pairs else None
            if i < len(self.tracks):
                track.missed = 0 if detection else track.missed + 1
                # After a cut only a face that the detector sees in the same place may be the same.
                if detection or not self._cut:
                    targets.append(_Target(track, detection))
            elif detection:
                targets.append(_Target(track, detection))
        taken = set(pairs.values())
        targets += [_Target(None, detection) for j, detection in enumerate(detections) if j not in taken]
        if self.max_faces is not None:
            new = [target for target in targets if target.track is None or target.track in self._lost]
            new.sort(key=lambda target: -_side(target.detection.box) if target.detection else 0.0)
            kept = [target for target in targets if target not in new]
            targets = kept + new[: max(self.max_faces - len(kept), 0)]
        return targets

    def _costs(self, detections: Sequence[FaceBox], known: Sequence[Track], time: float) -> _Costs:
        """(tracks, detections): lower fits better, ``inf`` is impossible."""
        options = self._options
        boxes = np.stack([detection.box for detection in detections]).astype(np.float64)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(1)
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).view(np.complex128)[:, 0]
        costs = np.empty((len(known), len(detections)))
        for i, track in enumerate(known):
            expected = track.expected(time, options.path_seconds)
            moved = expected - track.centre
            overlap = geometry.iou(track.box + np.array([moved.real, moved.imag] * 2), boxes)[0]
            distance = np.abs(centres - expected) / track.side
            ratio = np.maximum(sides / track.side, track.side / np.maximum(sides, 1e-3))
            if track in self._lost:
                # A lost face may have gone on for a while; the longer, the farther. Followed ones come first.
                same = distance < 2 * options.match_distance + (time - track.time)
                costs[i] = np.where(same & (ratio < options.max_growth), 2.0 + distance, np.inf)
            else:
                same = overlap > options.match_iou_after_cut
                if not self._cut:
                    near = (distance < options.match_distance) & (ratio < 2 * options.max_growth)
                    same = (overlap > options.match_iou) | near
                costs[i] = np.where(same, 1.0 - overlap + distance, np.inf)
        return costs

    def _matrix(self, target: _Target, time: float) -> Matrix:
        track, detection, options = target.track, target.detection, self._options
        if detection is not None and (
            track is None
            or track in self._lost
            or geometry.iou(track.box, detection.box)[0, 0] < options.recrop_iou
        ):
            if track is not None:
                track.follower.restart()
            return geometry.crop_matrix(detection.box, self.spec, detection.angle or _turn_of(track))
        assert track is not None  # a target has a track, a detection, or both
        step = track.velocity * max(time - track.time, 0.0)
        return track.follower(track.points, step if abs(step) > options.lead_above * track.side else 0j)

    def _is_face(
        self, target: _Target, points: FloatArray, box: FloatArray, mean: float, size: tuple[int, int]
    ) -> bool:
        """Whether the points (68, 2) of a crop are a face, by confidence, shape, place and size."""
        track, options = target.track, self._options
        is_followed = track is not None and track not in self._lost and track.missed < options.max_missed
        # "not >=" so that NaN from a broken provider is not a face.
        if not mean >= (options.min_confidence_followed if is_followed else options.min_confidence_new):
            return False
        x0, y0, x1, y1 = box.tolist()
        width, height = x1 - x0, y1 - y0
        side = max(width, height)
        if side < options.min_side or not options.min_aspect * height < width < options.max_aspect * height:
            return False
        if x0 < 0 or y0 < 0 or x1 > size[0] - 1 or y1 > size[1] - 1:
            inside = ((points >= 0) & (points <= np.array(size, np.float32) - 1)).all(-1)
            if inside.mean() < options.min_inside:
                return False
        known = side
        if target.detection is not None:
            known = _side(target.detection.box)
        elif track is not None:
            known = track.side
        return known / options.max_growth < side < known * options.max_growth

    def _begin(
        self, target: _Target, points: FloatArray, confidence: FloatArray, box: FloatArray, time: float
    ) -> None:
        if target.track is None:
            number, self._next_id = self._next_id, self._next_id + 1
        else:
            number = target.track.id
        score = target.detection.score if target.detection is not None else float(confidence.mean())
        follower = CropFollower(self.spec, self._options)
        self.tracks.append(Track(number, points, confidence, box, score, time, follower))

    def _continue(
        self,
        track: Track,
        target: _Target,
        points: FloatArray,
        confidence: FloatArray,
        box: FloatArray,
        mean: float,
        time: float,
    ) -> None:
        was, seconds = track.centre, max(time - track.time, 1e-3)
        track.points, track.confidence, track.box, track.time = points, confidence, box, time
        track.measure()
        track.score = target.detection.score if target.detection is not None else mean
        share = 1.0 - math.exp(-seconds / self._options.velocity_seconds)
        track.velocity = track.velocity + share * ((track.centre - was) / seconds - track.velocity)
        self.tracks.append(track)

    def _resolve_overlaps(self, time: float) -> None:
        """Drop the wrong one of two tracks on one face, and note the paths of those that are apart."""
        tracks = self.tracks
        if len(tracks) == 1:
            tracks[0].note_path(time)
        if len(tracks) < 2:
            return
        boxes = np.stack([track.box for track in tracks])
        overlap = geometry.iou(boxes, boxes)
        np.fill_diagonal(overlap, 0.0)
        dropped: set[int] = set()
        for i, j in np.argwhere(np.triu(overlap) > self._options.merge_iou).tolist():
            if i not in dropped and j not in dropped:
                dropped.add(i if self._is_wrong_one(tracks[i], tracks[j], time) else j)
        for i in range(len(tracks)):
            if overlap[i].max() < self._options.apart_iou:
                tracks[i].note_path(time)
        self.tracks = [track for i, track in enumerate(tracks) if i not in dropped]

    def _is_wrong_one(self, a: Track, b: Track, time: float) -> bool:
        """Whether ``a`` rather than ``b`` slipped onto the other's face: it is off its path, else the younger."""
        seconds = self._options.path_seconds
        off_a, off_b = (abs(t.centre - t.expected(time, seconds)) / t.side for t in (a, b))
        return off_a > off_b if abs(off_a - off_b) > self._options.off_path else a.id > b.id


def _assign(costs: _Costs) -> dict[int, int]:
    """Row -> column of the cheapest assignment of ``costs`` (N, M), pairs of infinite cost excluded."""
    possible = np.isfinite(costs)
    if possible.sum(0).max() <= 1 and possible.sum(1).max() <= 1:
        return {int(i): int(j) for i, j in np.argwhere(possible)}
    _, rows, columns = lapjvx(np.where(possible, costs, _IMPOSSIBLE), extend_cost=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if possible[i, j]}


def _turn_of(track: Track | None) -> float:
    """The roll of a followed face that the detector's upright boxes do not fit, else 0."""
    roll = 0.0 if track is None else roll_of(track.points)
    return roll if abs(roll) > _TURNED else 0.0


def _side(box: FloatArray) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))
