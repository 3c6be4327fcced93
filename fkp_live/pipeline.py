"""The order of the stages: detect, landmarks, track, smooth, measure.

`FaceLandmarker` looks at single pictures and keeps nothing, `Pipeline` follows faces through a stream.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike

from fkp_live import geometry
from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.detector import USUAL_FACE
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.landmark_network import check_boxes
from fkp_live.faces.openness import Blinks, measures
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.faces.tracker import Tracker
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.images.picture import as_picture
from fkp_live.types import Face, FaceBox, FloatArray, Frame, FrameResult, Image, Landmarks, Picture

# A single picture is looked at twice: the second crop is cut around the first points and turned to level eyes.
SECOND_LOOK = True
# Mean confidence that a face in a single picture needs: that of a new face in a stream.
MIN_CONFIDENCE = TrackerOptions().min_confidence_new


class FaceLandmarker:
    """68 points of every face in single pictures, without memory from one to the next.

    May be used from several threads, which take turns at the networks; with one of its own each they do not wait.

    Parameters
    ----------
    provider, threads : see `PipelineOptions`
    model : name of a shipped landmark network, path of an .onnx file, or None for fkp68
    max_faces : at most this many faces, the largest; None for all
    min_face : side in pixels of the smallest face to detect
    engine : networks opened before, instead of those that provider, model, threads and min_face name

    Raises
    ------
    ValueError
        If ``max_faces`` is less than 1.
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
    ) -> None:
        if max_faces is not None and max_faces < 1:
            raise ValueError(f"max_faces is {max_faces}, expected 1 or more, or None")
        self.engine = engine or Engine(provider, model, threads, min_face=min_face)
        self.max_faces = max_faces

    def __call__(self, image: Image | Picture) -> list[Face]:
        """Faces of a (H, W, 3) uint8 BGR picture, largest first; ``id`` is None.

        Raises
        ------
        ValueError
            If ``image`` is anything else.
        """
        picture, network = as_picture(image), self.engine.network
        finds = self.engine.detector(picture)
        if not finds:
            return []
        found = network(picture, np.stack([find.box for find in finds]))
        if SECOND_LOOK:
            matrices = [level_matrix(points, network.spec) for points in found.points]
            found = network.run_matrices(picture, matrices)
        faces = []
        for find, points, confidence in zip(finds, found.points, found.confidence, strict=True):
            if confidence.mean() >= MIN_CONFIDENCE:
                pose, box = head_pose(points), geometry.box_of(points)
                faces.append(Face(points, confidence, box, find.score, None, points, pose, measures(points)))
        faces.sort(key=_area, reverse=True)
        return faces[: self.max_faces]

    def landmarks(self, image: Image | Picture, boxes: ArrayLike) -> FloatArray:
        """The landmark network alone, in one batch: boxes (N, 4), tight around the points -> (N, 68, 2).

        Raises
        ------
        ValueError
            If ``image`` is not (H, W, 3) uint8 or ``boxes`` not (N, 4) finite numbers x0 < x1, y0 < y1.
        """
        return self.engine.network(as_picture(image), check_boxes(boxes)).points


class Pipeline:
    """Follows the faces of one stream, frame by frame.

    Parameters
    ----------
    options : how the stream is worked on
    engine : networks opened before; provider, model, threads and min_face of ``options`` are then the engine's

    Attributes
    ----------
    options, engine : as given, or the default ones; ``options.smooth`` is that of `set_smoothing`
    """

    def __init__(self, options: PipelineOptions | None = None, *, engine: Engine | None = None) -> None:
        self.options = options or PipelineOptions()
        self.engine = engine or Engine.for_streams(self.options)
        self._tracker = Tracker(
            self.engine.network.spec,
            detect_every=self.options.detect_every,
            max_faces=self.options.max_faces,
        )
        self._smoother = LandmarkSmoother(self.options.smooth)
        self._blinks = Blinks()
        self._images = 0

    def reset(self) -> None:
        """Forgets every face, for another stream."""
        self._tracker.reset()
        self._smoother.reset()
        self._blinks.reset()

    def set_smoothing(self, level: str) -> None:
        """Smooth by another level from the next frame on, one of `SMOOTHING`; the filters start afresh.

        Raises
        ------
        ValueError
            If there is no such level.
        """
        self._smoother = LandmarkSmoother(level)
        self.options = replace(self.options, smooth=level)

    def process_image(self, image: Image, time: float) -> FrameResult:
        """The faces of the next picture: (H, W, 3) uint8 BGR, with its time in seconds of the stream.

        Raises
        ------
        ValueError
            If ``image`` is anything else, or ``time`` is not finite.
        """
        if not math.isfinite(time):
            raise ValueError(f"the time is {time}, expected seconds")
        self._images += 1
        return self.process(Frame(as_picture(image), self._images - 1, time, perf_counter()))

    def process(self, frame: Frame) -> FrameResult:
        """The faces of the next frame, largest first."""
        picture = frame.picture
        start = perf_counter()
        detecting = 0.0

        def detect() -> list[FaceBox]:
            nonlocal detecting
            begun = perf_counter()
            detections = self.engine.detector(picture)
            detecting = perf_counter() - begun
            return detections

        plan = self._tracker.plan(picture.luma, frame.time, detect)
        time = plan.time  # for the filters below: it does not go back where timestamps are out of order
        planned = perf_counter()
        found = self.engine.network.run_matrices(picture, plan.matrices) if plan.matrices else _NOBODY
        located = perf_counter()
        tracks = self._tracker.update(plan, found)
        for number in self._tracker.ended:
            self._smoother.forget(number)
            self._blinks.forget(number)
        tracked = perf_counter()
        smooth = [self._smoother(track.id, track.points, time) for track in tracks]
        smoothed = perf_counter()
        faces = []
        for points, track in zip(smooth, tracks, strict=True):
            pose, box = head_pose(points), geometry.box_of(points)
            measured = self._blinks(track.id, measures(points), pose.yaw, time)
            confidence = track.confidence
            faces.append(Face(points, confidence, box, track.score, track.id, track.points, pose, measured))
        faces.sort(key=_area, reverse=True)
        timings = {
            "detect": detecting,
            "landmark": located - planned,
            "track": planned - start - detecting + tracked - located,
            "smooth": smoothed - tracked,
            "measure": perf_counter() - smoothed,
        }
        return FrameResult.of(frame, faces, detected=plan.detected, timings=timings)


_NOBODY = Landmarks(np.empty((0, 68, 2), np.float32), np.empty((0, 68), np.float32))


def _area(face: Face) -> float:
    return float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
