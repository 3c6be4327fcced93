"""How much of a face's true asymmetry the network finds: photographs warped by a known amount.

    python -m benchmarks.symmetry [--data FOLDER] [--faces 40] [--json FILE] [--pictures FOLDER]

Faces: the photographs of tests/photos, frames of the demo clip (the astronaut again) and, with --data, the first of
FOLDER/wild/val.txt; of all these only frontal ones (yaw up to 10 degrees, 60 px between the eyes) count. A local warp
moves the picture around one place of one side by 2, 5 and 10 % of the eye distance. At the place itself the picture
moves by exactly that much, and less around it: a Gaussian of 12 % (mouth), 8 % (lids, lips) and 10 % (brow) of
the eye distance; a narrower one would fold the picture. The true change of a measure is that of the plain picture's
points moved by the same warp; the found change is between the network's points on both pictures, in the same crop.

Runs: raw; mirrored, the mean of the answer and of that on the mirrored picture; smoothed, 0.1 seconds after the change,
at the default smoothing. Slope and offset are of a straight line through all faces, sides and sizes of warp, scatter is
the standard deviation around it; offset and scatter in per cent of the eye distance, of the smile angle in degrees.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.script import result_file, run
from fkp_live.arguments import file_path, whole_number
from fkp_live.choices import PipelineOptions
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.faces.symmetry import ANGLE, NAMES, symmetry
from fkp_live.geometry import box_of
from fkp_live.metrics import inter_ocular
from fkp_live.pipeline import FaceLandmarker
from fkp_live.sources import open_source
from fkp_live.topology import MIRROR
from fkp_live.types import Image

ROOT = Path(__file__).parents[1]
Points = NDArray[np.float64]

SIZES = (0.02, 0.05, 0.10)
# Place: points on whose mean the warp is centred (right side), its direction (out, down), its width, and the measures.
PLACES = {
    "mouth corner down": (
        (48,),
        (0.0, 1.0),
        0.12,
        ("commissure_height", "smile_angle", "canthus_to_commissure"),
    ),
    "mouth corner out": ((48,), (1.0, 0.0), 0.12, ("commissure_excursion",)),
    "upper lid down": ((37, 38), (0.0, 1.0), 0.08, ("palpebral_fissure", "mrd1")),
    "lower lid up": ((40, 41), (0.0, -1.0), 0.08, ("mrd2",)),
    "upper lip up": ((49, 50), (0.0, -1.0), 0.08, ("upper_lip_height",)),
    "lower lip down": ((58, 59), (0.0, 1.0), 0.08, ("lower_lip_height",)),
    "brow down": ((18, 19, 20), (0.0, 1.0), 0.10, ("brow_height",)),
}
RUNS = ("raw", "mirrored", "smoothed")
_FRONTAL, _LEAST_EYES, _RATE, _HELD = np.radians(10.0), 60.0, 30.0, 3


def move(at: Points, centre: Points, shift: Points, width: float) -> Points:
    """Points (..., 2) moved by ``shift`` (2,) times a Gaussian of standard deviation ``width`` around ``centre``."""
    return at + np.exp(-((at - centre) ** 2).sum(-1) / (2 * width**2))[..., None] * shift


def warp(image: Image, centre: Points, shift: Points, width: float) -> Image:
    """The picture moved as `move` moves points. The inverse is found by fixed-point iteration."""
    goal = np.stack(np.meshgrid(*(np.arange(n) for n in image.shape[1::-1])), -1).astype(float)
    source = goal.copy()
    for _ in range(30):
        source += goal - move(source, centre, shift, width)
    maps = source.astype(np.float32)
    return np.asarray(
        cv2.remap(image, maps[..., 0], maps[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def warp_of(points: Points, place: str, size: float, side: int) -> tuple[Points, Points, float]:
    """Centre, shift and width in pixels of a warp on the right (0) or left (1) side of the face."""
    numbers, (out, down), width, _ = PLACES[place]
    eyes = float(inter_ocular(points))
    along = (points[42:48].mean(0) - points[36:42].mean(0)) / np.linalg.norm(
        points[42:48].mean(0) - points[36:42].mean(0)
    )
    outwards = along if side else -along
    centre = points[MIRROR[list(numbers)] if side else list(numbers)].mean(0)
    return centre, size * eyes * (out * outwards + down * np.array([-along[1], along[0]])), width * eyes


def measure(landmarker: FaceLandmarker, image: Image, name: str) -> Iterator[dict[str, object]]:
    """One row for each warp and measure of the picture's largest face; none where there is no frontal one."""
    faces = landmarker(image)
    if not faces or abs(faces[0].pose.yaw) > _FRONTAL or inter_ocular(faces[0].points) < _LEAST_EYES:
        return
    # Only the face's surroundings: the warp takes as long as the picture is large.
    x0, y0, x1, y1 = faces[0].box
    reach = 0.6 * max(x1 - x0, y1 - y0)
    left, top = max(int(x0 - reach), 0), max(int(y0 - reach), 0)
    image = np.ascontiguousarray(image[top : int(y1 + reach), left : int(x1 + reach)])
    box = box_of(faces[0].points) - np.array([left, top, left, top], np.float32)

    def answers(picture: Image) -> tuple[Points, Points]:
        points = landmarker.landmarks(picture, box[None])[0].astype(float)
        last = picture.shape[1] - 1
        flipped = np.array([last - box[2], box[1], last - box[0], box[3]], np.float32)
        other = landmarker.landmarks(np.ascontiguousarray(picture[:, ::-1]), flipped[None])[0][MIRROR]
        return points, (points + np.stack([last - other[:, 0], other[:, 1]], 1)) / 2

    plain = answers(image)
    for place, (_, _, _, wanted) in PLACES.items():
        for side in (0, 1):
            for size in SIZES:
                how = warp_of(plain[0], place, size, side)
                raw, mirrored = answers(warp(image, *how))
                found = {"raw": (plain[0], raw), "mirrored": (plain[1], mirrored)}
                found["smoothed"] = (plain[0], _smoothed(plain[0], raw))
                truth = move(plain[0], *how)
                for each in wanted:
                    number = NAMES.index(each)
                    yield {
                        **{"face": name, "place": place, "measure": each, "side": side, "size": size},
                        "true": change(plain[0], truth, number),
                        **{kind: change(*pair, number) for kind, pair in found.items()},
                    }


