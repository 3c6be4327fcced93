"""A Ray cluster of two nodes in one box, one of which is killed in the middle of a batch.

    python -m benchmarks.archive_nodes [--films 40] [--how raylet|node] [--seed 0]

A head without processors and two nodes with one each. Once some items are done, one node's raylet alone, or all of its
processes, get SIGKILL. Then: every item is done once, each record counts its attempts, nothing is half-written, and the
batch ends though no processor is left for the lost actor. Exit code 1 where one of these does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.archive_kill import Findings, children, half_written
from benchmarks.make_archive import make_archive

ROOT = Path(__file__).resolve().parents[1]
_SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
}


def with_a_node_killed(archive: Path, out: Path, how: str) -> Findings:
    """Run a batch on two nodes, kill one, and look at what comes out.

    Parameters
    ----------
    how : "raylet": the node's raylet alone, so that its actors are orphans; "node": all of its processes
    """
    folder = tempfile.mkdtemp(prefix="fkp-nodes-", dir="/tmp")
    (Path(folder) / "ray").mkdir()
    # Read when Ray is imported.
    os.environ.update(_SETTINGS, RAY_TMPDIR=folder)
    import ray
    from ray.cluster_utils import Cluster

    found = Findings()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": f"{folder}/ray"})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        words = [
            "--out",
            str(out),
            "--format",
            "jsonl",
            "--ray",
            cluster.address,
            "--workers",
            "2",
            "--progress",
            "off",
        ]
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "fkp_live", "batch", str(archive), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **_SETTINGS},
        )
        while len(list(out.glob("records/*/*"))) < 4 and process.poll() is None:
            time.sleep(0.02)
        while len(list(out.glob("claims/*/*/points*"))) < 2 and process.poll() is None:
            time.sleep(0.01)  # both are in the middle of a film
        _kill(nodes[1], how)
        done = len(list(out.glob("records/*/*")))
        said, _ = process.communicate(timeout=600)
        seconds = time.monotonic() - began
        figures = next((line for line in said.splitlines() if line.startswith("done ")), said[-500:])
        found.steps.append(
            f"{how} killed after {done} items; code {process.returncode} after {seconds:.0f} s: {figures}"
        )
    finally:
        cluster.shutdown()
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    records = [json.loads(path.read_text()) for path in out.glob("records/*/*")]
    attempts = Counter(record["attempts"] for record in records)
    found.steps.append(f"{len(records)} records, by attempts: {dict(sorted(attempts.items()))}")
    if len({record["source"] for record in records}) != len(records):
        found.wrong.append("an item has two records")
    if max(attempts) < 2:
        found.wrong.append("no item was in hand when the node was killed")
    found.wrong += half_written(out)
    found.wrong += [f"left over: {path}" for path in out.glob("claims/*/*")]
    return found


def _kill(node: object, how: str) -> None:
    """SIGKILL to the raylet of a node of `Cluster`, or to all its processes."""
    ((raylet,),) = [[info.process for info in each] for each in [node.all_processes["raylet"]]]  # type: ignore[attr-defined]
    victims = [raylet.pid] if how == "raylet" else [*children(raylet.pid), raylet.pid]
    for number in victims:
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main(words: Sequence[str] | None = None) -> int:
    """Make an archive, kill a node and look; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--how", choices=("raylet", "node"), default="raylet")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as made:
        archive = Path(made) / "archive"
        broken = sum(make_archive(archive, options.films, 0, options.seed, frames_each=(150, 180)))
        found = with_a_node_killed(archive, Path(made) / "out", options.how)
        records = [json.loads(path.read_text()) for path in (Path(made) / "out").glob("records/*/*")]
    failed = [record for record in records if record["status"] == "failed"]
    if (len(records), len(failed)) != (options.films, broken):
        found.wrong.append(
            f"{options.films} items, {broken} broken; {len(records)} recorded, {len(failed)} failed"
        )
    for step in found.steps:
        print(step)
    for wrong in found.wrong:
        print(f"WRONG: {wrong}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
