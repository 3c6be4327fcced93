"""How still the points stand on a still face, and how late smoothing makes them on a moving one.

    python -m benchmarks.stability [--data ../shared/data --faces 20] [--json FILE]

Each photo becomes 640x480 clips at 30 frames per second, its face about 150 px, with what a camera adds frame
by frame: noise of 4 grey levels, gain of 2 %, JPEG at quality 75 to 95, sub-pixel shifts up to 0.3 px
(subtracted from the points again). The whole pipeline runs on it, its detector every 10 frames. Jitter is the
mean over points of the standard deviation over time, after 10 of 60 frames, in per cent of the eye distance.
Lag is the delay that smoothing adds when the face swings half an eye distance to both sides as a sine. All
levels are given the raw points of one run; smoothing does not feed back into tracking, so that is what the
pipeline would do at each level.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.script import result_file, run
from fkp_live.arguments import whole_number
from fkp_live.choices import SMOOTHING, PipelineOptions
from fkp_live.faces.smoothing import LandmarkSmoother
from fkp_live.geometry import box_of
from fkp_live.images.picture import BgrPicture
from fkp_live.metrics import inter_ocular
from fkp_live.pipeline import FaceLandmarker, Pipeline
from fkp_live.types import Frame, Image

SIZE, FACE, RATE = (640, 480), 150.0, 30.0
STILL_FRAMES, SKIP = 60, 10
FREQUENCIES = (0.5, 1.0, 2.0)
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Photo:
    """A picture (H, W, 3) with the points (68, 2) of a face in it."""

    name: str
    image: Image
    points: Points


def jitter(points: ArrayLike, skip: int = 10) -> float:
    """Jitter at rest in per cent of the eye distance: standard deviation over time, mean over the points.

    Parameters
    ----------
    points : (T, 68, 2), the same still face in T frames, movement of the picture already subtracted
    skip : frames at the start that do not count

    The deviation of a point is a distance, the root of its variances in x and y together.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 3 or len(points) < skip + 2:
        raise ValueError(f"expected (T, 68, 2) with at least {skip + 2} frames, got {points.shape}")
    still = points[skip:]
    deviation = np.sqrt(still.var(axis=0).sum(-1))
    return float(100.0 * deviation.mean() / inter_ocular(still.mean(0)))


def lag(points: ArrayLike, reference: ArrayLike, times: ArrayLike, frequency: float) -> float:
    """Delay in seconds of ``points`` behind ``reference``, both moving as a sine of ``frequency`` Hz.

    Parameters
    ----------
    points, reference : (T, 68, 2), for instance smoothed and raw points of the same frames
    times : (T,) in seconds; need not be even
    frequency : of the movement in Hz

    A sine is fitted to each coordinate of both; the delay is the phase between them, weighted by amplitude.
    """
    angle = 2.0 * np.pi * frequency * np.asarray(times, np.float64)
    basis = np.stack([np.cos(angle), np.sin(angle), np.ones_like(angle)], 1)
    waves = []
    for moving in (points, reference):
        flat = np.asarray(moving, np.float64).reshape(len(angle), -1)
        cosine, sine = np.linalg.lstsq(basis, flat, rcond=None)[0][:2]
        waves.append(cosine - 1j * sine)
    return float(-np.angle(np.vdot(waves[1], waves[0])) / (2.0 * np.pi * frequency))


