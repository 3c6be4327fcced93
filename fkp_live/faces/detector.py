"""Face detection in whole pictures: the detector protocol, and YuNet through onnxruntime.

YuNet (Wu, Peng, Yu: "YuNet: a tiny millisecond-level face detector", 2023) runs on a reduced copy of the picture. In
that copy it finds 92 % of faces whose landmark box is 24 px on its longer side, 99 % at 40 px and half at 16 px (wild
validation faces), and none of its anchors reaches faces of more than about 500 px, so it runs on a fine copy and a
coarse one (see `detector_views`). Its five key points are not used for the roll: they hardly follow it (about 5
degrees for a face that is turned by 30).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fkp_live.faces.detector_views import View, views_of
from fkp_live.images.picture import BgrPicture, as_picture
from fkp_live.inference.metadata import DETECTOR
from fkp_live.inference.session import Session
from fkp_live.types import FaceBox, FloatArray, Image, Picture

STRIDES = (8, 16, 32)
# Least score of a face, and of a candidate, which may be one that is turned in the picture: of wild validation faces
# turned by 60 degrees 60 % have a score of 0.6, and 90 % one of 0.4. Another judge has to say whether it is a face.
SCORE, CANDIDATE_SCORE = 0.6, 0.4
MULTIPLE = 32  # of pixels on each side of the network's input
# Longer side of the reduced picture where no size of face is given: finds faces from a 13th of the picture's side.
WORK_SIZE = 320
# Longer side that the smallest wanted face must have in the reduced picture.
FACE_SIDE = 24.0
# Smallest face of a stream for which none is given: 40 px, but the copy is never larger than 576 px, which finds faces
# from a 24th of the picture's side. Detecting 40 px in every picture cost a 720p clip as much as the landmarks.
USUAL_FACE, USUAL_SIZE = 40.0, 576
# Enlarging more than this finds no further faces.
MAX_ENLARGEMENT = 4.0
# Beyond this reduction a bilinear resize skips too many pixels.
LINEAR_REDUCTION = 6.0

# From YuNet's box to the box of the 68 points, fitted by benchmarks/fit_detector_box.py on 2,078 training
# faces: width and height as shares of YuNet's, and how far the centre lies below YuNet's, as a share of
# YuNet's height. A regression on the five key points as well left 3.5 % of shift (sd) instead of 3.9 and the
# same 5.7 % of scale: not worth its 48 constants.
WIDTH_RATIO, HEIGHT_RATIO, CENTRE_DROP = 1.044, 0.779, 0.125


class FaceDetector(Protocol):
    """A face detector: a picture -> landmark boxes, best score first."""

    def __call__(self, picture: Picture) -> list[FaceBox]: ...


def candidates_of(detector: FaceDetector, picture: Picture) -> list[FaceBox]:
    """A detector's faces and, of one that has them, its candidates: best score first."""
    search: FaceDetector = getattr(detector, "candidates", detector)
    return search(picture)


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """YuNet's own boxes and key points of N faces, best score first.

    Attributes
    ----------
    boxes : (N, 4) float32 x0, y0, x1, y1 in frame pixels, from the hair line to below the chin
    keypoints : (N, 5, 2) float32, frame pixels: right eye, left eye, nose tip, right and left corner of the
        mouth
    scores : (N,) float32 in [0, 1]
    """

    boxes: FloatArray
    keypoints: FloatArray
    scores: FloatArray


def landmark_boxes(boxes: FloatArray) -> FloatArray:
    """YuNet's boxes (N, 4) as boxes tight around the 68 points (N, 4)."""
    size = boxes[:, 2:] - boxes[:, :2]
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + size * np.array([0.0, CENTRE_DROP], np.float32)
    half = size * np.array([WIDTH_RATIO / 2, HEIGHT_RATIO / 2], np.float32)
    return np.concatenate([centre - half, centre + half], 1)


