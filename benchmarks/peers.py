"""The same faces through the shipped networks, dlib and MediaPipe: accuracy, time, stillness, in one run.

    python -m benchmarks.peers --data ../shared/data [--set udacity_test|wild_val] [--json F] [--peers F]

The rivals run in an environment of their own (`benchmarks.rivals`; made on demand, needs PyPI). Every face goes
through every system in turn, in random order, so a slow moment of the machine hits all alike; all processes are
bound to one core, and only one works at a time.

Box given: ours get the tight box of the true points. dlib gets the square that its own detector would have put
there, MediaPipe the square that its tracker would have, turned to level the true eyes as it does (ours is not):
see `benchmarks.placement`. End to end: each one's own detector; of what it finds the face that overlaps the true
box most is judged, and under 0.3 it is a miss. dlib's picture is enlarged once, MediaPipe looks for up to five
faces. How conventions are taken off (``offset``, ``linear``): see `benchmarks.convention`. dlib was trained on 300-W,
so wild_val proves nothing about it.

Times are medians over faces of the median of a few calls after a first one, pictures in memory as RGB or BGR as
each wants them: the landmark stage (crop, network, points), its network bare where it can be run bare, and end to
end. The time of the processor counts all threads of a process and is the steadier one on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import fkp_live
from benchmarks.convention import MAPS, mapped
from benchmarks.peers_worker import timed
from benchmarks.placement import Placement, matching, place
from benchmarks.rivals import NAMES, Answer, Rivals, add_arguments, ensure_env
from benchmarks.stability import RATE, SKIP, STILL_FRAMES, clip, jitter, photos, smoothed
from fkp_live import metrics
from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.errors import ExitCode, FkpError, OutputError, UsageError
from fkp_live.faces.detector import USUAL_FACE
from fkp_live.faces.landmark_network import LandmarkNetwork
from fkp_live.geometry import box_of
from fkp_live.inference.models import resolve_model
from fkp_live.inference.runtime import runtime_version
from fkp_live.inference.session import open_session
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.types import Image
from train.data.faces import FaceSet
from train.data.splits import person_of, splits
from train.evaluate.evaluation import finite
from train.evaluate.report import table

Points = NDArray[np.float64]

OURS = ("fkp68-large", "fkp68", "fkp68-medium-int8", "fkp68-int8", "fkp68-tiny")
SETS = {"udacity_test": "udacity_train", "wild_val": "wild_train"}
WAYS = {"box": "box given", "detector": "end to end"}
TIMES = {"box": "landmark stage", "network": "network alone", "detector": "end to end"}
_NOTHING = np.empty((0, 5))


class System(Protocol):
    """What is compared. ``truth``: (68, 2), of which only the box and the level of the eyes are passed on."""

    name: str

    def ask(self, way: str, image: Image, truth: Points, repeats: int) -> Answer | None:
        """Faces and times of one of `TIMES`; None if it cannot be asked so."""


class Ours:
    """A shipped network with the product's detector."""

    def __init__(self, name: str) -> None:
        session = open_session(resolve_model(name), "cpu", 1)
        self.name, self.sha256 = name, session.sha256
        network = LandmarkNetwork(session)
        self.network, self._landmarker = (
            network,
            FaceLandmarker(engine=Engine("cpu", min_face=USUAL_FACE, network=network)),
        )
        noise = np.random.default_rng(0).uniform(0, 255, (1, 3, network.spec.size, network.spec.size))
        inputs = {session.metadata["input"]["name"]: noise.astype(np.float32)}
        self._bare = lambda: session.run(inputs)

    def ask(self, way: str, image: Image, truth: Points, repeats: int) -> Answer | None:
        """Faces and times of one of `TIMES`."""
        if way == "box":
            boxes = box_of(truth)[None]
            found, wall, cpu = timed(lambda: self.network(image, boxes), repeats)
            faces = found.points
        elif way == "detector":
            found, wall, cpu = timed(lambda: self._landmarker(image), repeats)
            faces = np.array([face.points for face in found])
        else:
            _, wall, cpu = timed(self._bare, repeats)
            faces = np.empty(0)
        return Answer(np.asarray(faces, np.float64).reshape(-1, 68, 2), _NOTHING, tuple(wall), tuple(cpu))


