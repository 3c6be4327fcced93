"""Makes the map from the 68 points to head pose (fkp_live/assets/pose.npz) and judges it.

    python -m benchmarks.fit_pose --data ../shared/data [--write]

Photos and angles: AFLW2000-3D (X. Zhu et al., "Face Alignment Across Large Poses", CVPR 2016), ``pose/`` and
``hard/merl_aflw/`` of the data folder. Points come from a shipped landmark network, the way the product gets them: for
``pose/`` those of `FaceLandmarker`, or where that finds nothing in the box of the file. Hand labels of points are not
used.

Judged are the photos of ``pose/``, by nested cross-validation: photos are put in the order of their numbers in AFLW, in
which faces of one photo and photos of one person are neighbours, and cut into blocks; each block is judged by a map
that saw nothing of it, with the setting that did best in a cross-validation inside the other blocks. Standard
deviations are judged by a fit on the errors of the other blocks.

Signs of the file, as seen on the photos: pitch is positive when the head looks up and roll when it tilts clockwise, as
ours; yaw is positive when it turns to the left edge of the picture, against ours. The order of angles is the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

import fkp_live
from benchmarks.script import result_file, run
from fkp_live.arguments import file_path
from fkp_live.faces.head_pose import PoseMap, align, features, spread_features
from fkp_live.geometry import iou, rotation_of
from fkp_live.pipeline import FaceLandmarker
from fkp_live.topology import MIRROR, N_POINTS
from train.data.faces import box_of_labelled
from train.data.hard import read_hard

SIGNS = np.array([1.0, -1.0, 1.0])  # pitch, yaw, roll of the file -> ours
WITHIN, FOLDS, INNER = 60.0, 10, 5
# Angles beyond are fits that failed.
_MOST = 99.0
# Spread of the first component: how far shapes go before their products are bounded.
_SPREAD = 1 / 1.5
# Rounds of reweighting, and the error below which no face counts more.
_ROUNDS, _SMALL = 6, 0.05
# Degrees: faces that the mean head is made of, and how it is turned.
_FRONTAL = 40.0
_PITCHES, _YAWS = (-30.0, -15.0, 0.0, 15.0, 30.0), tuple(np.linspace(-90.0, 90.0, 19).tolist())
# Share of errors within one standard deviation of a normal distribution.
_ONE_SD = 0.6827
# Degrees of yaw that figures are printed for.
_EDGES = ((0, WITHIN), (0, 15), (15, 30), (30, 45), (45, 60), (60, 75), (75, 180), (0, 180))
Array = NDArray[np.float64]


class Setting(NamedTuple):
    """How many components, and the strength of the ridge."""

    components: int
    ridge: float


# A weaker ridge gains nothing and makes the pitch shake more.
SETTINGS = [Setting(components, ridge) for components in (12, 16, 24) for ridge in (0.02, 0.05, 0.15)]


@dataclass(frozen=True)
class Faces:
    """Points (N, 68, 2), angles (N, 3) of `Pose` in degrees, and numbers (N,) of the photos."""

    points: Array
    angles: Array
    photos: NDArray[np.int64]

    def part(self, chosen: NDArray[np.bool_]) -> Faces:
        """The chosen ones."""
        return Faces(self.points[chosen], self.angles[chosen], self.photos[chosen])


def read_faces(folder: Path, landmarker: FaceLandmarker) -> tuple[Faces, int]:
    """Every photo of ``pose/`` with its points, and how many the detector found by itself."""
    points, found = [], 0
    rows = _rows(folder)
    for row in rows:
        image = np.asarray(cv2.imread(str(folder / "images" / row["image"])), np.uint8)
        box = np.array([float(row[f"pt2d_{k}"]) for k in ("x0", "y0", "x1", "y1")], np.float32)
        faces = landmarker(image)
        overlaps = [float(iou(face.box, box)[0, 0]) for face in faces]
        if overlaps and max(overlaps) > 0.3:
            points.append(faces[int(np.argmax(overlaps))].points)
            found += 1
        else:
            points.append(landmarker.landmarks(image, box[None])[0])
    return _faces(rows, points), found


def read_hard_faces(folder: Path, landmarker: FaceLandmarker) -> Faces:
    """The photos of ``hard/merl_aflw/`` in the boxes of their labels; without those whose angles failed."""
    faces, poses = read_hard(folder, "hard_aflw"), {row["image"]: row for row in _rows(folder)}
    rows, points = [], []
    for number, name in enumerate(faces.names):
        if max(abs(float(poses[name][f"{k}_deg"])) for k in ("pitch", "yaw", "roll")) > _MOST:
            continue
        rows.append(poses[name])
        box = box_of_labelled(faces.points[number])
        points.append(landmarker.landmarks(faces.image(number), box[None])[0])
    return _faces(rows, points)


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "pose.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _faces(rows: list[dict[str, str]], points: list[NDArray[np.float32]]) -> Faces:
    degrees = np.array([[float(row[f"{k}_deg"]) for k in ("pitch", "yaw", "roll")] for row in rows]) * SIGNS
    photos = np.array([int(re.sub(r"\D", "", row["image"])) for row in rows])
    return Faces(np.array(points, np.float64), degrees, photos)


def rotations(degrees: Array) -> Array:
    """(N, 3, 3) of pitch, yaw and roll (N, 3)."""
    return np.array([rotation_of(*each) for each in np.radians(degrees).tolist()])


def blocks(photos: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(N,) number of each photo's block: neighbours, the same photo above all, lie in the same one."""
    known, places = np.unique(photos, return_inverse=True)
    return np.asarray(places * count // len(known))


def _mirrored(shapes: Array) -> Array:
    return (shapes.reshape(-1, N_POINTS, 2)[:, MIRROR] * [-1.0, 1.0]).reshape(len(shapes), -1)


def mean_face(points: Array) -> NDArray[np.complex128]:
    """Mean shape (68,) complex of (N, 68, 2) and their mirror images, centred, of length 1, eyes level."""
    shapes = points[..., 0] + 1j * points[..., 1]
    shapes -= shapes.mean(1, keepdims=True)
    mean = shapes[0]
    for _ in range(20):
        turned = shapes * np.conj(shapes @ np.conj(mean))[:, None]
        mean = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).mean(0)
        across = mean[42:48].mean() - mean[36:42].mean()
        mean *= abs(across) / across / np.linalg.norm(mean)
        mean = (mean - np.conj(mean[list(MIRROR)])) / 2
        mean /= np.linalg.norm(mean)
    return np.asarray(mean)


