"""`python -m train evaluate`: how accurate a network is, through the product's own code.

Three ways in, from the kindest to what a user gets: the crop around the true points' box, the same box as a detector
would have put it (4 % shift, 5 % scale), and end to end with the product's detector, where a miss is a failure.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

import fkp_live
from fkp_live import metrics
from fkp_live.arguments import whole_number
from fkp_live.errors import ExitCode, InputError, OutputError, UsageError
from fkp_live.faces.head_pose import head_pose
from fkp_live.geometry import box_of, iou
from fkp_live.pipeline import FaceLandmarker, Network
from fkp_live.sinks.files import write_text
from fkp_live.types import Image
from train.arguments import finite_number, make_folder, prepare_output
from train.augment import detector_jitter
from train.data import FaceSet, read_csv, splits, twins_in_validation
from train.networks import open_network
from train.recipe import UDACITY_OFFSET
from train.report import (
    bounded_errors,
    calibration,
    error_sheet,
    plot_calibration,
    plot_error_curves,
    table,
    write_png,
)

Values = NDArray[np.float64]

JUDGED = ("udacity_test", "unseen", "wild_val")
WAYS = {"exact": "box given", "jitter": "box given, detector jitter", "detector": "end to end"}
YAW_EDGES = (0, 15, 30, 45)  # degrees, of `head_pose` on the true points, left and right alike
SIZE_EDGES = (0, 60, 100, 200)  # pixels, longer side of the true box
# A found face is the labelled one if their boxes overlap at least so much; anything else is a miss.
SAME_FACE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Points (N, 68, 2) in image pixels and confidence (N, 68) of N faces; NaN where a face was missed."""

    points: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def shifted(self, offset: ArrayLike) -> Answers:
        """The same with ``offset`` (x, y in pixels) added to every point."""
        return Answers(self.points + np.asarray(offset, np.float32), self.confidence)


def ways_of_asking(
    network: Network, seed: int
) -> dict[str, Callable[[Image, NDArray[np.float32], int], Answers]]:
    """For each of `WAYS`: (image, true points, number of the face) -> answer for one face."""
    landmarker = FaceLandmarker("cpu", network=network)

    def given(image: Image, box: NDArray[np.float32]) -> Answers:
        found = network(image, box[None])
        return Answers(found.points[0], found.confidence[0])

    def jittered(image: Image, truth: NDArray[np.float32], number: int) -> Answers:
        return given(image, detector_jitter(box_of(truth), np.random.default_rng((seed, number))))

    def detected(image: Image, truth: NDArray[np.float32], _: int) -> Answers:
        faces = landmarker(image)
        overlap = iou([face.box for face in faces], box_of(truth))[:, 0] if faces else np.zeros(1)
        if overlap.max() < SAME_FACE:
            return Answers(np.full((68, 2), np.nan, np.float32), np.full(68, np.nan, np.float32))
        face = faces[int(overlap.argmax())]
        return Answers(face.points, face.confidence)

    return {
        "exact": lambda image, truth, _: given(image, box_of(truth)),
        "jitter": jittered,
        "detector": detected,
    }


def ask(network: Network, faces: FaceSet, seed: int) -> dict[str, Answers]:
    """The network's answers for a set, each image read once: name of the way -> answers for N faces."""
    ways = ways_of_asking(network, seed)
    answers: dict[str, list[Answers]] = {way: [] for way in ways}
    for number in tqdm(range(len(faces)), desc=faces.name, unit="face", file=sys.stderr, disable=None):
        image = faces.image(number)
        for way, one in ways.items():
            answers[way].append(one(image, faces.points[number], number))
    return {
        way: Answers(np.stack([a.points for a in some]), np.stack([a.confidence for a in some]))
        for way, some in answers.items()
    }


