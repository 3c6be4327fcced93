"""What a face costs: each landmark network against one run of YuNet on a 320x240 picture, in turn, one thread.

    python -m benchmarks.cost [MODEL ...]
    python -m benchmarks.cost [MODEL ...] --batches 2,4,8,20 [--provider P]

The detector runs at 320x256, as the product runs it for 320x240 (its sides are multiples of 32). Every round runs
each of them once, so a slow moment of the machine hits all alike; the figure to quote is the median of the ratios.

With ``--batches``: what a face costs where N are run at once, over a run with one: what looking ahead
in a file, to run the faces of several frames at once, could gain at most.
"""

from __future__ import annotations

import argparse
import json
import platform
import time

import numpy as np

from benchmarks.script import result_file, run, whole_numbers
from fkp_live.arguments import whole_number
from fkp_live.choices import PROVIDERS
from fkp_live.inference.models import models_dir, resolve_model
from fkp_live.inference.runtime import runtime_version
from fkp_live.inference.session import Session, open_session


def _seconds(session: Session, inputs: dict[str, np.ndarray]) -> float:
    started = time.perf_counter()
    session.run(inputs)
    return time.perf_counter() - started


def _in_turn(runs: dict[str, tuple[Session, dict[str, np.ndarray]]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each run in each round."""
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for round_number in range(rounds + rounds // 10):
        # In another order each time: whoever always came right after the detector, with cold caches, read 12 % dearer.
        for name in rng.permutation(names).tolist():
            seconds = _seconds(*runs[name])
            if round_number >= rounds // 10:  # the first tenth warms up
                times[name].append(seconds)
    return {name: np.array(seconds) for name, seconds in times.items()}


def _crops(session: Session, count: int) -> dict[str, np.ndarray]:
    size = session.metadata["input"]["size"]
    crops = np.random.default_rng(0).uniform(0, 255, (count, 3, size, size)).astype(np.float32)
    return {session.metadata["input"]["name"]: crops}


def measure(models: list[str], rounds: int, threads: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each and its median ratio to the detector."""
    detector = open_session(models_dir() / "yunet.onnx", "cpu", threads)
    picture = np.random.default_rng(0).uniform(0, 255, (1, 3, 256, 320)).astype(np.float32)
    runs = {"yunet 320x256": (detector, {"image": picture})}
    for model in models:
        session = open_session(resolve_model(model), "cpu", threads)
        runs[model] = (session, _crops(session, 1))
    times = _in_turn(runs, rounds)
    return {
        name: {"ms": float(np.median(t) * 1e3), "ratio": float(np.median(t / times["yunet 320x256"]))}
        for name, t in times.items()
    }


def measure_batches(
    models: list[str], batches: list[int], provider: str, rounds: int, threads: int
) -> dict[str, dict[str, float]]:
    """Median milliseconds of a face in each batch, and its median ratio to a batch of one."""
    figures = {}
    for model in models:
        session = open_session(resolve_model(model), provider, threads)
        runs = {f"{model}, {count} at once": (session, _crops(session, count)) for count in [1, *batches]}
        times = _in_turn(runs, rounds)
        for (name, t), count in zip(times.items(), [1, *batches], strict=True):
            ratio = t / count / times[f"{model}, 1 at once"]
            figures[name] = {"ms": float(np.median(t) / count * 1e3), "ratio": float(np.median(ratio))}
    return figures


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shipped = sorted(path.stem for path in models_dir().glob("fkp68*.onnx"))
    parser.add_argument("models", nargs="*", default=shipped, help=f"default: {' '.join(shipped)}")
    parser.add_argument("--rounds", type=whole_number(1), default=500)
    parser.add_argument("--threads", type=whole_number(1), default=1)
    parser.add_argument("--batches", type=whole_numbers, help="numbers of faces at once, with commas")
    parser.add_argument("--provider", default="cpu", choices=PROVIDERS, help="with --batches (default: cpu)")
    parser.add_argument("--json", type=result_file)
    args = parser.parse_args()
    if args.batches:
        figures = measure_batches(args.models, args.batches, args.provider, args.rounds, args.threads)
    else:
        figures = measure(args.models, args.rounds, args.threads)
    print(
        f"onnxruntime {runtime_version()}, {args.threads} thread(s), {args.rounds} rounds, {platform.machine()}"
    )
    unit, yardstick = ("ms a face", "one at once") if args.batches else ("ms", "the detector")
    for name, row in figures.items():
        print(f"{name:<24} {row['ms']:7.3f} {unit}   {row['ratio']:.2f} of {yardstick}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
