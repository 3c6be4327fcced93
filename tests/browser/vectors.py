"""Golden vectors of the page's engine: what the Python package computes, for JavaScript to compute again.

Each function gives one file of ``tests/browser/golden``: numbers only, no pictures. Arrays are base64 of their bytes.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fkp_live import geometry
from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.engine import Engine
from fkp_live.faces.crop_follower import CropFollower
from fkp_live.faces.detector import YuNet, _Canvas
from fkp_live.faces.detector_views import View, views_of
from fkp_live.faces.expression import Answer, aligned
from fkp_live.faces.eyes import eye_patches
from fkp_live.faces.followed_expressions import FollowedExpressions
from fkp_live.faces.front_view import mean_head
from fkp_live.faces.head_pose import head_pose, shipped_map
from fkp_live.faces.hidden_points import seen_confidence
from fkp_live.faces.openness import Blinks, measures
from fkp_live.faces.scene_cut import SceneCut
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.faces.steady_time import SteadyTime
from fkp_live.faces.tracker import Plan, Tracker
from fkp_live.faces.tracker_options import TrackerOptions
from fkp_live.geometry import CropSpec
from fkp_live.images.low_light import LowLight, brightened, level_of
from fkp_live.images.picture import BgrPicture
from fkp_live.images.warping import blocks_under, halvings_for
from fkp_live.pipeline import Pipeline
from fkp_live.sinks.jsonl import frame_object
from fkp_live.sources import open_source
from fkp_live.types import FaceBox, FloatArray, Landmarks, Measures

FOLDER = Path(__file__).with_name("golden")
SPEC = CropSpec(112, 0.125)
# Of the shipped eye network.
EYE_SIZE, EYE = (32, 24), 20.0
# Steps of the points in the tracker's vectors, in pixels; of confidences.
POINT_STEP, CONFIDENCE_STEP = 0.5, 1 / 200


def packed(values: Any, kind: str = "f4") -> dict[str, str]:
    """An array as JSON: base64 of its little-endian bytes under the name of their type."""
    array = np.ascontiguousarray(values, "<" + kind)
    return {kind: base64.b64encode(array.tobytes()).decode()}


def save(name: str, vectors: Any) -> Path:
    """Write a file; the same numbers give the same bytes."""
    path = FOLDER / f"{name}.json.gz"
    text = json.dumps(vectors, allow_nan=False, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, 9, mtime=0))
    return path


def crops() -> dict[str, Any]:
    """Crop matrices of boxes, their halvings and blocks, and the matrices that followers give."""
    rng = np.random.default_rng(5)
    boxes = []
    for _ in range(40):
        x, y, side = rng.uniform(-50, 1200), rng.uniform(-50, 700), float(np.exp(rng.uniform(2, 7.5)))
        box = np.array([x, y, x + side, y + side * rng.uniform(0.7, 1.3)], np.float32)
        angle = float(rng.choice([0.0, 0.0, rng.uniform(-3, 3)]))
        matrix = geometry.crop_matrix(box, SPEC, angle)
        halvings = halvings_for(matrix)
        region, onto = blocks_under(matrix, SPEC.size, (720, 1280), halvings)
        found: dict[str, Any] = {"box": box.tolist(), "angle": angle, "matrix": matrix.ravel().tolist()}
        found |= {"inverse": geometry.invert(matrix).ravel().tolist(), "halvings": halvings, "blocks": None}
        if region is not None:
            rows, columns = region
            corners = (columns.start, rows.start, columns.stop, rows.stop)
            found["blocks"] = {"region": [int(v) for v in corners], "matrix": onto.ravel().tolist()}
        boxes.append(found)
    followed = []
    for number in range(2):
        follower, points = CropFollower(SPEC, TrackerOptions()), _face(300 + 60 * number)
        steps = []
        for k in range(12):
            lead = complex(*rng.uniform(-5, 5, 2)) if k % 3 == 2 else 0j
            points = points + rng.normal(0, 1 + 4 * (k % 5 == 0), 2).astype(np.float32)
            points = geometry.apply(geometry.rotation(rng.normal(0, 0.02 * (number + 1))), points)
            matrix = follower(points, lead)
            steps.append(
                {"points": packed(points), "lead": [lead.real, lead.imag], "matrix": matrix.ravel().tolist()}
            )
        followed.append(steps)
    return {
        "boxes": boxes,
        "followed": followed,
        "warps": _warps(),
        "copies": _copies(),
        "dark": _dark(),
        "aligned": _aligned(),
        "eyes": _eyes(),
    }


def _painted() -> FloatArray:
    """(240, 320, 3) uint8 BGR that JavaScript paints too."""
    y, x = np.mgrid[:240, :320]
    return np.stack([x * 7 + y * 13, x * y // 3, (x ^ y) * 5], -1).astype(np.uint8)


def _dark() -> dict[str, Any]:
    """Levels of the painted picture made dark, and a crop and a copy as the networks see it; levels of a stream."""
    spec, made = CropSpec(16, 0.125), []
    for share in (25,):
        picture = BgrPicture((_painted().astype(int) * share // 100).astype(np.uint8))
        seen = brightened(picture)
        matrix = geometry.crop_matrix([100, 80, 150, 130], spec, 0.2)
        copy = seen.reduced((54, 40), cv2.INTER_LINEAR)
        made.append(
            {"share": share, "level": level_of(picture), "matrix": matrix.ravel().tolist(), "size": spec.size}
            | {"crop": packed(seen.warp(matrix, spec.size).transpose(2, 0, 1), "u1")}
            | {"copy_size": [54, 40], "copy": packed(copy.transpose(2, 0, 1), "u1")}
        )
    low_light, levels = LowLight(), []
    for grey in (200, 100, 100, 60, 150, 150, 165, 20):
        for _ in range(4):
            low_light(BgrPicture(np.full((48, 64, 3), grey, np.uint8)))
        levels.append([grey, low_light._level])
    return {"pictures": made, "levels": levels}


def _aligned() -> list[dict[str, Any]]:
    """Crops for the expression network, in the painted picture and at its border, which is repeated."""
    found = []
    for centre in ((160, 120), (20, 200)):
        points = np.asarray(_face(90) - (500, 300) + centre, np.float32)
        matrix = np.round(geometry.crop_matrix(geometry.box_of(points), CropSpec(24, 0.1), 0.2), 9)
        crop = aligned(BgrPicture(_painted()), matrix, 24).transpose(2, 0, 1)
        found.append({"matrix": matrix.ravel().tolist(), "size": 24, "crop": packed(crop, "u1")})
    return found


def _eyes() -> list[dict[str, Any]]:
    """Patches of the eyes of faces on the painted picture: enlarged, turned, halved, beyond the border, in profile."""
    found = []
    luma = np.ascontiguousarray(_painted()[..., 1])
    for side, angle, centre in (
        (60, 0.2, (160, 120)),
        (200, -0.5, (150, 130)),
        (400, 0.0, (160, 120)),
        (90, 3.0, (5, 230)),
    ):
        points = (_face(side) - (500, 300)) @ geometry.rotation(angle)[:, :2].T + centre
        points = np.asarray(points, np.float32)
        if side == 90:
            points[42:48] = points[42]
        patches = eye_patches(luma, points, EYE_SIZE, EYE)
        found.append({"points": packed(points), "patches": packed(patches, "u1")})
    return found


def _copies() -> list[dict[str, Any]]:
    """Reduced and enlarged copies of regions of the painted picture."""
    found = []
    for region, size in (
        ((0, 0, 320, 240), (64, 48)),
        ((40, 10, 80, 40), (40, 30)),
        ((5, 7, 30, 27), (41, 33)),
    ):
        x0, y0, x1, y1 = region
        copy = cv2.resize(_painted()[y0:y1, x0:x1], size, interpolation=cv2.INTER_LINEAR)
        found.append({"region": region, "size": size, "copy": packed(copy.transpose(2, 0, 1), "u1")})
    return found


def _warps() -> list[dict[str, Any]]:
    """Crops of the painted picture: enlarged, turned, halved, at the border and beyond it."""
    image = _painted()
    spec = CropSpec(16, 0.125)
    boxes = (
        *([100, 80, 110, 91], [100, 80, 125, 104], [20, 30, 200, 190], [-15, -9, 30, 30]),
        *([250, 150, 345, 255], [-200, -150, 900, 700], [400, 400, 440, 440]),
    )
    found = []
    for box in boxes:
        for angle in (0.0, 0.5):
            matrix = geometry.crop_matrix(box, spec, angle)
            crop = BgrPicture(image).warp(matrix, spec.size).transpose(2, 0, 1)
            found.append({"matrix": matrix.ravel().tolist(), "size": spec.size, "crop": packed(crop, "u1")})
    return found


def clocks() -> dict[str, Any]:
    """Steady times, scene cuts and views of the detector."""
    rng = np.random.default_rng(6)
    stamps = np.cumsum(rng.uniform(0.01, 0.05, 60))
    stamps[[10, 30, 31]] = stamps[[8, 27, 28]]  # out of order, set back
    stamps[35:] += 2.0  # a pause, and then out of order
    stamps[37] = stamps[35]
    stamps[45:] -= 1.5  # began anew
    steady = SteadyTime()
    times = [[float(stamp), *steady(float(stamp))] for stamp in stamps]
    cut, pictures = SceneCut(TrackerOptions()), []
    for k in range(16):
        size = (50, 70) if k == 12 else (64, 97)
        level = 90 if 4 <= k < 8 else 30
        luma = np.clip(rng.normal(level, 3, size), 0, 255).astype(np.uint8)
        grid = TrackerOptions().cut_grid
        rows, columns = (max(side // grid, 1) for side in size)
        samples = luma[rows // 2 :: rows, columns // 2 :: columns]
        pictures.append(
            {"size": [size[1], size[0]], "shape": list(samples.shape), "samples": packed(samples, "u1")}
            | {"cut": bool(cut(luma))}
        )
    sizes = [(640, 480), (1280, 720), (97, 31), (4000, 3000), (1920, 1080), (300, 9000)]
    views = []
    for width, height in sizes:
        longer = max(width, height)
        for most in (576, None):
            fine = min(0.6, 4.0 if most is None else most / longer)
            found = views_of(width, height, fine, min(320 / longer, 4.0))
            views.append({"size": [width, height], "most": most, "views": [_view(view) for view in found]})
    return {"times": times, "pictures": pictures, "views": views}


def _view(view: View) -> list[Any]:
    finite = [side if np.isfinite(side) else None for side in (*view.centres, view.largest)]
    return [*view.region, *view.size, *finite]


def networks(engine: Engine) -> dict[str, Any]:
    """Boxes from raw outputs of the detector, points from raw outputs of the landmark network."""
    with open_source(demo_clip(), max_frames=1) as source:
        (frame,) = list(source)
    picture = cv2.resize(frame.picture.bgr(), (160, 120), interpolation=cv2.INTER_AREA)
    two = np.hstack([picture, np.ascontiguousarray(picture[:, ::-1])])
    detector = engine.detector
    assert isinstance(detector, YuNet)
    detections = []
    for image, size in ((picture, (160, 120)), (two, (224, 84))):
        height, width = image.shape[:2]
        view = View((0, 0, width, height), size, (-np.inf, -np.inf, np.inf, np.inf), np.inf)
        canvas = _Canvas(size)
        raw = detector._session.run(
            {detector._input: canvas.fill(BgrPicture(np.ascontiguousarray(image)))}, detector._outputs
        )
        padded = [-(-side // 32) * 32 for side in size]
        boxes = YuNet(detector._session, work_size=size[0])(np.ascontiguousarray(image))
        detections.append(
            {"view": _view(view), "input": padded, "scores": packed(raw[0]), "boxes": packed(raw[1])}
            | {"found": [[*face.box.tolist(), face.score] for face in boxes]}
        )
    network = engine.network
    faces = detector(frame.picture)
    matrices = [geometry.crop_matrix(face.box, SPEC, angle) for face in faces for angle in (0.0, 0.4)]
    points, confidence = network._session.run(  # type: ignore[attr-defined]
        {"image": network._fill(frame.picture, matrices)},  # type: ignore[attr-defined]
        ("points", "confidence"),
    )
    found = network.run_matrices(frame.picture, matrices)
    return {
        "detections": detections,
        "landmarks": {
            "matrices": [matrix.ravel().tolist() for matrix in matrices],
            "points": packed(points),
            "confidence": packed(confidence),
            "found": packed(found.points),
        },
    }


def smoothing() -> dict[str, Any]:
    """Smoothed points of a face that rests, moves and is away for a while, at every level."""
    rng = np.random.default_rng(7)
    time, face, steps = 0.0, _face(400), []
    for k in range(40):
        time += float(rng.uniform(0.01, 0.05)) if k != 30 else 0.8
        time -= 0.0 if k != 20 else time - steps[-1][0]  # equal timestamps
        face = face + (6.0 if 8 <= k < 14 else 0.0) + rng.normal(0, 0.4, face.shape)
        steps.append((time, np.asarray(face, np.float32)))
    levels = {}
    for level in ("light", "medium", "strong"):
        smoother = LandmarkSmoother(level)
        found = [smoother(1, points, time) for time, points in steps]
        levels[level] = packed(found[3::4])
    return {"times": [time for time, _ in steps], "points": packed([points for _, points in steps])} | {
        "every": 4,
        "levels": levels,
    }


def frames(engine: Engine) -> dict[str, Any]:
    """What the pipeline makes of the points of a clip: JSONL objects of every tenth frame; and of turned heads."""
    with open_source(demo_clip(), max_frames=58) as source:
        shot = list(source)
    pipeline = Pipeline(PipelineOptions(any_roll=False, smooth="medium"), engine=engine)
    made, blinks = [], Blinks()
    for frame in shot:
        result = pipeline.process(frame)
        (face,) = result.faces
        # As the tracker gave them: confidence not yet lowered by the yaw.
        (track,) = pipeline._tracker.tracks
        made.append(
            {"time": frame.time, "id": track.id, "score": float(track.score), "points": packed(track.points)}
            | {"confidence": packed(track.confidence), "detected": result.detected}
            | {"eyes": packed(engine.eyes(frame.picture, [track.points]))}
            # As where there is no eye network.
            | {"blink": blinks(track.id, measures(track.points), face.pose.yaw, frame.time).blink}
            | ({"object": json.loads(frame_object(result))} if frame.index % 10 == 9 else {})
        )
    return {"frames": made, "turned": _turned(track.confidence), "blinks": _blinks()}


def _blinks() -> list[list[Any]]:
    """Whether eyes are shut, of openness that falls, stays low, is narrow, and of a head that turns away."""
    rng = np.random.default_rng(10)
    usual = np.interp(np.arange(240), (0, 60, 90, 150, 200, 239), (0.3, 0.3, 0.22, 0.2, 0.4, 0.4))
    usual[[20, 21, 22, 100, 101, 170, 171, 172, 230]] = 0.13, 0.1, 0.16, 0.15, 0.155, 0.2, 0.23, 0.26, 0.24
    blinks, found = Blinks(), []
    for k, value in enumerate(usual.tolist()):
        openness, yaw = round(value + float(rng.normal(0, 0.006)), 4), 0.6 if 120 <= k < 130 else 0.1
        seen = Measures(openness, openness, 0.1, False, openness, None)
        found.append([openness, yaw, k / 30, blinks(1, seen, yaw, k / 30).blink])
    return found


def _turned(confidence: FloatArray) -> list[dict[str, Any]]:
    """Poses and confidences of the mean head, turned to both sides as far as it takes to hide points."""
    found = []
    for yaw in (0.2, 0.6, 0.85, 1.1, -0.8, -1.1, 1.57):
        turn = geometry.rotation_of(0.1, yaw, 2 * yaw)[:2]
        points = np.asarray(mean_head() @ turn.T * 200 + (700, 300), np.float32)
        pose = head_pose(points)
        knows = len(found) % 3 / 2
        seen = seen_confidence(confidence, pose, knows_turned=knows)
        found.append(
            {"points": packed(points), "confidence": packed(confidence), "seen": packed(seen)}
            | {"pose": list(astuple(pose)), "knows": knows}
        )
    return found


def expressions(engine: Engine) -> dict[str, Any]:
    """What is shown of a series of the network's answers, with a neutral face given towards the end."""
    rng = np.random.default_rng(8)
    network = engine.expressions
    followed = FollowedExpressions(network)
    face = network.placed(_face(300))
    steps = []
    for k in range(45):
        time = k / 8
        logits = rng.normal(0, 1, 7).astype(np.float32)
        logits[(k // 15) % 7] += 6
        placed = (face + rng.normal(0, (0.3, 2.4, 3.0)[k % 3], face.shape)).astype(np.float32)
        due = followed._is_due(1, time)
        if due:
            followed._see(1, Answer(logits, placed), time)
        if k == 32:
            followed.set_neutral()
        shown = followed._shown(followed._states[1])
        steps.append(
            {
                "time": time,
                "logits": packed(logits),
                "placed": packed(placed),
                "due": due,
                "label": shown.label,
            }
            | {"probabilities": np.asarray(shown.probabilities, float).tolist()}
        )
    points = _face(300)
    return {
        "steps": steps,
        "neutral_at": 32,
        "points": packed(points),
        "placed": packed(network.placed(points)),
    }


def tracking(engine: Engine, film: Path, count: int) -> dict[str, Any]:
    """Ids, plans and crops of the faces of a film, and what detector and network returned.

    Points come in steps of `POINT_STEP`, for the tracker here too, and are stored as differences from the crop of the
    same number before, so that they compress.
    """
    with open_source(film, max_frames=count) as source:
        shot = list(source)
    tracker = Tracker(SPEC)
    made: list[dict[str, Any]] = []
    before: dict[int, np.ndarray] = {}
    stored: list[np.ndarray] = []
    # The cut is decided by another stage.
    tracker._scene_cut = lambda _luma: False  # type: ignore[assignment]
    for k, frame in enumerate(shot):
        picture = frame.picture
        seen: list[FaceBox] = []

        def detect(picture: Any = picture, seen: list[FaceBox] = seen) -> Sequence[FaceBox]:
            seen += [replace(face, box=_stepped(face.box)) for face in engine.detector(picture)]
            return seen

        plan = tracker.plan(picture.luma, frame.time, detect)
        found = engine.network.run_matrices(picture, plan.matrices)
        points = _stepped(found.points)
        steps = np.clip(np.rint(found.confidence.mean(-1) / CONFIDENCE_STEP), 0, 255).astype(np.uint8)
        confidence = np.repeat((steps * np.float32(CONFIDENCE_STEP))[:, None], 68, 1)
        for i, each in enumerate(np.rint(points / POINT_STEP).astype(np.int16)):
            stored.append(each - before.get(i, np.zeros_like(each)))
            before[i] = each
        tracks = tracker.update(plan, Landmarks(points, confidence))
        made.append(
            {"time": frame.time, "steps": steps.tolist()}
            | {
                "detections": [[*(f.box / POINT_STEP).tolist(), f.score] for f in seen]
                if plan.detected
                else None
            }
            | _planned(plan, every=30, frame=k)
            | {"ids": [track.id for track in tracks], "ended": tracker.ended}
        )
    return {
        "size": list(shot[0].picture.size),
        "max_faces": None,
        "point_step": POINT_STEP,
        "confidence_step": CONFIDENCE_STEP,
        "points": packed(np.stack(stored), "i2"),
        "frames": made,
    }


def script() -> dict[str, Any]:
    """As `tracking`, of faces that are made up: fast, crossing, turned, growing, missed, lost, beyond the border.

    A face is given by its centre, side and roll; JavaScript makes the points of it as `_placed` does.
    """
    rng = np.random.default_rng(9)
    tracker = Tracker(SPEC, max_faces=4)
    faces = np.array([[200.0, 300, 90, 0], [900, 315, 100, 0], [600, 200, 60, 1.3], [640, 600, 200, 0.0]])
    speeds = np.array([[240.0, 0, 0, 0], [-240, 0, 0, 0], [0, 60, 0, 0.4], [50, -40, 60, 0]])
    made, time = [], 0.0
    for k in range(330):
        time += float(rng.uniform(0.02, 0.06)) - (4.0 if k == 200 else 0.0)
        faces += speeds * 0.04
        speeds[:, :2] = (
            np.where((faces[:, :2] < (-40, -40)) | (faces[:, :2] > (1320, 760)), -1, 1) * speeds[:, :2]
        )
        speeds[rng.integers(2, 4), :2] += rng.normal(0, 60, 2)
        speeds[:, 2] = np.where(faces[:, 2] < 40, 20, np.where(faces[:, 2] > 260, -60, speeds[:, 2]))
        cut = k in (120, 260)
        if cut:
            faces[:2, :2] += rng.uniform(-300, 300, (2, 2))
        tracker._scene_cut = lambda _luma, cut=cut: cut  # type: ignore[assignment]
        seen: list[FaceBox] = []

        def detect(seen: list[FaceBox] = seen, faces: FloatArray = faces) -> Sequence[FaceBox]:
            for face in faces[rng.random(4) < 0.6]:
                box = geometry.box_of(_placed(face)) + rng.normal(0, rng.choice([0.05, 0.25]) * face[2], 4)
                seen.append(
                    FaceBox(_stepped(box.astype(np.float32)), float(np.round(rng.uniform(0.6, 1), 3)))
                )
            if rng.random() < 0.15:  # nobody is there
                x, y, side = *rng.uniform(0, 600, 2).tolist(), float(rng.uniform(30, 120))
                seen.append(FaceBox(_stepped(np.array([x, y, x + side, y + side], np.float32)), 0.61))
            return seen

        plan = tracker.plan(np.zeros((720, 1280), np.uint8), time, detect)
        rows = []
        for matrix in plan.matrices:
            # The face nearest to the middle of the crop, unless it is far from there.
            x, y = geometry.apply(geometry.invert(matrix), [[55.5, 55.5]])[0]
            off = np.hypot(faces[:, 0] - x, faces[:, 1] - y) / faces[:, 2]
            # Now and then a crop slips onto a neighbour.
            first, second = np.argsort(off)[:2].tolist()
            near = second if off[second] < 1.0 and rng.random() < 0.3 else first
            sure = (off[near] < 0.7 and rng.random() > 0.05) or rng.random() < 0.05
            row = faces[near] if off[near] < 1.2 else np.array([x, y, rng.choice([4.0, 50.0, 400.0]), 0.0])
            # Not at a limit itself, where the rounding of a sum decides.
            confidence = round(float(rng.uniform(0.5, 0.9) if sure else rng.uniform(0.27, 0.4)), 2) + 0.004
            rows.append([*np.round(row, 3).tolist(), confidence])
        points = np.stack([_placed(row) for row in rows]) if rows else np.empty((0, 68, 2), np.float32)
        means = np.array([[row[4]] * 68 for row in rows], np.float32).reshape(-1, 68)
        tracks = tracker.update(plan, Landmarks(points, means))
        made.append(
            {"time": time, "cut": cut, "faces": rows}
            | {
                "detections": [[*(f.box / POINT_STEP).tolist(), f.score] for f in seen]
                if plan.detected
                else None
            }
            | _planned(plan, every=4, frame=k)
            | {"ids": [track.id for track in tracks], "ended": tracker.ended}
        )
    return {"size": [1280, 720], "max_faces": 4, "point_step": POINT_STEP, "frames": made}


def _planned(plan: Plan, *, every: int, frame: int) -> dict[str, Any]:
    """How many crops, and in some frames which."""
    shown = frame % every == 0 or (every < 10 and plan.detected)
    matrices = [np.round(matrix, 7).ravel().tolist() for matrix in plan.matrices] if shown else None
    return {"crops": len(plan.matrices), "matrices": matrices}


def _placed(face: Sequence[float] | FloatArray) -> FloatArray:
    """Points (68, 2) of a made-up face, in eighths of a pixel: the mean face at (x, y), about ``side`` wide, turned."""
    x, y, side, roll = face[:4]
    turned = shipped_map().mean * (side * 2.2 * np.exp(1j * roll))
    points = np.stack([turned.real + x, turned.imag + y], -1)
    return np.asarray(np.floor(points * 8 + 0.5) / 8, np.float32)


def _stepped(values: FloatArray) -> FloatArray:
    return np.asarray(np.rint(values / POINT_STEP) * POINT_STEP, np.float32)


def _face(side: float) -> FloatArray:
    """The mean face (68, 2) with a box of about this many pixels."""
    shape = shipped_map().mean.view(np.float64).reshape(-1, 2)
    return np.asarray(shape * (side / np.ptp(shape, 0).max()) + (500, 300), np.float32)
