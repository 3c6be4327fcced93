"""What batch, replay, summary, plot and report need for hours of film: seconds, memory, and the page's size.

    python -m benchmarks.long_film --out DIR [--hours 2] [--commands batch,report]

Makes a film of that length in DIR, the clip of the package again and again, and its recording: the clip's own face,
which blinks, speaks, leaves and comes back, and a second one that is there for a third of the time. The same for an
eighth of the length. Then each command runs on both, in a process of its own. Promised: memory that does not grow
with the film (at most a quarter and 30 MB more for eight times the length), and a page under 3 MB.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.script import Promise, report, run
from fkp_live import Pipeline, PipelineOptions, open_source
from fkp_live.arguments import file_path, positive
from fkp_live.faces.openness import Blinks, measures
from fkp_live.geometry import box_of
from fkp_live.sinks.jsonl import JsonlSink
from fkp_live.topology import LEFT_EYE_LIDS, RIGHT_EYE_LIDS
from fkp_live.types import Face, FrameResult, Pose

DEMO = Path(__file__).parents[1] / "fkp_live" / "assets" / "demo.mp4"
# Each command's words, with the film or its recording, and the ending of what it writes.
COMMANDS = {
    "batch": ("batch {film} --workers 1 --format parquet --quiet", "-batch"),
    "replay": ("replay {recording} --smooth offline --quiet --overwrite", "-offline.csv"),
    "summary": ("summary {recording} --overwrite", ".csv"),
    "plot": ("plot {recording} --overwrite", "-plots"),
    "report": ("report {recording} --overwrite", ".html"),
}
_MB = 1e6
_UPPER, _LOWER = np.array((*RIGHT_EYE_LIDS, *LEFT_EYE_LIDS)).T
# Of the made faces: seconds between two blinks, of a blink, and of the second face's coming and going.
_BLINK_EVERY, _BLINK, _SECOND_EVERY, _SECOND = 3.7, 0.14, 90.0, 30.0


def make_film(path: Path, hours: float) -> int:
    """The clip's packets again and again, without encoding; the number of turns."""
    import av

    with av.open(str(DEMO)) as source, av.open(str(path), "w") as target:
        stream: Any = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [p for p in source.demux(stream) if p.dts is not None]
        length = int(stream.duration)
        turns = max(round(hours * 3600 / float(length * stream.time_base)), 1)
        times = [(p.pts, p.dts) for p in packets]
        for turn in range(turns):
            for packet, (pts, dts) in zip(packets, times, strict=True):
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.stream = copy
                packet.time_base = stream.time_base
                target.mux(packet)
    return turns


def results(turns: int) -> Iterator[FrameResult]:
    """The results of `make_film`'s film, with a face that lives a little more than the clip's, and a second one."""
    with open_source(DEMO) as source:
        pipeline = Pipeline(PipelineOptions(provider="cpu"))
        seen = [pipeline.process(frame) for frame in source]
    length = len(seen) / 30.0
    rng = np.random.default_rng(0)
    blinks = Blinks()
    for turn in range(turns):
        mouth = 1.0 + rng.uniform(0, 0.6)
        for result in seen:
            at = turn * length + result.time
            one = result.faces[0]
            # Away for half a minute of every ten.
            there = [1] if at % 600.0 < 570.0 else []
            there += [2] if at % _SECOND_EVERY < _SECOND else []
            faces = tuple(_face(number, one, at, mouth, blinks) for number in there)
            yield FrameResult(turn * len(seen) + result.index, at, result.size, faces, result.detected)


