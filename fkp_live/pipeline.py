"""The order of the stages: detect, landmarks, track, smooth, measure.

`FaceLandmarker` looks at single pictures and keeps nothing, `Pipeline` follows faces through a stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from fkp_live import geometry
from fkp_live.choices import PipelineOptions
from fkp_live.faces.detector import USUAL_FACE, USUAL_SIZE, FaceDetector, YuNet
from fkp_live.faces.head_pose import head_pose
from fkp_live.faces.landmark_network import LandmarkNetwork, check_boxes
from fkp_live.faces.openness import Blinks, measures
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.faces.tracker import BIRTH, Tracker, level_matrix
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.images.yuv420 import Planes
from fkp_live.inference.models import resolve_model, stream_model
from fkp_live.inference.session import Session, open_session
from fkp_live.types import Face, FaceBox, FloatArray, Frame, FrameResult, Image, Landmarks

# A single picture is looked at twice: the second crop is cut around the first points and turned to level eyes.
SECOND_LOOK = True


class Network(Protocol):
    """What is asked of a landmark network; `LandmarkNetwork` is one."""

    spec: CropSpec

    def __call__(self, image: Image, boxes: ArrayLike) -> Landmarks:
        """Landmarks of the faces in N boxes."""

    def run_matrices(self, image: Image, matrices: Sequence[Matrix]) -> Landmarks:
        """Landmarks of the faces in the crops given by N affines."""


class _Engine:
    """The two networks, opened from the options unless they are given."""

    def __init__(
        self, options: PipelineOptions, detector: FaceDetector | None = None, network: Network | None = None
    ) -> None:
        self._session: Session | None = None
        if network is None:
            self._session = open_session(resolve_model(options.model), options.provider, options.threads)
            network = LandmarkNetwork(self._session)
        if detector is None:
            session = open_session(resolve_model("yunet"), options.provider, options.threads)
            if options.min_face is None:
                detector = YuNet(session, min_face=USUAL_FACE, most_size=USUAL_SIZE)
            else:
                detector = YuNet(session, min_face=options.min_face)
        self.detector, self.network = detector, network

    @property
    def provider(self) -> str:
        """Provider that really runs the landmark network."""
        return self._session.provider if self._session else "given"

    @property
    def note(self) -> str:
        """One line: which provider was taken and why."""
        return self._session.note if self._session else "a network given by the caller"

    @property
    def model_name(self) -> str:
        """Name of the landmark network."""
        if self._session is None:
            return type(self.network).__name__
        return str(self._session.metadata.get("name", self._session.path.stem))

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the landmark network's file, empty for a network given by the caller."""
        return self._session.sha256 if self._session else ""


