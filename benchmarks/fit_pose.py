"""Makes the map from the 68 points to head pose (fkp_live/assets/pose.npz) and judges it.

    python -m benchmarks.fit_pose --data ../shared/data [--write]

Photos and angles: AFLW2000-3D (X. Zhu et al., "Face Alignment Across Large Poses", CVPR 2016), ``pose/`` of
the data folder. Rows with an even number calibrate, rows with an odd number judge; what is tuned (number of
components, strength of the ridge) is tuned by cross-validation inside the even ones. Points come from the
shipped landmark network, the way the product gets them: its detector's box, or where that finds nothing the
box of the file, then a second look.

Signs of the file, as seen on the photos: pitch is positive when the head looks up and roll when it tilts
clockwise, as ours; yaw is positive when it turns to the left edge of the picture, against ours.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import fkp_live
from benchmarks.script import result_file, run
from fkp_live.faces.crop_follower import level_matrix
from fkp_live.faces.head_pose import PoseMap, align, features
from fkp_live.geometry import iou
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import FaceLandmarker
from fkp_live.topology import MIRROR

SIGNS = np.array([1.0, -1.0, 1.0])  # pitch, yaw, roll of the file -> ours
WITHIN = 60.0
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Faces:
    """Points (N, 68, 2) and angles (N, 3) in radians: pitch, yaw, roll, our signs."""

    points: Array
    angles: Array

    def part(self, chosen: NDArray[np.bool_]) -> Faces:
        """The chosen ones."""
        return Faces(self.points[chosen], self.angles[chosen])

    def mirrored(self) -> Faces:
        """These and their mirror images."""
        flipped = self.points[:, MIRROR] * [-1.0, 1.0]
        return Faces(
            np.concatenate([self.points, flipped]), np.concatenate([self.angles, self.angles * [1, -1, -1]])
        )


def read_faces(folder: Path, landmarker: FaceLandmarker) -> tuple[Faces, int]:
    """Every photo of ``pose/`` with its points, and how many the detector found by itself."""
    points, angles, found = [], [], 0
    with (folder / "pose.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            image = np.asarray(cv2.imread(str(folder / "images" / row["image"])), np.uint8)
            box = np.array([float(row[f"pt2d_{k}"]) for k in ("x0", "y0", "x1", "y1")], np.float32)
            finds = landmarker.engine.detector(BgrPicture(image))
            overlaps = [float(iou(find.box, box)[0, 0]) for find in finds]
            if overlaps and max(overlaps) > 0.3:
                box, found = finds[int(np.argmax(overlaps))].box, found + 1
            face = landmarker.landmarks(image, box[None])[0]
            again = landmarker.engine.network.run_matrices(
                image, [level_matrix(face, landmarker.engine.network.spec)]
            )
            points.append(again.points[0])
            angles.append([float(row[f"{k}_deg"]) for k in ("pitch", "yaw", "roll")])
    return Faces(np.array(points, np.float64), np.radians(angles) * SIGNS), found


def mean_face(points: Array) -> NDArray[np.complex128]:
    """Mean shape (68,) complex of (N, 68, 2), centred, of length 1, eyes level."""
    shapes = points[..., 0] + 1j * points[..., 1]
    shapes -= shapes.mean(1, keepdims=True)
    mean = shapes[0]
    for _ in range(20):
        turned = shapes * np.conj(shapes @ np.conj(mean))[:, None]
        mean = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).mean(0)
        across = mean[42:48].mean() - mean[36:42].mean()
        mean *= abs(across) / across / np.linalg.norm(mean)
    return np.asarray(mean)


def fit(faces: Faces, components: int, ridge: float) -> PoseMap:
    """Ridge regression of the angles on the leading components of the shapes, their squares and products."""
    mean = mean_face(faces.points)
    turns, shapes = zip(*(align(points, mean) for points in faces.points), strict=True)
    stacked = np.array(shapes)
    values, directions = np.linalg.eigh(stacked.T @ stacked / len(stacked))
    leading = (directions[:, ::-1] / np.sqrt(np.maximum(values[::-1], 1e-12)))[:, :components].T
    inputs = np.array([features(leading @ shape) for shape in stacked])
    targets = faces.angles.copy()
    targets[:, 2] -= turns
    targets[:, 2] = np.remainder(targets[:, 2] + np.pi, 2 * np.pi) - np.pi
    penalty = np.full(inputs.shape[1], ridge * len(inputs))
    penalty[0] = 0.0
    penalty[1 : 1 + components] *= 0.1  # the linear part is trusted more than the products
    weights = np.linalg.solve(inputs.T @ inputs + np.diag(penalty), inputs.T @ targets)
    return PoseMap(mean, leading, weights)


def errors(pose_map: PoseMap, faces: Faces) -> Array:
    """Absolute errors (N, 3) in degrees."""
    poses = [pose_map(points) for points in faces.points]
    angles = np.array([[pose.pitch, pose.yaw, pose.roll] for pose in poses])
    return np.degrees(np.abs(np.remainder(angles - faces.angles + np.pi, 2 * np.pi) - np.pi))


def cross_validated(faces: Faces, components: int, ridge: float, folds: int = 10) -> Array:
    """Mean error in degrees of each face within 60 degrees of yaw, judged by a map that did not see it."""
    fold = np.arange(len(faces.points)) % folds
    near = np.abs(faces.angles[:, 1]) <= np.radians(WITHIN)
    parts = []
    for k in range(folds):
        pose_map = fit(faces.part(fold != k).mirrored(), components, ridge)
        parts.append(errors(pose_map, faces.part((fold == k) & near)))
    return np.asarray(np.concatenate(parts).mean(1))


def plainest(scores: dict[tuple[int, float], Array]) -> tuple[int, float]:
    """The fewest components, then the strongest ridge, within a standard error of the least mean (L. Breiman et al.,
    "Classification and Regression Trees", 1984): the best alone took twists of 200 faces for the shape of a head."""
    best = min(scores.values(), key=lambda errors: float(errors.mean()))
    bound = best.mean() + best.std() / np.sqrt(len(best))
    return min((choice for choice in scores if scores[choice].mean() <= bound), key=lambda c: (c[0], -c[1]))


def main() -> None:
    """Fits, judges and prints."""
    parser = argparse.ArgumentParser(description="fit and judge the map from points to head pose")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds pose/")
    parser.add_argument("--model", help="landmark network (default: the shipped one)")
    parser.add_argument("--write", action="store_true", help="write fkp_live/assets/pose.npz")
    parser.add_argument("--json", type=result_file, help="write the figures here")
    options = parser.parse_args()

    faces, found = read_faces(options.data / "pose", FaceLandmarker(provider="cpu", model=options.model))
    even = np.arange(len(faces.points)) % 2 == 0
    near = np.abs(faces.angles[:, 1]) <= np.radians(WITHIN)
    calibrate = faces.part(even)
    grid = [(k, ridge) for k in (3, 4, 5, 6, 8, 10) for ridge in (0.03, 0.1, 0.3, 1.0, 3.0)]
    scores = {choice: cross_validated(calibrate, *choice) for choice in grid}
    components, ridge = plainest(scores)
    pose_map = fit(calibrate.mirrored(), components, ridge)

    print(f"{found} of {len(faces.points)} faces found by the detector, the others given by the file's box")
    print(
        f"{components} components, ridge {ridge}: {scores[components, ridge].mean():.2f} degrees cross-validated"
    )
    figures = {}
    print(f"{'rows':34s} {'faces':>5s} {'pitch':>6s} {'yaw':>6s} {'roll':>6s} {'mean':>6s}  degrees")
    for name, rows in (
        ("calibrate (even), yaw to 60", even & near),
        ("judge (odd), yaw to 60", ~even & near),
        ("judge (odd), yaw beyond 60", ~even & ~near),
        ("judge (odd), all", ~even),
    ):
        by_angle = errors(pose_map, faces.part(rows)).mean(0)
        figures[name] = dict(
            zip(("pitch", "yaw", "roll"), by_angle.tolist(), strict=True), mean=by_angle.mean()
        )
        print(f"{name:34s} {rows.sum():5d} " + " ".join(f"{v:6.2f}" for v in (*by_angle, by_angle.mean())))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    if options.write:
        target = Path(fkp_live.__file__).parent / "assets" / "pose.npz"
        target.parent.mkdir(exist_ok=True)
        np.savez(
            target,
            mean=pose_map.mean,
            components=pose_map.components.astype(np.float32),
            weights=pose_map.weights,
        )
        print(f"written: {target}")


if __name__ == "__main__":
    run(main)
