"""The trials of ``fkp-live bench``: run in turn, each in a fresh process, and their medians.

Cases and providers take turns, A B A B, so that a slow moment of the machine affects all alike. A figure that
was not measured is null in the JSON and a dash in the table.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

from fkp_live import __version__
from fkp_live.commands.bench.options import BenchOptions
from fkp_live.commands.bench.report import SCHEMA
from fkp_live.commands.bench.scenes import demo_clip
from fkp_live.commands.bench.trial import Trial
from fkp_live.console import say
from fkp_live.errors import ExitCode, FkpError
from fkp_live.inference.metadata import LANDMARKS
from fkp_live.inference.models import resolve_model
from fkp_live.inference.session import open_session
from fkp_live.sources import open_source
from fkp_live.sources.spec import without_password

_PACKAGES = ("numpy", "opencv-python", "onnxruntime", "av")


def measure(options: BenchOptions) -> dict[str, Any]:
    """Run all trials in turn and collect their figures; returns the report, as ``--json`` writes it.

    Raises
    ------
    FkpError
        If a trial fails.
    """
    _check(options)
    cases = _cases(options)
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(options.repeats):
        for name, what in cases.items():
            for provider in options.providers:
                say(f"{name} on {provider}, {number + 1} of {options.repeats}", sys.stderr)
                trials.setdefault((name, provider), []).append(_run(_trial(options, name, provider, **what)))
    return {
        "schema": SCHEMA,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "version": __version__,
        "host": _host(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "settings": {
            "threads": options.threads,
            "repeats": options.repeats,
            "warmup": options.warmup,
            "max_frames": options.frames,
        },
        "results": [_pooled(name, provider, figures) for (name, provider), figures in trials.items()],
    }


def _check(options: BenchOptions) -> None:
    """Fail before the first trial on what would fail in one of them."""
    for provider in options.providers:
        open_session(resolve_model(options.model), provider, options.threads).require(LANDMARKS)
    if options.video is not None and "://" not in options.video:
        open_source(options.video).close()


def _cases(options: BenchOptions) -> dict[str, dict[str, Any]]:
    """Names of the cases, and for each the field of `Trial` that makes it."""
    if options.faces:
        return {f"{n} face{'s' if n > 1 else ''}": {"faces": n} for n in options.faces}
    if options.video is None:
        return {"demo": {"video": str(demo_clip())}}
    url = "://" in options.video
    return {without_password(options.video) if url else Path(options.video).name: {"video": options.video}}


def _trial(
    options: BenchOptions, name: str, provider: str, *, video: str | None = None, faces: int | None = None
) -> Trial:
    return Trial(
        name=name,
        video=video,
        faces=faces,
        provider=provider,
        model=options.model,
        threads=options.threads,
        warmup=options.warmup,
        frames=options.frames,
    )


def _run(trial: Trial) -> dict[str, Any]:
    """Figures that a fresh process measures; ``startup_s`` is the time from its start to its first frame."""
    checkout = str(Path(__file__).resolve().parents[3])
    paths = [checkout, *filter(None, [os.environ.get("PYTHONPATH")])]
    startup = None
    message: dict[str, Any] = {}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fkp_live.commands.bench.trial", json.dumps(asdict(trial))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout or ():
            if not line.startswith("{"):
                # Printed by some library.
                say(line.rstrip(), sys.stderr)
                continue
            message = json.loads(line)
            if "first" in message:
                startup = time.perf_counter() - begun
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if "error" in message:
        error = message["error"]
        raise FkpError(error["message"], error["hint"], ExitCode(error["exit_code"]))
    if "result" not in message:
        raise FkpError(
            f"The process that measured {trial.name} on {trial.provider} ended with code {code}.",
            "Its own output is above.",
        )
    result: dict[str, Any] = message["result"]
    return {**result, "startup_s": startup}


def _pooled(name: str, asked: str, trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One case on one provider: medians over the repeats, null where a repeat lacks the figure."""
    last = trials[-1]
    rates = [trial["fps"] for trial in trials]
    return {
        "case": name,
        "source": last["source"],
        "provider": {"asked": asked, "running": last["provider"], "note": last["note"]},
        "model": last["model"],
        "fps": {"median": median(rates), "least": min(rates), "most": max(rates)},
        **{
            key: _median([trial[key] for trial in trials])
            for key in (
                *("frames", "faces", "detections", "dropped"),
                *("startup_s", "peak_memory_mb", "stages", "age"),
            )
        },
    }


def _median(values: Sequence[Any]) -> Any:
    """Median of numbers, or, key by key, of dicts of them."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], Mapping):
        return {key: _median([value.get(key) for value in values]) for key in values[0]}
    return median(values)


def _host() -> dict[str, Any]:
    usable = getattr(os, "sched_getaffinity", None)
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": len(usable(0)) if usable is not None else os.cpu_count(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    """Version of a package, or of another wheel that brings the same module."""
    variants = {
        "onnxruntime": ("onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"),
        "opencv-python": ("opencv-contrib-python", "opencv-python-headless"),
    }
    for name in (package, *variants.get(package, ())):
        try:
            return f"{metadata.version(name)}{'' if name == package else f' ({name})'}"
        except metadata.PackageNotFoundError:
            continue
    return None
