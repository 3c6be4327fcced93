"""A face of 68 points for tests that need no picture, and a world of such faces that plays the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fkp_live import geometry
from fkp_live.geometry import CropSpec
from fkp_live.types import FaceBox, Landmarks

SPEC = CropSpec(112, 0.125)


def _frontal() -> np.ndarray:
    """A frontal face, the outer eye corners 1 apart, the origin between them; y points down."""
    angle = np.linspace(np.pi, 0.0, 17)
    jaw = np.stack([0.82 * np.cos(angle), 0.05 + 1.15 * np.sin(angle)], 1)
    x = np.linspace(-0.68, -0.16, 5)
    right_brow = np.stack([x, -0.3 - 0.12 * np.sin(np.linspace(0.2, np.pi - 0.4, 5))], 1)
    left_brow = right_brow[::-1] * [-1, 1]
    bridge = np.stack([np.zeros(4), np.linspace(0.0, 0.42, 4)], 1)
    base = np.stack([np.linspace(-0.18, 0.18, 5), 0.52 + np.array([0.0, 0.04, 0.06, 0.04, 0.0])], 1)
    right_eye = np.array(
        [[-0.5, 0], [-0.4, -0.06], [-0.29, -0.06], [-0.19, 0.02], [-0.29, 0.05], [-0.4, 0.05]]
    )
    left_eye = right_eye[[3, 2, 1, 0, 5, 4]] * [-1, 1]
    turn = np.linspace(np.pi, -np.pi, 13)[:-1]
    outer = np.stack([0.3 * np.cos(turn), 0.82 - 0.13 * np.sin(turn)], 1)
    turn = np.linspace(np.pi, -np.pi, 9)[:-1]
    inner = np.stack([0.24 * np.cos(turn), 0.82 - 0.02 * np.sin(turn)], 1)
    return np.concatenate([jaw, right_brow, left_brow, bridge, base, right_eye, left_eye, outer, inner])


FRONTAL = _frontal()


def face_at(x: float, y: float, eye_distance: float = 60.0, roll: float = 0.0) -> np.ndarray:
    """(68, 2) float32 points of a frontal face with its eyes around x, y; ``roll`` clockwise, in radians."""
    turned = geometry.apply(geometry.rotation(roll), FRONTAL)
    return (turned * eye_distance + [x, y]).astype(np.float32)


@dataclass
class World:
    """Detector and landmark network of a scene that a test moves by hand.

    Attributes
    ----------
    faces : points (68, 2) of every visible face
    hidden : whether the detector misses them all
    looks, runs : how often the detector looked and the network ran
    """

    faces: Sequence[np.ndarray] = ()
    hidden: bool = False
    noise: float = 0.0
    looks: int = 0
    runs: int = 0
    spec: CropSpec = SPEC
    matrices: list[np.ndarray] = field(default_factory=list)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def detector(self, image: np.ndarray) -> list[FaceBox]:
        """Boxes of all faces, as `FaceDetector`."""
        self.looks += 1
        return [] if self.hidden else [FaceBox(geometry.box_of(face), 0.9) for face in self.faces]

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> Landmarks:
        """As `LandmarkNetwork`."""
        return self.run_matrices(image, [geometry.crop_matrix(box, self.spec) for box in boxes])

    def run_matrices(self, image: np.ndarray, matrices: Sequence[np.ndarray]) -> Landmarks:
        """The face nearest to the middle of each crop, if one fits the crop's size; else no confidence."""
        self.runs += 1
        self.matrices = list(matrices)
        points, confidence = [], []
        for matrix in matrices:
            centre = geometry.apply(geometry.invert(matrix), [[self.spec.size / 2, self.spec.size / 2]])[0]
            side = self.spec.size / geometry.scale_of(matrix)
            here = [
                face
                for face in self.faces
                if np.linalg.norm(_centre(face) - centre) < side / 3
                and 0.3 * side < np.ptp(face, 0).max() < side
            ]
            nearest = min(here, key=lambda face: np.linalg.norm(_centre(face) - centre)) if here else None
            found = face_at(*centre, side / 3) if nearest is None else nearest
            points.append(found + self.noise * self.random.standard_normal((68, 2)))
            confidence.append(np.full(68, 0.95 if nearest is not None else 0.1))
        return Landmarks(
            np.array(points, np.float32).reshape(-1, 68, 2), np.array(confidence, np.float32).reshape(-1, 68)
        )


def _centre(points: np.ndarray) -> np.ndarray:
    return (points.min(0) + points.max(0)) / 2
