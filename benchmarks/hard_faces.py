"""Faces that are hard to find: turned in the picture, in the dark; what a harder search finds where nobody is.

    python -m benchmarks.hard_faces --data ../shared/data [--parts roll,dark,…] [--every 1] [--json FILE]

Faces: FOLDER/wild/val.txt, each photo whole. **roll**: the photo turned about its centre, black around it; a face
counts as right if the one that overlaps the true points most errs by less than 10 % of the eye distance, and as wrong
if it errs by more; "upside down" are faces anywhere in the picture whose eye line is off the true one by more than 90
degrees. **streams**: every fifth photo so turned, as a stream of 31 frames. **dark**: the photo times a gain, with
noise of a sensor (variance 6 + 0.3 times the level), rounded; error of the faces that are right. **false**: faces
that are found in pictures without one (see `benchmarks.faceless`) and in every fourth frame of no_face.mp4, and by a
stream in all of its frames. **profiles**: FOLDER/pose/keypoints_visible.csv, by the yaw of pose.csv, box given: what
the confidence of a point says, and how often it is true that the point is within a tenth of the eye distance of a
label; a hidden point has none. **cost**: milliseconds of `FaceLandmarker` a picture and of `Pipeline` a frame, with
the search for turned faces and without it, in turn: medians, the median of ratios and the ratio of means.

"before" is the search for upright faces in the picture as it is, that of version 0.2: the detector's faces with a score
of 0.6, looked at twice.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import faceless, reliability
from benchmarks.placement import matching
from benchmarks.script import result_file, run
from benchmarks.stability import put_into_card
from fkp_live import geometry, metrics
from fkp_live.arguments import file_path, whole_number
from fkp_live.choices import PipelineOptions
from fkp_live.console import say
from fkp_live.engine import Engine
from fkp_live.errors import UsageError
from fkp_live.faces.crop_follower import roll_of
from fkp_live.faces.detector import candidates_of
from fkp_live.faces.turned import faces_of_any_roll, look
from fkp_live.images.picture import BgrPicture
from fkp_live.pipeline import MIN_CONFIDENCE, TURNED_SIZE, FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.types import Frame, Image
from train.data.faces import FaceSet
from train.data.splits import splits

ROLLS = (0, 30, 45, 60, 90, 135, 180)
GAINS = (0.03, 0.06, 0.12, 0.25)
_STREAM_ROLLS = (0, 45, 60, 90, 180)
PARTS = ("roll", "streams", "dark", "false", "profiles", "cost")
# Per cent of the eye distance.
_RIGHT = 10.0
_MADE = 420
# Section of a model card.
_RELIABILITY = "Confidence of turned and covered faces"
_MEANING = (
    "By `python -m benchmarks.hard_faces --data DIR --parts profiles --model {0} --card models/{0}.md`: the pose "
    "photos, from whose points nothing was learnt. Right: within a tenth of the bounded eye distance; points that the "
    "head itself hides have no label and count as not right. Said: mean confidence, by the network, and now, as the "
    "product says it, which knows the yaw. Success: share of the faces."
)

Points = NDArray[np.float32]
Finder = Callable[[Image], list[Points]]


@dataclass
class Tally:
    """What became of faces: errors of those that were found (inf: missed), and how many were upside down."""

    errors: list[float] = field(default_factory=list)
    upside_down: int = 0

    def add(self, faces: list[Points], truth: Points) -> None:
        """Note what was found for one face."""
        found = matching(np.asarray(faces, np.float64), truth) if faces else None
        self.errors.append(
            math.inf if found is None else float(metrics.nme(faces[found][None], truth[None])[0])
        )
        rolls = [abs(math.remainder(roll_of(face) - roll_of(truth), math.tau)) for face in faces]
        self.upside_down += any(roll > math.pi / 2 for roll in rolls)

    def row(self) -> dict[str, float]:
        """Per cent right, wrong and with a face upside down, and the mean error of the right ones."""
        errors = np.array(self.errors)
        right = errors < _RIGHT
        return {
            "right": 100 * float(right.mean()),
            "wrong": 100 * float((np.isfinite(errors) & ~right).mean()),
            "upside down": 100 * self.upside_down / len(errors),
            "error": float(errors[right].mean()) if right.any() else math.nan,
        }


def finders(engine: Engine) -> dict[str, Finder]:
    """The two searches: picture -> points (68, 2) of each face."""
    landmarker = FaceLandmarker(engine=engine)

    def before(image: Image) -> list[Points]:
        picture = BgrPicture(image)
        seen = look(picture, engine.detector(picture), engine.network)
        return [each.points for each in seen if each.mean >= MIN_CONFIDENCE]

    return {"before": before, "now": lambda image: [face.points for face in landmarker(image)]}


def rolled(image: Image, points: Points, degrees: float) -> tuple[Image, Points]:
    """Picture and points turned clockwise about its centre, on a canvas that holds all of it."""
    height, width = image.shape[:2]
    matrix = geometry.rotation(math.radians(degrees))
    corners = geometry.apply(matrix, [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    low, high = corners.min(0), corners.max(0)
    matrix[:, 2] = -low
    columns, rows = (int(side) + 1 for side in np.rint(high - low))
    turned = cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, np.uint8), geometry.apply(matrix, points)


def darkened(image: Image, gain: float, number: int) -> Image:
    """The picture as a camera has it that gets so little light, with noise."""
    level = gain * image.astype(np.float64)
    noise = np.random.default_rng(number).normal(size=level.shape) * np.sqrt(6.0 + 0.3 * level)
    return np.clip(np.rint(level + noise), 0, 255).astype(np.uint8)


def tallied(
    faces: FaceSet, ways: dict[str, Finder], harder: Callable[[int], tuple[Image, Points]]
) -> dict[str, dict[str, float]]:
    """Row of each search for all faces, each made harder."""
    tallies = {way: Tally() for way in ways}
    for number in range(len(faces)):
        image, truth = harder(number)
        for way, find in ways.items():
            tallies[way].add(find(image), truth)
    return {way: tally.row() for way, tally in tallies.items()}


def roll_table(faces: FaceSet, ways: dict[str, Finder]) -> dict[str, Any]:
    """Degrees -> search -> row."""
    table = {}
    for degrees in ROLLS:

        def harder(number: int, degrees: float = degrees) -> tuple[Image, Points]:
            return rolled(faces.image(number), faces.points[number], degrees)

        table[str(degrees)] = rows = tallied(faces, ways, harder)
        _print(f"roll {degrees:>4}", rows)
    return table


def stream_table(faces: FaceSet) -> dict[str, Any]:
    """Degrees -> search -> row, of streams of one still photo: what stands in the last frame, upside down in any."""
    engine, table = Engine.for_streams(PipelineOptions(provider="cpu")), {}
    for degrees in _STREAM_ROLLS:
        tallies = {"before": Tally(), "now": Tally()}
        for number in range(len(faces)):
            image, truth = rolled(faces.image(number), faces.points[number], degrees)
            for way, tally in tallies.items():
                pipeline = Pipeline(PipelineOptions(any_roll=way == "now"), engine=engine)
                results = [pipeline.process_image(image, index / 30) for index in range(31)]
                every = Tally()
                for result in results:
                    every.add([face.raw for face in result.faces], truth)
                tally.errors.append(every.errors[-1])
                tally.upside_down += every.upside_down > 0
        table[str(degrees)] = rows = {way: tally.row() for way, tally in tallies.items()}
        _print(f"stream, roll {degrees:>4}", rows)
    return table


def dark_table(faces: FaceSet, ways: dict[str, Finder]) -> dict[str, Any]:
    """Gain -> search -> row."""
    table = {}
    for gain in GAINS:

        def harder(number: int, gain: float = gain) -> tuple[Image, Points]:
            return darkened(faces.image(number), gain, number), faces.points[number]

        table[str(gain)] = rows = tallied(faces, ways, harder)
        _print(f"gain {gain:>4}", rows)
    return table


def profiles(options: argparse.Namespace, engine: Engine) -> dict[str, Any]:
    """What confidence says of turned and covered faces; into the card, where one is given."""
    found = reliability.judged(options.data, engine)
    tables = {"yaw": reliability.by_yaw(found), "region": reliability.by_region(found)}
    text = "\n\n".join(reliability.markdown(rows, name) for name, rows in tables.items())
    print(text, flush=True)
    if options.card is not None:
        put_into_card(options.card, _RELIABILITY, f"{_MEANING.format(engine.model_name)}\n\n{text}")
    return tables


def false_table(data: Path, ways: dict[str, Finder], engine: Engine) -> dict[str, Any]:
    """Kind of picture -> how many there are, and in how many each search finds a face; the same in the dark."""
    kinds: dict[str, Callable[[], Iterator[tuple[str, Image]]]] = {
        "scikit-image": faceless.photographs,
        "icons": faceless.icons,
        "made here": lambda: faceless.made(_MADE),
        "no_face.mp4": lambda: _frames(data / "videos" / "no_face.mp4"),
    }
    table: dict[str, Any] = {}
    for kind, pictures in kinds.items():
        counts = dict.fromkeys(["pictures", *ways, "now, in the dark"], 0)
        for number, (name, image) in enumerate(pictures()):
            counts["pictures"] += 1
            found = {way: find(image) for way, find in ways.items()}
            found["now, in the dark"] = ways["now"](darkened(image, 0.06, number))
            for way, faces in found.items():
                counts[way] += bool(faces)
                if faces:
                    print(f"  {kind}: {name}: {way}")
        table[kind] = counts
        print(f"{kind:<14}" + "".join(f"{key}: {value:<8}" for key, value in counts.items()), flush=True)
    pipeline = Pipeline(PipelineOptions(provider="cpu"), engine=engine)
    with open_source(data / "videos" / "no_face.mp4") as source:
        results = [pipeline.process(frame) for frame in source]
    table["stream"] = {"frames": len(results), "now": sum(bool(result.faces) for result in results)}
    print(f"no_face.mp4 as a stream: {table['stream']}", flush=True)
    return table


def _searches(engine: Engine) -> dict[str, Finder]:
    """The two searches and nothing else: neither pose nor eyes nor measures."""

    def now(image: Image) -> list[Points]:
        picture, turned = BgrPicture(image), engine.turned_detector(TURNED_SIZE)
        finds = candidates_of(engine.detector, picture)
        return [
            face.points for face in faces_of_any_roll(picture, finds, engine.network, MIN_CONFIDENCE, turned)
        ]

    return {"before": finders(engine)["before"], "now": now}


def cost_table(data: Path, faces: FaceSet, engine: Engine) -> dict[str, Any]:
    """What the search costs: milliseconds with and without, the median of ratios and the ratio of means."""
    ways = _searches(engine)
    images = [faces.image(number) for number in range(len(faces))]
    empty = [image for _, image in faceless.made(60)]
    table: dict[str, Any] = {
        "pictures with a face": _ratio([_picture(ways, image) for image in images]),
        "pictures without": _ratio([_picture(ways, image) for image in empty]),
    }
    for clip in ("talking_head.mp4", "group.mp4", "no_face.mp4"):
        with open_source(data / "videos" / clip) as source:
            frames = [frame for frame, _ in zip(source, range(90), strict=False)]
        table[clip] = _ratio([_stream(frames, engine) for _ in range(7)])
    for name, row in table.items():
        print(f"{name:<22}" + "".join(f"{key}: {value:<8.3f}" for key, value in row.items()), flush=True)
    return table


def _picture(ways: dict[str, Finder], image: Image) -> dict[str, float]:
    return {way: _median([_timed(find, image) for _ in range(3)]) for way, find in ways.items()}


def _stream(frames: list[Frame], engine: Engine) -> dict[str, float]:
    times = {}
    for way, any_roll in (("before", False), ("now", True)):
        pipeline = Pipeline(PipelineOptions(any_roll=any_roll), engine=engine)
        times[way] = sum(_timed(pipeline.process, frame) for frame in frames) / len(frames)
    return times


def _timed(work: Callable[[Any], object], on: object) -> float:
    begun = perf_counter()
    work(on)
    return 1000 * (perf_counter() - begun)


def _ratio(times: list[dict[str, float]]) -> dict[str, float]:
    row = {way: _median([each[way] for each in times]) for way in ("before", "now")}
    row["ratio"] = _median([each["now"] / each["before"] for each in times])
    return row | {"of means": sum(each["now"] for each in times) / sum(each["before"] for each in times)}


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _frames(path: Path) -> Iterator[tuple[str, Image]]:
    with open_source(path) as source:
        for frame in source:
            if frame.index % 4 == 0:
                yield f"frame {frame.index}", frame.image


def _print(name: str, rows: dict[str, dict[str, float]]) -> None:
    for way, row in rows.items():
        print(
            f"{name}  {way:<8}" + "".join(f"{key} {value:6.2f}   " for key, value in row.items()), flush=True
        )


def main() -> int:
    """The command; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hard_faces", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", type=file_path, required=True, metavar="FOLDER")
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas (default: %(default)s)")
    parser.add_argument(
        "--every", type=whole_number(1), default=1, metavar="N", help="take every Nth face only"
    )
    parser.add_argument("--model", default="fkp68", help="landmark network (default: %(default)s)")
    parser.add_argument("--card", type=Path, help="write the tables of the profiles into this model card")
    parser.add_argument("--json", type=result_file, metavar="FILE")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        raise UsageError(f"--parts: '{unknown[0]}' is none", f"Expected {', '.join(PARTS)}.")
    if not options.data.is_dir():
        say(f"There is no {options.data}: nothing to measure.")
        return 0
    cv2.setNumThreads(1)
    engine = Engine("cpu", options.model, min_face=40.0)
    ways = finders(engine)
    validation = splits(options.data)["wild_val"]
    faces = validation.select(np.arange(0, len(validation), options.every))
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "roll": lambda: roll_table(faces, ways),
        "streams": lambda: stream_table(faces.select(np.arange(0, len(faces), 5))),
        "dark": lambda: dark_table(faces, ways),
        "false": lambda: false_table(options.data, ways, engine),
        "profiles": lambda: profiles(options, engine),
        "cost": lambda: cost_table(options.data, faces, engine),
    }
    record = {part: measures[part]() for part in parts}
    if options.json is not None:
        options.json.write_text(
            json.dumps({"faces": len(faces), "model": engine.model_name} | record, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    run(main)