def change(before: Points, after: Points, number: int) -> float:
    """By how much the deviation of a measure has changed, in per cent of the eye distance or in degrees."""
    unit = 1.0 if number == ANGLE else 100.0
    return unit * float(symmetry(after).deviation[number] - symmetry(before).deviation[number])


def _smoothed(plain: Points, raw: Points) -> Points:
    """What smoothing gives 0.1 s after the face has changed from one to the other."""
    smoother = LandmarkSmoother(PipelineOptions().smooth)
    given = plain
    for frame in range(30 + _HELD):
        seen = (plain if frame < 30 else raw).astype(np.float32)
        given = np.asarray(smoother(1, seen, frame / _RATE), float)
    return given


def pictures(data: Path | None, faces: int) -> Iterator[tuple[str, Image]]:
    """Names and pictures (H, W, 3) BGR to be warped."""
    from skimage import data as photographs

    yield "astronaut", np.ascontiguousarray(photographs.astronaut()[..., ::-1])
    yield "hopper", np.asarray(cv2.imread(str(ROOT / "tests/photos/hopper.jpg")), np.uint8)
    with open_source(ROOT / "fkp_live/assets/demo.mp4") as source:
        for frame in source:
            if frame.index % 60 == 0:
                yield f"demo {frame.index}", frame.image.copy()
    if data is None:
        return
    names = (data / "wild/val.txt").read_text().split("\n")
    for name in [name for name in names if name][:faces]:
        yield name, np.asarray(cv2.imread(str(data / "wild/images" / name)), np.uint8)


def table(rows: list[dict[str, object]]) -> Iterator[str]:
    """The table as lines of Markdown."""
    yield "| warp | measure | run | slope | offset | scatter | found of 2 % | of 5 % | of 10 % |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for place, wanted in ((place, each) for place, (*_, measures) in PLACES.items() for each in measures):
        mine = [row for row in rows if (row["place"], row["measure"]) == (place, wanted)]
        true = np.array([row["true"] for row in mine], float)
        for kind in RUNS:
            found = np.array([row[kind] for row in mine], float)
            good = np.isfinite(true) & np.isfinite(found)
            slope, offset = np.polyfit(true[good], found[good], 1)
            scatter = np.std(found[good] - slope * true[good] - offset)
            shares = []
            for size in SIZES:
                here = good & np.array([row["size"] == size for row in mine])
                shares.append(f"{100 * found[here] @ true[here] / (true[here] @ true[here]):.0f} %")
            yield (
                f"| {place} | {wanted} | {kind} | {slope:.2f} | {offset:+.2f} | {scatter:.2f} | "
                f"{' | '.join(shares)} |"
            )


def show(landmarker: FaceLandmarker, image: Image, folder: Path, name: str) -> None:
    """Save the picture and its largest warps beside one another, with what was found."""
    faces = landmarker(image)
    if not faces:
        return
    points = faces[0].points.astype(float)
    x0, y0, x1, y1 = (int(v) for v in box_of(points) + 0.15 * inter_ocular(points) * np.array([-1, -1, 1, 1]))
    tiles = []
    for how in (None, *(warp_of(points, place, SIZES[-1], 0) for place in PLACES)):
        picture = image if how is None else warp(image, *how)
        found = landmarker.landmarks(picture, box_of(points)[None])[0]
        both = [picture.copy(), picture.copy()]
        for x, y in np.round(found * 8).astype(int).tolist():
            cv2.circle(both[1], (x, y), 12, (0, 255, 0), -1, cv2.LINE_AA, 3)
        crops = [one[max(y0, 0) : y1, max(x0, 0) : x1] for one in both]
        tiles.append(np.vstack([cv2.resize(crop, (260, 300)) for crop in crops]))
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.png"), np.hstack(tiles))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument(
        "--data", type=file_path, metavar="FOLDER", help="holds wild/ (default: only the own photos)"
    )
    parser.add_argument("--faces", type=whole_number(1), default=40, help="pictures of wild/ (default: 40)")
    parser.add_argument(
        "--model", default="fkp68", help="a shipped network or an .onnx file (default: %(default)s)"
    )
    parser.add_argument("--json", type=result_file, metavar="FILE", help="every warp, as JSON")
    parser.add_argument(
        "--pictures", type=file_path, metavar="FOLDER", help="save warped pictures to look at"
    )
    options = parser.parse_args()
    landmarker = FaceLandmarker("cpu", options.model)
    rows: list[dict[str, object]] = []
    for name, image in pictures(options.data, options.faces):
        rows.extend(measure(landmarker, image, name))
        if options.pictures is not None and not name.endswith(".jpg"):
            show(landmarker, image, options.pictures, name)
    warps = len({tuple(row[key] for key in ("face", "place", "side", "size")) for row in rows})
    print(f"{len({row['face'] for row in rows})} faces, {warps} warps\n")
    print("\n".join(table(rows)))
    if options.json is not None:
        options.json.write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    run(main)