def _face(number: int, one: Face, at: float, mouth: float, blinks: Blinks) -> Face:
    points = one.points.astype(np.float64)
    if (at + number) % _BLINK_EVERY < _BLINK:
        middle = (points[_UPPER] + points[_LOWER]) / 2
        points[_UPPER], points[_LOWER] = (0.2 * points[k] + 0.8 * middle for k in (_UPPER, _LOWER))
    points[48:] += (points[48:] - points[48:].mean(0)) * (0.05 * mouth, 0.3 * np.sin(3 * at) ** 2)
    if number == 2:
        points = points * 0.4 + (20, 20)
    shape = points.astype(np.float32)
    pose = one.pose or Pose(0.0, 0.0, 0.0)
    pose = replace(pose, yaw=pose.yaw + 0.3 * float(np.sin(at / 20)))
    made = blinks(number, measures(shape), pose.yaw, at)
    return Face(shape, one.confidence, box_of(shape), one.score, number, None, pose, made)


def make(folder: Path, hours: float) -> Path:
    """Film and recording of this length; returns the recording. What is there already stays."""
    stem = folder / f"film_{hours:g}h"
    recording = stem.with_name(stem.name + ".jsonl")
    film = stem.with_name(stem.name + ".mp4")
    if not recording.is_file():
        turns = make_film(film, hours)
        source = {"name": film.name, "width": 640, "height": 480, "fps": 30.0}
        with JsonlSink(recording, {"version": "benchmark", "source": source}) as sink:
            for result in results(turns):
                sink.write(result)
    return recording


def cost(command: str, recording: Path) -> tuple[float, float, int]:
    """Seconds, peak memory in bytes, and size of what was written, in bytes."""
    words, end = COMMANDS[command]
    out = recording.with_name(recording.stem + end)
    if command == "batch":  # otherwise it would go on where it ended
        shutil.rmtree(out, ignore_errors=True)
    names = {"film": recording.with_suffix(".mp4"), "recording": recording}
    with get_context("spawn").Pool(1) as pool:
        seconds, memory = pool.apply(_measured, ([word.format(**names) for word in words.split()], out))
    size = out.stat().st_size if out.is_file() else sum(p.stat().st_size for p in out.rglob("*"))
    return seconds, memory, size


def _measured(words: list[str], out: Path) -> tuple[float, float]:
    # In a process of its own, whose children are this one command and its workers.
    begun = time.perf_counter()
    where = ["--csv" if words[0] == "replay" else "--out", str(out)]
    subprocess.run([sys.executable, "-m", "fkp_live", *words, *where], check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - begun, used * (1.0 if sys.platform == "darwin" else 1024.0)


def measure(folder: Path, hours: float, commands: Sequence[str]) -> list[Promise]:
    """Run each of these commands on the short and on the long recording."""
    short, long = make(folder, hours / 8), make(folder, hours)
    promises = []
    for command in commands:
        few, many = cost(command, short), cost(command, long)
        detail = {
            f"{name}: {what}": value
            for name, cost_ in (("short", few), ("long", many))
            for what, value in zip(("seconds", "MB of memory", "MB written"), _in_units(cost_), strict=True)
        }
        promises.append(Promise(f"{command}: MB of memory", many[1] / _MB, 1.25 * few[1] / _MB + 30, detail))
        if command == "report":
            promises.append(Promise("report: MB of the page", many[2] / _MB, 3.0, {}))
    return promises


def _in_units(cost_: tuple[float, float, int]) -> tuple[float, float, float]:
    return cost_[0], cost_[1] / _MB, cost_[2] / _MB


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=file_path, required=True, help="folder for films and recordings; it is kept"
    )
    parser.add_argument("--hours", type=positive, default=2.0)
    parser.add_argument("--commands", default=",".join(COMMANDS), help="some of %(default)s")
    options = parser.parse_args()
    if unknown := set(options.commands.split(",")) - COMMANDS.keys():
        parser.error(f"--commands knows {', '.join(COMMANDS)}, not {', '.join(sorted(unknown))}")
    options.out.mkdir(parents=True, exist_ok=True)
    return report([lambda: measure(options.out, options.hours, options.commands.split(","))], None)


if __name__ == "__main__":
    run(main)
