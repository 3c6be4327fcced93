"""What ``--background`` leaves uncovered, and what it costs.

    python -m benchmarks.covering VIDEO ... [--entering] [--style pixelate] [--sheet FOLDER]

The detector looks at every frame of a film, which is more than a run does, with a score of 0.7 or more: once before and
once after covering. Of each way to cover (faces of the results alone; with further heads that the detector finds; with
look-ahead, as files are covered) it prints

    faces      faces that the detector finds in the source
    open       frames in which less than 85 % of such a face is covered: of the ellipse in its box, which goes from the
               brows to the chin (at 85 to 95 % every frame that was looked at was covered, and the box shifted)
    found      frames in which the detector finds a face in the covered picture, outside of the covers
    in cover   frames in which it takes a cover for a face
    cover/draw time to cover a frame over that to draw the overlay on it, medians, painted in turn

``open`` counts what the detector takes for a face, so look at the frames: ``--sheet`` writes contact sheets of the
covered frames (every Nth one), and of the open ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from benchmarks.script import run
from fkp_live.arguments import whole_number
from fkp_live.choices import COVERS
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.display.cover_tracks import HOLD, FaceCover
from fkp_live.display.covering import cover
from fkp_live.display.overlay import draw
from fkp_live.engine import Engine
from fkp_live.errors import UsageError
from fkp_live.faces.shared_detector import SharedDetector
from fkp_live.images.picture import BgrPicture
from fkp_live.look_ahead import LookAhead
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
from fkp_live.types import FaceBox, Frame, FrameResult, Image, Picture

SCORE = 0.7
# Share of a face that must be covered, and sides of the ellipse that stands for it over those of its box.
COVERED, CORE = 0.85, 0.9
# Name of a way to cover, whether the detector looks for further heads, and seconds of look-ahead.
WAYS = (("results alone", False, 0.0), ("with detector", True, 0.0), ("with look-ahead", True, HOLD))
_ACROSS, _WIDTH = 8, 240


@dataclass
class Watch:
    """Covers frames and keeps what was seen in each.

    Attributes
    ----------
    ratios : time to cover over time to draw, of each frame
    shares : of each frame the least covered share of a face that the detector finds in the source, None without one
    found, taken : frames with a face outside of the covers of the covered picture, and inside of one
    """

    face_cover: FaceCover
    style: str
    detector: Any
    sources: dict[int, tuple[Frame, list[FaceBox]]] = field(default_factory=dict)
    ratios: list[float] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)
    pictures: list[Image] = field(default_factory=list)
    faces: int = 0
    found: int = 0
    taken: int = 0

    def see(self, frame: Frame, result: FrameResult) -> None:
        self.face_cover.see(frame, result)
        finds = [find for find in self.detector(frame.picture) if find.score >= SCORE]
        self.sources[result.index] = (frame, finds)

    def apply(self, picture: Picture, result: FrameResult) -> None:
        frame, finds = self.sources.pop(result.index)
        outlines = self.face_cover.outlines()
        begun = perf_counter()
        cover(picture, outlines, self.style)
        covered = perf_counter() - begun
        copy = frame.picture.copy()
        begun = perf_counter()
        draw(copy, result.faces)
        drawn = perf_counter() - begun
        if outlines and result.faces:
            self.ratios.append(covered / drawn)
        mask = np.zeros(picture.size[::-1], np.uint8)
        for outline in outlines:
            hull = cv2.convexHull(outline.astype(np.float32))
            cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 1)
        self.faces += len(finds)
        self.shares.append(min((share_in(mask, find) for find in finds), default=None))
        still = [find for find in self.detector(picture) if find.score >= SCORE]
        self.found += any(share_in(mask, find) < 0.5 for find in still)
        self.taken += any(share_in(mask, find) >= 0.5 for find in still)
        scale = _WIDTH / picture.size[0]
        size = (_WIDTH, max(1, round(scale * picture.size[1])))
        image = picture.reduced(size, cv2.INTER_AREA)
        for find in finds:
            x0, y0, x1, y1 = np.rint(find.box * scale).astype(int).tolist()
            cv2.rectangle(image, (x0, y0), (x1, y1), (0, 0, 255), 1)
        cv2.putText(image, str(result.index), (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
        self.pictures.append(image)

    @property
    def open(self) -> list[int]:
        """Frames with a face that is not covered."""
        return [i for i, share in enumerate(self.shares) if share is not None and share < COVERED]


def share_in(mask: Image, find: FaceBox) -> float:
    """Share of the visible part of a find that is inside of the mask."""
    face = np.zeros_like(mask)
    (x0, y0), (x1, y1) = find.box[:2].tolist(), find.box[2:].tolist()
    axes = (max(1, round(CORE * (x1 - x0) / 2)), max(1, round(CORE * (y1 - y0) / 2)))
    cv2.ellipse(face, (round((x0 + x1) / 2), round((y0 + y1) / 2)), axes, 0, 0, 360, 1, -1)
    visible = int(face.sum())
    return float((face & mask).sum() / visible) if visible else 1.0


def frames_of(path: Path) -> Iterator[Frame]:
    """The frames of a film."""
    with open_source(path) as source:
        yield from source


def entering(step: float, sign: int) -> Iterator[Frame]:
    """The demo clip's first picture, sliding in over grey by ``step`` pixels a frame, from the left or the right."""
    with open_source(demo_clip()) as source:
        image = next(source).image
    height, width = image.shape[:2]
    for index in range(round(1.6 * width / step)):
        place = sign * max(1.5 * width - step * index, 0.0)
        matrix = np.array([[1.0, 0.0, place], [0.0, 1.0, 0.0]])
        shifted = cv2.warpAffine(image, matrix, (width, height), borderValue=(120, 120, 120))
        yield Frame(BgrPicture(np.asarray(shifted, np.uint8)), index, index / 30, perf_counter())


