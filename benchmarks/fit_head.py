"""Makes the mean head (fkp_live/assets/head.npz): the 68 points in three dimensions.

    python -m benchmarks.fit_head --data ../shared/data [--write]

From the photos of ``benchmarks/fit_pose.py`` (even rows), with the points and poses that the product itself finds:
under weak perspective the points of every face are scale, rotation and shift of one head, plus each
person's own shape.
The head is the least-squares solution over all faces and their mirror images, found in turn with scales and shifts.
Odd rows judge it: the error of the points that the head, posed by the product, predicts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import fkp_live
from benchmarks.fit_pose import Array, read_faces
from benchmarks.script import run
from fkp_live.faces.head_pose import head_pose
from fkp_live.geometry import rotation_of
from fkp_live.pipeline import FaceLandmarker
from fkp_live.topology import LEFT_EYE_OUTER, MIRROR, NOSE_TIP, RIGHT_EYE_OUTER

WITHIN = np.radians(45.0)  # of yaw and pitch: beyond, points and poses are guesses
_ROUNDS = 30


def rotations(points: Array) -> Array:
    """(N, 2, 3): the first two rows of each face's rotation, by the product's own pose."""
    poses = [head_pose(face) for face in points]
    return np.array([rotation_of(pose.pitch, pose.yaw, pose.roll)[:2] for pose in poses])


def near(points: Array) -> Array:
    """The faces whose pose is within `WITHIN`."""
    poses = [head_pose(face) for face in points]
    return points[[abs(pose.yaw) <= WITHIN and abs(pose.pitch) <= WITHIN for pose in poses]]


def placed(turned: Array, points: Array) -> tuple[Array, Array]:
    """Scales (N, 1, 1) and shifts (N, 1, 2) that bring turned heads (N, 68, 2) onto points (N, 68, 2)."""
    centred = turned - turned.mean(1, keepdims=True)
    target = points - points.mean(1, keepdims=True)
    scale = (centred * target).sum((1, 2), keepdims=True) / (centred**2).sum((1, 2), keepdims=True)
    return scale, points.mean(1, keepdims=True) - scale * turned.mean(1, keepdims=True)


def fit(points: Array) -> Array:
    """The mean head (68, 3): axes as `geometry.rotation_of` has them, nose tip at 0, outer eye corners 1 apart."""
    points = np.concatenate([points, points[:, MIRROR] * [-1.0, 1.0]])
    turns = rotations(points)
    head = np.c_[points.mean(0) - points.mean((0, 1)), np.zeros(68)]
    for _ in range(_ROUNDS):
        scale, shift = placed(head @ turns.transpose(0, 2, 1), points)
        rows = turns.reshape(-1, 3)
        seen = ((points - shift) / scale).transpose(0, 2, 1).reshape(-1, 68)
        head = np.linalg.lstsq(rows, seen, rcond=None)[0].T
        head = (head + head[MIRROR] * [-1.0, 1.0, 1.0]) / 2
        head -= head[NOSE_TIP]
        head /= head[LEFT_EYE_OUTER, 0] - head[RIGHT_EYE_OUTER, 0]
    return head


def error(head: Array, points: Array) -> float:
    """Mean distance of predicted from found points, in units of the head: distances of its outer eye corners."""
    turned = head @ rotations(points).transpose(0, 2, 1)
    scale, shift = placed(turned, points)
    return float((np.linalg.norm(scale * turned + shift - points, axis=2) / scale[:, 0]).mean())


def main() -> None:
    """Fits, judges and prints."""
    parser = argparse.ArgumentParser(description="fit and judge the mean head")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds pose/")
    parser.add_argument("--write", action="store_true", help="write fkp_live/assets/head.npz")
    options = parser.parse_args()
    points = read_faces(options.data / "pose", FaceLandmarker(provider="cpu", model="fkp68"))[0].points
    used, judged = near(points[::2]), near(points[1::2])
    head = fit(used)
    flat = head * [1.0, 1.0, 0.0]
    print(f"{len(used)} faces to fit, {len(judged)} to judge")
    deep, shallow = (100 * error(which, judged) for which in (head, flat))
    print(f"mean error {deep:.2f} % of the eye distance, without depth {shallow:.2f} %")
    print(f"depth of the ears behind the nose tip: {head[[0, 16], 2].mean():.2f} eye distances")
    if options.write:
        target = Path(fkp_live.__file__).parent / "assets" / "head.npz"
        np.savez(target, head=head.astype(np.float32))
        print(f"written: {target}")


if __name__ == "__main__":
    run(main)
