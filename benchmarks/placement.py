"""Where a rival is shown a face whose box is given: its own detector's habit, learnt on training faces.

A landmark model expects the face where its own detector puts it, so a box around the true points would be unfair
to it. Its square is measured on faces that the rival found by itself (medians), and then the best for it, in NME
raw on the same faces, of sixteen squares around that.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from benchmarks.rivals import Rivals
from fkp_live import metrics
from fkp_live.errors import FkpError
from fkp_live.geometry import apply, box_of, iou, rotation
from fkp_live.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from train.data.faces import FaceSet

SAME_FACE = 0.3  # as train.evaluate.evaluation has it
# A rival's square is tuned on training faces: its own, and these times as large and so much lower.
SIDES, DOWNS = (0.9, 1.0, 1.1, 1.2), (-0.05, 0.0, 0.05, 0.1)
WORST = 30.0  # NME in %; what one training face may weigh in that


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a rival looks for the points of a face, relative to the box of its true points.

    Attributes
    ----------
    side : of its square, in units of the box (the root of width times height)
    right, down : from the box's centre to the square's, in the same units
    level : whether the square is turned with the eyes; box, right and down are then those of the turned face
    """

    side: float
    right: float
    down: float
    level: bool

    @staticmethod
    def _angle(truth: ArrayLike, level: bool) -> float:
        if not level:
            return 0.0
        across = np.subtract(np.asarray(truth)[LEFT_EYE_OUTER], np.asarray(truth)[RIGHT_EYE_OUTER])
        return float(np.arctan2(across[1], across[0]))

    @classmethod
    def fit(cls, truths: Sequence[ArrayLike], regions: Sequence[ArrayLike], level: bool) -> Placement:
        """From true points (68, 2) and the regions (5,) that the rival itself took for these faces."""
        rows = []
        for truth, region in zip(truths, regions, strict=True):
            upright = rotation(-cls._angle(truth, level))
            box = box_of(apply(upright, truth))
            unit = np.sqrt((box[2:] - box[:2]).prod())
            x, y, width, height, _ = np.asarray(region, np.float64)
            away = apply(upright, [[x, y]])[0] - (box[:2] + box[2:]) / 2
            rows.append([np.sqrt(width * height) / unit, *(away / unit)])
        side, right, down = np.median(rows, axis=0)
        return cls(float(side), float(right), float(down), level)

    def region(self, truth: ArrayLike) -> list[float]:
        """The square for a face: centre x and y, width, height in pixels, angle in radians."""
        angle = self._angle(truth, self.level)
        box = box_of(apply(rotation(-angle), truth))
        unit = float(np.sqrt((box[2:] - box[:2]).prod()))
        centre = (box[:2] + box[2:]) / 2 + unit * np.array([self.right, self.down])
        x, y = apply(rotation(angle), [centre])[0].tolist()
        return [x, y, self.side * unit, self.side * unit, angle]


def matching(faces: NDArray[np.float64], truth: ArrayLike) -> int | None:
    """Which of (N, 68, 2) is the labelled face, if any."""
    if not len(faces):
        return None
    overlap = iou(box_of(faces), box_of(truth))[:, 0]
    best = int(overlap.argmax())
    return best if overlap[best] >= SAME_FACE else None


def place(name: str, rivals: Rivals, faces: FaceSet) -> Placement:
    """Where a rival looks for the points of faces that it finds by itself, or near there if that serves it better."""
    truths, regions = [], []
    for number in tqdm(range(len(faces)), desc=f"placing {name}", file=sys.stderr, disable=None):
        answer = rivals.ask(name, "regions", faces.image(number))
        face = matching(answer.faces, faces.points[number])
        if face is not None:
            truths.append(faces.points[number])
            regions.append(answer.regions[face])
    if not truths:
        raise FkpError(f"{name} finds none of {len(faces)} training faces", "Use more with --placing.")
    own = Placement.fit(truths, regions, level=name.startswith("mediapipe"))
    grid = [replace(own, side=own.side * s, down=own.down + d) for s in SIDES for d in DOWNS]
    errors = np.zeros(len(grid))
    for number in tqdm(range(len(faces)), desc=f"tuning {name}", file=sys.stderr, disable=None):
        image, truth = faces.image(number), faces.points[number]
        for choice, placement in enumerate(grid):
            said = rivals.ask(name, "box", image, placement.region(truth)).faces
            nme = float(metrics.nme(said, truth[None])[0]) if len(said) else np.inf
            errors[choice] += min(nme, WORST)
    return grid[int(errors.argmin())]
