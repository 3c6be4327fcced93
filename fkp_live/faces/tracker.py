"""Who is who from frame to frame, when to look for faces again, and where the next crops are.

A face that was found is followed by its own points: they give the crop of the next frame, and the network's
confidence tells whether a face is still in it. The detector looks again every few frames, when a face was
lost, when the picture cuts, and more often while nobody is there. Durations are in seconds of the stream's
clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from lap import lapjvx
from numpy.typing import NDArray

from fkp_live import geometry
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.topology import N_POINTS, REGIONS
from fkp_live.types import FaceBox, FloatArray, Image, Landmarks

# Mean confidence that a new face needs, and below which a followed one is gone. A face that the detector passed over
# twice in a row has to be as convincing as a new one.
BIRTH, DEATH = 0.35, 0.3
_DOUBTED = 2
# A lost face keeps its id for a new find near its predicted place for so many seconds, never beyond a cut.
REVIVE_SECONDS = 1.0
# With nobody in sight, or a lost face that may come back, the detector looks at least every so many frames.
_SEARCH_EVERY = 3
# Crops of followed faces are turned to level eyes, the pose that the network knows best.
LEVEL_CROPS = True
# A crop stays where it is while the points call it elsewhere by less than this share of its side (or this angle in
# radians). A crop that follows every twitch of the points feeds their jitter back to them: on still clips it was 0.72 %
# of the eye distance that way, 0.46 with this play, 0.46 in crops that never moved.
_PLAY = 0.03
# A face that moves by more than this share of its side per frame is met where it will be; below, the
# estimated velocity is only noise in the crop.
_LEAD_ABOVE = 0.02
_VELOCITY_SECONDS = 0.05
# Largest growth or shrinking of a face between two frames, least side in pixels, limits of width over height,
# and the share of points that must lie inside the picture.
_GROWTH, _LEAST_SIDE, _ASPECT, _INSIDE = 1.6, 8.0, (0.35, 2.5), 0.5
# A find belongs to a face if they overlap by this much or their centres are this close (in sides of it). After a cut it
# must be in the very place, or it is somebody else.
_SAME_IOU, _SAME_DISTANCE, _SAME_AFTER_CUT = 0.2, 0.5, 0.6
# A face whose crop overlaps its find by less is looked for where the detector says.
_REANCHOR_IOU = 0.4
# Two tracks on one face: overlap of the boxes, and how much farther from its own path (in sides) the thief
# must be before that outweighs age.
_MERGE_IOU, _OFF_PATH = 0.55, 0.25
# Tracks that overlap less than this are apart; only then is the path of each known for sure.
_APART_IOU = 0.05
# A cut: mean difference of grey levels on a coarse grid, in itself and compared with the frames before.
_CUT_LEVELS, _CUT_RATIO, _CUT_GRID = 25.0, 4.0, 24

# (68,): its product with the points is the way from the middle of the right eye to that of the left one.
_ACROSS = np.zeros(N_POINTS, np.float32)
_ACROSS[list(REGIONS["left_eye"])] = 1 / len(REGIONS["left_eye"])
_ACROSS[list(REGIONS["right_eye"])] = -1 / len(REGIONS["right_eye"])
# Stands for an infinite cost in an assignment: as many pairs as possible come first, then the cheapest.
_IMPOSSIBLE = 1e6
_Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a crop belongs: centre (x + iy), side of the box in pixels, angle to turn it by in radians."""

    centre: complex
    side: float
    angle: float


def level_matrix(points: FloatArray, spec: CropSpec) -> Matrix:
    """Affine of the crop around (68, 2) points, turned so that the eyes are level."""
    return _matrix_at(_place_of(points), spec)


def _place_of(points: FloatArray) -> _Place:
    across = (_ACROSS @ points).tolist()
    angle = -math.atan2(across[1], across[0]) if LEVEL_CROPS else 0.0
    c, s = math.cos(angle), math.sin(angle)
    turned = points @ np.array([[c, s], [-s, c]], np.float32)
    (x0, y0), (x1, y1) = turned.min(0).tolist(), turned.max(0).tolist()
    middle = complex(x0 + x1, y0 + y1) / 2
    return _Place(middle * complex(c, -s), max(x1 - x0, y1 - y0, 1e-3), angle)


def _matrix_at(place: _Place, spec: CropSpec) -> Matrix:
    x, y, scale, middle = (
        place.centre.real,
        place.centre.imag,
        spec.face_side / place.side,
        (spec.size - 1) / 2,
    )
    c, s = scale * math.cos(place.angle), scale * math.sin(place.angle)
    return np.array([[c, -s, middle - c * x + s * y], [s, c, middle - s * x - c * y]])