def watched(frames: Iterable[Frame], style: str, detects: bool, seconds: float) -> Watch:
    """A film covered in one way."""
    pipeline = Pipeline(engine=Engine("cpu"))
    detector = SharedDetector(pipeline.engine.detector)
    watch = Watch(FaceCover(style, detect=detector if detects else None), style, pipeline.engine.detector)
    ahead = LookAhead(frames, pipeline, [watch], seconds=seconds)
    for frame in ahead:
        ahead.process(frame)
    return watch


def sheet(pictures: Sequence[Image], path: Path) -> None:
    """Write pictures of one size as a table."""
    blank = np.zeros_like(pictures[0])
    rows = [
        np.hstack([*pictures[i : i + _ACROSS], *[blank] * (_ACROSS - len(pictures[i : i + _ACROSS]))])
        for i in range(0, len(pictures), _ACROSS)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.covering",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument(
        "--entering", action="store_true", help="also faces that slide in, made from the demo clip"
    )
    parser.add_argument("--style", choices=COVERS, default="pixelate")
    parser.add_argument("--ways", type=whole_number(1, len(WAYS)), help="only way N, 1 to 3")
    parser.add_argument("--sheet", type=Path, metavar="FOLDER", help="write contact sheets of the last way")
    parser.add_argument("--nth", type=whole_number(1), default=8, help="frames of the sheet: every Nth one")
    args = parser.parse_args()
    films: dict[str, Callable[[], Iterator[Frame]]] = {
        path.stem: partial(frames_of, path) for path in args.videos
    }
    if args.entering:
        for step, sign in ((9, 1), (13, -1), (20, 1)):
            films[f"entering, {step} px"] = partial(entering, step, sign)
    if not films:
        raise UsageError("There is nothing to cover.", "Name a film, or give --entering.")
    ways = WAYS if args.ways is None else WAYS[args.ways - 1 : args.ways]
    head = f"{'film':<20}{'way':<18}{'frames':>7}{'faces':>7}{'open':>6}{'found':>7}{'in cover':>10}{'cover/draw':>12}"
    print(f"{args.style}\n{head}")
    for film, frames in films.items():
        for name, detects, seconds in ways:
            watch = watched(frames(), args.style, detects, seconds)
            ratio = float(np.median(watch.ratios)) if watch.ratios else float("nan")
            print(
                f"{film:<20}{name:<18}{len(watch.shares):>7}{watch.faces:>7}{len(watch.open):>6}"
                f"{watch.found:>7}{watch.taken:>10}{ratio:>12.2f}",
                flush=True,
            )
        if args.sheet:
            for number, begin in enumerate(range(0, len(watch.pictures), 48 * args.nth)):
                part = watch.pictures[begin : begin + 48 * args.nth : args.nth]
                sheet(part, args.sheet / f"{film}_{number}.jpg")
            if watch.open:
                sheet([watch.pictures[i] for i in watch.open[:48]], args.sheet / f"{film}_open.jpg")


if __name__ == "__main__":
    run(main)
