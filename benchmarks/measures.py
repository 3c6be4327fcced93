"""Which way measures of a face go with expressions: photographs of people of whom there is a neutral one too.

    python -m benchmarks.measures --data FOLDER [--model NAME]

FOLDER/labels.csv has the columns image, label and person, FOLDER/images the pictures (faces at 100 px or more). Of each
person with a neutral picture and others, measures are taken less the median of the neutral ones. Heads turned by more
than 20 degrees are left out. The table has the median difference, and the share of pictures in which it is above 0.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.script import run
from fkp_live.arguments import file_path
from fkp_live.measured import MEASURES
from fkp_live.pipeline import FaceLandmarker

_FRONTAL = np.radians(20.0)
_LEAST = 20  # pictures of an expression that a column needs
Values = NDArray[np.float64]


def pictures(data: Path) -> dict[str, dict[str, list[Path]]]:
    """Pictures by person and label, of people with a neutral picture and others."""
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[row["person"]][row["label"]].append(data / "images" / row["image"])
    return {who: own for who, own in found.items() if who and "neutral" in own and len(own) > 1}


def seen(landmarker: FaceLandmarker, paths: list[Path]) -> Iterator[Values]:
    """The measures of each picture's largest face that looks at the camera."""
    for path in paths:
        image = cv2.imread(str(path))
        if image is None:
            continue
        # Faces fill their pictures: the detector needs some room.
        edge = max(image.shape) // 3
        image = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_REPLICATE)
        faces = landmarker(np.asarray(image, np.uint8))
        if faces and abs(faces[0].pose.yaw) <= _FRONTAL:
            yield np.array(list(faces[0].measures.values.values()))


def differences(landmarker: FaceLandmarker, data: Path) -> tuple[dict[str, list[Values]], int]:
    """By label the measures less the person's own neutral ones; and how many persons there are."""
    found: dict[str, list[Values]] = defaultdict(list)
    persons = 0
    for own in pictures(data).values():
        neutral = list(seen(landmarker, own["neutral"]))
        if not neutral:
            continue
        persons += 1
        usual = np.median(neutral, axis=0)
        for label, paths in own.items():
            if label != "neutral":
                found[label] += [values - usual for values in seen(landmarker, paths)]
    return found, persons


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--data", type=file_path, required=True, metavar="FOLDER", help="labels.csv, images/")
    parser.add_argument("--model", help="a shipped network or an .onnx file")
    options = parser.parse_args()
    found, persons = differences(FaceLandmarker("cpu", options.model), options.data)
    labels = [label for label in sorted(found) if len(found[label]) >= _LEAST]
    print(f"{persons} persons\n")
    print(f"| measure | {' | '.join(f'{label} ({len(found[label])})' for label in labels)} |")
    print("|---" * (1 + len(labels)) + "|")
    for place, name in enumerate(MEASURES):
        cells = []
        for label in labels:
            change = np.array(found[label])[:, place]
            cells.append(f"{np.median(change):+.3f}, {100 * np.mean(change > 0):.0f} %")
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    run(main)
