"""Accuracy of a network through the product's own code.

Four protocols, from the easiest to what a user gets: the crop around the true points' box, the same box as a detector
would give it (4 % shift, 5 % scale), a second look around the points found there, and end to end with the product's
detector and two looks, where a missed face is a failure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from fkp_live import metrics
from fkp_live.engine import Engine, Network
from fkp_live.faces.detector import USUAL_FACE
from fkp_live.faces.looks import landmarks
from fkp_live.geometry import box_of, iou
from fkp_live.images.picture import as_picture
from fkp_live.pipeline import FaceLandmarker
from fkp_live.types import Image
from train.data.augment import detector_jitter
from train.data.faces import FaceSet
from train.evaluate.report import bounded_errors, calibration, table
from train.evaluate.slices import SLICES, Masks, slices
from train.options import LEAST_EYE_DISTANCE

EVALUATED_SETS = ("udacity_test", "unseen", "wild_val")
WAYS = {
    "exact": "box given",
    "jitter": "box given, detector jitter",
    "second": "the same, second look",
    "detector": "end to end",
}
# A detected face is the labelled one if their boxes have at least this IoU; anything else is a miss.
SAME_FACE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Points (N, 68, 2) in image pixels and confidence (N, 68) of N faces; NaN where a face was missed."""

    points: NDArray[np.float32]
    confidence: NDArray[np.float32]

    def part(self, mask: NDArray[np.bool_]) -> Predictions:
        """Those of the masked faces."""
        return Predictions(self.points[mask], self.confidence[mask])

    def shifted(self, offset: ArrayLike) -> Predictions:
        """The same with ``offset`` (x, y in pixels) added to every point."""
        return Predictions(self.points + np.asarray(offset, np.float32), self.confidence)


def protocols(
    network: Network, seed: int
) -> dict[str, Callable[[Image, NDArray[np.float32], int], Predictions]]:
    """For each of `WAYS`: (image, true points, number of the face) -> prediction for one face."""
    landmarker = FaceLandmarker(engine=Engine("cpu", min_face=USUAL_FACE, network=network))

    def given(image: Image, box: NDArray[np.float32]) -> Predictions:
        found = network(image, box[None])
        return Predictions(found.points[0], found.confidence[0])

    def jittered(image: Image, truth: NDArray[np.float32], number: int) -> Predictions:
        return given(image, detector_jitter(box_of(truth), np.random.default_rng((seed, number))))

    def second(image: Image, truth: NDArray[np.float32], number: int) -> Predictions:
        box = detector_jitter(box_of(truth), np.random.default_rng((seed, number)))
        found = landmarks(network, as_picture(image), box[None])
        return Predictions(found.points[0], found.confidence[0])

    def detected(image: Image, truth: NDArray[np.float32], _: int) -> Predictions:
        faces = landmarker(image)
        overlap = iou([face.box for face in faces], box_of(truth))[:, 0] if faces else np.zeros(1)
        if overlap.max() < SAME_FACE:
            return Predictions(np.full((68, 2), np.nan, np.float32), np.full(68, np.nan, np.float32))
        face = faces[int(overlap.argmax())]
        return Predictions(face.points, face.confidence)

    return {
        "exact": lambda image, truth, _: given(image, box_of(truth)),
        "jitter": jittered,
        "second": second,
        "detector": detected,
    }


def predict(network: Network, faces: FaceSet, seed: int) -> dict[str, Predictions]:
    """The network's predictions for a set, each image read once: protocol -> predictions for N faces."""
    ways = protocols(network, seed)
    predictions: dict[str, list[Predictions]] = {way: [] for way in ways}
    for number in tqdm(range(len(faces)), desc=faces.name, unit="face", file=sys.stderr, disable=None):
        image = faces.image(number)
        for way, one in ways.items():
            predictions[way].append(one(image, faces.points[number], number))
    return {
        way: Predictions(np.stack([a.points for a in some]), np.stack([a.confidence for a in some]))
        for way, some in predictions.items()
    }


def figures(
    predictions: Predictions, faces: FaceSet, parts: Mapping[str, Masks] | None = None
) -> dict[str, Any]:
    """All figures of one set by one protocol, as the JSON has them; ``parts``: its `slices`."""
    errors = metrics.nme(predictions.points, faces.points)
    found = np.isfinite(errors)
    regions = metrics.nme_by_region(predictions.points, faces.points)
    result: dict[str, Any] = dict(metrics.summary(errors))
    result["by_region"] = {
        name: float(values[found].mean()) for name, values in regions.items() if found.any()
    }
    for kind, masks in (slices(faces) if parts is None else parts).items():
        result[kind] = {
            name: dict(metrics.summary(errors[mask])) for name, mask in masks.items() if mask.any()
        }
    return result