class Rival:
    """A rival, its box put where it would have put it itself."""

    def __init__(self, name: str, rivals: Rivals, placement: Placement) -> None:
        self.name, self.placement, self._rivals = name, placement, rivals

    def ask(self, way: str, image: Image, truth: Points, repeats: int) -> Answer | None:
        """Faces and times of one of `TIMES`; the network alone only of the plain mesh."""
        if way == "network" and self.name != "mediapipe mesh":
            return None
        region = self.placement.region(truth) if way == "box" else None
        return self._rivals.ask(self.name, way, image, region, repeats=repeats)


@dataclass
class Record:
    """What a system said of each face (NaN: missed) and how long it took: way -> face by face."""

    points: dict[str, list[Points]] = field(default_factory=lambda: {way: [] for way in WAYS})
    wall: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in TIMES})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in TIMES})

    def add(self, way: str, answer: Answer, truth: Points) -> None:
        """Note the answer for the next face."""
        if way in WAYS:
            found = matching(answer.faces, truth)
            self.points[way].append(np.full((68, 2), np.nan) if found is None else answer.faces[found])
        self.wall[way].append(float(np.median(answer.wall)))
        self.cpu[way].append(float(np.median(answer.cpu)))


def run(systems: Sequence[System], faces: FaceSet, repeats: int) -> dict[str, Record]:
    """Every face through every system in turn, in another order for every face."""
    records = {system.name: Record() for system in systems}
    order = np.random.default_rng(0)
    for number in tqdm(range(len(faces)), desc=faces.name, unit="face", file=sys.stderr, disable=None):
        image, truth = faces.image(number), faces.points[number].astype(np.float64)
        for way in TIMES:
            for turn in order.permutation(len(systems)):
                system = systems[turn]
                answer = system.ask(way, image, truth, repeats)
                if answer is not None:
                    records[system.name].add(way, answer, truth)
    return records


def figures(records: dict[str, Record], faces: FaceSet, groups: Sequence[str]) -> dict[str, Any]:
    """Accuracy, times and the errors of each face of every system, as the JSON holds them."""
    results: dict[str, Any] = {}
    reference = records[next(iter(records))]
    for name, record in records.items():
        accuracy: dict[str, Any] = {}
        errors: dict[str, list[float | None]] = {}
        for way, said in record.points.items():
            raw = np.stack(said)
            ways = {"raw": raw} | {kind: mapped(raw, faces.points, groups, fit) for kind, fit in MAPS.items()}
            accuracy[way] = {}
            for kind, points in ways.items():
                nme = metrics.nme(points, faces.points)
                accuracy[way][kind] = dict(metrics.summary(nme))
                errors[f"{WAYS[way]}, {kind}"] = [
                    round(e, 4) if np.isfinite(e) else None for e in nme.tolist()
                ]
        times = {
            way: {
                "ms": 1e3 * float(np.median(record.wall[way])),
                "cpu_ms": 1e3 * float(np.median(record.cpu[way])),
                "ratio": float(np.median(np.divide(record.wall[way], reference.wall[way]))),
                "cpu_ratio": float(np.median(np.divide(record.cpu[way], reference.cpu[way]))),
            }
            for way in TIMES
            if record.wall[way]
        }
        results[name] = {"accuracy": accuracy, "times": times, "errors": errors}
    return results