def _rest(off: float, play: float) -> float:
    """What is left of ``off`` beyond the play."""
    return math.copysign(max(abs(off) - play, 0.0), off)


@dataclass(slots=True, eq=False)
class Track:
    """One followed face.

    Attributes
    ----------
    id : number, counted from 1, never given twice
    points, confidence : (68, 2) and (68,), raw, of the last frame in which it was seen
    box : (4,) tight around the points
    score : the detector's score in the frame that found it, the mean confidence afterwards
    time : of that frame in seconds
    centre, side : of the box, x + iy, and its longer side
    velocity : of the centre in pixels per second, x + iy
    passed_over : how often in a row the detector looked and did not find it
    """

    id: int
    points: FloatArray
    confidence: FloatArray
    box: FloatArray
    score: float
    time: float
    velocity: complex = 0j
    passed_over: int = 0
    # Where its crop is: centre, side, angle; None before the first one around its own points.
    place: _Place | None = None
    # Centre, velocity and time when it was last alone: where it is going, whatever covers it now.
    path: tuple[complex, complex, float] = field(init=False)
    centre: complex = field(init=False)
    side: float = field(init=False)

    def __post_init__(self) -> None:
        self.measure()
        self.path = (self.centre, self.velocity, self.time)

    def measure(self) -> None:
        """Centre and side from the box."""
        x0, y0, x1, y1 = self.box.tolist()
        self.centre, self.side = complex(x0 + x1, y0 + y1) / 2, max(x1 - x0, y1 - y0)

    def expected(self, time: float) -> complex:
        """Centre that its path predicts for ``time``; motion is trusted for half a second."""
        centre, velocity, seen = self.path
        return centre + velocity * min(time - seen, 0.5)


@dataclass(slots=True, eq=False)
class _Crop:
    """A place to run the network on: a followed face, a find, or both."""

    track: Track | None
    find: FaceBox | None


