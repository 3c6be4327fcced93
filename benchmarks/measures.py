"""Which way measures of a face go with expressions, and what turning the head does to them, in photographs.

    python -m benchmarks.measures --data FOLDER [--model NAME]
    python -m benchmarks.measures --turned FOLDER [--model NAME]

--data: FOLDER/labels.csv has the columns image, label and person, FOLDER/images the pictures (faces at 100 px or more).
Of each person with a neutral picture and others, measures are taken less the median of the neutral ones. Heads turned
by more than 20 degrees are left out. The table has the median difference, and the share of pictures in which it is
above 0.

--turned: every picture of FOLDER. The table has the median of each measure by the yaw that was found, those of a side
on the side towards the camera (near) and on the other (far): people differ, but with many of them medians do not depend
on the yaw where a measure does not.
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
from fkp_live.types import MeasuredFace

_FRONTAL, _YAWS = np.radians(20.0), (0, 10, 20, 30, 45, 60)
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


def near_and_far(face: MeasuredFace) -> dict[str, float]:
    """The measures by name, those of a side as near and far."""
    # Who turns towards the own left (the right edge of the picture) shows the right side.
    near, far = ("right", "left") if face.pose.yaw > 0 else ("left", "right")
    names = {name: name.replace(near, "near").replace(far, "far") for name in MEASURES}
    return {names[name]: value for name, value in face.measures.values.items()}


def show_turned(landmarker: FaceLandmarker, folder: Path) -> None:
    """Print the table of medians by yaw."""
    found: dict[int, list[dict[str, float]]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        image = cv2.imread(str(path))
        for face in [] if image is None else landmarker(np.asarray(image, np.uint8))[:1]:
            place = int(np.searchsorted(_YAWS, abs(np.degrees(face.pose.yaw))))
            found[place].append(near_and_far(face))
    places = [place for place in range(1, len(_YAWS)) if found[place]]
    heads = [f"{_YAWS[place - 1]} to {_YAWS[place]}° ({len(found[place])})" for place in places]
    print(f"| measure | {' | '.join(heads)} |")
    print("|---" * (1 + len(heads)) + "|")
    for name in sorted({name for rows in found.values() for row in rows for name in row}):
        medians = [np.median([row[name] for row in found[place]]) for place in places]
        print(f"| `{name}` | {' | '.join(f'{value:.2f}' for value in medians)} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("--data", type=file_path, metavar="FOLDER", help="labels.csv, images/")
    one.add_argument("--turned", type=file_path, metavar="FOLDER", help="pictures of faces at any yaw")
    parser.add_argument(
        "--model", default="fkp68", help="a shipped network or an .onnx file (default: %(default)s)"
    )
    options = parser.parse_args()
    landmarker = FaceLandmarker("cpu", options.model)
    if options.turned is not None:
        show_turned(landmarker, options.turned)
        return
    found, persons = differences(landmarker, options.data)
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