class FaceLandmarker(_Engine):
    """68 points of every face in single pictures, without memory from one to the next.

    May be used from several threads, which take turns at the networks; with one of its own each they do not wait.

    Parameters
    ----------
    provider, max_faces, threads, min_face : see `PipelineOptions`
    model : name of a shipped landmark network, path of an .onnx file, or None for fkp68
    detector, network : used instead of the shipped ones

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
        detector: FaceDetector | None = None,
        network: Network | None = None,
    ) -> None:
        if max_faces is not None and max_faces < 1:
            raise ValueError(f"max_faces is {max_faces}, expected was 1 or more, or None")
        options = PipelineOptions(provider, model, max_faces, min_face=min_face, threads=threads)
        super().__init__(options, detector, network)
        self.max_faces = max_faces

    def __call__(self, image: Image) -> list[Face]:
        """Faces of a (H, W, 3) uint8 BGR picture, largest first; ``id`` is None.

        Raises
        ------
        ValueError
            If ``image`` is anything else.
        """
        check_image(image)
        finds = self.detector(image)
        if not finds:
            return []
        found = self.network(image, np.stack([find.box for find in finds]))
        if SECOND_LOOK:
            matrices = [level_matrix(points, self.network.spec) for points in found.points]
            found = self.network.run_matrices(image, matrices)
        faces = []
        for find, points, confidence in zip(finds, found.points, found.confidence, strict=True):
            if confidence.mean() >= BIRTH:
                pose, box = head_pose(points), geometry.box_of(points)
                faces.append(Face(points, confidence, box, find.score, None, points, pose, measures(points)))
        faces.sort(key=_area, reverse=True)
        return faces[: self.max_faces]

    def landmarks(self, image: Image, boxes: ArrayLike) -> FloatArray:
        """The landmark network alone, in one batch: boxes (N, 4), tight around the points -> (N, 68, 2).

        Raises
        ------
        ValueError
            If ``image`` is not (H, W, 3) uint8 or ``boxes`` not (N, 4) finite numbers x0 < x1, y0 < y1.
        """
        check_image(image)
        return self.network(image, check_boxes(boxes)).points


class Pipeline(_Engine):
    """Follows the faces of one stream, frame by frame.

    Parameters
    ----------
    options : how
    detector, network : used instead of the shipped ones
    """

    def __init__(
        self,
        options: PipelineOptions | None = None,
        *,
        detector: FaceDetector | None = None,
        network: Network | None = None,
    ) -> None:
        options = options or PipelineOptions()
        usual = options.model is None
        self.options = replace(options, model=stream_model(options.provider)) if usual else options
        super().__init__(self.options, detector, network)
        if usual and self.provider == "cpu" and self.options.model != stream_model("cpu"):
            # Another provider was listed, but does not run: then it is the CPU's own network that is wanted.
            self.options = replace(options, model=stream_model("cpu"))
            super().__init__(self.options, self.detector)
        # The shipped networks also read a video's planes; what a caller brings is given BGR.
        self._planar = detector is None and network is None
        self._tracker = Tracker(
            self.network.spec, detect_every=self.options.detect_every, max_faces=self.options.max_faces
        )
        self._smoother = LandmarkSmoother(self.options.smooth)
        self._blinks = Blinks()

    def reset(self) -> None:
        """Forgets every face, for another stream."""
        self._tracker.reset()
        self._smoother.reset()
        self._blinks.reset()

    def process(self, frame: Frame) -> FrameResult:
        """The faces of the next frame, largest first.

        Raises
        ------
        ValueError
            If the picture is not (H, W, 3) uint8.
        """
        time = frame.time
        image: Any = frame.picture if self._planar else frame.image
        if isinstance(image, Planes):
            seen = image.brightness
        else:
            check_image(image)
            seen = image
        start = perf_counter()
        finds: list[FaceBox] | None = (
            self.detector(image) if self._tracker.wants_detection(seen, time) else None
        )
        detected = perf_counter()
        matrices = self._tracker.crops(finds, time)
        cropped = perf_counter()
        found = self.network.run_matrices(image, matrices) if matrices else _NOBODY
        located = perf_counter()
        tracks = self._tracker.update(found, (image.shape[1], image.shape[0]), time)
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
            "detect": detected - start,
            "landmark": located - cropped,
            "track": cropped - detected + tracked - located,
            "smooth": smoothed - tracked,
            "measure": perf_counter() - smoothed,
        }
        return FrameResult(frame, tuple(faces), finds is not None, timings)


_NOBODY = Landmarks(np.empty((0, 68, 2), np.float32), np.empty((0, 68), np.float32))


def check_image(image: object) -> None:
    """Raise ValueError unless ``image`` is a (H, W, 3) uint8 array."""
    if not isinstance(image, np.ndarray):
        raise ValueError(
            f"the picture is a {type(image).__name__}, expected was a numpy array (H, W, 3) uint8, BGR"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"the picture has shape {image.shape} and type {image.dtype}, expected was (H, W, 3) uint8, BGR; "
            "cv2.cvtColor makes it from a grey picture or one with an alpha channel"
        )


def _area(face: Face) -> float:
    return float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
