"""The order of the stages: detect, landmarks, track, smooth, measure.

`FaceLandmarker` looks at single pictures and keeps nothing, `Pipeline` follows faces through a stream.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from fkp_live import geometry
from fkp_live.choices import PipelineOptions, check_count
from fkp_live.clock import CLOCK_JUMP
from fkp_live.engine import Engine
from fkp_live.faces.detector import USUAL_FACE, candidates_of
from fkp_live.faces.expression import shown_by
from fkp_live.faces.followed_expressions import FollowedExpressions
from fkp_live.faces.followed_eyes import FollowedEyes
from fkp_live.faces.followed_measures import FollowedMeasures, shape_measures
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.hidden_points import seen_confidence
from fkp_live.faces.landmark_network import check_boxes
from fkp_live.faces.looks import landmarks
from fkp_live.faces.measures import AVERAGE, parts
from fkp_live.faces.openness import Blinks, measures
from fkp_live.faces.places import LeftToRight
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.faces.tracker import Tracker
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.faces.turned import faces_of_any_roll
from fkp_live.faces.turned_search import TurnedSearch
from fkp_live.images.low_light import LowLight, brightened
from fkp_live.images.picture import as_picture
from fkp_live.inference.models import PICTURE_MODEL
from fkp_live.types import (
    AnyImage,
    Face,
    FaceBox,
    FloatArray,
    Frame,
    Landmarks,
    MeasuredFace,
    Picture,
    TrackedFace,
    TrackedResult,
)

# Several pictures at once, of any sizes.
Pictures: TypeAlias = (
    list[AnyImage] | list[Picture] | list[AnyImage | Picture] | tuple[AnyImage | Picture, ...]
)

# Longer side in pixels of the copies in which a single picture without an upright face is searched in quarter turns,
# and a stream in which nobody is followed.
TURNED_SIZE, TURNED_STREAM_SIZE = 640, 320
# Mean confidence that a face in a single picture needs: that of a new face in a stream.
MIN_CONFIDENCE = TrackerOptions().min_confidence_new


class FaceLandmarker:
    """68 points of every face in single pictures, without memory from one to the next.

    Pictures are BGR, as OpenCV reads them. An array does not show the order of its channels: RGB, as Pillow, imageio
    and Matplotlib read pictures, is taken for BGR without an error, and the points get worse. Convert it before:
    ``cv2.cvtColor(image, cv2.COLOR_RGB2BGR)``.

    May be used from several threads, which take turns at the networks; with one of its own each they do not wait.
    It can be pickled: by its options, so a worker process opens the networks anew.

    Parameters
    ----------
    provider, threads : see `PipelineOptions`
    model : name of a shipped landmark network, path of an .onnx file, or None for fkp68-large
    max_faces : at most this many faces, the largest; None for all
    min_face : side in pixels of the smallest face to detect
    engine : networks opened before, instead of those that provider, model, threads and min_face name
    expression : whether faces get an `expression`; the network for it is opened at the first face

    Raises
    ------
    ValueError, TypeError
        If ``max_faces`` is not a whole number from 1 up.
    ModelError, ProviderError
        See `runtime.open_session`.
    """

    def __init__(
        self,
        provider: str = "auto",
        model: str | Path | None = None,
        max_faces: int | None = None,
        threads: int = 1,
        *,
        min_face: float | None = USUAL_FACE,
        engine: Engine | None = None,
        expression: bool = False,
    ) -> None:
        if max_faces is not None:
            check_count("max_faces", max_faces, ", or None")
        self.engine = engine or Engine(
            provider, PICTURE_MODEL if model is None else model, threads, min_face=min_face
        )
        self.max_faces, self.expression = max_faces, expression

    @overload
    def __call__(self, image: AnyImage | Picture, *, neutral: Face | None = None) -> list[MeasuredFace]: ...
    @overload
    def __call__(self, image: Pictures, *, neutral: Face | None = None) -> list[list[MeasuredFace]]: ...
    def __call__(
        self, image: AnyImage | Picture | Pictures, *, neutral: Face | None = None
    ) -> list[MeasuredFace] | list[list[MeasuredFace]]:
        """Faces of a (H, W, 3) uint8 BGR picture, largest first; ``id`` is None.

        Of a list or tuple of pictures, of any sizes: such a list for each of them.

        Parameters
        ----------
        neutral : a face that this landmarker found in another picture of the same person, with a neutral expression:
            expressions and measures are relative to it

        Raises
        ------
        ValueError
            If a picture is anything else, or ``neutral`` has no expression.
        """
        if neutral is not None and (neutral.expression is None or not self.expression):
            raise ValueError(
                "neutral needs expressions: FaceLandmarker(expression=True), and a face that it found"
            )
        if isinstance(image, list | tuple):
            return [self._faces(each, neutral) for each in image]
        return self._faces(image, neutral)

    def _faces(self, image: AnyImage | Picture, neutral: Face | None) -> list[MeasuredFace]:
        picture, engine = brightened(as_picture(image)), self.engine
        finds = candidates_of(engine.detector, picture)
        turned = engine.turned_detector(TURNED_SIZE)
        usual = AVERAGE if neutral is None or neutral.pose is None else parts(neutral.points, neutral.pose)
        found = faces_of_any_roll(picture, finds, engine.network, MIN_CONFIDENCE, turned)
        eyes = engine.eyes(picture, [seen.points for seen in found]) if found else ()
        faces = []
        for seen, look in zip(found, eyes, strict=True):
            points, pose = seen.points, head_pose(seen.points)
            faces.append(
                MeasuredFace(
                    points,
                    seen_confidence(seen.confidence, pose, knows_turned=engine.knows_turned),
                    geometry.box_of(points),
                    seen.find.score,
                    raw=points,
                    pose=pose,
                    measures=measures(points, shape_measures(points, pose, usual), look),
                )
            )
        faces.sort(key=_area, reverse=True)
        faces = faces[: self.max_faces]
        return self._with_expressions(picture, faces, neutral) if self.expression else faces

    def _with_expressions(
        self, picture: Picture, faces: list[MeasuredFace], neutral: Face | None
    ) -> list[MeasuredFace]:
        expressions = self.engine.picture_expressions
        found = expressions(picture, [face.points for face in faces], mirrored=True)
        shown = shown_by(expressions, found, neutral)
        return [replace(face, expression=each) for face, each in zip(faces, shown, strict=True)]

    def landmarks(
        self, image: AnyImage | Picture, boxes: ArrayLike, *, looks: int = 2, flip: bool = False
    ) -> FloatArray:
        """Points of the faces in given boxes: (N, 4), tight around the points -> (N, 68, 2).

        Parameters
        ----------
        looks : 1 or 2; the second look, around the points of the first, is 1 % nearer, more where a box is not tight
        flip : the mean with what is found in the mirror image: 2 % nearer, at twice the time

        Raises
        ------
        ValueError
            If ``image`` is not (H, W, 3) uint8, ``boxes`` not (N, 4) finite numbers x0 < x1, y0 < y1, or ``looks``
            another number.
        """
        if looks not in (1, 2):
            raise ValueError(f"looks is {looks!r}, expected 1 or 2")
        return landmarks(self.engine.network, as_picture(image), check_boxes(boxes), looks, flip=flip).points


class Pipeline:
    """Follows the faces of one stream, frame by frame.

    It is for one stream, and for one thread at a time: another stream or thread needs a pipeline of its own; they may
    share an `Engine`.

    Parameters
    ----------
    options : how the stream is worked on
    engine : networks opened before; provider, model, threads and min_face of ``options`` are then the engine's

    Attributes
    ----------
    options, engine : as given, or the default ones; ``options.smooth`` is that of `set_smoothing`
    """

    def __init__(self, options: PipelineOptions | None = None, *, engine: Engine | None = None) -> None:
        if not isinstance(options, PipelineOptions | None):
            raise TypeError(
                f"options is {options!r}, expected PipelineOptions: Pipeline(PipelineOptions(smooth='light'))"
            )
        self.options = options or PipelineOptions()
        self.engine = engine or Engine.for_streams(self.options)
        self._tracker = Tracker(
            self.engine.network.spec,
            detect_every=self.options.detect_every,
            max_faces=self.options.max_faces,
        )
        self._low_light, self._turned_search = LowLight(), TurnedSearch()
        self._smoother = LandmarkSmoother(self.options.smooth)
        self._blinks, self._measures = Blinks(), FollowedMeasures()
        self._eyes = FollowedEyes(self.engine.eyes)
        self._expressions = FollowedExpressions(self.engine.expressions) if self.options.expression else None
        self._places = LeftToRight() if self.options.id_order == "left-right" else None
        self._images = self._connection = 0
        self._image_time = -math.inf
        self._busy = threading.Lock()

    def reset(self) -> None:
        """Forgets every face, for another stream."""
        for part in (self._tracker, self._low_light, self._turned_search, *self._followers()):
            part.reset()
        if self._places is not None:
            self._places.reset()

    def _followers(
        self,
    ) -> tuple[LandmarkSmoother | Blinks | FollowedEyes | FollowedMeasures | FollowedExpressions, ...]:
        """What keeps something of each track."""
        always = self._smoother, self._blinks, self._eyes, self._measures
        return always if self._expressions is None else (*always, self._expressions)

    def set_smoothing(self, level: str) -> None:
        """Smooth by another level from the next frame on, one of `SMOOTHING`; the filters start afresh.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        self.options = replace(self.options, smooth=level)
        self._smoother = LandmarkSmoother(level)

    def set_neutral(self, face_id: int | None = None) -> list[int]:
        """Take what faces show now as their neutral face: from the next frame on expressions and measures are relative
        to it.

        Parameters
        ----------
        face_id : number of a track; None for every face of the last frame

        Returns the numbers of the tracks for which that was done.

        Raises
        ------
        RuntimeError
            If another thread is in this pipeline.
        """
        with self._one_thread():
            measured = self._measures.set_neutral(face_id)
            return measured if self._expressions is None else self._expressions.set_neutral(face_id)

    def process_image(self, image: AnyImage, time: float) -> TrackedResult:
        """The faces of the next picture: (H, W, 3) uint8 BGR, with its time in seconds of the stream.

        RGB is taken for BGR without an error; convert it before, with ``cv2.cvtColor(image, cv2.COLOR_RGB2BGR)``.
        A time that goes back by more than `CLOCK_JUMP` begins a new stream, as `reset` does, with a RuntimeWarning.

        Raises
        ------
        ValueError
            If ``image`` is anything else, or ``time`` is not finite.
        RuntimeError
            If another thread is in this pipeline.
        """
        picture = as_picture(image)
        _check_time(time)
        with self._one_thread():
            if time < self._image_time - CLOCK_JUMP:
                warnings.warn(
                    f"the time went back from {self._image_time:.3f} to {time:.3f} s: a new stream begins",
                    RuntimeWarning,
                    stacklevel=2,
                )
                self.reset()
            self._image_time = time
            result = self._process(Frame(picture, self._images, time, perf_counter()))
            self._images += 1
            return result

    def process(self, frame: Frame) -> TrackedResult:
        """The faces of the next frame of a source, largest first; for a picture of your own: `process_image`.

        Raises
        ------
        TypeError
            If ``frame`` is an array or anything else than a frame.
        ValueError
            If the frame's time is not finite.
        RuntimeError
            If another thread is in this pipeline.
        """
        if not isinstance(frame, Frame):
            raise TypeError(
                f"frame is of type {type(frame).__name__}, expected a Frame of open_source; "
                "for a picture: process_image(image, time), with its time in seconds"
            )
        _check_time(frame.time)
        with self._one_thread():
            return self._process(frame)

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """Keep other threads out. RuntimeError, and nothing has changed, if one is in already."""
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(
                "this Pipeline is at work in another thread: use one for each stream, on one Engine if you like"
            )
        try:
            yield
        finally:
            self._busy.release()

    def _detect(self, picture: Picture) -> list[FaceBox]:
        engine, tracks = self.engine, self._tracker.tracks
        if not self.options.any_roll:
            return engine.detector(picture)
        finds = engine.detector(picture) if tracks else candidates_of(engine.detector, picture)
        followed, turned = [track.box for track in tracks], engine.turned_detector(TURNED_STREAM_SIZE)
        return self._turned_search(picture, finds, followed, engine.network, turned)

    def _process(self, frame: Frame) -> TrackedResult:
        if frame.connection != self._connection:
            # The source was lost in between: who is there now may be somebody else in the same place.
            self.reset()
            self._connection = frame.connection
        start = perf_counter()
        # As the networks see it: what is painted on, and whose cuts are looked for, is the picture itself.
        picture, seen = frame.picture, self._low_light(frame.picture)
        detecting = 0.0

        def detect() -> list[FaceBox]:
            nonlocal detecting
            begun = perf_counter()
            detections = self._detect(seen)
            detecting = perf_counter() - begun
            return detections

        plan = self._tracker.plan(picture.luma, frame.time, detect)
        time = plan.time  # for the filters below: it does not go back where timestamps are out of order
        planned = perf_counter()
        found = self.engine.network.run_matrices(seen, plan.matrices) if plan.matrices else _NOBODY
        located = perf_counter()
        tracks = self._tracker.update(plan, found)
        for number in self._tracker.ended:
            for follower in self._followers():
                follower.forget(number)
        tracked = perf_counter()
        smooth = [self._smoother(track.id, track.points, time) for track in tracks]
        smoothed = perf_counter()
        eyes = self._eyes(seen, [track.id for track in tracks], [track.points for track in tracks], time)
        faces = []
        for points, track, look in zip(smooth, tracks, eyes, strict=True):
            pose, box = head_pose(points), geometry.box_of(points)
            measured = measures(points, self._measures(track.id, points, pose, time), look)
            measured = self._blinks(track.id, measured, pose.yaw, time)
            faces.append(
                TrackedFace(
                    points,
                    seen_confidence(track.confidence, pose, knows_turned=self.engine.knows_turned),
                    box,
                    track.score,
                    id=track.id,
                    raw=track.points,
                    pose=pose,
                    measures=measured,
                )
            )
        if self._expressions is not None and faces:
            shown = self._expressions(seen, [face.id for face in faces], smooth, time)
            faces = [replace(face, expression=each) for face, each in zip(faces, shown, strict=True)]
        if self._places is not None:
            faces = self._places(faces, time)
        faces.sort(key=_area, reverse=True)
        timings = {
            "detect": detecting,
            "landmark": located - planned,
            "track": planned - start - detecting + tracked - located,
            "smooth": smoothed - tracked,
            "measure": perf_counter() - smoothed,
        }
        return TrackedResult.of(frame, faces, detected=plan.detected, timings=timings)


_NOBODY = Landmarks(np.empty((0, 68, 2), np.float32), np.empty((0, 68), np.float32))


def _check_time(time: float) -> None:
    if not math.isfinite(time):
        raise ValueError(f"the time is {time}, expected seconds")


def _area(face: Face) -> float:
    return float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