def turned_heads(faces: Faces) -> Faces:
    """A mean head of these faces, turned up to 90 degrees, so that the map goes on where photos are few.

    The head is the least-squares one of the faces within `_FRONTAL` degrees by their labels, as in ``fit_head.py``.
    """
    frontal = faces.part(np.abs(faces.angles)[:, :2].max(1) < _FRONTAL)
    seen_from = rotations(frontal.angles)[:, :2]
    points = frontal.points - frontal.points.mean(1, keepdims=True)
    head = np.c_[points.mean(0), np.zeros(N_POINTS)]
    for _ in range(30):
        turned = head @ seen_from.transpose(0, 2, 1)
        scale = (turned * points).sum((1, 2), keepdims=True) / np.square(turned).sum((1, 2), keepdims=True)
        seen = (points / scale).transpose(0, 2, 1).reshape(-1, N_POINTS)
        head = np.linalg.lstsq(seen_from.reshape(-1, 3), seen, rcond=None)[0].T
        head = (head + head[list(MIRROR)] * [-1.0, 1.0, 1.0]) / 2
        head = head - head.mean(0)
    angles = np.array([[pitch, yaw, 0.0] for pitch in _PITCHES for yaw in _YAWS])
    points = 100 * head @ rotations(angles)[:, :2].transpose(0, 2, 1)
    return Faces(points, angles, np.zeros(len(angles), np.int64))


class Lesson(NamedTuple):
    """Faces and turned mean heads as a map learns them, and their mirror images.

    Shapes (N, 136) of `align`, first two rows (N, 6) of their rotations with the turn in the picture taken off, and the
    mean face.
    """

    shapes: Array
    rows: Array
    mean: NDArray[np.complex128]


def lesson(faces: Faces, mean: NDArray[np.complex128]) -> Lesson:
    """What is to be learnt of the faces."""
    shapes, rows = [], []
    faces = joined([faces, turned_heads(faces)])
    for points, rotation in zip(faces.points, rotations(faces.angles), strict=True):
        turn, shape = align(points, mean)
        assert shape is not None
        shapes.append(shape)
        rows.append((rotation_of(0, 0, -turn) @ rotation)[:2].ravel())
    both = np.concatenate([shapes, _mirrored(np.array(shapes))])
    return Lesson(both, np.concatenate([rows, np.array(rows) * [1, -1, -1, -1, 1, 1]]), mean)


