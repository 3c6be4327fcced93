"""``fkp-live bench``: how fast this machine is, stage by stage, and how still and how prompt the points are.

Every trial runs in a fresh process (`trial`); cases and providers take turns, A B A B, so that a slow moment
of the machine hits all alike. Figures are medians over the repeats. What was not measured is null in the JSON
and a dash in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

from fkp_live import __version__
from fkp_live.arguments import MOST_THREADS, Help, Parser, file_path, filled, whole_number
from fkp_live.choices import PROVIDERS
from fkp_live.commands.bench.report import SCHEMA, comparison, read_report, table, write_report
from fkp_live.console import say
from fkp_live.errors import ExitCode, FkpError
from fkp_live.sinks.files import check_output

MOST_FACES = 100
_PACKAGES = ("numpy", "opencv-python", "onnxruntime", "av")
_DESCRIPTION = """\
Measures reading and following faces, drawing and writing apart: frames per second, milliseconds in each
stage, start-up, memory, and how still and how prompt the points are. Every trial has a process of its own."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What is measured, how often, and where the figures go.

    Attributes
    ----------
    video : file or URL; None for the clip that the package carries
    faces : sizes of the walls of faces to measure instead, empty for none
    providers : in the order of their turns
    model, threads : see `pipeline.PipelineOptions`
    repeats : trials of each case on each provider
    warmup : frames at the start of a trial that are not counted
    frames : counted frames at most, None for all
    stability : whether jitter and lag are measured
    json : file to write, None for none
    compare : older file to compare with, None for none
    overwrite : whether `json` may replace a file
    """

    video: str | None
    faces: tuple[int, ...]
    providers: tuple[str, ...]
    model: str | None
    threads: int
    repeats: int
    warmup: int
    frames: int | None
    stability: bool
    json: Path | None
    compare: Path | None
    overwrite: bool


def main(words: Sequence[str]) -> int:
    """Carry out ``fkp-live bench`` with these words and return the exit code.

    Raises
    ------
    FkpError
        For options that make no sense, a source, model or provider that does not work, an old file that is no
        benchmark of ours, or an output that cannot be written; all that can be is said before measuring.
    """
    options = parse(words)
    # Not at the top, because ``--help`` and a mistyped option answer at once.
    from fkp_live.inference.session import resolve_model
    from fkp_live.sources.spec import local_files

    old = None if options.compare is None else read_report(options.compare)
    if options.json is not None:
        inputs = [] if options.video is None else local_files(options.video)
        if options.model is not None:
            inputs.append(resolve_model(options.model))
        check_output(options.json, overwrite=options.overwrite, inputs=inputs)
    with _stopped_like_ctrl_c():
        report = measure(options)
    say(table(report))
    if old is not None:
        say("\n" + comparison(old, report))
    if options.json is not None:
        write_report(options.json, report, overwrite=options.overwrite)
        say(f"\nwritten: {options.json}")
    return int(ExitCode.OK)


@contextmanager
def _stopped_like_ctrl_c() -> Iterator[None]:
    """SIGTERM as KeyboardInterrupt inside the ``with`` block, so that no trial goes on alone."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def parse(words: Sequence[str]) -> BenchOptions:
    """Options from the command line's words.

    Raises
    ------
    UsageError
        For an option that is unknown, makes no sense or contradicts another one; it is named.
    """
    given = vars(parser().parse_args(words))
    given.pop("debug")
    one, several = given.pop("provider"), given.pop("providers")
    faces = given.pop("faces") or ()
    return BenchOptions(**given, faces=faces, providers=several or (one or "auto",))


def parser() -> argparse.ArgumentParser:
    """The parser of ``fkp-live bench``."""
    made = Parser(prog="fkp-live bench", description=_DESCRIPTION, formatter_class=Help, allow_abbrev=False)
    flag = argparse.BooleanOptionalAction
    group = made.add_argument_group("what (the demo clip, unless one of the first two is given)")
    source = group.add_mutually_exclusive_group()
    source.add_argument("--video", type=filled, metavar="FILE", help="video file or URL")
    source.add_argument(
        "--faces",
        type=_faces,
        metavar="N,N",
        help="pictures in memory with so many moving faces, such as 1,4,8,20",
    )
    group.add_argument(
        "--stability", action=flag, default=True, help="jitter at rest and lag of a moving face as well"
    )

    group = made.add_argument_group("on what")
    provider = group.add_mutually_exclusive_group()
    provider.add_argument(
        "--provider", choices=PROVIDERS, help="what onnxruntime computes on (default: auto)"
    )
    provider.add_argument("--providers", type=_providers, metavar="A,B", help="several, taking turns")
    group.add_argument("--model", type=filled, help="name of a shipped landmark network, or an .onnx file")
    group.add_argument(
        "--threads",
        type=whole_number(1, MOST_THREADS),
        default=1,
        metavar="N",
        help="threads of a CPU provider",
    )

    group = made.add_argument_group("how often")
    group.add_argument("--repeats", type=whole_number(1), default=3, metavar="N", help="trials of each case")
    group.add_argument(
        "--warmup", type=whole_number(1), default=20, metavar="N", help="frames that are not counted"
    )
    group.add_argument(
        "--max-frames",
        dest="frames",
        type=whole_number(1),
        metavar="N",
        help="frames counted in each trial (default: all of a file, else 300)",
    )

    group = made.add_argument_group("output")
    group.add_argument("--json", type=file_path, metavar="FILE", help="write all figures to this file")
    group.add_argument("--compare", type=file_path, metavar="OLD.json", help="ratios to an older --json file")
    group.add_argument("--overwrite", action=flag, default=False, help="replace a file that exists")
    group.add_argument(
        "--debug", action=flag, default=False, help="show where an unexpected failure came from"
    )
    return made


