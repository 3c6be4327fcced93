"""Landmark network: 68 points of every face of a picture, in one run."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fkp_live import geometry
from fkp_live.geometry import CropSpec, Matrix
from fkp_live.images.picture import as_picture
from fkp_live.inference.metadata import LANDMARKS
from fkp_live.inference.session import Session
from fkp_live.topology import N_POINTS
from fkp_live.types import FloatArray, Image, Landmarks, Picture


class LandmarkNetwork:
    """A network of schema ``fkp-landmarks/1``.

    Several threads may use it and take turns: buffers are kept between calls.

    Parameters
    ----------
    session : an open landmark model

    Attributes
    ----------
    spec : the crop that the network was trained on
    knows_turned : how much of it learnt from turned faces, 0 to 1; see `hidden_points.seen_confidence`

    Raises
    ------
    ModelError
        If the session holds another kind of model.
    """

    def __init__(self, session: Session) -> None:
        session.require(LANDMARKS)
        self._session = session
        self._input = session.metadata["input"]["name"]
        output = session.metadata["output"]
        self._outputs = (output["points"], output["confidence"])
        size = int(session.metadata["input"]["size"])
        self.spec = CropSpec(size, float(session.metadata["crop"]["margin"]))
        said = session.metadata.get("confidence")
        share = said.get("turned") if isinstance(said, dict) else None
        # True, or of a mean of two networks a share. NaN fails the comparison.
        self.knows_turned = float(share) if isinstance(share, (int, float)) and 0 <= share <= 1 else 0.0
        self._batch = np.empty((1, 3, size, size), np.float32)
        self._planes = [np.empty((size, size), np.uint8) for _ in range(3)]
        self._lock = threading.Lock()

    def __call__(self, picture: Image | Picture, boxes: ArrayLike) -> Landmarks:
        """Points of the faces in ``boxes``, in one batched run.

        Parameters
        ----------
        picture : a picture, or (H, W, 3) uint8 BGR
        boxes : (N, 4) or (4,) x0, y0, x1, y1 in frame pixels, each tight around the 68 points to about 10 %; a
            box may reach beyond the picture

        Raises
        ------
        ValueError
            If the picture or a box is not of this form, or a box has no area.
        """
        matrices = [geometry.crop_matrix(box, self.spec) for box in check_boxes(boxes)]
        return self.run_matrices(picture, matrices)

    def run_matrices(self, picture: Image | Picture, matrices: Sequence[Matrix]) -> Landmarks:
        """Points in the crops that affines give, in one batched run.

        Parameters
        ----------
        picture : a picture, or (H, W, 3) uint8 BGR
        matrices : N affines (2, 3) from frame pixels to crop pixels, rotations included
        """
        picture = as_picture(picture)
        if not matrices:
            return Landmarks(np.empty((0, N_POINTS, 2), np.float32), np.empty((0, N_POINTS), np.float32))
        with self._lock:
            points, confidence = self._session.run(
                {self._input: self._fill(picture, matrices)}, self._outputs
            )
        return Landmarks(geometry.apply(geometry.invert(np.stack(matrices)), points), confidence)

    def _fill(self, picture: Picture, matrices: Sequence[Matrix]) -> FloatArray:
        """The crops as (N, 3, S, S) float32, in a buffer that the next call overwrites."""
        count, size = len(matrices), self.spec.size
        if count > len(self._batch):
            self._batch = np.empty((count, *self._batch.shape[1:]), np.float32)
        for target, matrix in zip(self._batch, matrices, strict=False):
            # Splitting bytes and widening plane by plane is the fastest way from HWC uint8 to CHW float32: 7
            # us at 112x112, where one transposed copy takes 16 and blobFromImage 19.
            cv2.split(picture.warp(matrix, size), self._planes)
            for channel, plane in enumerate(self._planes):
                target[channel] = plane
        return self._batch[:count]


def check_boxes(boxes: ArrayLike) -> FloatArray:
    """Boxes as (N, 4) float32; ValueError unless they are finite numbers and have an area."""
    try:
        array: NDArray[np.float32] = np.asarray(boxes, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"boxes are not numbers of shape (N, 4): {error}") from None
    if array.size == 0:
        return np.empty((0, 4), np.float32)
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"boxes have shape {array.shape}, expected (N, 4) or (4,): x0, y0, x1, y1")
    wrong = ~np.isfinite(array).all(1) | (array[:, 2] <= array[:, 0]) | (array[:, 3] <= array[:, 1])
    if wrong.any():
        number = int(wrong.argmax())
        raise ValueError(
            f"box {number} is {array[number].tolist()}, expected four finite numbers with x0 < x1 and y0 < y1"
        )
    return array