class YuNet:
    """The shipped face detector. Several threads may use it and take turns: buffers are kept between calls.

    Parameters
    ----------
    session : an open ``models/yunet.onnx``
    score : least score of a face, in [0, 1]
    min_face : longer side in frame pixels of the smallest landmark box that must be found; None: the picture is
        reduced to ``work_size``, whatever its size. Small faces in a large picture take time, not memory: such a copy
        is cut into tiles
    work_size : longer side in pixels of the reduced picture where ``min_face`` is None; otherwise of the coarse copy
    most_size : limit of the longer side of the reduced picture, even if ``min_face`` is too small in it; None: no limit
    overlap : of two boxes with a larger intersection over union, the one with the lower score is dropped

    Raises
    ------
    ModelError
        If the session holds another kind of model.
    """

    def __init__(
        self,
        session: Session,
        *,
        score: float = SCORE,
        min_face: float | None = None,
        work_size: int = WORK_SIZE,
        most_size: int | None = None,
        overlap: float = 0.3,
    ) -> None:
        session.require(DETECTOR)
        if not 0.0 < score <= 1.0:
            raise ValueError(f"score is {score}, expected more than 0 and at most 1")
        if min_face is not None and not min_face > 0:
            raise ValueError(f"min_face is {min_face}, expected a positive number of pixels")
        if work_size < MULTIPLE:
            raise ValueError(f"work_size is {work_size}, expected {MULTIPLE} or more")
        self._session = session
        self._input = session.metadata["input"]["name"]
        output = session.metadata["output"]
        self._outputs = (output["score"], output["box"], output["keypoints"])
        self._score = score
        self._min_face = min_face
        self._work_size = work_size
        self._most_size = most_size
        self._overlap = overlap
        self._canvases: dict[tuple[int, int], _Canvas] = {}
        self._lock = threading.Lock()

    def __call__(self, picture: Image | Picture) -> list[FaceBox]:
        """Landmark boxes of the faces in a picture or (H, W, 3) uint8 BGR, best score first."""
        return _face_boxes(self.detect(picture))

    def candidates(self, picture: Image | Picture) -> list[FaceBox]:
        """As a call, and after those boxes others with a score of at least `CANDIDATE_SCORE`."""
        return _face_boxes(self.detect(picture, min(self._score, CANDIDATE_SCORE)))

    def detect(self, picture: Image | Picture, least: float | None = None) -> Detections:
        """YuNet's own boxes and key points, best score first.

        Parameters
        ----------
        picture : a picture, or (H, W, 3) uint8 BGR
        least : score that a box needs; by default that of a face

        Raises
        ------
        ValueError
            If ``picture`` is neither a picture nor (H, W, 3) uint8.
        """
        picture = as_picture(picture)
        least = self._score if least is None else least
        views = self.views(*picture.size)
        with self._lock:
            # Buffers of other sizes go: a folder of photos of many sizes must not fill the memory.
            sizes = {view.size for view in views}
            self._canvases = {size: self._canvases.get(size) or _Canvas(size) for size in sizes}
            found = [self._run(picture, view, least) for view in views]
        boxes, points, scores = (np.concatenate(part) for part in zip(*found, strict=True))
        if len(scores) > 1:
            corners = boxes.copy()
            corners[:, 2:] -= corners[:, :2]
            kept = cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), least, self._overlap)
            order = np.asarray(kept, np.intp).reshape(-1)
            boxes, points, scores = boxes[order], points[order], scores[order]
        return Detections(boxes, points, scores)

    def views(self, width: int, height: int) -> list[View]:
        """The runs that a picture of this size takes."""
        longer = max(width, height)
        coarse = min(self._work_size / longer, MAX_ENLARGEMENT)
        if self._min_face is None:
            return views_of(width, height, coarse, coarse)
        bound = MAX_ENLARGEMENT if self._most_size is None else self._most_size / longer
        fine = min(FACE_SIDE / self._min_face, MAX_ENLARGEMENT, bound)
        return views_of(width, height, fine, coarse)

    def _run(self, picture: Picture, view: View, least: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Boxes (N, 4), key points (N, 5, 2) and scores (N,) that one view gives, overlapping ones included."""
        x0, y0, x1, y1 = view.region
        if (x1 - x0, y1 - y0) != picture.size:
            picture = BgrPicture(picture.bgr()[y0:y1, x0:x1])
        canvas = self._canvases[view.size]
        results = self._session.run({self._input: canvas.fill(picture)}, self._outputs)
        boxes, points, scores = canvas.decode(results, least)
        # YuNet counts from the edge of the first pixel, not from its centre: mirrored pictures move its boxes
        # by half a pixel of the reduced picture to the right, like the others.
        factor = view.factor()
        corner = np.array([x0, y0], np.float32) - 0.5
        boxes = (boxes.reshape(-1, 2, 2) * factor + corner).reshape(-1, 4)
        used = view.uses(boxes)
        return boxes[used], points[used] * factor + corner, scores[used]


def _face_boxes(found: Detections) -> list[FaceBox]:
    boxes = landmark_boxes(found.boxes)
    return [FaceBox(box, float(score)) for box, score in zip(boxes, found.scores, strict=True)]


class _Canvas:
    """Buffers for one size of reduced picture: padded picture, planes, network input, anchor cells."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        width, height = (-(-side // MULTIPLE) * MULTIPLE for side in size)
        self._picture = np.zeros((height, width, 3), np.uint8)
        self._planes = [np.empty((height, width), np.uint8) for _ in range(3)]
        self._input = np.empty((1, 3, height, width), np.float32)
        cells = []
        for stride in STRIDES:
            rows, columns = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
            cells.append(np.stack([columns, rows, np.full_like(rows, stride)], 1))
        # (A, 3): column, row and stride of each anchor, in the network's order.
        self._cells = np.concatenate(cells).astype(np.float32)

    def fill(self, picture: Picture) -> FloatArray:
        """The picture reduced into the upper left corner, as (1, 3, H, W) float32."""
        width, height = self.size
        region = self._picture[:height, :width]
        reduction = max(picture.size[0] / width, picture.size[1] / height)
        method = cv2.INTER_LINEAR if reduction <= LINEAR_REDUCTION else cv2.INTER_AREA
        region[:] = picture.reduced(self.size, method)
        # Two passes, but half the time of one strided copy.
        cv2.split(self._picture, self._planes)
        for channel, plane in enumerate(self._planes):
            self._input[0, channel] = plane
        return self._input

    def decode(self, results: Sequence[NDArray[np.float32]], least: float) -> tuple[FloatArray, ...]:
        """Boxes (N, 4), key points (N, 5, 2), both in pixels of the reduced picture, and scores (N,)."""
        scores, boxes, points = (result[0] for result in results)
        chosen = np.flatnonzero(scores[:, 0] >= least)
        cells, stride = self._cells[chosen, :2], self._cells[chosen, 2:]
        centre = (cells + boxes[chosen, :2]) * stride
        half = np.exp(boxes[chosen, 2:]) * stride / 2
        keypoints = (points[chosen].reshape(-1, 5, 2) + cells[:, None]) * stride[:, None]
        return np.concatenate([centre - half, centre + half], 1), keypoints, scores[chosen, 0]