def clip(photo: Photo, path: Points, seed: int) -> Iterator[tuple[Frame, Points]]:
    """Frames of the photo's face, moved along ``path`` (T, 2) in eye distances, each with its shift in pixels."""
    random = np.random.default_rng(seed)
    box = box_of(photo.points)
    scale = FACE / float(max(box[2:] - box[:2]))
    start = np.array(SIZE) / 2 - scale * (box[:2] + box[2:]) / 2
    unit = scale * float(inter_ocular(photo.points))
    # Shrinking by much first, so that the warp below skips no pixels (the half pixel that this shifts does
    # not matter).
    image, factor = photo.image, 1.0
    if scale < 0.5:
        factor = 2 * scale
        image = np.asarray(
            cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
        )
    for index, step in enumerate(path):
        shift = step * unit + random.uniform(-0.3, 0.3, 2)
        matrix = np.array(
            [[scale / factor, 0, start[0] + shift[0]], [0, scale / factor, start[1] + shift[1]]]
        )
        moved = cv2.warpAffine(image, matrix, SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        noisy = moved * random.uniform(0.98, 1.02) + random.normal(0.0, 4.0, moved.shape)
        quality = int(random.integers(75, 96))
        coded = cv2.imencode(
            ".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
        )[1]
        decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        yield Frame(BgrPicture(decoded), index, index / RATE, 0.0), shift


def follow(photo: Photo, path: Points, options: PipelineOptions, seed: int) -> tuple[Points, Points] | None:
    """Raw points (T, 68, 2) and shifts (T, 2) in pixels of one run, None if the face was lost on the way."""
    pipeline = Pipeline(options)
    raw, shifts = [], []
    for frame, shift in clip(photo, path, seed):
        faces = pipeline.process(frame).faces
        if not faces or faces[0].raw is None:
            return None
        raw.append(faces[0].raw)
        shifts.append(shift)
    return np.array(raw, np.float64), np.array(shifts)


def smoothed(raw: Points, level: str) -> Points:
    """Points (T, 68, 2) of a run at a level of smoothing."""
    smoother = LandmarkSmoother(level)
    return np.stack([smoother(1, points.astype(np.float32), i / RATE) for i, points in enumerate(raw)])


def measure(photo: Photo, options: PipelineOptions, seed: int) -> dict[str, dict[str, float]] | None:
    """Figures of one photo: level -> name -> value; None if the face was lost."""
    runs = {0.0: follow(photo, np.zeros((STILL_FRAMES, 2)), options, seed)}
    for frequency in FREQUENCIES:
        times = np.arange(int(RATE * max(2.0, 2.0 / frequency))) / RATE
        swing = 0.5 * np.sin(2 * np.pi * frequency * times)[:, None] * [1.0, 0.0]
        runs[frequency] = follow(photo, swing, options, seed + 1)
    figures: dict[str, dict[str, float]] = {level: {} for level in SMOOTHING}
    for frequency, one in runs.items():
        if one is None:
            return None
        raw, shifts = one
        for level in SMOOTHING:
            points = smoothed(raw, level)
            if frequency == 0.0:
                figures[level]["jitter"] = jitter(points - shifts[:, None], SKIP)
            else:
                delay = lag(points, raw, np.arange(len(raw)) / RATE, frequency)
                figures[level][f"lag_{frequency:g}hz_ms"] = 1000 * delay
    return figures


def photos(data: Path | None, count: int) -> Iterator[Photo]:
    """The astronaut that scikit-image carries, or the ``count`` largest faces of the wild validation set."""
    if data is None:
        import skimage.data

        image = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
        yield Photo(
            "astronaut",
            image,
            FaceLandmarker(provider="cpu", model="fkp68")(image)[0].points.astype(np.float64),
        )
        return
    chosen = set((data / "wild" / "val.txt").read_text().splitlines())
    with (data / "wild" / "keypoints.csv").open(newline="") as file:
        rows = [row for row in list(csv.reader(file))[1:] if row[0] in chosen]
    faces = {row[0]: np.array(row[1:], np.float64).reshape(68, 2) for row in rows}
    largest = sorted(faces, key=lambda name: -np.ptp(faces[name], 0).max())
    folder = next(path for path in (data / "wild" / "images", data / "wild") if (path / largest[0]).exists())
    for name in largest[:count]:
        yield Photo(name, np.asarray(cv2.imread(str(folder / name)), np.uint8), faces[name])


def put_into_card(card: Path, title: str, text: str) -> None:
    """Write a section of a model card, in place of the one of that title or at the end."""
    heading = f"## {title}\n"
    before, _, rest = card.read_text().partition(heading)
    _, separator, after = rest.partition("\n## ")
    card.write_text(f"{before.rstrip()}\n\n{heading}\n{text.strip()}\n{separator}{after}")


def card_section(table: dict[str, dict[str, float]], followed: int, asked: int, model: str) -> str:
    """The table as a model card shows it."""
    names = list(table["off"])
    lines = [
        f"By `python -m benchmarks.stability --data DIR --model {model} --card models/{model}.md`: {followed} of "
        f"{asked} still faces followed to the end in every clip; jitter in % of the eye distance, lag that smoothing "
        "adds in ms.",
        "",
        f"| smoothing | {' | '.join(name.replace('_', ' ') for name in names)} |",
        f"|---|{'---:|' * len(names)}",
        *(
            f"| {level} | {' | '.join(f'{row[name]:.2f}' for name in names)} |"
            for level, row in table.items()
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description="jitter at rest and lag of the whole pipeline")
    parser.add_argument("--data", type=Path, help="folder that holds wild/ (default: the astronaut alone)")
    parser.add_argument(
        "--faces", type=whole_number(1), default=20, help="how many faces of it (default: %(default)s)"
    )
    parser.add_argument("--model", default="fkp68", help="landmark network (default: %(default)s)")
    parser.add_argument("--json", type=result_file, help="write the figures here")
    parser.add_argument("--card", type=Path, help="write the table into this model card")
    arguments = parser.parse_args()
    options = PipelineOptions(provider="cpu", model=arguments.model, smooth="off", max_faces=1)
    results, lost = [], []
    for seed, photo in enumerate(photos(arguments.data, arguments.faces)):
        figures = measure(photo, options, 100 * seed)
        if figures is None:
            lost.append(photo.name)
        else:
            results.append(figures)
    if not results:
        raise SystemExit(f"no face could be followed: {', '.join(lost)}")
    names = list(results[0]["off"])
    table = {
        level: {name: float(np.mean([figures[level][name] for figures in results])) for name in names}
        for level in SMOOTHING
    }
    print(
        f"{len(results)} faces followed, {len(lost)} lost; jitter in % of the eye distance, lag added in ms"
    )
    print(f"{'':8s}" + "".join(f"{name:>14s}" for name in names))
    for level, row in table.items():
        print(f"{level:8s}" + "".join(f"{value:14.3f}" for value in row.values()))
    if arguments.json:
        record = {"faces": len(results), "lost": lost, "table": table}
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")
    if arguments.card:
        name = str(arguments.model)
        text = card_section(table, len(results), len(results) + len(lost), name)
        put_into_card(arguments.card, "Stillness", text)


if __name__ == "__main__":
    run(main)
