"""How far the angles of followed heads move from frame to frame, as streams give them (default smoothing).

    python -m benchmarks.pose_steps ../shared/data/videos/group.mp4 …

Heads in films do move, so the figures say little by themselves: compare them on the same clip, before and after a
change of the map of poses (``fit_pose.py``) or of the network.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.script import result_file, run
from fkp_live.arguments import file_path
from fkp_live.choices import PipelineOptions
from fkp_live.engine import Engine
from fkp_live.pipeline import Pipeline
from fkp_live.sources import open_source

_ANGLES = ("pitch", "yaw", "roll")


def steps(frames: list[dict[int, NDArray[np.float64]]]) -> NDArray[np.float64]:
    """(M, 3) absolute changes in degrees of the angles (3,), in radians, of every face that was in the frame before."""
    changes = [
        now[number] - before[number]
        for before, now in pairwise(frames)
        for number in now.keys() & before.keys()
    ]
    return np.degrees(np.abs(np.remainder(np.reshape(changes, (-1, 3)) + np.pi, 2 * np.pi) - np.pi))


def main() -> int:
    """The command; see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pose_steps", description=__doc__.splitlines()[0]
    )
    parser.add_argument("clips", nargs="+", type=file_path, metavar="CLIP")
    parser.add_argument("--json", type=result_file, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    engine, figures = Engine.for_streams(PipelineOptions(provider="cpu")), {}
    print(f"{'degrees a frame':24s} {'steps':>6s}  mean of {', '.join(_ANGLES)}; 99 % are below")
    for clip in options.clips:
        pipeline, frames = Pipeline(PipelineOptions(provider="cpu"), engine=engine), []
        with open_source(clip) as source:
            for frame in source:
                faces = pipeline.process(frame).faces
                frames.append(
                    {f.id: np.array([f.pose.pitch, f.pose.yaw, f.pose.roll]) for f in faces if f.pose}
                )
        found = steps(frames)
        mean, most = found.mean(0), np.percentile(found, 99, axis=0)
        figures[clip.name] = {"mean": mean.tolist(), "99 %": most.tolist()}
        print(f"{clip.name:24s} {len(found):6d}  {mean.round(3)}; {most.round(2)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