def _calibration(predictions: Predictions, faces: FaceSet) -> dict[str, Any]:
    """Of the points of the faces that were found."""
    seen = np.isfinite(predictions.confidence).all(1)
    errors = bounded_errors(predictions.points[seen], faces.points[seen])
    return calibration(predictions.confidence[seen], errors)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A set, the predictions for it, and the same in the labels' own convention where that differs."""

    faces: FaceSet
    raw: Mapping[str, Predictions]
    own: Mapping[str, Predictions] | None

    @property
    def best(self) -> Mapping[str, Predictions]:
        """The predictions in the convention of the labels."""
        return self.own or self.raw

    def figures(self) -> dict[str, Any]:
        """For each protocol figures ``raw`` and, where it differs, in the labels' ``own`` convention; calibration."""
        found: dict[str, Any] = {}
        parts = slices(self.faces)
        for way in self.raw:
            found[way] = {"raw": figures(self.raw[way], self.faces, parts)}
            if self.own is not None:
                found[way]["own"] = figures(self.own[way], self.faces, parts)
        best = self.best["jitter"]
        by_yaw = {
            name: _calibration(best.part(mask), self.faces.select(np.flatnonzero(mask)))
            for name, mask in parts["by_yaw"].items()
            if mask.any()
        }
        return {"ways": found, "calibration": _calibration(best, self.faces) | {"by_yaw": by_yaw}}


def evaluate(network: Network, faces: FaceSet, offset: tuple[float, float] | None, seed: int) -> Evaluated:
    """Evaluate a network on a set.

    ``offset`` (x, y in pixels): how far its labels are from the network's convention.
    """
    raw = predict(network, faces, seed)
    return Evaluated(faces, raw, {way: some.shifted(offset) for way, some in raw.items()} if offset else None)


_COLUMNS = ("nme", "median", "p90", "p95", "fr8", "fr10", "auc10")


def report(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The figures of all sets as Markdown: the main table, regions, slices, calibration."""
    main, regions, confidences = [], [], []
    parts: list[list[str]] = []
    for name, result in results.items():
        for way, conventions in result["ways"].items():
            for convention, row in conventions.items():
                label = f"{name}, {WAYS[way]}" + (", labels' own convention" if convention == "own" else "")
                main.append([label, f"{row['missed']:.0f}", *(f"{row[key]:.2f}" for key in _COLUMNS)])
                if way == "jitter" and convention == ("own" if "own" in conventions else "raw"):
                    regions.append([label, *(f"{row['by_region'][key]:.2f}" for key in row["by_region"])])
                    again = result["ways"].get("second", {}).get(convention, {})
                    parts += _sliced(name, row, again)
        rows = {f"{row['from']:.1f}-{row['from'] + 0.1:.1f}": row for row in result["calibration"]["bins"]}
        for part, row in (rows | result["calibration"].get("by_yaw", {})).items():
            shown = [f"{row[k]:.2f}" if k in row else "-" for k in ("confidence", "found", "error")]
            confidences.append([f"{name}, {part}", f"{row['points']:.0f}", *shown])
        confidences.append(
            [f"{name}, expected calibration error", "", f"{result['calibration']['ece']:.3f}", "", ""]
        )
    blocks = [
        "NME: mean distance of a point from its label, in % of the distance of the outer eye corners. MEDIAN, P90, "
        "P95: half, 90 % and 95 % of the faces are below it. FR8, FR10: share of faces over 8 and over 10, in %. "
        "AUC10: area under the curve of cumulative errors up to 10, in %; more is better. A missed face is in every "
        "figure but the mean.\n\n"
        "Box given: the box of the labels; detector jitter: one as inexact as a detector's; second look: again, in a "
        "box around the points of the first; end to end: our own detector finds the face. Bounded eye distance: at "
        f"least {LEAST_EYE_DISTANCE:.2f} of the longer side of the box, for turned heads.",
        table(["set, way", "missed", *(key.upper() for key in _COLUMNS)], main),
        table(["NME by region", *metrics.REGIONS], regions),
        table(["slice (box with jitter)", "faces", "NME", "second look", "FR10"], parts),
        table(["confidence (bounded eye distance)", "points", "mean", "within 10 %", "error %"], confidences),
    ]
    return "\n\n".join(blocks)


def _sliced(name: str, row: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[list[str]]:
    """Lines of the slices of a set, from its figures by the first look and by the second."""
    for kind, found in ((key, value) for key, value in row.items() if key in SLICES):
        for part, s in found.items():
            second = again.get(kind, {}).get(part)
            looks = [f"{look['nme']:.2f}" if look else "-" for look in (s, second)]
            yield [f"{name}, {part}", f"{s['faces']:.0f}", *looks, f"{s['fr10']:.2f}"]


def finite(value: Any) -> Any:
    """The same structure with None for numbers that JSON does not have (an infinite P95)."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