def jitter_at_rest(data: Path, count: int, networks: Sequence[Ours], rivals: Rivals) -> dict[str, Any]:
    """Jitter in % of the eye distance on the clips of `benchmarks.stability`: each tracks the face by itself.

    A clip counts if all followed its face to the end.
    """
    ours = {one.name: one.network for one in networks}
    options = PipelineOptions(provider="cpu", smooth="off", max_faces=1)
    meshes = [name for name in NAMES if name.startswith("mediapipe")]
    found: dict[str, list[float]] = {}
    lost: dict[str, int] = {name: 0 for name in (*ours, *meshes)}
    shots = tqdm(list(photos(data, count)), desc="jitter at rest", unit="clip", file=sys.stderr, disable=None)
    for number, photo in enumerate(shots):
        tracks: dict[str, list[Points]] = {name: [] for name in lost}
        pipelines = {
            name: Pipeline(options, engine=Engine("cpu", network=network)) for name, network in ours.items()
        }
        shifts = []
        for frame, shift in clip(photo, np.zeros((STILL_FRAMES, 2)), 100 * number):
            shifts.append(shift)
            for name, pipeline in pipelines.items():
                faces = [face.raw for face in pipeline.process(frame).faces if face.raw is not None]
                tracks[name].extend(np.asarray(points, np.float64) for points in faces[:1])
            for name in meshes:
                answer = rivals.ask(name, "stream", frame.image, restart=frame.index == 0)
                tracks[name].extend(answer.faces[:1])
        gone = [name for name, track in tracks.items() if len(track) < STILL_FRAMES]
        for name in gone:
            lost[name] += 1
        if gone:
            continue
        moved = np.array(shifts)[:, None]
        for name, track in tracks.items():
            points = np.stack(track)
            levels = {"": points}
            if name in ours:
                levels = {f", smoothing {level}": smoothed(points, level) for level in ("off", "medium")}
            for label, still in levels.items():
                found.setdefault(name + label, []).append(jitter(still - moved, SKIP))
    clips = min((len(values) for values in found.values()), default=0)
    mean = {name: float(np.mean(values)) for name, values in found.items()}
    return {"clips": clips, "lost": lost, "jitter": mean, "frames_per_second": RATE}


def report(content: dict[str, Any]) -> str:
    """The tables as Markdown, and what they were made with."""
    systems: dict[str, Any] = content["systems"]
    accuracy, times = [], []
    for name, result in systems.items():
        for way, kinds in result["accuracy"].items():
            raw = kinds["raw"]
            row = [f"{name}, {WAYS[way]}", f"{raw['missed']:.0f}"]
            row += [f"{kinds[kind]['nme']:.2f}" for kind in ("raw", *MAPS)]
            row += [f"{kinds[kind]['fr10']:.2f}" for kind in ("raw", *MAPS)]
            accuracy.append([*row, f"{kinds['linear']['auc10']:.2f}"])
        row = [name]
        for way in TIMES:
            t = result["times"].get(way)
            row += [f"{t['ms']:.2f} ({t['cpu_ms']:.2f})", f"{t['cpu_ratio']:.2f}"] if t else ["-", "-"]
        times.append(row)
    accuracy.sort(key=lambda row: [row[0].endswith(way) for way in WAYS.values()], reverse=True)
    first = next(iter(systems))
    blocks = [
        f"{content['set']}: {content['faces']} faces, pictures of {content['picture']} px (median); "
        f"{content['machine']}, one core; {', '.join(f'{k} {v}' for k, v in content['versions'].items())}",
        "NME in % of the distance of the outer eye corners, mean over the faces found; all else counts the missed.",
        table(
            [
                "system, way",
                "missed",
                *(f"NME {kind}" for kind in ("raw", *MAPS)),
                *(f"FR10 {kind}" for kind in ("raw", *MAPS)),
                "AUC10 linear",
            ],
            accuracy,
        ),
        f"Milliseconds a face on the clock (of the processor), and processor time over {first}'s.",
        table(["system", *(part for way in TIMES.values() for part in (way, f"x {first}"))], times),
    ]
    if still := content.get("still"):
        lost = ", ".join(f"{name} {n}" for name, n in still["lost"].items() if n)
        blocks += [
            f"Jitter at rest in % of the eye distance, {still['clips']} clips that all followed"
            + (f" (lost: {lost})" if lost else ""),
            table(["system, tracking", "jitter"], [[k, f"{v:.3f}"] for k, v in still["jitter"].items()]),
        ]
    return "\n\n".join(blocks)


