"""What a face costs: each landmark network against one run of YuNet on a 320x240 picture, in turn, one thread.

    python -m benchmarks.cost [MODEL ...]

The detector runs at 320x256, as the product runs it for 320x240 (its sides are multiples of 32). Every round runs
each of them once, so a slow moment of the machine hits all alike; the figure to quote is the median of the ratios.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np

from fkp_live.errors import FkpError
from fkp_live.runtime import Session, models_dir, open_session, resolve_model, runtime_version


def _seconds(session: Session, inputs: dict[str, np.ndarray]) -> float:
    started = time.perf_counter()
    session.run(inputs)
    return time.perf_counter() - started


def measure(models: list[str], rounds: int, threads: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each and its median ratio to the detector."""
    rng = np.random.default_rng(0)
    sessions = {"yunet 320x256": open_session(models_dir() / "yunet.onnx", "cpu", threads)}
    inputs = {"yunet 320x256": {"image": rng.uniform(0, 255, (1, 3, 256, 320)).astype(np.float32)}}
    for model in models:
        session = open_session(resolve_model(model), "cpu", threads)
        size = session.metadata["input"]["size"]
        sessions[model] = session
        inputs[model] = {"image": rng.uniform(0, 255, (1, 3, size, size)).astype(np.float32)}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    names = list(sessions)
    for round_number in range(rounds + rounds // 10):
        # In another order each time: whoever always came right after the detector, with cold caches, read 12 % dearer.
        for name in rng.permutation(names).tolist():
            seconds = _seconds(sessions[name], inputs[name])
            if round_number >= rounds // 10:  # the first tenth warms up
                times[name].append(seconds)
    detector = np.array(times["yunet 320x256"])
    return {
        name: {"ms": float(np.median(t) * 1e3), "ratio": float(np.median(np.array(t) / detector))}
        for name, t in times.items()
    }


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    shipped = sorted(path.stem for path in models_dir().glob("fkp68*.onnx"))
    parser.add_argument("models", nargs="*", default=shipped, help=f"default: {' '.join(shipped)}")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        figures = measure(args.models, args.rounds, args.threads)
    except FkpError as error:
        parser.exit(int(error.exit_code), f"error: {error}\n")
    print(
        f"onnxruntime {runtime_version()}, {args.threads} thread(s), {args.rounds} rounds, {platform.machine()}"
    )
    for name, row in figures.items():
        print(f"{name:<24} {row['ms']:7.3f} ms   {row['ratio']:.2f} of the detector")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