def slices(faces: FaceSet) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Masks (N,) of faces: ``by_yaw``, ``by_size``, ``by_photograph`` -> name of the slice -> mask.

    The last is there for validation faces only: shipped networks saw the photographs of some in another copy.
    """
    yaw = np.abs(np.rad2deg([head_pose(points).yaw for points in faces.points]))
    boxes = box_of(faces.points)
    side = (boxes[:, 2:] - boxes[:, :2]).max(1)
    parts = {"by_yaw": _masks(yaw, YAW_EDGES, "deg"), "by_size": _masks(side, SIZE_EDGES, "px")}
    if faces.name == "wild_val":
        twins = twins_in_validation()
        fresh = np.array([name not in twins for name in faces.names], bool)
        parts["by_photograph"] = {"photograph not in training": fresh}
    return parts


def _masks(values: ArrayLike, edges: Sequence[int], unit: str) -> dict[str, NDArray[np.bool_]]:
    values, tops = np.asarray(values, np.float64), [*edges[1:], np.inf]
    return {
        f"{low}-{high} {unit}" if high < np.inf else f">{low} {unit}": (values >= low) & (values < high)
        for low, high in zip(edges, tops, strict=True)
    }


def figures(answers: Answers, faces: FaceSet) -> dict[str, Any]:
    """All figures of one set asked in one way, as the JSON holds them."""
    errors = metrics.nme(answers.points, faces.points)
    found = np.isfinite(errors)
    regions = metrics.nme_by_region(answers.points, faces.points)
    result: dict[str, Any] = dict(metrics.summary(errors))
    result["by_region"] = {
        name: float(values[found].mean()) for name, values in regions.items() if found.any()
    }
    for kind, masks in slices(faces).items():
        result[kind] = {
            name: dict(metrics.summary(errors[mask])) for name, mask in masks.items() if mask.any()
        }
    return result


def _calibration(answers: Answers, faces: FaceSet) -> dict[str, Any]:
    seen = np.isfinite(answers.confidence).all(1)
    errors = bounded_errors(answers.points[seen], faces.points[seen])
    return calibration(answers.confidence[seen], errors)


@dataclass(frozen=True, slots=True)
class Judged:
    """A set, the answers for it, and the same in the labels' own convention where that is another one."""

    faces: FaceSet
    raw: Mapping[str, Answers]
    own: Mapping[str, Answers] | None

    @property
    def best(self) -> Mapping[str, Answers]:
        """The answers in the convention of the labels."""
        return self.own or self.raw

    def figures(self) -> dict[str, Any]:
        """For each way the figures ``raw`` and, where it differs, in the labels' ``own`` convention; calibration."""
        found: dict[str, Any] = {}
        for way in self.raw:
            found[way] = {"raw": figures(self.raw[way], self.faces)}
            if self.own is not None:
                found[way]["own"] = figures(self.own[way], self.faces)
        return {"ways": found, "calibration": _calibration(self.best["jitter"], self.faces)}


def judge(network: Network, faces: FaceSet, offset: tuple[float, float] | None, seed: int) -> Judged:
    """Ask a network about a set; ``offset`` (x, y in pixels): how far its labels sit off the network's."""
    raw = ask(network, faces, seed)
    return Judged(faces, raw, {way: some.shifted(offset) for way, some in raw.items()} if offset else None)


_COLUMNS = ("nme", "median", "p90", "p95", "fr8", "fr10", "auc10")