def peer_errors(systems: dict[str, Any]) -> dict[str, list[float | None]]:
    """The rivals' errors end to end, as `python -m train evaluate --peers` takes them."""
    return {
        f"{name}, {way}": errors
        for name, result in systems.items()
        if name not in OURS
        for way, errors in result["errors"].items()
        if way in ("end to end, raw", "end to end, linear")
    }


def write_json(path: Path, content: object) -> None:
    """Write a JSON file and say so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", "Choose another file.") from error
    print(f"\n{path}")


def spread(faces: FaceSet, count: int | None) -> FaceSet:
    """``count`` faces spread evenly over the set; all for None or more than there are."""
    if count is None or count >= len(faces):
        return faces
    return faces.select(np.linspace(0, len(faces) - 1, count).round().astype(int))


def compare(args: argparse.Namespace) -> dict[str, Any]:
    """The whole run, as the JSON holds it."""
    sets = splits(args.data)
    faces = spread(sets[args.set], args.limit)
    teachers = spread(sets[SETS[args.set]], args.placing)
    ours = [Ours(name) for name in OURS]
    with Rivals(ensure_env(args.env, args.python), args.log) as rivals:
        theirs = [Rival(name, rivals, place(name, rivals, teachers)) for name in NAMES]
        records = run([*ours, *theirs], faces, args.repeats)
        still = jitter_at_rest(args.data, args.clips, ours, rivals) if args.clips else None
        versions = {"fkp_live": fkp_live.__version__, "onnxruntime": runtime_version(), **rivals.versions}
    groups = [person_of(name) if args.set == "udacity_test" else name for name in faces.names]
    sizes = [faces.image(number).shape[:2] for number in range(0, len(faces), 10)]
    height, width = np.median(sizes, axis=0)
    return {
        "set": args.set,
        "faces": len(faces),
        "picture": f"{width:.0f}x{height:.0f}",
        "machine": f"{platform.platform()}, {platform.processor() or platform.machine()}",
        "versions": versions,
        "models": {one.name: one.sha256 for one in ours},
        "placement": {one.name: asdict(one.placement) for one in theirs},
        "systems": figures(records, faces, groups),
        "still": still,
    }


def bind_to_one_core() -> None:
    """This process and what it starts, where the system can do that."""
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with udacity/ and wild/")
    parser.add_argument("--set", choices=SETS, default="udacity_test", help="default: %(default)s")
    parser.add_argument("--limit", type=int, help="at most N faces, spread over the set")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls a face (default: %(default)s)")
    parser.add_argument(
        "--placing", type=int, default=200, help="training faces for the rivals' boxes (default: %(default)s)"
    )
    parser.add_argument(
        "--clips", type=int, default=20, help="clips for jitter, 0 for none (default: %(default)s)"
    )
    add_arguments(parser)
    parser.add_argument("--json", type=Path, help="all figures, and the errors of each face")
    parser.add_argument(
        "--peers", type=Path, help="errors for `python -m train evaluate --peers` (a whole set)"
    )
    args = parser.parse_args()
    try:
        if min(args.repeats, args.placing, 1 if args.limit is None else args.limit) < 1 or args.clips < 0:
            raise UsageError("--repeats, --placing and --limit are 1 or more, --clips 0 or more")
        bind_to_one_core()
        content = compare(args)
        print(report(content))
        if args.json:
            write_json(args.json, finite(content))
        if args.peers:
            write_json(args.peers, peer_errors(content["systems"]))
    except FkpError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    raise SystemExit(main())
