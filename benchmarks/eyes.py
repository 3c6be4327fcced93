"""How open eyes are read, and which shut ones are found, on held-out faces; and what looking at eyes costs.

    python -m benchmarks.eyes --data ../shared/data [--sheet shut.png] [--every 1] [--json FILE]

Faces are found end to end by `FaceLandmarker`: wild/val.txt without the twins of training faces, and the fifth of the
hard faces that the eye network was not trained on (`train.eyes.data`; fkp68 has learnt from their points). A face that
is not found is in no figure but "found". "points": openness by fkp68's points, as before eyes were looked at; "eyes":
that of the eye network. The line is the least-squares one of what was found against the labels. An eye is labelled as
shut below an openness of 0.12. "Shut found": shut eyes below the limit under which 3 % of all others lie, in brackets
of those beyond 0.18, without the ones between. "blink": faces both of whose eyes are labelled as shut, and share of
`Measures.blink` among them and among the others.

--sheet: eyes labelled as shut, and others that read as shut, each with label and reading. Cost:
processor time of `Pipeline.process` with the eye network and by the points alone, as before, in turn, frame by frame,
on two clips of FOLDER/videos.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from time import thread_time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.script import result_file, run
from fkp_live.arguments import file_path, whole_number
from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.errors import InputError
from fkp_live.faces.eyes import eye_patches
from fkp_live.faces.openness import measures
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.sources import open_source
from fkp_live.types import Face, Picture
from train.data.faces import FaceSet
from train.eyes.data import HARD, SHUT, held_out, labelled_openness, same_face
from train.eyes.figures import judged, report

# Sides of a patch on the sheet, and patches in a row.
_SIDE, _ACROSS, _MOST = 96, 12, 60
_CLIPS = ("talking_head.mp4", "webcam_long.mp4")
_WARM_UP = 20

Array = NDArray[np.float32]


def found_faces(landmarker: FaceLandmarker, faces: FaceSet) -> list[tuple[int, Face]]:
    """Number and found face of each labelled one that is found."""
    found: list[tuple[int, Face]] = []
    for index in tqdm(range(len(faces)), desc=faces.name, disable=None):
        truth = faces.points[index]
        face = next((f for f in landmarker(faces.image(index)) if same_face(f.points, truth)), None)
        if face is not None:
            found.append((index, face))
    return found


def readings(faces: FaceSet, found: list[tuple[int, Face]]) -> tuple[NDArray[Any], ...]:
    """Labelled openness (N, 2), that by the points and that of the eye network; whether it blinks (N,) by either."""
    truth = labelled_openness(faces.points)[0][[index for index, _ in found]]
    by_points = [measures(face.points) for _, face in found]
    seen = [face.measures for _, face in found]
    return (
        truth,
        np.array([[m.right_eye_open, m.left_eye_open] for m in by_points], np.float32),
        np.array([[m.right_eye_open, m.left_eye_open] for m in seen if m is not None], np.float32),
        np.array([m.blink for m in by_points]),
        np.array([m is not None and m.blink for m in seen]),
    )


def blinks(truth: Array, blink: NDArray[np.bool_]) -> dict[str, Any]:
    """Of faces both of whose eyes have a label: how many are shut, and per cent found and falsely found."""
    shut, known = (truth < SHUT).all(1), np.isfinite(truth).all(1)
    others = known & ~shut
    return {
        "shut": int(shut.sum()),
        "found": round(100 * float(blink[shut].mean()), 1) if shut.any() else None,
        "false": round(100 * float(blink[others].mean()), 1) if others.any() else None,
    }


def sheet(rows: list[tuple[NDArray[np.uint8], float, float]]) -> NDArray[np.uint8]:
    """Patches in rows, each with its label and reading, shut ones by the label first, those that read open before."""
    rows = [row for row in rows if row[1] < SHUT or row[2] < SHUT]
    rows.sort(key=lambda row: (row[1] >= SHUT, -row[2]))
    rows = [row for row in rows if row[1] < SHUT][:_MOST] + [row for row in rows if row[1] >= SHUT][:_MOST]
    tiles = []
    for patch, label, reading in rows:
        tile = cv2.cvtColor(
            cv2.resize(patch, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR
        )
        right = (label < SHUT) == (reading < SHUT)
        colour = (0, 220, 0) if right else (0, 120, 255)
        cv2.putText(tile, f"{label:.2f} {reading:.2f}", (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
        tiles.append(tile)
    tiles += [np.zeros((_SIDE, _SIDE, 3), np.uint8)] * (-len(tiles) % _ACROSS)
    lines = [np.hstack(tiles[i : i + _ACROSS]) for i in range(0, len(tiles), _ACROSS)]
    return np.asarray(np.vstack(lines) if lines else np.zeros((_SIDE, _SIDE, 3)), np.uint8)


class ByPoints:
    """In place of `FollowedEyes`: measures the points before smoothing, as before eyes were looked at."""

    def __call__(self, picture: Picture, numbers: Sequence[int], points: Sequence[Any], time: float) -> Any:
        found = [measures(each) for each in points]
        return [np.array([[m.right_eye_open, 0.0], [m.left_eye_open, 0.0]], np.float32) for m in found]

    def forget(self, number: int) -> None:
        """There is nothing to forget."""


def cost(folder: Path) -> list[str]:
    """A row a clip: milliseconds of processor time of a frame by the points and by the eyes, and their ratio."""
    rows = []
    for clip in _CLIPS:
        before, now = (Pipeline(PipelineOptions(provider="cpu")) for _ in range(2))
        before._eyes = ByPoints()  # type: ignore[assignment]
        spent = np.zeros(2)
        with open_source(folder / clip) as source:
            for frame in source:
                # In turn, another one first in every second frame: who comes second finds the frame in the cache.
                for which in (0, 1) if frame.index % 2 else (1, 0):
                    begin = thread_time()
                    (before, now)[which].process(frame)
                    spent[which] += (thread_time() - begin) * (frame.index >= _WARM_UP)
        ms = 1e3 * spent / max(frame.index + 1 - _WARM_UP, 1)
        rows.append(
            f"| {clip} | {before.engine.model_name} | {ms[0]:.3f} | {ms[1]:.3f} | {ms[1] / ms[0]:.3f} |"
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=file_path, metavar="FOLDER", required=True, help="holds wild/, hard/, videos/"
    )
    parser.add_argument("--every", type=whole_number(1), default=1, help="each N-th face only")
    parser.add_argument("--sheet", type=result_file, metavar="FILE.png", help="eyes that are or read as shut")
    parser.add_argument("--json", type=result_file)
    options = parser.parse_args()
    if not (options.data / "wild").is_dir():
        raise InputError(f"There is no {options.data / 'wild'}.", "Give the folder of the data with --data.")
    landmarker = FaceLandmarker(engine=Engine("cpu", "fkp68"))
    figures: dict[str, Any] = {}
    judged_blinks: dict[str, Any] = {}
    shown: list[tuple[NDArray[np.uint8], float, float]] = []
    for title, names in {"wild_val": ("wild_val",), "hard, held out": HARD}.items():
        parts = []
        for name in names:
            faces = held_out(options.data, name)
            faces = faces.select(np.arange(0, len(faces), options.every))
            found = found_faces(landmarker, faces)
            parts.append(readings(faces, found))
            for (index, face), labels, seen in zip(found, parts[-1][0], parts[-1][2], strict=True):
                patches = eye_patches(faces.image(index)[..., 1], face.points, (64, 64), 24.0)
                shown += [(p, float(a), float(b)) for p, a, b in zip(patches, labels, seen, strict=True)]
        truth, points, eyes, *blink = (np.concatenate(part) for part in zip(*parts, strict=True))
        figures[title] = judged(truth, {"points": (points, points), "eyes": (eyes, eyes)})
        ways = zip(("points", "eyes"), blink, strict=True)
        judged_blinks |= {f"{title} | {way}": blinks(truth, each) for way, each in ways}
    print(report(figures))
    print(
        "\n| held-out faces | by | both eyes shut | blink found % | blink false % |\n|---|---|---:|---:|---:|"
    )
    for title, row in judged_blinks.items():
        print(f"| {title} | {row['shut']} | {row['found']} | {row['false']} |")
    print("\n| clip | network | by points, ms a frame | with eyes, ms | ratio |\n|---|---|---:|---:|---:|")
    print("\n".join(cost(options.data / "videos")))
    if options.sheet:
        cv2.imwrite(str(options.sheet), sheet(shown))
    if options.json:
        options.json.write_text(json.dumps({"eyes": figures, "blinks": judged_blinks}, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
