"""One trial of ``fkp-live bench`` in a process of its own.

A fresh process, because start-up time and peak memory mean something only there, and so that no trial profits from
the one before. It writes JSON lines to stdout: ``{"first": true}`` when the first frame is done, then ``{"result":
...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fkp_live.choices import PipelineOptions
from fkp_live.commands.bench.scenes import FaceWall
from fkp_live.errors import ExitCode, FkpError, InputError
from fkp_live.pipeline import Pipeline
from fkp_live.sources import Source, open_source
from fkp_live.stats import RunStats
from fkp_live.types import Frame

# The longest measurement where the source sets no end.
ENDLESS = 300


@dataclass(frozen=True, slots=True)
class Trial:
    """What to measure: a video, or generated pictures.

    Attributes
    ----------
    name : name of the case, the same in all its trials
    video : file or URL to read, None for generated pictures
    faces : number of faces in generated pictures, None for a video
    provider, model, threads : see `choices.PipelineOptions`
    warmup : frames at the start that are not measured
    frames : measured frames at most, None for all (of an endless source: `ENDLESS`)
    """

    name: str
    video: str | None
    faces: int | None
    provider: str
    model: str | None
    threads: int
    warmup: int
    frames: int | None


def measure(trial: Trial, first: Callable[[], None]) -> dict[str, Any]:
    """Figures of one trial. Calls ``first`` when the first frame of a video is done.

    Raises
    ------
    FkpError
        If the provider does not run, the model or source cannot be opened, or the source is too short.
    """
    pipeline = Pipeline(PipelineOptions(trial.provider, trial.model, threads=trial.threads))
    if trial.faces is not None:
        figures = _wall(pipeline, trial, trial.faces)
    else:
        assert trial.video is not None  # a trial has one of the two
        figures = _source(pipeline, trial, trial.video, first)
    return {
        "provider": pipeline.engine.provider,
        "note": pipeline.engine.note,
        "model": {"name": pipeline.engine.model_name, "sha256": pipeline.engine.model_sha256},
        "peak_memory_mb": peak_memory_mb(),
        **figures,
    }


def _source(pipeline: Pipeline, trial: Trial, video: str, first: Callable[[], None]) -> dict[str, Any]:
    """A file or live stream: reading and the pipeline, without drawing and writing."""
    with open_source(video) as source:
        _warm_up(source, pipeline, trial.warmup, first)
        most = ENDLESS if source.info.live and trial.frames is None else trial.frames
        # Frames dropped during the warm-up do not belong to the measurement.
        dropped = source.dropped
        stats = RunStats()
        while stats.frames != most:
            waited = time.perf_counter()
            frame = next(source, None)
            if frame is None:
                break
            stats.add("read", time.perf_counter() - waited)
            _process(pipeline, frame, stats)
        if not stats.frames:
            raise InputError(
                f"{source.info.name} has no frames beyond the {trial.warmup} of the warm-up.",
                "Give a longer one or a smaller --warmup.",
            )
        summary = stats.summary(dropped=source.dropped - dropped)
        info = source.info
    return {
        "source": {"name": info.name, "width": info.width, "height": info.height, "live": info.live},
        **_figures(summary.as_dict(), info.live),
        "fps": summary.fps,
    }


def _warm_up(source: Source, pipeline: Pipeline, count: int, first: Callable[[], None]) -> None:
    """Read and process ``count`` frames, one at least."""
    for number in range(max(count, 1)):
        frame = next(source, None)
        if frame is None:
            return
        pipeline.process(frame)
        if number == 0:
            first()


def _wall(pipeline: Pipeline, trial: Trial, faces: int) -> dict[str, Any]:
    """Generated pictures: the pipeline alone."""
    wall = FaceWall(faces)
    count = ENDLESS if trial.frames is None else trial.frames
    stats = RunStats()
    for frame in wall.frames(trial.warmup + count):
        if frame.index < trial.warmup:
            pipeline.process(frame)
        else:
            _process(pipeline, frame, stats)
    figures = _figures(stats.summary().as_dict(), live=False)
    # Painting the pictures is not the product's work: the frame rate counts the time in the pipeline alone.
    busy = stats.stages["process"].total
    # Generated frames have no age.
    return {
        "source": {"name": trial.name, "width": wall.width, "height": wall.height, "live": False},
        **figures,
        "fps": stats.frames / busy,
        "age": None,
    }


def _process(pipeline: Pipeline, frame: Frame, stats: RunStats) -> None:
    with stats.stage("process"):
        result = pipeline.process(frame)
    stats.frame(result)


def _figures(summary: dict[str, Any], live: bool) -> dict[str, Any]:
    return {
        "frames": summary["frames"],
        "faces": summary["faces"] / summary["frames"],
        "detections": summary["detections"],
        "stages": summary["stages"],
        "age": summary["age"],
        "dropped": summary["dropped"] if live else None,
    }


def peak_memory_mb() -> float | None:
    """Largest resident memory of this process so far, in MB (10^6 bytes); None where that is not known."""
    # Linux: getrusage would include the parent's memory from before this process replaced it.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def main(words: list[str]) -> int:
    """Measure the trial that the only word describes in JSON, and write the lines to stdout."""
    lines = sys.stdout
    # A library may print, too.
    sys.stdout = sys.stderr

    def write(**what: Any) -> None:
        print(json.dumps(what), file=lines, flush=True)

    try:
        write(result=measure(Trial(**json.loads(words[0])), lambda: write(first=True)))
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except FkpError as error:
        write(error={"message": error.message, "hint": error.hint, "exit_code": int(error.exit_code)})
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