class Tracker:
    """Decides when to detect, keeps ids, and gives the crops of each frame.

    A frame goes ``wants_detection`` -> ``crops`` -> (the network) -> ``update``.

    Parameters
    ----------
    spec : crop of the landmark network
    detect_every : frames from one detection to the next while all is well
    max_faces : most faces followed at once, or None
    """

    def __init__(self, spec: CropSpec, *, detect_every: int = 15, max_faces: int | None = None) -> None:
        if detect_every < 1:
            raise ValueError(f"detect_every is {detect_every}, expected was 1 or more")
        if max_faces is not None and max_faces < 1:
            raise ValueError(f"max_faces is {max_faces}, expected was 1 or more, or None")
        self.spec, self.detect_every, self.max_faces = spec, detect_every, max_faces
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forgets every face and the last picture; ids go on."""
        self.tracks: list[Track] = []
        self.ended: list[int] = []
        self._lost: list[Track] = []
        self._crops: list[_Crop] = []
        self._since: int | None = None  # frames since the last detection
        self._just_lost = self._cut = False
        self._time = -math.inf
        self._grid: NDArray[np.int16] | None = None
        self._shape: tuple[int, ...] = ()
        self._usual_change = 0.0

    def wants_detection(self, image: Image, time: float) -> bool:
        """Whether the detector should look at this frame: (H, W, 3), or (H, W), its brightness."""
        self._cut = self._is_cut(image) or time < self._time
        self._lost = [] if self._cut else [t for t in self._lost if time - t.time <= REVIVE_SECONDS]
        if self._since is None or self._cut or self._just_lost:
            return True
        seeking = not self.tracks or bool(self._lost)
        return self._since + 1 >= (min(self.detect_every, _SEARCH_EVERY) if seeking else self.detect_every)

    def crops(self, finds: Sequence[FaceBox] | None, time: float) -> list[Matrix]:
        """Affines of the crops to run the network on, from the detector's finds (None: it did not look)."""
        if finds is None:
            self._since = 0 if self._since is None else self._since + 1
            self._crops = [_Crop(track, None) for track in self.tracks]
        else:
            self._since = 0
            self._crops = self._match(finds, time)
        return [self._matrix(crop, time) for crop in self._crops]

    def update(self, landmarks: Landmarks, size: tuple[int, int], time: float) -> list[Track]:
        """Takes the network's answer for the crops; returns the faces that are there, largest first.

        Parameters
        ----------
        landmarks : of the crops that `crops` gave, in their order
        size : width and height of the picture
        time : of the frame in seconds

        ``ended`` then holds the ids that this frame ended (a revived one starts afresh).
        """
        before, self.tracks = self.tracks, []
        boxes = geometry.box_of(landmarks.points)
        # Sums, because numpy's mean takes three times as long on arrays of this size.
        means = (landmarks.confidence.sum(-1) / N_POINTS).tolist()
        for i, crop in enumerate(self._crops):
            points, confidence, box, mean = landmarks.points[i], landmarks.confidence[i], boxes[i], means[i]
            old = crop.track if crop.track is not None and crop.track.time <= time else None
            if not self._is_face(crop, points, box, mean, size):
                continue
            if old is None or old in self._lost:
                self._begin(crop, points, confidence, box, time)
            else:
                self._go_on(old, crop, points, confidence, box, mean, time)
        self._part(time)
        ids = {track.id for track in self.tracks}
        gone = [track for track in before if track.id not in ids]
        self.ended = [track.id for track in gone]
        self._just_lost = bool(gone)
        self._lost = [t for t in self._lost if t.id not in ids] + ([] if self._cut else gone)
        self._time = time
        self.tracks.sort(key=lambda track: -track.side)
        return self.tracks

    def _is_cut(self, image: Image) -> bool:
        height, width = image.shape[:2]
        rows, columns = max(height // _CUT_GRID, 1), max(width // _CUT_GRID, 1)
        plane = image[..., 1] if image.ndim == 3 else image  # green stands for all
        grid = plane[rows // 2 :: rows, columns // 2 :: columns].astype(np.int16)
        last, self._grid = self._grid, grid
        last_shape, self._shape = self._shape, image.shape
        if last is None:
            return False
        if last_shape != image.shape:
            return True
        change = float(np.abs(grid - last).sum()) / grid.size
        is_cut = change > max(_CUT_LEVELS, _CUT_RATIO * self._usual_change)
        self._usual_change += 0.2 * (change - self._usual_change)
        return is_cut

    def _match(self, finds: Sequence[FaceBox], time: float) -> list[_Crop]:
        """Finds of the detector to tracks, lost ones among them; what is left over becomes a new face."""
        known = self.tracks + self._lost
        pairs = _assign(self._costs(finds, known, time)) if finds and known else {}
        crops = []
        for i, track in enumerate(known):
            find = finds[pairs[i]] if i in pairs else None
            if i < len(self.tracks):
                track.passed_over = 0 if find else track.passed_over + 1
                # After a cut only a face that the detector sees in the same place may be the same.
                if find or not self._cut:
                    crops.append(_Crop(track, find))
            elif find:
                crops.append(_Crop(track, find))
        taken = set(pairs.values())
        crops += [_Crop(None, find) for j, find in enumerate(finds) if j not in taken]
        if self.max_faces is not None:
            new = [crop for crop in crops if crop.track is None or crop.track in self._lost]
            new.sort(key=lambda crop: -_side(crop.find.box) if crop.find else 0.0)
            kept = [crop for crop in crops if crop not in new]
            crops = kept + new[: max(self.max_faces - len(kept), 0)]
        return crops

    def _costs(self, finds: Sequence[FaceBox], known: Sequence[Track], time: float) -> _Vector:
        """(tracks, finds): lower fits better, ``inf`` cannot be."""
        boxes = np.stack([find.box for find in finds]).astype(np.float64)
        sides = (boxes[:, 2:] - boxes[:, :2]).max(1)
        centres = ((boxes[:, :2] + boxes[:, 2:]) / 2).view(np.complex128)[:, 0]
        costs = np.empty((len(known), len(finds)))
        for i, track in enumerate(known):
            moved = track.expected(time) - track.centre
            overlap = geometry.iou(track.box + np.array([moved.real, moved.imag] * 2), boxes)[0]
            distance = np.abs(centres - track.expected(time)) / track.side
            ratio = np.maximum(sides / track.side, track.side / np.maximum(sides, 1e-3))
            if track in self._lost:
                # A lost face may have gone on for a while; the longer, the farther.
                same = distance < 2 * _SAME_DISTANCE + (time - track.time)
                costs[i] = np.where(same & (ratio < _GROWTH), 2.0 + distance, np.inf)
            else:
                same = overlap > _SAME_AFTER_CUT
                if not self._cut:
                    same = (overlap > _SAME_IOU) | (distance < _SAME_DISTANCE) & (ratio < 2 * _GROWTH)
                costs[i] = np.where(same, 1.0 - overlap + distance, np.inf)
        return costs

    def _matrix(self, crop: _Crop, time: float) -> Matrix:
        track, find = crop.track, crop.find
        if find is not None and (
            track is None or track in self._lost or geometry.iou(track.box, find.box)[0, 0] < _REANCHOR_IOU
        ):
            if track is not None:
                track.place = None
            return geometry.crop_matrix(find.box, self.spec)
        assert track is not None  # a crop has a track, a find, or both
        return _matrix_at(self._follow(track, time), self.spec)

    @staticmethod
    def _follow(track: Track, time: float) -> _Place:
        """Moves the track's crop to its points, as far as the play does not take it up."""
        wanted = _place_of(track.points)
        step = track.velocity * max(time - track.time, 0.0)
        centre = wanted.centre + step if abs(step) > _LEAD_ABOVE * track.side else wanted.centre
        if track.place is None:
            track.place = _Place(centre, wanted.side, wanted.angle)
        else:
            place, play = track.place, _PLAY * track.place.side
            off, turn = centre - place.centre, math.remainder(wanted.angle - place.angle, math.tau)
            track.place = _Place(
                place.centre + complex(_rest(off.real, play), _rest(off.imag, play)),
                place.side + _rest(wanted.side - place.side, play),
                place.angle + _rest(turn, _PLAY),
            )
        return track.place

    def _is_face(
        self, crop: _Crop, points: FloatArray, box: FloatArray, mean: float, size: tuple[int, int]
    ) -> bool:
        track = crop.track
        is_followed = track is not None and track not in self._lost and track.passed_over < _DOUBTED
        # "not >=" so that a NaN from a broken provider counts as no face.
        if not mean >= (DEATH if is_followed else BIRTH):
            return False
        x0, y0, x1, y1 = box.tolist()
        width, height = x1 - x0, y1 - y0
        side = max(width, height)
        if side < _LEAST_SIDE or not _ASPECT[0] * height < width < _ASPECT[1] * height:
            return False
        if x0 < 0 or y0 < 0 or x1 > size[0] - 1 or y1 > size[1] - 1:
            inside = ((points >= 0) & (points <= np.array(size, np.float32) - 1)).all(-1)
            if inside.mean() < _INSIDE:
                return False
        known = _side(crop.find.box) if crop.find is not None else track.side if track is not None else side
        return bool(known / _GROWTH < side < known * _GROWTH)

    def _begin(
        self, crop: _Crop, points: FloatArray, confidence: FloatArray, box: FloatArray, time: float
    ) -> None:
        if crop.track is None:
            number, self._next_id = self._next_id, self._next_id + 1
        else:
            number = crop.track.id
        score = crop.find.score if crop.find is not None else float(confidence.mean())
        self.tracks.append(Track(number, points, confidence, box, score, time))

    def _go_on(
        self,
        track: Track,
        crop: _Crop,
        points: FloatArray,
        confidence: FloatArray,
        box: FloatArray,
        mean: float,
        time: float,
    ) -> None:
        was, seconds = track.centre, max(time - track.time, 1e-3)
        track.points, track.confidence, track.box, track.time = points, confidence, box, time
        track.measure()
        track.score = crop.find.score if crop.find is not None else mean
        share = 1.0 - math.exp(-seconds / _VELOCITY_SECONDS)
        track.velocity = track.velocity + share * ((track.centre - was) / seconds - track.velocity)
        self.tracks.append(track)

    def _part(self, time: float) -> None:
        """Drops the wrong one of two tracks on one face, and notes the paths of those that are alone."""
        tracks = self.tracks
        if len(tracks) == 1:
            tracks[0].path = (tracks[0].centre, tracks[0].velocity, time)
        if len(tracks) < 2:
            return
        boxes = np.stack([track.box for track in tracks])
        overlap = geometry.iou(boxes, boxes)
        np.fill_diagonal(overlap, 0.0)
        dropped: set[int] = set()
        for i, j in np.argwhere(np.triu(overlap) > _MERGE_IOU).tolist():
            if i not in dropped and j not in dropped:
                dropped.add(i if self._is_thief(tracks[i], tracks[j], time) else j)
        for i in range(len(tracks)):
            if overlap[i].max() < _APART_IOU:
                tracks[i].path = (tracks[i].centre, tracks[i].velocity, time)
        self.tracks = [track for i, track in enumerate(tracks) if i not in dropped]

    @staticmethod
    def _is_thief(a: Track, b: Track, time: float) -> bool:
        """Whether ``a`` rather than ``b`` slipped onto the other's face: it is off its path, else the younger."""
        off_a, off_b = (abs(t.centre - t.expected(time)) / t.side for t in (a, b))
        return off_a > off_b if abs(off_a - off_b) > _OFF_PATH else a.id > b.id


def _assign(costs: _Vector) -> dict[int, int]:
    """Row -> column of the cheapest assignment of ``costs`` (N, M), pairs of infinite cost excluded."""
    possible = np.isfinite(costs)
    if possible.sum(0).max() <= 1 and possible.sum(1).max() <= 1:
        return {int(i): int(j) for i, j in np.argwhere(possible)}
    _, rows, columns = lapjvx(np.where(possible, costs, _IMPOSSIBLE), extend_cost=True)
    return {int(i): int(j) for i, j in zip(rows, columns, strict=True) if possible[i, j]}


def _side(box: FloatArray) -> float:
    return float(max(box[2] - box[0], box[3] - box[1]))