def fit(lesson: Lesson, setting: Setting) -> PoseMap:
    """A map without spreads, by ridge regression of lengths of differences, not of squares: some labels are wrong."""
    shapes, rows, mean = lesson
    directions = np.linalg.eigh(shapes.T @ shapes)[1][:, ::-1][:, : setting.components].T
    components = (directions * _SPREAD / (shapes @ directions[0]).std()).round(4)
    inputs = np.array([features(components @ shape) for shape in shapes])
    penalty = np.diag(np.r_[1e-6, np.full(inputs.shape[1] - 1, 2 * setting.ridge)])
    weights = np.ones((len(rows), 1))
    for _ in range(_ROUNDS):
        found = np.linalg.solve((weights * inputs).T @ inputs + penalty, (weights * inputs).T @ rows).round(4)
        lengths = np.linalg.norm(inputs @ found - rows, axis=1, keepdims=True)
        weights = 1 / np.maximum(lengths, _SMALL)
        weights /= weights.mean()
    return PoseMap(mean, components, found, np.zeros((5, 3)))


def chosen(lessons: list[tuple[Lesson, Faces]]) -> Setting:
    """The setting with the least error up to `WITHIN` degrees, learnt from each lesson and judged by its faces."""
    errors = {
        setting: np.mean([_error(fit(lesson, setting), held_out) for lesson, held_out in lessons])
        for setting in SETTINGS
    }
    return min(errors, key=lambda setting: errors[setting])


def _error(pose_map: PoseMap, faces: Faces) -> float:
    near = faces.part(np.abs(faces.angles[:, 1]) <= WITHIN)
    return float(off(pose_map, near).mean())


def off(pose_map: PoseMap, faces: Faces) -> Array:
    """Absolute errors (N, 3) in degrees."""
    poses = [pose_map(points) for points in faces.points]
    found = np.degrees([[pose.pitch, pose.yaw, pose.roll] for pose in poses])
    return np.abs(np.remainder(found - faces.angles + 180, 360) - 180)


def fit_spread(features: Array, errors: Array) -> Array:
    """(F, 3) so that 68 % of the errors (N, 3), in degrees, lie under ``exp(features @ spread)`` radians.

    Quantile regression of their logarithms (R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 1978).
    """
    logs, spread = (
        np.log(np.maximum(np.radians(errors), 1e-5)),
        np.zeros((features.shape[1], errors.shape[1])),
    )
    spread[0] = np.quantile(logs, _ONE_SD, axis=0)
    for column in range(errors.shape[1]):
        for _ in range(200):  # by weighted least squares
            rest = logs[:, column] - features @ spread[:, column]
            weights = np.where(rest > 0, _ONE_SD, 1 - _ONE_SD) / np.maximum(np.abs(rest), 1e-2)
            left = (features * weights[:, None]).T @ features + 1e-2 * np.eye(features.shape[1])
            spread[:, column] = np.linalg.solve(left, (features * weights[:, None]).T @ logs[:, column])
    return spread.round(4)


def gathered(data: Path, model: str | None) -> tuple[Faces, NDArray[np.bool_], int]:
    """All faces, which of them are judged, and how many of these were found."""
    landmarker = FaceLandmarker(provider="cpu", model=model)
    photos, found = read_faces(data / "pose", landmarker)
    faces = joined([photos, read_hard_faces(data / "hard" / "merl_aflw", landmarker)])
    return faces, np.arange(len(faces.points)) < len(photos.points), found


def joined(sets: list[Faces]) -> Faces:
    """All faces of the sets, one after the other."""
    return Faces(
        np.concatenate([each.points for each in sets]),
        np.concatenate([each.angles for each in sets]),
        np.concatenate([each.photos for each in sets]),
    )


def cross_validated(
    faces: Faces, judged: NDArray[np.bool_], block: NDArray[np.int64], mean: NDArray[np.complex128]
) -> tuple[Array, Array]:
    """Errors (N, 3) in degrees of faces by a map that saw none of their block, and its `spread_features` (N, 5)."""
    errors, unsure = np.empty((len(faces.points), 3)), np.empty((len(faces.points), 5))
    for number in range(FOLDS):
        held_out = block == number
        setting = best(faces.part(~held_out), judged[~held_out], mean)
        pose_map = fit(lesson(faces.part(~held_out), mean), setting)
        errors[held_out] = off(pose_map, faces.part(held_out))
        unsure[held_out] = [unsureness(pose_map, points) for points in faces.points[held_out]]
        print(f"block {number}: {setting.components} components, ridge {setting.ridge}", flush=True)
    return errors, unsure


