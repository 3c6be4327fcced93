"""One measurement in a process of its own, for ``fkp-live bench``, which hands over a trial.

A fresh process, because only there start-up time and peak memory mean anything, and so that no trial runs in
what another one left warm. It answers with JSON lines: ``{"first": true}`` when the first frame is done, then
``{"result": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before anything that imports av, or cv2.imshow hangs on Linux.
import cv2  # noqa: F401
import numpy as np
from numpy.typing import NDArray

from fkp_live.choices import PipelineOptions
from fkp_live.errors import ExitCode, FkpError, InputError
from fkp_live.pipeline import Pipeline
from fkp_live.sources import Source, open_source
from fkp_live.stats import RunStats
from fkp_live.types import Frame

# The longest measurement where the source sets no end.
ENDLESS = 300
# Frames of the still face, those at its start that do not count, and how fast the moving one swings, in Hz.
_STILL, _SKIPPED = 60, 10
_FREQUENCIES = (0.5, 1.0, 2.0)

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trial:
    """What to measure.

    Attributes
    ----------
    name : of the case, the same in every trial of it
    video : file or URL to read, None for a wall of faces
    faces : how many faces the wall has, None for a video
    stability : jitter and lag instead of speed; neither video nor wall
    provider, model, threads : see `pipeline.PipelineOptions`
    warmup : frames at the start that are not counted
    frames : frames that are counted at most, None for all (of an endless source: `ENDLESS`)
    """

    name: str
    video: str | None
    faces: int | None
    stability: bool
    provider: str
    model: str | None
    threads: int
    warmup: int
    frames: int | None


def measure(trial: Trial, first: Callable[[], None]) -> dict[str, Any]:
    """Figures of one trial; ``first`` is called when the first frame is done.

    Raises
    ------
    FkpError
        If the provider does not run, the model or source cannot be opened, or the source is too short.
    """
    pipeline = Pipeline(PipelineOptions(trial.provider, trial.model, threads=trial.threads))
    if trial.stability:
        figures = _stability(pipeline)
    elif trial.faces is not None:
        figures = _wall(pipeline, trial, trial.faces)
    else:
        assert trial.video is not None  # a trial has one of the three
        figures = _source(pipeline, trial, trial.video, first)
    return {
        "provider": pipeline.engine.provider,
        "note": pipeline.engine.note,
        "model": {"name": pipeline.engine.model_name, "sha256": pipeline.engine.model_sha256},
        "peak_memory_mb": peak_memory_mb(),
        **figures,
    }


def _source(pipeline: Pipeline, trial: Trial, video: str, first: Callable[[], None]) -> dict[str, Any]:
    """A file or live stream: reading and the pipeline, as in a run that neither draws nor writes."""
    with open_source(video) as source:
        _warm_up(source, pipeline, trial.warmup, first)
        most = ENDLESS if source.info.live and trial.frames is None else trial.frames
        # Frames dropped before the clock starts are not counted, so neither is what led to them.
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
    """Pictures that are in memory already: the pipeline and nothing else."""
    from fkp_live.commands.bench.scenes import FaceWall

    wall = FaceWall(faces)
    count = ENDLESS if trial.frames is None else trial.frames
    stats = RunStats()
    for frame in wall.frames(trial.warmup + count):
        if frame.index < trial.warmup:
            pipeline.process(frame)
        else:
            _process(pipeline, frame, stats)
    figures = _figures(stats.summary().as_dict(), live=False)
    # Painting the wall is not the product's work: the clock of the frame rate runs in the pipeline only.
    busy = stats.stages["process"].total
    # These frames come from nowhere, so they have no age.
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


def _stability(pipeline: Pipeline) -> dict[str, Any]:
    """Jitter of a still face and the delay that smoothing adds to a moving one, the whole pipeline at work.

    What cannot be told because the face was lost on the way is None.
    """
    from fkp_live.commands.bench.scenes import FACE_SIDE, RATE, camera_view, demo_clip
    from fkp_live.metrics import inter_ocular, jitter, lag

    with open_source(demo_clip(), max_frames=1) as source:
        photo = next(source)
    faces = pipeline.process(photo).faces
    if not faces:
        return {"jitter": None, "jitter_raw": None, "lag_ms": {f"{hertz:g}": None for hertz in _FREQUENCIES}}
    face = faces[0]
    swing = 0.5 * FACE_SIDE * float(inter_ocular(face.points)) / float(max(face.box[2:] - face.box[:2]))

    def followed(path: Values) -> tuple[Values, Values, Values] | None:
        """Smoothed and raw points (T, 68, 2) and shifts (T, 1, 2), None if the face was lost."""
        pipeline.reset()
        smooth, raw, shifts = [], [], []
        for frame, shift in camera_view(photo.image, face, path):
            found = pipeline.process(frame).faces
            if not found or found[0].raw is None:
                return None
            smooth.append(found[0].points)
            raw.append(found[0].raw)
            shifts.append(shift)
        return np.array(smooth, np.float64), np.array(raw, np.float64), np.array(shifts)[:, None]

    def delay(hertz: float) -> float | None:
        times = np.arange(round(RATE * max(2.0, 2.0 / hertz))) / RATE
        run = followed(swing * np.sin(2 * np.pi * hertz * times)[:, None] * np.array([1.0, 0.0]))
        return None if run is None else 1e3 * lag(run[0], run[1], times, hertz)

    still = followed(np.zeros((_STILL, 2)))
    return {
        "jitter": None if still is None else jitter(still[0] - still[2], _SKIPPED),
        "jitter_raw": None if still is None else jitter(still[1] - still[2], _SKIPPED),
        "lag_ms": {f"{hertz:g}": delay(hertz) for hertz in _FREQUENCIES},
    }


def peak_memory_mb() -> float | None:
    """The most memory this process ever held, in MB (10^6 bytes); None where the system does not tell."""
    # Linux: getrusage would count what the parent held before it became this process.
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
    """Measure the trial that the only word describes in JSON, and answer on stdout."""
    answers = sys.stdout
    # Whatever a library prints is not an answer.
    sys.stdout = sys.stderr

    def answer(**what: Any) -> None:
        print(json.dumps(what), file=answers, flush=True)

    try:
        answer(result=measure(Trial(**json.loads(words[0])), lambda: answer(first=True)))
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except FkpError as error:
        answer(error={"message": error.message, "hint": error.hint, "exit_code": int(error.exit_code)})
        return int(error.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