def report(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of all sets as Markdown: the main table, regions, slices, calibration."""
    main, regions, parts, trust = [], [], [], []
    for name, result in results.items():
        for way, conventions in result["ways"].items():
            for convention, row in conventions.items():
                label = f"{name}, {WAYS[way]}" + (", labels' own convention" if convention == "own" else "")
                main.append([label, f"{row['missed']:.0f}", *(f"{row[key]:.2f}" for key in _COLUMNS)])
                if way == "jitter" and convention == ("own" if "own" in conventions else "raw"):
                    regions.append([label, *(f"{row['by_region'][key]:.2f}" for key in row["by_region"])])
                    kinds = (row.get(kind, {}) for kind in ("by_yaw", "by_size", "by_photograph"))
                    for part, s in (item for kind in kinds for item in kind.items()):
                        parts.append(
                            [f"{name}, {part}", f"{s['faces']:.0f}", f"{s['nme']:.2f}", f"{s['fr10']:.2f}"]
                        )
        for row in result["calibration"]["bins"]:
            shown = [f"{row[k]:.2f}" if k in row else "-" for k in ("confidence", "found", "error")]
            span = f"{name}, {row['from']:.1f}-{row['from'] + 0.1:.1f}"
            trust.append([span, f"{row['points']:.0f}", *shown])
        trust.append(
            [f"{name}, expected calibration error", "", f"{result['calibration']['ece']:.3f}", "", ""]
        )
    blocks = [
        "NME in % of the distance of the outer eye corners; a missed face counts in everything but the mean.",
        table(["set, way", "missed", *(key.upper() for key in _COLUMNS)], main),
        table(["NME by region", *metrics.REGIONS], regions),
        table(["slice (box with jitter)", "faces", "NME", "FR10"], parts),
        table(["confidence (bounded eye distance)", "points", "mean", "within 10 %", "error %"], trust),
    ]
    return "\n\n".join(blocks)


def read_peers(path: Path, faces: int) -> dict[str, Values]:
    """Rivals' errors: {"name": [NME of each face, null where missed]} for a set of ``faces`` faces.

    Raises
    ------
    InputError
        The file cannot be read or is not of this form.
    """
    expected = f'Expected {{"name": [NME in per cent or null, one a face: {faces}]}}.'
    try:
        content = json.loads(path.read_text())
        peers = {str(name): np.array(errors, np.float64) for name, errors in content.items()}
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", expected) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a list of errors for each name: {error}", expected) from error
    for name, errors in peers.items():
        if errors.shape != (faces,):
            raise InputError(f"{path}: '{name}' has errors of shape {errors.shape}, not ({faces},)", expected)
    return peers


def write_report(
    folder: Path, who: str, judged: Mapping[str, Judged], results: Mapping[str, Any], peers: Any
) -> None:
    """Everything that --out asks for: report.md, errors.json, curves of ``who``, sheets, calibration."""
    try:
        (folder / "report.md").write_text(report(results) + "\n")
        (folder / "errors.json").write_text(json.dumps(_errors(judged)) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write into {folder}: {error.strerror}", "Choose another --out.") from error
    for name, one in judged.items():
        curves = {
            f"{who}, {WAYS[way]}": metrics.nme(some.points, one.faces.points)
            for way, some in one.best.items()
        }
        if one.own is not None:
            curves[f"{who}, end to end, raw"] = metrics.nme(one.raw["detector"].points, one.faces.points)
        curves |= peers.get(name, {})
        plot_error_curves(curves, folder / f"ced_{name}.png", f"{name}: {len(one.faces)} faces")
        write_png(error_sheet(one.best["detector"].points, one.faces), folder / f"sheet_{name}.png")
    plot_calibration(
        {name: r["calibration"]["bins"] for name, r in results.items()}, folder / "calibration.png"
    )


def _errors(judged: Mapping[str, Judged]) -> dict[str, dict[str, list[float | None]]]:
    """NME of every face by set and way, null where missed; any of these lists can be handed to --peers."""
    return {
        name: {
            way + suffix: _plain(metrics.nme(some.points, one.faces.points))
            for suffix, answers in (("", one.raw), (" own", one.own or {}))
            for way, some in answers.items()
        }
        for name, one in judged.items()
    }


def _plain(values: Iterable[float]) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def finite(value: Any) -> Any:
    """The same structure with None for numbers that JSON does not have (an infinite P95)."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m train evaluate`."""
    parser.add_argument("model", type=Path, help="ONNX file, name of a shipped network, or checkpoint (.pt)")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder with udacity/ and wild/: the three judged sets")
    source.add_argument(
        "--csv", type=Path, action="append", help="judge by this CSV instead (labels as they are)"
    )
    parser.add_argument("--sets", nargs="+", choices=JUDGED, help="with --data: some of them (default: all)")
    parser.add_argument(
        "--offset",
        type=finite_number,
        nargs=2,
        metavar=("X", "Y"),
        default=UDACITY_OFFSET,
        help="pixels added for the Udacity labels' own convention (default: the measured %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="of the detector jitter (default: %(default)s)"
    )
    parser.add_argument("--limit", type=int, help="only the first faces of each set, for a quick look")
    parser.add_argument("--peers", type=Path, help='rivals for the curves: {"name": [NME, ...]}')
    parser.add_argument("--peers-set", default="udacity_test", help="set of --peers (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for report, curves, sheets and calibration plot")
    parser.add_argument("--json", type=Path, help="write all figures to this file")


def _sets(args: argparse.Namespace) -> dict[str, FaceSet]:
    if args.csv:
        if args.sets:
            raise UsageError("--sets goes with --data", "A --csv is judged whole.")
        files: dict[str, Path] = {}
        for csv in args.csv:
            if csv.stem in files:
                raise UsageError(
                    f"--csv {files[csv.stem]} and --csv {csv}: both would be called '{csv.stem}' in the report",
                    "Rename one of them, or judge them one by one.",
                )
            files[csv.stem] = csv
        sets = {name: read_csv(csv) for name, csv in files.items()}
    else:
        available = splits(args.data)
        sets = {name: available[name] for name in args.sets or JUDGED}
    if args.limit is not None:
        if args.limit < 1:
            raise UsageError(f"--limit {args.limit}: expected at least 1")
        sets = {name: faces.select(np.arange(min(args.limit, len(faces)))) for name, faces in sets.items()}
    return sets


def run(args: argparse.Namespace) -> int:
    """Entry of `python -m train evaluate`."""
    network, identity = open_network(args.model)
    sets = _sets(args)
    peers: dict[str, Any] = {}
    if args.peers:
        if args.peers_set not in sets:
            raise UsageError(
                f"--peers-set {args.peers_set} is not judged here", f"Judged: {', '.join(sets)}."
            )
        if not args.out:
            raise UsageError("--peers goes with --out", "The rivals are drawn into the curves there.")
        peers[args.peers_set] = read_peers(args.peers, len(sets[args.peers_set]))
    if args.json:
        prepare_output(args.json, overwrite=True)
    if args.out:
        make_folder(args.out)
    offsets = {name: None if args.csv or name == "wild_val" else tuple(args.offset) for name in sets}
    judged = {name: judge(network, faces, offsets[name], args.seed) for name, faces in sets.items()}
    results = {name: one.figures() for name, one in judged.items()}
    print(report(results))
    content = {
        **identity,
        "fkp_live": fkp_live.__version__,
        "machine": platform.platform(),
        "seed": args.seed,
        "udacity_offset": list(args.offset),
        "sets": results,
    }
    if args.json:
        write_text(args.json, json.dumps(finite(content), indent=1) + "\n", overwrite=True)
        print(f"\n{args.json}")
    if args.out:
        who = identity.get("name", Path(identity["model"]).parent.name)
        write_report(args.out, who, judged, results, peers)
        print(f"\n{args.out}/: report.md, errors.json, ced_*.png, sheet_*.png, calibration.png")
    return ExitCode.OK
