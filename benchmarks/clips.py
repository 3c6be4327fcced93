"""Ours, MediaPipe's video mode and dlib on the same clips, frame by frame in turn, without encoding.

    python -m benchmarks.clips CLIP.mp4 ... [--size 640 480] [--json F] [--plot F.png]

Pictures are scaled into one size and held in memory; every frame goes through every system, each in a process of
its own, all bound to one core, one at a time. Ours is the whole of ``Pipeline.process`` with default options:
detection now and then, crop, network, smoothing, pose. MediaPipe's Face Mesh runs as for a video (one face, no
detection while it tracks). dlib has no tracking: its detector looks at every frame, not enlarged here.

Told are frames per second (from the mean) and the median and processor milliseconds of a frame, all over those of
the first system too; the share of frames with a face; and tremble: the part of the points' movement that turns
round from frame to frame, from their second differences (sd over the square root of 6, as for white noise), in % of
the eye distance, over frames where all systems see a face. A turning head adds to it, to all alike.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import fkp_live
from benchmarks.peers import bind_to_one_core, write_json
from benchmarks.peers_worker import timed
from benchmarks.rivals import NAMES, Rivals, add_arguments, ensure_env
from fkp_live.choices import PipelineOptions
from fkp_live.errors import ExitCode, FkpError, UsageError
from fkp_live.images.picture import BgrPicture
from fkp_live.inference.runtime import runtime_version
from fkp_live.metrics import inter_ocular
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source
from fkp_live.sources.spec import check_file
from fkp_live.types import Frame, Image
from train.evaluate.report import table

OURS = ("fkp68", "fkp68-medium-int8", "fkp68-int8", "fkp68-tiny")
WARM_UP = 10


@dataclass
class Track:
    """What a system made of a clip: the face of each frame (68, 2), None where it saw none, and seconds."""

    points: list[NDArray[np.float64] | None] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def pictures(path: Path, size: tuple[int, int], most: int | None) -> list[tuple[Image, float]]:
    """The frames of a clip, scaled into ``size`` (width, height) on black, with their times."""
    frames = []
    with open_source(path) as source:
        for frame in source:
            height, width = frame.image.shape[:2]
            scale = min(size[0] / width, size[1] / height)
            inner = cv2.resize(
                frame.image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA
            )
            canvas = np.zeros((size[1], size[0], 3), np.uint8)
            canvas[: inner.shape[0], : inner.shape[1]] = inner
            frames.append((canvas, frame.time))
            if len(frames) == most:
                break
    return frames


def walk(frames: Sequence[tuple[Image, float]], ours: Sequence[str], rivals: Rivals) -> dict[str, Track]:
    """Every frame through every system, in another order for every frame."""
    pipelines = {name: Pipeline(PipelineOptions(provider="cpu", model=name)) for name in ours}
    tracks = {name: Track() for name in (*ours, *NAMES)}
    names, order = list(tracks), np.random.default_rng(0)
    for index, (image, time) in enumerate(tqdm(frames, unit="frame", file=sys.stderr, disable=None)):
        for turn in order.permutation(len(names)):
            name = names[turn]
            if name in pipelines:
                frame = Frame(BgrPicture(image), index, time, 0.0)
                result, wall, cpu = timed(lambda p=pipelines[name], f=frame: p.process(f), 0)  # type: ignore[misc]
                faces = np.array([face.points for face in result.faces[:1]], np.float64)
            else:
                way = "plain detector" if name == "dlib" else "stream"
                answer = rivals.ask(name, way, image, restart=index == 0 and name != "dlib")
                faces, wall, cpu = answer.faces, list(answer.wall), list(answer.cpu)
            track = tracks[name]
            track.points.append(faces[0] if len(faces) else None)
            track.wall += wall
            track.cpu += cpu
    return tracks


def tremble(tracks: dict[str, Track]) -> dict[str, float | None]:
    """See the module; None where no three frames in a row show a face to all."""
    seen = np.all([[points is not None for points in track.points] for track in tracks.values()], axis=0)
    runs = np.flatnonzero(seen[:-2] & seen[1:-1] & seen[2:])
    result: dict[str, float | None] = {}
    for name, track in tracks.items():
        result[name] = None
        if len(runs):
            before, now, after = (np.stack([track.points[i + k] for i in runs]) for k in range(3))  # type: ignore[misc]
            turned = (before - 2.0 * now + after) / inter_ocular(now)[:, None, None]
            result[name] = float(100.0 * np.sqrt((turned**2).sum(-1).mean(0) / 6.0).mean())
    return result


def figures(tracks: dict[str, Track]) -> dict[str, dict[str, float | None]]:
    """Figures of one clip by system; ratios to the first."""
    shaking = tremble(tracks)
    wall = {name: np.array(track.wall[WARM_UP:]) for name, track in tracks.items()}
    cpu = {name: float(np.mean(track.cpu[WARM_UP:])) for name, track in tracks.items()}
    first = next(iter(tracks))
    return {
        name: {
            "fps": float(1.0 / wall[name].mean()),
            "p50_ms": float(1e3 * np.median(wall[name])),
            "cpu_ms": 1e3 * cpu[name],
            "p50_ratio": float(np.median(wall[name]) / np.median(wall[first])),
            "cpu_ratio": cpu[name] / cpu[first],
            "seen": float(np.mean([points is not None for points in track.points])),
            "tremble": shaking[name],
        }
        for name, track in tracks.items()
    }


def report(clips: dict[str, dict[str, Any]]) -> str:
    """A table for each clip."""
    blocks = []
    for clip, systems in clips.items():
        first = next(iter(systems))
        rows = [
            [
                name,
                f"{row['fps']:.0f}",
                f"{row['p50_ms']:.2f}",
                f"{row['p50_ratio']:.2f}",
                f"{row['cpu_ms']:.2f}",
                f"{row['cpu_ratio']:.2f}",
                f"{100 * row['seen']:.1f}",
                "-" if row["tremble"] is None else f"{row['tremble']:.2f}",
            ]
            for name, row in systems.items()
        ]
        header = [
            "system",
            "fps",
            "p50 ms",
            f"x {first}",
            "CPU ms",
            f"x {first}",
            "frames with a face, %",
            "tremble, %",
        ]
        blocks.append(f"{clip}\n\n{table(header, rows)}")
    return "\n\n".join(blocks)


def plot(clips: dict[str, dict[str, Any]], path: Path) -> None:
    """Frames per second of each system, a group of bars a clip."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(next(iter(clips.values())))
    figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
    for number, name in enumerate(names):
        heights = [systems[name]["fps"] for systems in clips.values()]
        places = np.arange(len(clips)) + (number - (len(names) - 1) / 2) * 0.8 / len(names)
        axes.bar_label(axes.bar(places, heights, 0.8 / len(names), label=name), fmt="%.0f", fontsize=7)
    axes.set_xticks(range(len(clips)), list(clips))
    axes.set_ylabel("frames per second, one core, no encoding")
    figure.legend(loc="outside upper center", ncols=len(names), fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.clips",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("clips", type=Path, nargs="+", help="videos of one face")
    parser.add_argument("--size", type=int, nargs=2, metavar=("W", "H"), default=(640, 480))
    parser.add_argument(
        "--frames", type=int, default=300, help="most frames of a clip (default: %(default)s)"
    )
    parser.add_argument("--models", nargs="+", default=OURS, help="ours (default: %(default)s)")
    add_arguments(parser)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path, help="bars of frames per second, as PNG")
    args = parser.parse_args()
    try:
        if min(*args.size, args.frames - WARM_UP) < 1:
            raise UsageError(f"--size is at least 1 1, --frames more than {WARM_UP}")
        for path in args.clips:
            check_file(path)
        bind_to_one_core()
        results = {}
        with Rivals(ensure_env(args.env, args.python), args.log) as rivals:
            for path in args.clips:
                frames = pictures(path, tuple(args.size), args.frames)
                results[path.stem] = figures(walk(frames, args.models, rivals))
            versions = {"fkp_live": fkp_live.__version__, "onnxruntime": runtime_version(), **rivals.versions}
        print(f"{platform.platform()}, one core; {', '.join(f'{k} {v}' for k, v in versions.items())}\n")
        print(report(results))
        if args.json:
            write_json(args.json, {"versions": versions, "clips": results})
        if args.plot:
            plot(results, args.plot)
    except FkpError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    raise SystemExit(main())