def _faces(text: str) -> tuple[int, ...]:
    numbers = tuple(whole_number(1)(part) for part in text.split(","))
    if max(numbers) > MOST_FACES or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"expected were different numbers up to {MOST_FACES}, not {text!r}")
    return numbers


def _providers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not set(names) <= set(PROVIDERS) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"expected were different ones of {', '.join(PROVIDERS)}, with commas, not {text!r}"
        )
    return names


# ----- measuring


def measure(options: BenchOptions) -> dict[str, Any]:
    """Run all trials in turn and put their figures together; the JSON of ``--json``.

    Raises
    ------
    FkpError
        What a trial failed with.
    """
    _check(options)
    cases = _cases(options)
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    steadiness: dict[str, dict[str, Any]] = {}
    for number in range(options.repeats):
        for name, what in cases.items():
            for provider in options.providers:
                say(f"{name} on {provider}, {number + 1} of {options.repeats}", sys.stderr)
                answer = _run(_trial(options, name, provider, **what))
                trials.setdefault((name, provider), []).append(answer)
    if options.stability:
        for provider in options.providers:
            say(f"jitter and lag on {provider}", sys.stderr)
            steadiness[provider] = _run(_trial(options, "stability", provider, stability=True))
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
        "results": [_pooled(name, provider, answers) for (name, provider), answers in trials.items()],
        "stability": [_stable(provider, answer) for provider, answer in steadiness.items()],
    }


def _check(options: BenchOptions) -> None:
    """Fail before the first trial on what would fail in one of them."""
    # Not at the top, because ``--help`` and a mistyped option answer at once.
    from fkp_live.inference.session import open_session, resolve_model
    from fkp_live.sources import open_source

    for provider in options.providers:
        open_session(resolve_model(options.model), provider, options.threads).require("fkp-landmarks/1")
    if options.video is not None and "://" not in options.video:
        open_source(options.video).close()


def _cases(options: BenchOptions) -> dict[str, dict[str, Any]]:
    if options.faces:
        return {f"{n} face{'s' if n > 1 else ''}": {"faces": n} for n in options.faces}
    from fkp_live.sources.spec import without_password

    if options.video is None:
        from fkp_live.commands.bench.scenes import demo_clip

        return {"demo": {"video": str(demo_clip())}}
    url = "://" in options.video
    return {without_password(options.video) if url else Path(options.video).name: {"video": options.video}}


def _trial(options: BenchOptions, name: str, provider: str, **what: Any) -> dict[str, Any]:
    return {
        "name": name,
        **{"video": None, "faces": None, "stability": False, **what},
        **{"provider": provider, "model": options.model, "threads": options.threads},
        **{"warmup": options.warmup, "frames": options.frames},
    }


def _run(trial: dict[str, Any]) -> dict[str, Any]:
    """What a fresh process measures; ``startup_s`` is from its start to its first frame."""
    above = str(Path(__file__).resolve().parents[3])
    paths = [above, *filter(None, [os.environ.get("PYTHONPATH")])]
    startup = None
    answer: dict[str, Any] = {}
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fkp_live.commands.bench.trial", json.dumps(trial)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout or ():
            if not line.startswith("{"):
                # Some library's own words.
                say(line.rstrip(), sys.stderr)
                continue
            answer = json.loads(line)
            if "first" in answer:
                startup = time.perf_counter() - begun
        code = process.wait()
    finally:
        process.kill()
        process.wait()
    if "error" in answer:
        error = answer["error"]
        raise FkpError(error["message"], error["hint"], ExitCode(error["exit_code"]))
    if "result" not in answer:
        raise FkpError(
            f"The process that measured {trial['name']} on {trial['provider']} ended with code {code}.",
            "What it said stands above.",
        )
    result: dict[str, Any] = answer["result"]
    return {**result, "startup_s": startup}


def _pooled(name: str, asked: str, answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One case on one provider: medians over the repeats, null where any of them did not measure it."""
    last = answers[-1]
    rates = [answer["fps"] for answer in answers]
    return {
        "case": name,
        "source": last["source"],
        "provider": {"asked": asked, "running": last["provider"], "note": last["note"]},
        "model": last["model"],
        "fps": {"median": median(rates), "least": min(rates), "most": max(rates)},
        **{
            key: _median([answer[key] for answer in answers])
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


def _stable(asked: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": {"asked": asked, "running": answer["provider"]},
        "jitter_percent": answer["jitter"],
        "jitter_raw_percent": answer["jitter_raw"],
        "lag_ms": answer["lag_ms"],
    }


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
    """Of a package, or of the wheel that stands for it."""
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