def best(faces: Faces, judged: NDArray[np.bool_], mean: NDArray[np.complex128]) -> Setting:
    """The setting that does best on the judged ones of these faces, by a cross-validation among them."""
    block = blocks(faces.photos, INNER)
    inner = [block == number for number in range(INNER)]
    return chosen([(lesson(faces.part(~part), mean), faces.part(part & judged)) for part in inner])


def unsureness(pose_map: PoseMap, points: Array) -> Array:
    """`spread_features` (5,) of a face (68, 2)."""
    shape = align(points, pose_map.mean)[1]
    assert shape is not None
    return spread_features(*pose_map.rows(shape))


def print_errors(errors: Array, yaw: Array) -> dict[str, dict[str, float]]:
    """Prints mean errors (N, 3) by yaw (N,), all in degrees; the same as figures."""
    figures = {}
    print(
        f"{'nested cross-validation':34s} {'faces':>5s} {'pitch':>6s} {'yaw':>6s} {'roll':>6s} {'mean':>6s}  degrees"
    )
    for low, high in _EDGES:
        part = (yaw >= low) & (yaw <= high if high == WITHIN else yaw < high)
        if not part.any():
            continue
        by_angle = errors[part].mean(0)
        label = "all" if high - low == 180 else f"yaw {low:g} to {high:g}"
        figures[label] = dict(zip(("pitch", "yaw", "roll"), by_angle.tolist(), strict=True))
        figures[label]["mean"] = float(by_angle.mean())
        print(f"{label:34s} {part.sum():5d} " + " ".join(f"{v:6.2f}" for v in (*by_angle, by_angle.mean())))
    return figures


def print_spreads(
    errors: Array, unsure: Array, block: NDArray[np.int64]
) -> dict[str, dict[str, list[float]]]:
    """Prints standard deviations and how many errors lie within them, by how far the head was found to look away."""
    spread = np.empty_like(errors)
    for number in range(FOLDS):
        held_out = block == number
        spread[held_out] = np.exp(unsure[held_out] @ fit_spread(unsure[~held_out], errors[~held_out]))
    figures = {}
    print(
        "standard deviations of pitch, yaw and roll, cross-validated: mean in degrees; "
        "per cent of errors within one; within two"
    )
    away = np.degrees(np.arccos(1 - np.clip(unsure[:, 1], 0, 2)))
    for low, high in _EDGES[1:]:
        part = (away >= low) & (away < high)
        if not part.any():
            continue
        within = [100 * (np.radians(errors[part]) <= times * spread[part]).mean(0) for times in (1, 2)]
        numbers = np.degrees(spread[part]).mean(0), *within
        label = "all" if high - low == 180 else f"found {low:g} to {high:g} away"
        figures[label] = dict(
            zip(("mean", "within one", "within two"), (n.tolist() for n in numbers), strict=True)
        )
        print(f"{label:34s} {part.sum():5d} " + "; ".join(str(n.round(1)) for n in numbers))
    return figures


def main() -> None:
    """Fits, judges and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fit_pose", description="fit and judge the map from points to head pose"
    )
    parser.add_argument("--data", type=file_path, required=True, help="folder that holds pose/ and hard/")
    parser.add_argument("--model", default="fkp68", help="landmark network (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write fkp_live/assets/pose.npz")
    parser.add_argument("--json", type=result_file, help="write the figures here")
    options = parser.parse_args()
    faces, judged, found = gathered(options.data, options.model)
    print(f"{found} of {judged.sum()} faces found, the others given by the file's box")
    block, mean = blocks(faces.photos, FOLDS), mean_face(faces.points[judged])
    errors, unsure = cross_validated(faces, judged, block, mean)
    figures = print_errors(errors[judged], np.abs(faces.angles[judged, 1]))
    spreads = print_spreads(errors, unsure, block)
    if options.json:
        options.json.write_text(
            json.dumps({"errors": figures, "standard deviations": spreads}, indent=1) + "\n"
        )
    if options.write:
        pose_map = fit(lesson(faces, mean), best(faces, judged, mean))
        write(replace(pose_map, spread=fit_spread(unsure, errors)))


def write(pose_map: PoseMap) -> None:
    """Into the package."""
    target = Path(fkp_live.__file__).parent / "assets" / "pose.npz"
    arrays = {field.name: getattr(pose_map, field.name) for field in fields(pose_map)}
    np.savez_compressed(target, **arrays)
    print(f"written: {target}")


if __name__ == "__main__":
    run(main)
